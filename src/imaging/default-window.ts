/**
 * The window for images that bring none. Stated per modality as percentiles of the modality values of the frame, padding
 * (PS3.3 §C.7.5.1.1.2) and what is not a number left out: robust against a few hot pixels, burned-in white text and
 * metal. Images of at most 8 stored bits without a rescale are taken as ready to show, from 0 to white.
 */
import { type DecodedFrame, isFloating, storedValue } from './decoded-frame.ts';
import type { PaddingRange } from './grey-attributes.ts';
import { type Window, windowOver } from './voi.ts';

/** Lower and upper percentile by Modality (0008,0060); counts of photons begin at nothing, so there 0 stays black. */
const PERCENTILES: Readonly<Record<string, readonly [number, number]>> = {
  CT: [1, 99],
  MR: [1, 99],
  PT: [0, 99.5],
  NM: [0, 99.5],
  CR: [0.5, 99.5],
  DX: [0.5, 99.5],
  MG: [0.5, 99.5],
  RG: [0.5, 99.5],
  XA: [0.5, 99.5],
  RF: [0.5, 99.5],
  SEG: [0, 100],
  RTDOSE: [0, 100],
};
const PERCENTILES_ELSE: readonly [number, number] = [0.1, 99.9];

/** Bins for values of more than 16 bits; the window is then exact to 1/65536 of the range. */
const BINS = 65536;

export interface DefaultWindow {
  readonly window: Window;
  readonly percentiles: readonly [number, number];
}

/** @param toModality from stored value to modality value */
export function defaultWindow(
  frame: DecodedFrame,
  toModality: (stored: number) => number,
  padding: PaddingRange | undefined,
  modality: string | undefined,
): DefaultWindow {
  const percentiles = PERCENTILES[modality ?? ''] ?? PERCENTILES_ELSE;
  const counted = frame.samples instanceof Uint8Array || frame.samples instanceof Uint16Array;
  const histogram = counted ? countWords(frame, toModality, padding) : countRange(frame, toModality, padding);
  // An image of padding alone is black as well.
  const none = toModality(padding?.high ?? 0);
  const low = percentileOf(histogram, percentiles[0], none);
  const high = percentileOf(histogram, percentiles[1], none);
  // A flat image has no contrast to show; it becomes black instead of a division by zero.
  return {
    window: high > low ? windowOver(low, high) : { center: low + 0.5, width: 1, function: 'LINEAR_EXACT' },
    percentiles,
  };
}

/** Modality values in ascending order, with the pixels that have them. */
interface Histogram {
  readonly values: readonly number[];
  readonly counts: readonly number[];
  readonly total: number;
}

function countWords(
  frame: DecodedFrame,
  toModality: (stored: number) => number,
  padding: PaddingRange | undefined,
): Histogram {
  const byWord = new Uint32Array(frame.samples instanceof Uint8Array ? 256 : 65536);
  const { samples } = frame;
  for (let index = 0; index < samples.length; index++) {
    const word = samples[index] ?? 0;
    byWord[word] = (byWord[word] ?? 0) + 1;
  }
  const pairs: [value: number, count: number][] = [];
  for (const [word, count] of byWord.entries()) {
    if (count === 0) continue;
    const stored = storedValue(word, frame);
    if (!isPadding(stored, padding)) pairs.push([toModality(stored), count]);
  }
  return histogramOf(pairs);
}

function countRange(
  frame: DecodedFrame,
  toModality: (stored: number) => number,
  padding: PaddingRange | undefined,
): Histogram {
  const { samples } = frame;
  const floating = isFloating(samples);
  const valueAt = (index: number): number => {
    const word = samples[index] ?? 0;
    const stored = floating ? word : storedValue(word, frame);
    return isPadding(stored, padding) ? Number.NaN : toModality(stored);
  };
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < samples.length; index++) {
    const value = valueAt(index);
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (!(high > low)) return histogramOf(Number.isFinite(low) ? [[low, 1]] : []);
  const counts = new Uint32Array(BINS);
  const scale = (BINS - 1) / (high - low);
  for (let index = 0; index < samples.length; index++) {
    const value = valueAt(index);
    if (!Number.isFinite(value)) continue;
    const bin = Math.round((value - low) * scale);
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const pairs: [value: number, count: number][] = [];
  for (const [bin, count] of counts.entries()) if (count > 0) pairs.push([low + bin / scale, count]);
  return histogramOf(pairs);
}

function histogramOf(pairs: [value: number, count: number][]): Histogram {
  pairs.sort((a, b) => a[0] - b[0]);
  const counts = pairs.map(([, count]) => count);
  return { values: pairs.map(([value]) => value), counts, total: counts.reduce((sum, count) => sum + count, 0) };
}

/** The smallest value with at least `percent` of the pixels at or below it; `none` where there are no pixels. */
function percentileOf({ values, counts, total }: Histogram, percent: number, none: number): number {
  let seen = 0;
  for (const [index, count] of counts.entries()) {
    seen += count;
    if (seen >= (total * percent) / 100 && seen > 0) return values[index] ?? none;
  }
  return values.at(-1) ?? none;
}

function isPadding(stored: number, padding: PaddingRange | undefined): boolean {
  return padding !== undefined && stored >= padding.low && stored <= padding.high;
}
