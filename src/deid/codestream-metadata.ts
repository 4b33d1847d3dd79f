/**
 * Comments and application data inside compressed frames: JPEG (ISO/IEC 10918-1 §B.2.4.5-6) and JPEG-LS COM and APPn,
 * JPEG 2000 COM (ISO/IEC 15444-1 §A.9.2), the metadata boxes of JP2 and JPEG XL files (ISO/IEC 15444-1 §I, 18181-2 §9),
 * and what stands after the end of the image. They are overwritten in place, so that every length and offset stays true
 * and no coded pixel is touched.
 *
 * A frame may come in several fragments (PS3.5 §A.4): they are looked at together, since a segment may go on in the next.
 */
import type { ByteSource } from '../core/bytes.ts';

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

/** First bytes of what a frame may be: JPEG and JPEG-LS, JPEG 2000, and the signature box of JP2 and JPEG XL. */
const STARTS: readonly (readonly number[])[] = [
  [MARKER, SOI],
  [MARKER, J2K_SOC],
  [0, 0, 0, 12, 0x6a, 0x50, 0x20, 0x20],
  [0, 0, 0, 12, 0x4a, 0x58, 0x4c, 0x20],
];
const START_BYTES = 8;
const METADATA_BOXES: readonly string[] = ['xml ', 'uuid', 'uinf', 'Exif', 'jumb', 'brob', 'jbrd'];
const CODESTREAM_BOX = 'jp2c';
const BOX_HEADER_BYTES = 8;

export interface FragmentAt {
  readonly offset: number;
  readonly length: number;
}

/**
 * Fragments without the Basic Offset Table, by frame as far as that matters here: a list for each that starts like an
 * image, with all that follow until the next such; undefined `isImage` where nothing is known of their form.
 */
export function imageFragments(
  source: ByteSource,
  fragments: readonly FragmentAt[],
): { readonly isImage: boolean; readonly fragments: readonly FragmentAt[] }[] {
  const groups: { isImage: boolean; fragments: FragmentAt[] }[] = [];
  for (const fragment of fragments) {
    const head = source.read(fragment.offset, Math.min(START_BYTES, fragment.length));
    const isStart = startsImage(head);
    const last = groups.at(-1);
    if (!isStart && last !== undefined) last.fragments.push(fragment);
    else groups.push({ isImage: isStart, fragments: [fragment] });
  }
  return groups;
}

function startsImage(head: Uint8Array): boolean {
  return STARTS.some((start) => start.every((byte, index) => head[index] === byte));
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
  if (!startsImage(fragment)) return [];
  return rangesIn(fragment)
    .map(({ start, end }) => ({ start, end: Math.min(end, fragment.length) }))
    .filter(({ start, end }) => fragment.subarray(start, end).some((byte) => byte !== 0));
}

function rangesIn(image: Uint8Array): Range[] {
  if (image[0] !== MARKER) return inBoxes(image);
  return image[1] === SOI ? inJpeg(image) : inJpeg2000(image);
}

/** ISO/IEC 15444-1 §I.4: length (0: to the end, 1: eight bytes more), type, contents. */
function inBoxes(file: Uint8Array): Range[] {
  const ranges: Range[] = [];
  for (let at = 0; at + BOX_HEADER_BYTES <= file.length; ) {
    const type = String.fromCharCode(...file.subarray(at + 4, at + 8));
    const short = u32(file, at);
    const long = u32(file, at + 8) * 0x1_0000_0000 + u32(file, at + 12);
    const start = at + BOX_HEADER_BYTES + (short === 1 ? 8 : 0);
    const end = short === 0 ? file.length : at + (short === 1 ? long : short);
    if (METADATA_BOXES.includes(type)) ranges.push({ start, end });
    else if (type === CODESTREAM_BOX) {
      const inner = metadataRanges(file.subarray(start, end));
      for (const range of inner) ranges.push({ start: start + range.start, end: start + range.end });
    }
    if (end < start) return [...ranges, { start, end: file.length }]; // no length: nothing behind it is known
    at = end;
  }
  return ranges;
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

function u32(bytes: Uint8Array, at: number): number {
  return u16(bytes, at) * 0x10000 + u16(bytes, at + 2);
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) * 0x100 + (bytes[at + 1] ?? 0);
}
