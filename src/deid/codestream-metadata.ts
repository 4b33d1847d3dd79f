/**
 * Comments and application data inside compressed frames: JPEG (ISO/IEC 10918-1 §B.2.4.5-6) and JPEG-LS COM and APPn,
 * JPEG 2000 COM (ISO/IEC 15444-1 §A.9.2), and what stands after the end of the image. They are overwritten in place, so
 * that every length and offset stays true and no coded pixel is touched.
 */

const MARKER = 0xff;
const SOI = 0xd8;
const EOI = 0xd9;
const COM = 0xfe;
const APP0 = 0xe0;
const APP8 = 0xe8;
const APP14 = 0xee;
const APP15 = 0xef;
const J2K_SOC = 0x4f;
const J2K_SOT = 0x90;
const J2K_SOD = 0x93;
const J2K_EOC = 0xd9;
const J2K_COM = 0x64;
const FIXED_LENGTH_MAX = 16;

/** What decoders look at, by the first letters of the segment: JFIF without thumbnail, Adobe's transform, HP's in JPEG-LS. */
const NEEDED: Readonly<Record<number, string>> = { [APP0]: 'JFIF', [APP8]: 'mrfx', [APP14]: 'Adobe' };

interface Range {
  readonly start: number;
  readonly end: number;
}

/** The bytes of one fragment without metadata: the same array where there is none, else a copy. */
export function withoutMetadata(fragment: Uint8Array): Uint8Array {
  const ranges = metadataRanges(fragment);
  if (ranges.length === 0) return fragment;
  const clean = new Uint8Array(fragment);
  for (const { start, end } of ranges) clean.fill(0, start, end);
  return clean;
}

/** Where metadata stand in one fragment that is not all zeros. */
export function metadataRanges(fragment: Uint8Array): Range[] {
  if (fragment[0] !== MARKER) return [];
  const ranges = fragment[1] === SOI ? inJpeg(fragment) : fragment[1] === J2K_SOC ? inJpeg2000(fragment) : [];
  return ranges
    .map(({ start, end }) => ({ start, end: Math.min(end, fragment.length) }))
    .filter(({ start, end }) => fragment.subarray(start, end).some((byte) => byte !== 0));
}

function inJpeg(fragment: Uint8Array): Range[] {
  const ranges: Range[] = [];
  let at = 2;
  while (at + 4 <= fragment.length) {
    if (fragment[at] !== MARKER) {
      at = fragment.indexOf(MARKER, at);
      if (at < 0) return ranges;
      continue;
    }
    const marker = fragment[at + 1] ?? 0;
    if (marker === EOI) break;
    // Fill bytes, stuffed bytes of coded data, RSTn, TEM: no length follows.
    if (marker === MARKER) at += 1;
    else if (marker < 0xc0 || (marker >= 0xd0 && marker <= SOI)) at += 2;
    else {
      const length = u16(fragment, at + 2);
      if (marker === COM || (marker >= APP0 && marker <= APP15 && !isNeeded(fragment, at, marker))) {
        ranges.push({ start: at + 4, end: at + 2 + length });
      }
      at += 2 + Math.max(2, length);
    }
  }
  return [...ranges, ...afterEnd(fragment, at, EOI)];
}

function isNeeded(fragment: Uint8Array, at: number, marker: number): boolean {
  const letters = NEEDED[marker];
  if (letters === undefined || u16(fragment, at + 2) > FIXED_LENGTH_MAX) return false;
  for (let index = 0; index < letters.length; index++) {
    if (fragment[at + 4 + index] !== letters.charCodeAt(index)) return false;
  }
  return true;
}

/** Marker segments of the main header and of every tile-part header; coded data are passed over by Psot. */
function inJpeg2000(fragment: Uint8Array): Range[] {
  const ranges: Range[] = [];
  let at = 2;
  let tilePartEnd = 0;
  while (at + 4 <= fragment.length && fragment[at] === MARKER) {
    const marker = fragment[at + 1] ?? 0;
    if (marker === J2K_EOC) break;
    if (marker === J2K_SOD) {
      if (tilePartEnd <= at) return ranges; // Psot 0: the tile-part goes on to the end
      at = tilePartEnd;
      continue;
    }
    const length = u16(fragment, at + 2);
    if (marker === J2K_SOT) {
      const tilePartBytes = u16(fragment, at + 6) * 0x10000 + u16(fragment, at + 8);
      tilePartEnd = tilePartBytes === 0 ? 0 : at + tilePartBytes;
    }
    // Rcom stays: it says whether the comment is text.
    if (marker === J2K_COM) ranges.push({ start: at + 6, end: at + 2 + length });
    at += 2 + Math.max(2, length);
  }
  return [...ranges, ...afterEnd(fragment, at, J2K_EOC)];
}

function afterEnd(fragment: Uint8Array, at: number, end: number): Range[] {
  if (fragment[at] !== MARKER || fragment[at + 1] !== end) return [];
  return at + 2 < fragment.length ? [{ start: at + 2, end: fragment.length }] : [];
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) * 0x100 + (bytes[at + 1] ?? 0);
}
