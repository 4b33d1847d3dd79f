/**
 * Blanks rectangles of one native frame in the bytes as they are stored (PS3.5 §8, PS3.3 §C.7.6.3): every other byte
 * stays what it was. Whole words are overwritten, so that text in unused high bits goes too. Pure; changes its argument.
 */
import { LetheError } from '../../core/errors.ts';
import { type ImageDescription, isSubsampled422 } from '../image-description.ts';
import { clipRect, type Rect } from './rect.ts';

export interface NativeLayout {
  readonly description: ImageDescription;
  readonly littleEndian: boolean;
}

/** @throws IMAGING_REDACTION_FAILED where pixels are not whole bytes */
export function blankNativeFrame(frame: Uint8Array, rects: readonly Rect[], layout: NativeLayout): void {
  const { description } = layout;
  if (description.bitsAllocated % 8 !== 0)
    throw new LetheError('IMAGING_REDACTION_FAILED', { bitsAllocated: description.bitsAllocated });
  for (const rect of rects) {
    const clipped = clipRect(rect, description);
    if (clipped === undefined) continue;
    if (isSubsampled422(description.photometric)) blank422(frame, clipped, description);
    else if (description.planar === 1) blankPlanes(frame, clipped, layout);
    else blankPixels(frame, clipped, layout);
  }
}

function blankPixels(frame: Uint8Array, rect: Rect, layout: NativeLayout): void {
  const { columns, samplesPerPixel } = layout.description;
  const pixel = concatenated(Array.from({ length: samplesPerPixel }, (_, sample) => darkWord(sample, layout)));
  for (let y = rect.y; y < rect.y + rect.height; y++) {
    const start = (y * columns + rect.x) * pixel.length;
    fillWith(frame, pixel, start, start + rect.width * pixel.length);
  }
}

function blankPlanes(frame: Uint8Array, rect: Rect, layout: NativeLayout): void {
  const { rows, columns, samplesPerPixel, bitsAllocated } = layout.description;
  const bytes = bitsAllocated / 8;
  for (let sample = 0; sample < samplesPerPixel; sample++) {
    const word = darkWord(sample, layout);
    for (let y = rect.y; y < rect.y + rect.height; y++) {
      const start = (sample * rows * columns + y * columns + rect.x) * bytes;
      fillWith(frame, word, start, start + rect.width * bytes);
    }
  }
}

/** Y Y Cb Cr for each pair of pixels: a pair is blanked whole (PS3.3 §C.7.6.3.1.2). */
function blank422(frame: Uint8Array, rect: Rect, { columns }: ImageDescription): void {
  const first = rect.x - (rect.x % 2);
  const last = Math.min(columns, rect.x + rect.width + ((rect.x + rect.width) % 2));
  const pair = Uint8Array.of(0, 0, 128, 128);
  for (let y = rect.y; y < rect.y + rect.height; y++)
    fillWith(frame, pair, (y * columns + first) * 2, (y * columns + last) * 2);
}

/** The word of the darkest value in sample `sample`, in the byte order of the file. */
function darkWord(sample: number, { description, littleEndian }: NativeLayout): Uint8Array {
  const { bitsAllocated, bitsStored, highBit, signed, photometric, kind } = description;
  const bytes = bitsAllocated / 8;
  if (kind !== 'integer') return new Uint8Array(bytes);
  const shift = highBit + 1 - bitsStored;
  const word = BigInt(darkValue(sample, { bitsStored, signed, photometric })) << BigInt(shift);
  const order = Array.from({ length: bytes }, (_, index) => Number((word >> BigInt(8 * index)) & 0xffn));
  return Uint8Array.from(littleEndian ? order : order.reverse());
}

/** Stored bits of black, as an unsigned number of `bitsStored` bits. */
function darkValue(sample: number, facts: { bitsStored: number; signed: boolean; photometric: string }): number {
  const half = 2 ** (facts.bitsStored - 1);
  if (facts.photometric.startsWith('YBR') && sample > 0) return facts.signed ? 0 : half; // no colour
  if (facts.photometric === 'MONOCHROME1') return facts.signed ? half - 1 : 2 * half - 1; // the highest value is black
  return facts.signed ? half : 0; // two's complement of the lowest value
}

function fillWith(frame: Uint8Array, unit: Uint8Array, start: number, end: number): void {
  const stop = Math.min(end, frame.length);
  if (unit.every((byte) => byte === unit[0])) {
    frame.fill(unit[0] ?? 0, start, stop);
    return;
  }
  for (let position = start; position < stop; position++) frame[position] = unit[(position - start) % unit.length] ?? 0;
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
