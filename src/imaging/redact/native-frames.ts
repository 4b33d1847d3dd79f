/**
 * Native pixel data on their way through (PS3.5 §8): frame by frame out of the source, changed, and back in the byte
 * order they came in. Memory is one frame, or as many as it takes to begin and end on a whole word. What stands behind
 * the last frame is no pixel and becomes zero padding, or is left out.
 */
import { LetheError } from '../../core/errors.ts';
import type { Element } from '../../dicom/data-set.ts';
import type { Part10File } from '../../dicom/part10.ts';
import { swapBytes } from '../byte-order.ts';
import { frameBytes, type ImageDescription } from '../image-description.ts';
import { openPixelData, swapUnit } from '../pixel-data.ts';
import type { Replacement } from './replacement.ts';

export type NativeFile = Pick<Part10File, 'dataSet' | 'source' | 'transferSyntax' | 'encoding'>;

/** One little-endian frame; of 1-bit frames `bytes` holds neighbours too, and the frame begins at `firstBit`. */
export type FrameChange = (frame: {
  readonly bytes: Uint8Array;
  readonly index: number;
  readonly firstBit: number;
  readonly description: ImageDescription;
}) => void;

/** The value of native pixel data, and what is in it. */
export interface NativeValue {
  readonly element: Element;
  /** Corrected where the label is provably wrong (`openPixelData`). */
  readonly description: ImageDescription;
  readonly vr: 'OB' | 'OW' | 'OF' | 'OD';
  /** Bytes to reverse to come to little endian; 1: they are. */
  readonly unit: 1 | 2 | 4 | 8;
  /** Bytes that hold pixels; of 1-bit cells the last may hold fewer than eight. */
  readonly pixelBytes: number;
  /** The same, even: bytes of the value as it is written. */
  readonly length: number;
}

/** @throws IMAGING_PIXEL_DATA_MISSING where there are fewer bytes than pixels */
export function nativeValue(part10: NativeFile, declared: ImageDescription): NativeValue {
  const { description } = openPixelData(part10, declared);
  const element = part10.dataSet.element(description.pixelDataTag);
  if (element === undefined) throw new LetheError('IMAGING_PIXEL_DATA_MISSING', { what: 'no pixel data element' });
  const pixelBytes = Math.ceil((frameBits(description) * description.frames) / 8);
  const unit = part10.encoding.littleEndian ? 1 : swapUnit(element.vr);
  return { element, description, vr: bulkVr(element), unit, pixelBytes, length: even(pixelBytes) };
}

/** @throws IMAGING_PIXEL_DATA_MISSING */
export function changedNativeFrames(part10: NativeFile, declared: ImageDescription, change: FrameChange): Replacement {
  const value = nativeValue(part10, declared);
  const { vr, length } = value;
  return { kind: 'bulk', vr, length, chunks: () => nativeChunks(part10, value, change) };
}

function* nativeChunks(
  { source }: NativeFile,
  { element, description, unit }: NativeValue,
  change: FrameChange,
): Generator<Uint8Array> {
  const bits = frameBits(description);
  const together = framesToWholeWords(bits, Math.max(2, unit));
  const space = new Uint8Array(even(Math.ceil((Math.min(together, description.frames) * bits) / 8)));
  for (let first = 0; first < description.frames; first += together) {
    const count = Math.min(together, description.frames - first);
    const start = (first * bits) / 8;
    const cells = space.subarray(0, even(Math.ceil((count * bits) / 8)));
    const found = source.read(element.offset + start, Math.min(cells.length, element.length - start), cells);
    if (found.buffer !== cells.buffer) cells.set(found);
    cells.fill(0, found.length);
    const chunk = unit === 1 ? cells : swapBytes(cells, unit);
    clearBehind(chunk, count * bits);
    for (let index = 0; index < count; index++) {
      const bytes =
        description.bitsAllocated === 1 ? chunk : chunk.subarray((index * bits) / 8, ((index + 1) * bits) / 8);
      change({ bytes, index: first + index, firstBit: index * bits, description });
    }
    yield unit === 1 ? chunk : swapBytes(chunk, unit);
  }
}

/** Padding holds nothing (PS3.5 §8.1.1). */
function clearBehind(chunk: Uint8Array, bits: number): void {
  const whole = Math.ceil(bits / 8);
  chunk.fill(0, whole);
  if (bits % 8 !== 0) chunk[whole - 1] = (chunk[whole - 1] ?? 0) & ((1 << (bits % 8)) - 1);
}

function frameBits(description: ImageDescription): number {
  const { rows, columns, samplesPerPixel, bitsAllocated } = description;
  return bitsAllocated === 1 ? rows * columns * samplesPerPixel : frameBytes(description) * 8;
}

function framesToWholeWords(bits: number, wordBytes: number): number {
  let frames = 1;
  while ((bits * frames) % (8 * wordBytes) !== 0) frames *= 2;
  return frames;
}

function bulkVr({ vr }: Element): 'OB' | 'OW' | 'OF' | 'OD' {
  return vr === 'OB' || vr === 'OF' || vr === 'OD' ? vr : 'OW';
}

function even(length: number): number {
  return length + (length % 2);
}
