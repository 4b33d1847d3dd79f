/**
 * A frame as somebody would look at it who searches for text: 8 bits, colour as colour, and grey so that letters show
 * whether they were drawn with the highest value there is or among the tissue. One monotone curve does both: half of it
 * is the whole range of values, half is the range that all but a hundredth of the pixels at either end lie in. Windows of
 * the data set are not asked, because text may lie outside of them. Pure.
 */

import { toRgb8 } from '../../imaging/colour.ts';
import { type DecodedFrame, isFloating, storedValue } from '../../imaging/decoded-frame.ts';
import { isGrey } from '../../imaging/image-description.ts';
import { applyPalette, type Palette } from '../../imaging/palette.ts';
import type { Picture } from '../../text-detection/picture.ts';

/** Enough pixels to know the usual range by. */
const SAMPLE_MAX = 1 << 16;
const TAIL = 0.01;

/** @param palette of a PALETTE COLOR image */
export function viewOf(frame: DecodedFrame, palette?: Palette): Picture {
  const size = { width: frame.columns, height: frame.rows };
  if (frame.samplesPerPixel === 3) return { ...size, channels: 3, pixels: toRgb8(frame) };
  if (palette !== undefined && !isGrey(frame.photometric))
    return { ...size, channels: 3, pixels: applyPalette(frame, palette) };
  return { ...size, channels: 1, pixels: greyView(frame) };
}

function greyView(frame: DecodedFrame): Uint8Array {
  const valueAt = readerOf(frame);
  const range = rangeOf(frame.samples.length, valueAt);
  if (frame.bitsStored <= 16 && !isFloating(frame.samples)) return throughTable(frame, range);
  const output = new Uint8Array(frame.samples.length);
  for (let index = 0; index < output.length; index++) output[index] = levelOf(valueAt(index), range);
  return output;
}

/** One curve value for each stored value there can be: a pixel costs a look-up. */
function throughTable(frame: DecodedFrame, range: Range): Uint8Array {
  const { samples, shift, bitsStored } = frame;
  const distinct = 2 ** bitsStored;
  const table = new Uint8Array(distinct);
  for (let bits = 0; bits < distinct; bits++) table[bits] = levelOf(storedValue(bits << shift, frame), range);
  const output = new Uint8Array(samples.length);
  for (let index = 0; index < output.length; index++)
    output[index] = table[((samples[index] ?? 0) >>> shift) & (distinct - 1)] ?? 0;
  return output;
}

function readerOf(frame: DecodedFrame): (index: number) => number {
  const { samples } = frame;
  if (!isFloating(samples)) return (index) => storedValue(samples[index] ?? 0, frame);
  return (index) => {
    const value = samples[index] ?? 0;
    return Number.isFinite(value) ? value : 0;
  };
}

interface Range {
  readonly minimum: number;
  readonly maximum: number;
  readonly low: number;
  readonly high: number;
}

function rangeOf(count: number, valueAt: (index: number) => number): Range {
  let minimum = Number.POSITIVE_INFINITY;
  let maximum = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < count; index++) {
    const value = valueAt(index);
    if (value < minimum) minimum = value;
    if (value > maximum) maximum = value;
  }
  // A stride that no row length is likely to be a multiple of.
  const stride = count <= SAMPLE_MAX ? 1 : Math.ceil(count / SAMPLE_MAX) | 1;
  const sample = new Float64Array(Math.ceil(count / stride));
  for (let index = 0; index < sample.length; index++) sample[index] = valueAt(index * stride);
  sample.sort();
  const at = (share: number) => sample[Math.min(sample.length - 1, Math.floor(sample.length * share))] ?? 0;
  return { minimum, maximum, low: at(TAIL), high: at(1 - TAIL) };
}

function levelOf(value: number, { minimum, maximum, low, high }: Range): number {
  const whole = maximum > minimum ? (value - minimum) / (maximum - minimum) : 0;
  const usual = high > low ? Math.max(0, Math.min(1, (value - low) / (high - low))) : whole;
  return Math.round(127.5 * (whole + usual));
}
