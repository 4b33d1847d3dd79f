/**
 * Stored values as 16-bit grey samples, for whoever wants numbers and not a picture. Up to 16 bits they are untouched:
 * bits above Bits Stored cleared, aligned so that the high bit is Bits Stored - 1, signed values shifted by
 * 2^(bitsStored - 1) with the intercept lowered by slope times that. Wider and floating values take the smallest
 * power-of-two step and offset that fit, with slope and intercept adapted and the loss on record.
 */
import { type DecodedFrame, isFloating, storedValue } from './decoded-frame.ts';
import type { ModalityTransform } from './grey-attributes.ts';
import type { ImageDescription } from './image-description.ts';

export interface Grey16 {
  readonly samples: Uint16Array;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly slope: number;
  readonly intercept: number;
  readonly notes: readonly string[];
}

const LARGEST = 65535;

export function grey16(frame: DecodedFrame, modality: ModalityTransform, description: ImageDescription): Grey16 {
  const { slope, intercept } = modality;
  const notes = modality.kind === 'lut' ? ['modality LUT not applied: stored values'] : [];
  const { samples } = frame;
  if (isFloating(samples) || frame.bitsStored > 16) return scaled(frame, { slope, intercept, notes });
  const bits = sentBits(description, frame);
  const offset = frame.signed ? 2 ** (frame.bitsStored - 1) : 0;
  return {
    samples: aligned(frame),
    ...bits,
    slope,
    intercept: intercept - slope * offset,
    notes: [...notes, ...bits.notes],
  };
}

/** The instance's own bits; the contract knows no image of fewer than 8 allocated or with high bit 0. */
function sentBits(description: ImageDescription, frame: DecodedFrame) {
  if (frame.bitsStored === 1) return { bitsAllocated: 8, bitsStored: 8, notes: ['1-bit values in 8 bits'] };
  return { bitsAllocated: Math.min(16, description.bitsAllocated), bitsStored: frame.bitsStored, notes: [] };
}

function aligned(frame: DecodedFrame): Uint16Array {
  const { samples, bitsStored, shift, signed } = frame;
  if (samples instanceof Uint16Array && bitsStored === 16 && !signed) return samples;
  const output = new Uint16Array(samples.length);
  const mask = 2 ** bitsStored - 1;
  // Flipping the sign bit adds 2^(bitsStored - 1) to a two's complement value.
  const flip = signed ? 2 ** (bitsStored - 1) : 0;
  for (let index = 0; index < samples.length; index++)
    output[index] = (((samples[index] ?? 0) >>> shift) & mask) ^ flip;
  return output;
}

function scaled(
  frame: DecodedFrame,
  { slope, intercept, notes }: Pick<Grey16, 'slope' | 'intercept' | 'notes'>,
): Grey16 {
  const { samples } = frame;
  const floating = isFloating(samples);
  const { low, high } = rangeOf(frame);
  const step = stepFor(high - low, floating);
  // No offset is smaller than any: values from 0 stay where they are if they fit.
  const offset = low >= 0 && Math.round(high / step) <= LARGEST ? 0 : low;
  const output = new Uint16Array(samples.length);
  let exact = true;
  for (let index = 0; index < samples.length; index++) {
    const word = samples[index] ?? 0;
    const value = floating ? word : storedValue(word, frame);
    const sent = Number.isFinite(value) ? Math.round((value - offset) / step) : 0;
    output[index] = sent;
    exact &&= sent * step + offset === value;
  }
  const note = exact
    ? `offset ${offset}, step ${step}, lossless`
    : `offset ${offset}, step ${step}, rounded to the step`;
  return {
    samples: output,
    bitsAllocated: 16,
    bitsStored: 16,
    slope: slope * step,
    intercept: intercept + slope * offset,
    notes: [...notes, note],
  };
}

/** The smallest power of two by which a span fits into 16 bits; integers never need a step below 1. */
function stepFor(span: number, floating: boolean): number {
  if (!(span > 0)) return 1;
  let exponent = Math.ceil(Math.log2(span / LARGEST));
  if (span / 2 ** exponent > LARGEST) exponent++;
  return 2 ** (floating ? exponent : Math.max(0, exponent));
}

/** What is not a number takes no part. */
function rangeOf(frame: DecodedFrame): { low: number; high: number } {
  const { samples } = frame;
  const floating = isFloating(samples);
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < samples.length; index++) {
    const word = samples[index] ?? 0;
    const value = floating ? word : storedValue(word, frame);
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return high >= low ? { low, high } : { low: 0, high: 0 };
}
