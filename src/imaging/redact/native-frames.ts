/**
 * Native pixel data on their way through (PS3.5 §8): frame by frame out of the source, changed, and back in the byte
 * order they came in. Memory is one frame, or as many as it takes to begin and end on a whole word. What stands behind
 * the last frame is no pixel and becomes zero padding, or is left out.
 */
import { LetheError } from '../../core/errors.ts';
import { SCRATCH_BYTES_MAX } from '../../core/scratch.ts';
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

/** Whether a frame may pass by reference, without a copy to change; only asked of whole bytes in little endian. */
export type FrameCheck = (bytes: Uint8Array, description: ImageDescription) => boolean;

/** @throws IMAGING_PIXEL_DATA_MISSING */
export function changedNativeFrames(
  part10: NativeFile,
  declared: ImageDescription,
  change: FrameChange,
  isSettled: FrameCheck = () => false,
): Replacement {
  const { description } = openPixelData(part10, declared);
  const element = part10.dataSet.element(description.pixelDataTag);
  if (element === undefined) throw new LetheError('IMAGING_PIXEL_DATA_MISSING', { what: 'no pixel data element' });
  const length = even(Math.ceil((frameBits(description) * description.frames) / 8));
  return {
    kind: 'bulk',
    vr: bulkVr(element),
    length,
    chunks: () => nativeChunks(part10, element, description, { change, isSettled }),
  };
}

function* nativeChunks(
  { source, encoding }: NativeFile,
  element: Element,
  description: ImageDescription,
  { change, isSettled }: { change: FrameChange; isSettled: FrameCheck },
): Generator<Uint8Array> {
  const unit = encoding.littleEndian ? 1 : swapUnit(element.vr);
  const bits = frameBits(description);
  const together = framesToWholeWords(bits, Math.max(2, unit));
  const spaceBytes = even(Math.ceil((Math.min(together, description.frames) * bits) / 8));
  // What is small lies in memory, and answers views of it: only a frame that changes needs space.
  let space = source.size > SCRATCH_BYTES_MAX ? new Uint8Array(spaceBytes) : undefined;
  for (let first = 0; first < description.frames; first += together) {
    const count = Math.min(together, description.frames - first);
    const start = (first * bits) / 8;
    const length = even(Math.ceil((count * bits) / 8));
    const found = source.read(element.offset + start, Math.min(length, element.length - start), space);
    if (unit === 1 && found.length * 8 === count * bits && isSettled(found, description)) {
      yield found;
      continue;
    }
    space ??= new Uint8Array(spaceBytes);
    const cells = space.subarray(0, length);
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
