/**
 * Blanks rectangles of one native frame (PS3.5 §8, PS3.3 §C.7.6.3), little-endian as `pixel-data.ts` hands them out:
 * every other byte stays what it was. Whole words are overwritten, so that text in unused bits goes too. Pure; changes
 * its argument.
 */
import { LetheError } from '../../core/errors.ts';
import { type ImageDescription, isSubsampled422 } from '../image-description.ts';
import { clipRect, type Rect } from './rect.ts';

/**
 * @param firstBit of 1-bit frames, which follow each other without gaps (PS3.5 §8.1.1): where this one begins
 * @throws IMAGING_REDACTION_FAILED where pixels are neither bits nor whole bytes
 */
export function blankNativeFrame(
  frame: Uint8Array,
  rects: readonly Rect[],
  description: ImageDescription,
  firstBit = 0,
): void {
  const { bitsAllocated, samplesPerPixel } = description;
  const isBits = bitsAllocated === 1 && samplesPerPixel === 1;
  if (bitsAllocated % 8 !== 0 && !isBits) throw new LetheError('IMAGING_REDACTION_FAILED', { bitsAllocated });
  for (const rect of rects) {
    const clipped = clipRect(rect, description);
    if (clipped === undefined) continue;
    if (isBits) blankBits(frame, clipped, description, firstBit);
    else if (isSubsampled422(description.photometric)) blank422(frame, clipped, description);
    else if (description.planar === 1) blankPlanes(frame, clipped, description);
    else blankPixels(frame, clipped, description);
  }
}

/** The first pixel is the least significant bit of its byte. */
function blankBits(frame: Uint8Array, rect: Rect, description: ImageDescription, firstBit: number): void {
  const isLit = description.photometric === 'MONOCHROME1';
  for (let y = rect.y; y < rect.y + rect.height; y++) {
    const start = firstBit + y * description.columns + rect.x;
    for (let bit = start; bit < start + rect.width; bit++) {
      const mask = 1 << (bit & 7);
      const byte = frame[bit >>> 3] ?? 0;
      frame[bit >>> 3] = isLit ? byte | mask : byte & ~mask;
    }
  }
}

function blankPixels(frame: Uint8Array, rect: Rect, description: ImageDescription): void {
  const { columns, samplesPerPixel } = description;
  const words = Array.from({ length: samplesPerPixel }, (_, sample) => [...darkWord(sample, description)]);
  const pixel = Uint8Array.from(words.flat());
  for (let y = rect.y; y < rect.y + rect.height; y++) {
    const start = (y * columns + rect.x) * pixel.length;
    fillWith(frame, pixel, start, start + rect.width * pixel.length);
  }
}

function blankPlanes(frame: Uint8Array, rect: Rect, description: ImageDescription): void {
  const { rows, columns, samplesPerPixel, bitsAllocated } = description;
  const bytes = bitsAllocated / 8;
  for (let sample = 0; sample < samplesPerPixel; sample++) {
    const word = darkWord(sample, description);
    for (let y = rect.y; y < rect.y + rect.height; y++) {
      const start = (sample * rows * columns + y * columns + rect.x) * bytes;
      fillWith(frame, word, start, start + rect.width * bytes);
    }
  }
}

/** Y Y Cb Cr for each pair of pixels: a pair is blanked whole (PS3.3 §C.7.6.3.1.2). */
function blank422(frame: Uint8Array, rect: Rect, description: ImageDescription): void {
  const { columns } = description;
  // Pairs are counted through the frame: with an odd number of columns one spans two lines.
  const pair = Uint8Array.from([0, 0, 1, 2].flatMap((sample) => [...darkWord(sample, description)]));
  for (let y = rect.y; y < rect.y + rect.height; y++) {
    const first = (y * columns + rect.x) >>> 1;
    const end = (y * columns + rect.x + rect.width + 1) >>> 1;
    fillWith(frame, pair, first * pair.length, end * pair.length);
  }
}

/** The little-endian word of black in sample `sample`; a negative one with its sign extended. */
function darkWord(sample: number, description: ImageDescription): Uint8Array {
  const { bitsAllocated, bitsStored, highBit, kind } = description;
  const bytes = bitsAllocated / 8;
  if (kind !== 'integer') return new Uint8Array(bytes);
  const word = BigInt(darkValue(sample, description)) << BigInt(highBit + 1 - bitsStored);
  return Uint8Array.from({ length: bytes }, (_, index) => Number((word >> BigInt(8 * index)) & 0xffn));
}

/** The stored value of black. */
function darkValue(sample: number, { bitsStored, signed, photometric }: ImageDescription): number {
  const half = 2 ** (bitsStored - 1);
  if (photometric.startsWith('YBR') && sample > 0) return signed ? 0 : half; // no colour
  if (photometric.startsWith('YBR_PARTIAL')) return half / 8; // black is 16 of 256
  if (photometric === 'MONOCHROME1') return signed ? half - 1 : 2 * half - 1; // the highest value is black
  return signed ? -half : 0;
}

function fillWith(frame: Uint8Array, unit: Uint8Array, start: number, end: number): void {
  const stop = Math.min(end, frame.length);
  if (unit.every((byte) => byte === unit[0])) {
    frame.fill(unit[0] ?? 0, start, stop);
    return;
  }
  for (let position = start; position < stop; position++) frame[position] = unit[(position - start) % unit.length] ?? 0;
}
