/**
 * The reference backend's page: what it has accepted, by study and series, with the pictures. One document without
 * scripts or anything from elsewhere; every value in it is escaped, because whoever uploads chooses the values. Pure.
 */
import type { StoredImage } from './image-store.ts';
import type { StoredObject } from './object-store.ts';

/** Newest studies and first images of a series that the page shows; the listing in JSON has all. */
const STUDIES_SHOWN = 25;
const IMAGES_SHOWN = 60;
const OBJECTS_SHOWN = 50;

const STYLE = `
:root { color-scheme: light dark; --ink: #17212b; --soft: #52606d; --paper: #f4f6f8; --card: #fff; --line: #d5dce3; --mark: #0b6e6e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8edf2; --soft: #a3b1be; --paper: #10161c; --card: #18212a; --line: #2d3945; --mark: #5fd0c5; } }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
header, main, footer { max-width: 72rem; margin: 0 auto; padding: 1rem 1.25rem; }
header { padding-top: 2rem; }
h1 { margin: 0; font-size: 1.6rem; letter-spacing: -0.01em; }
h2 { margin: 0 0 .25rem; font-size: 1.05rem; overflow-wrap: anywhere; }
h3 { display: inline; font-size: .95rem; font-weight: 600; overflow-wrap: anywhere; }
p { margin: .25rem 0; color: var(--soft); }
a { color: var(--mark); }
.counts { display: flex; gap: 2rem; margin: 1rem 0 0; padding: 0; list-style: none; }
.counts strong { display: block; font-size: 1.7rem; line-height: 1.2; color: var(--mark); font-variant-numeric: tabular-nums; }
article { margin: 0 0 1.25rem; padding: 1.1rem 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
dl { display: flex; flex-wrap: wrap; gap: .25rem 2rem; margin: .25rem 0 .75rem; }
dt { display: inline; color: var(--soft); } dd { display: inline; margin: 0; overflow-wrap: anywhere; }
details { border-top: 1px solid var(--line); padding: .6rem 0 .2rem; }
summary { cursor: pointer; }
summary:focus-visible, a:focus-visible { outline: 3px solid var(--mark); outline-offset: 2px; }
.images { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .75rem; margin: .75rem 0; padding: 0; list-style: none; }
figure { margin: 0; }
img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; background: #000; border-radius: .35rem; }
figcaption { margin-top: .25rem; font-size: .78rem; color: var(--soft); overflow-wrap: anywhere; }
.objects { padding-left: 1.2rem; overflow-wrap: anywhere; }
.empty { padding: 3rem 1.25rem; text-align: center; }
`;

/** The policy that belongs to the page: own pictures, own style, nothing else. */
export const PAGE_POLICY =
  "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export function page(images: readonly StoredImage[], objects: readonly StoredObject[]): string {
  const studies = [...Map.groupBy(images, (image) => image.study.studyInstanceUid).values()].reverse();
  const series = new Set(images.map((image) => image.seriesInstanceUid));
  const counts = [
    [studies.length, 'studies'],
    [series.size, 'series'],
    [images.length, 'images'],
    [objects.length, 'other objects'],
  ];
  const others = objectsCard(objects);
  const shown = studies.slice(0, STUDIES_SHOWN).map(studyCard).join('');
  const more =
    studies.length > STUDIES_SHOWN
      ? `<p>${studies.length - STUDIES_SHOWN} older studies are in the <a href="/v1/studies">listing</a>.</p>`
      : '';
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Reference backend</title><style>${STYLE}</style></head><body>
<header><h1>Reference backend</h1><p>Images accepted by <code>POST /v1/images/upload</code>. Every identifier here is a pseudonym.</p>
<ul class="counts">${counts.map(([count, what]) => `<li><strong>${count}</strong>${what}</li>`).join('')}</ul></header>
<main>${shown + others === '' ? '<article class="empty"><h2>Nothing yet</h2><p>Images appear here as soon as the first upload is accepted. Reload to look again.</p></article>' : shown + more + others}</main>
<footer><p>For scripts: <a href="/v1/studies">/v1/studies</a></p></footer></body></html>
`;
}

/** What has no picture to show: reports and the like, as DICOM. */
function objectsCard(objects: readonly StoredObject[]): string {
  if (objects.length === 0) return '';
  const newest = objects.slice(-OBJECTS_SHOWN).reverse();
  const lines = newest.map(({ sopClassUid, sopInstanceUid, bytes }) => {
    const link = `/v1/objects/${encodeURIComponent(sopInstanceUid)}/file`;
    return `<li><a href="${escapeHtml(link)}">${escapeHtml(sopInstanceUid)}</a> (SOP class ${escapeHtml(sopClassUid)}, ${bytes} bytes)</li>`;
  });
  const more = objects.length > OBJECTS_SHOWN ? '<p>Older ones are in the <a href="/v1/objects">listing</a>.</p>' : '';
  return `<article><h2>Objects without an image</h2><ul class="objects">${lines.join('')}</ul>${more}</article>`;
}

function studyCard(images: readonly StoredImage[]): string {
  const [first] = images;
  if (first === undefined) return '';
  const { study } = first;
  const facts = [
    ['Patient ID', study.patientId],
    ['Accession number', study.accessionNumber],
    ['Age', study.patientAge ?? 'not given'],
    ['Received', first.receivedAt],
  ];
  const series = [...Map.groupBy(images, (image) => image.seriesInstanceUid).values()];
  return `<article><h2>Study ${escapeHtml(study.studyInstanceUid)}</h2>
<dl>${facts.map(([name, value]) => `<div><dt>${name}: </dt><dd>${escapeHtml(value ?? '')}</dd></div>`).join('')}</dl>
${series.map((one, index) => seriesDetails(one, index === 0)).join('')}</article>`;
}

function seriesDetails(images: readonly StoredImage[], open: boolean): string {
  const uid = images[0]?.seriesInstanceUid ?? '';
  const more = images.length > IMAGES_SHOWN ? `<p>and ${images.length - IMAGES_SHOWN} more</p>` : '';
  return `<details${open ? ' open' : ''}><summary><h3>Series ${escapeHtml(uid)}</h3> (${images.length})</summary>
<ul class="images">${images.slice(0, IMAGES_SHOWN).map(figure).join('')}</ul>${more}</details>`;
}

function figure({ image, file }: StoredImage, index: number): string {
  const uid = String(image['imageInstanceUid']);
  const link = `/v1/images/${encodeURIComponent(uid)}`;
  const facts = `${image['width']} × ${image['height']}, ${image['photometricInterpretation']}, ${image['bitsStored']} bit, ${kind(file.mediaType)}`;
  return `<li><figure><a href="${escapeHtml(link)}/file"><img loading="lazy" src="${escapeHtml(link)}/file" alt="Image ${index + 1}, ${escapeHtml(facts)}"></a>
<figcaption>${escapeHtml(facts)} · <a href="${escapeHtml(link)}">details</a></figcaption></figure></li>`;
}

function kind(mediaType: string): string {
  return mediaType === 'image/png' ? 'PNG' : 'JPEG';
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
