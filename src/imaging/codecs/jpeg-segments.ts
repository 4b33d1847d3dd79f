/**
 * The marker segments of a JPEG (ITU-T T.81 Annex B) or JPEG-LS (ITU-T T.87 Annex C) stream, without decoding it; and
 * the removal of those that carry text of their own: comments, Exif, thumbnails, anything after the end of the image.
 * Kept are only APP0 "JFIF" (without its thumbnail), APP14 "Adobe" and APP8 "mrfx": decoders need them to find the
 * colour transform. A stream that does not end in EOI is refused.
 */
import { LetheError } from '../../core/errors.ts';

export const SOI = 0xd8;
export const EOI = 0xd9;
export const SOS = 0xda;
export const DHT = 0xc4;
export const DQT = 0xdb;
export const DRI = 0xdd;
export const COM = 0xfe;
export const SOF55 = 0xf7;

export interface JpegSegment {
  readonly marker: number;
  /** Position of the marker's 0xFF. */
  readonly start: number;
  /** End of the segment's parameters. */
  readonly end: number;
  /** End of the entropy-coded data that follow an SOS; else equal to `end`. */
  readonly dataEnd: number;
}

export function codestreamInvalid(reason: string, offset?: number): LetheError {
  return new LetheError('IMAGING_CODESTREAM_INVALID', { reason, offset });
}

/** A start-of-frame marker of any process; DHT, JPG and DAC share the range. */
export function isStartOfFrame(marker: number): boolean {
  return (marker >= 0xc0 && marker <= 0xcf && marker !== DHT && marker !== 0xc8 && marker !== 0xcc) || marker === SOF55;
}

/**
 * All segments from SOI to EOI.
 * @throws IMAGING_CODESTREAM_INVALID
 */
export function jpegSegments(bytes: Uint8Array): JpegSegment[] {
  if (bytes[0] !== 0xff || bytes[1] !== SOI) throw codestreamInvalid('no SOI marker', 0);
  const segments: JpegSegment[] = [{ marker: SOI, start: 0, end: 2, dataEnd: 2 }];
  let position = 2;
  for (;;) {
    const segment = segmentAt(bytes, position);
    segments.push(segment);
    if (segment.marker === EOI) return segments;
    position = segment.dataEnd;
  }
}

function segmentAt(bytes: Uint8Array, from: number): JpegSegment {
  let start = from;
  // Any number of fill bytes 0xFF may precede a marker (T.81 §B.1.1.2).
  while (bytes[start] === 0xff && bytes[start + 1] === 0xff) start += 1;
  const marker = bytes[start + 1];
  if (bytes[start] !== 0xff || marker === undefined) throw codestreamInvalid('a marker is missing', start);
  if (marker === EOI) return { marker, start, end: start + 2, dataEnd: start + 2 };
  const length = ((bytes[start + 2] ?? 0) << 8) | (bytes[start + 3] ?? 0);
  const end = start + 2 + length;
  if (length < 2 || end > bytes.length) throw codestreamInvalid('a segment is longer than the stream', start);
  return { marker, start, end, dataEnd: marker === SOS ? entropyEnd(bytes, end) : end };
}

/**
 * The end of entropy-coded data: the next marker that is not RSTm. After 0xFF, JPEG stuffs a zero byte; JPEG-LS stuffs
 * a zero bit, so that the byte after it is below 0x80. No marker in use lies below 0x80.
 */
function entropyEnd(bytes: Uint8Array, from: number): number {
  let position = bytes.indexOf(0xff, from);
  while (position >= 0) {
    const next = bytes[position + 1] ?? 0;
    const restart = next >= 0xd0 && next <= 0xd7;
    if (next === 0xff) position += 1;
    else if (next < 0x80 || restart) position = bytes.indexOf(0xff, position + 2);
    else return position;
  }
  throw codestreamInvalid('no EOI marker', bytes.length);
}

/** The stream without segments that can carry text; the same object where there is nothing to remove. */
export function withoutJpegText(bytes: Uint8Array): Uint8Array {
  const segments = jpegSegments(bytes);
  const parts: Uint8Array[] = [];
  let removed = bytes.length - (segments.at(-1)?.end ?? 0);
  // One zero byte after EOI is the padding of the fragment (PS3.5 §A.4), not content.
  if (removed === 1 && bytes.at(-1) === 0) removed = 0;
  for (const segment of segments) {
    const kept = keptApplicationSegment(bytes, segment) ?? bytes.subarray(segment.start, segment.dataEnd);
    removed += segment.dataEnd - segment.start - kept.length;
    parts.push(kept);
  }
  return removed === 0 ? bytes : joined(parts);
}

/** For COM, JPGn and APPn: what stays of it (nothing, mostly). Undefined for all other segments. */
export function keptApplicationSegment(bytes: Uint8Array, segment: JpegSegment): Uint8Array | undefined {
  const { marker, start, end } = segment;
  const application = marker >= 0xe0 && marker <= 0xef;
  if (marker !== COM && !application && !(marker >= 0xf0 && marker <= 0xfd && marker !== SOF55 && marker !== 0xf8)) {
    return undefined;
  }
  if (marker === 0xe0 && startsWith(bytes, start + 4, 'JFIF\0') && end - start >= 18)
    return jfifWithoutThumbnail(bytes, start);
  if (marker === 0xee && startsWith(bytes, start + 4, 'Adobe') && end - start >= 16) return trimmed(bytes, start, 14);
  if (marker === 0xe8 && startsWith(bytes, start + 4, 'mrfx') && end - start >= 9) return trimmed(bytes, start, 7);
  return new Uint8Array(0);
}

/** A segment cut to `length` bytes after its marker (the length field included). */
function trimmed(bytes: Uint8Array, start: number, length: number): Uint8Array {
  const segment = bytes.slice(start, start + 2 + length);
  segment[2] = 0;
  segment[3] = length;
  return segment;
}

function jfifWithoutThumbnail(bytes: Uint8Array, start: number): Uint8Array {
  const segment = trimmed(bytes, start, 16);
  segment[16] = 0;
  segment[17] = 0;
  return segment;
}

function startsWith(bytes: Uint8Array, position: number, text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (bytes[position + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    all.set(part, position);
    position += part.length;
  }
  return all;
}
