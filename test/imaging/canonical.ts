/**
 * The corpus' canonical frame (its README): samples by pixels, little-endian, Bits Allocated / 8 bytes each, masked to
 * Bits Stored, shifted down and sign-extended; 1-bit pixels one byte each. And its thumbs: block means of lossy frames.
 */
import { type DecodedFrame, isFloating, storedValue } from '../../src/imaging/decoded-frame.ts';

export interface Thumb {
  readonly rows: number;
  readonly cols: number;
  readonly channels: number;
  readonly lo: number;
  readonly hi: number;
  readonly u8: string;
}

export function canonicalBytes(frame: DecodedFrame, bitsAllocated: number): Buffer {
  const { samples } = frame;
  if (isFloating(samples)) return Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
  const width = Math.max(1, bitsAllocated / 8);
  const bytes = Buffer.alloc(samples.length * width);
  for (let index = 0; index < samples.length; index++) {
    const value = storedValue(samples[index] ?? 0, frame);
    if (width === 1) bytes[index] = value;
    else if (width === 2) bytes.writeUInt16LE(value & 0xffff, index * 2);
    else bytes.writeUInt32LE(value >>> 0, index * 4);
  }
  return bytes;
}

/** Peak signal-to-noise ratio in dB of a frame's block means against a thumb. */
export function thumbPsnr(frame: DecodedFrame, thumb: Thumb): number {
  const expected = Buffer.from(thumb.u8, 'base64');
  const span = thumb.hi - thumb.lo || 1;
  let squares = 0;
  let index = 0;
  for (let row = 0; row < thumb.rows; row++) {
    for (let column = 0; column < thumb.cols; column++) {
      for (let channel = 0; channel < thumb.channels; channel++) {
        const mean = blockMean(frame, thumb, [row, column, channel]);
        squares += (Math.round(((mean - thumb.lo) / span) * 255) - (expected[index++] ?? 0)) ** 2;
      }
    }
  }
  return squares === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(255 ** 2 / (squares / index));
}

function blockMean(
  frame: DecodedFrame,
  thumb: Thumb,
  [row, column, channel]: readonly [number, number, number],
): number {
  const edge = (position: number, blocks: number, size: number) => Math.floor((position * size) / blocks);
  let sum = 0;
  let count = 0;
  for (let y = edge(row, thumb.rows, frame.rows); y < edge(row + 1, thumb.rows, frame.rows); y++) {
    for (let x = edge(column, thumb.cols, frame.columns); x < edge(column + 1, thumb.cols, frame.columns); x++) {
      sum += storedValue(frame.samples[(y * frame.columns + x) * thumb.channels + channel] ?? 0, frame);
      count++;
    }
  }
  return sum / count;
}
