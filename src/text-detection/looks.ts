/**
 * How often and how closely one tile is looked at. No single look finds all: noise hides letters of ten pixels from a look
 * at the picture as it is, smoothing hides those of six; long lines that run up or down are marked in pieces or not at
 * all unless they are turned; large letters are marked whole only where the detector sees them smaller. How many pixels it
 * may see for each pixel of the picture is bounded, so that a frame's time is: a small frame gets more looks. Pure.
 */
import type { Picture } from './picture.ts';

export interface Look {
  /** Of the picture for the detector. */
  readonly scale: number;
  readonly isSmoothed: boolean;
  /** By a quarter, so that what runs up or down runs across. */
  readonly isTurned: boolean;
}

/** What the detector sees of one frame, in all looks. */
const DETECTOR_PIXELS = 5.2e6;
/** Letters of eight pixels need twice as many. */
const SCALE_MAX = 2;
/** Below it letters of a radiograph's marker would be lost. */
const SCALE_MIN = 0.6;
/** Grey levels of deviation from which on smoothing helps. */
export const NOISE_MAX = 5;
/** Of the closest look: a look at half the scale costs a quarter. */
const HALF = 0.5;
/** What was smoothed has no detail that the full scale would show; 0.7 finds no more. */
const SMOOTHED = 0.55;

/** In noise much is marked that has to be read in vain, which takes the rest. */
const NOISY_SHARE = 0.88;

/** Pixels the detector may see for each of the picture's. */
export function effortOf({ width, height }: Pick<Picture, 'width' | 'height'>): number {
  return DETECTOR_PIXELS / (width * height);
}

/** The scale of the closest look there can be: a tile must not be larger than the detector takes at this one. */
export function scaleOf(effort: number): number {
  return closest(effort, 1 + HALF ** 2);
}

/** @param noise standard deviation in grey levels, of the noisiest part */
export function looksOf(effort: number, noise: number): Look[] {
  const isNoisy = noise > NOISE_MAX;
  const given = isNoisy ? NOISY_SHARE * effort : effort;
  const far = isNoisy ? SMOOTHED : HALF;
  const scale = closest(given, isNoisy ? 1 + 2 * SMOOTHED ** 2 : 1 + HALF ** 2);
  const looks: Look[] = [{ scale, isSmoothed: false, isTurned: false }];
  if (isNoisy) looks.push({ scale: far * scale, isSmoothed: true, isTurned: false });
  looks.push({ scale: far * scale, isSmoothed: isNoisy, isTurned: true });
  const more: Look[] = [{ scale: HALF * scale, isSmoothed: false, isTurned: false }];
  if (isNoisy) more.push({ scale, isSmoothed: true, isTurned: false });
  let left = given - costOf(looks);
  for (const look of more) {
    left -= look.scale ** 2;
    if (left >= 0) looks.push(look);
  }
  return looks;
}

/** @param share what all looks cost, of the closest one's cost */
function closest(effort: number, share: number): number {
  return Math.min(SCALE_MAX, Math.max(SCALE_MIN, Math.sqrt(effort / share)));
}

function costOf(looks: readonly Look[]): number {
  return looks.reduce((sum, { scale }) => sum + scale ** 2, 0);
}
