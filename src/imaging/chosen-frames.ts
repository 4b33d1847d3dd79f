/**
 * Which frames of an instance are rendered: all, named ones, or as many as a rate asks for, by the times that the
 * instance gives (Frame Time, Cine Rate, Recommended Display Frame Rate: PS3.3 §C.7.6.5).
 */
import { LetheError } from '../core/errors.ts';
import type { DataSet } from '../dicom/data-set.ts';
import { TAGS } from './tags.ts';

/**
 * Numbers are from 1. A plain list is what somebody wants of this instance, and has to be there; `numbers` is a rule for
 * many: those that an instance has, its first frame where it has none of them. `middle` is the one that begins the second
 * half. `perSecond` takes the first frame and then one whenever its share of a second has passed.
 */
export type FrameChoice =
  | 'all'
  | 'first'
  | 'middle'
  | readonly number[]
  | { readonly numbers: readonly number[] }
  | { readonly perSecond: number };

/**
 * Frame numbers from 1, in the order to render.
 * @throws IMAGING_PIXEL_DATA_MISSING for a number that the instance does not have
 */
export function chosenFrames(dataSet: DataSet, frameCount: number, choice: FrameChoice): readonly number[] {
  if (choice === 'all') return everyFrame(frameCount);
  if (choice === 'first') return [1];
  if (choice === 'middle') return [Math.floor(frameCount / 2) + 1];
  if ('numbers' in choice) return ofThese(choice.numbers, frameCount);
  if ('perSecond' in choice) return byRate(dataSet, frameCount, choice.perSecond);
  const missing = choice.find((frame) => !Number.isInteger(frame) || frame < 1 || frame > frameCount);
  if (missing !== undefined) throw new LetheError('IMAGING_PIXEL_DATA_MISSING', { frame: missing, frames: frameCount });
  return choice;
}

function ofThese(numbers: readonly number[], frameCount: number): readonly number[] {
  const present = [...new Set(numbers)].filter((frame) => frame >= 1 && frame <= frameCount).toSorted((a, b) => a - b);
  return present.length > 0 ? present : [1];
}

/** Without a time, or with one slower than asked for, there is nothing to leave out. */
function byRate(dataSet: DataSet, frameCount: number, perSecond: number): readonly number[] {
  const recorded = framesPerSecond(dataSet);
  if (recorded === undefined || !(perSecond > 0) || recorded <= perSecond) return everyFrame(frameCount);
  const step = recorded / perSecond;
  return Array.from({ length: Math.ceil(frameCount / step) }, (_, index) => Math.floor(index * step) + 1);
}

function framesPerSecond(dataSet: DataSet): number | undefined {
  const frameTimeMs = dataSet.number(TAGS.FrameTime);
  if (frameTimeMs !== undefined && frameTimeMs > 0) return 1000 / frameTimeMs;
  const rates = [TAGS.CineRate, TAGS.RecommendedDisplayFrameRate].map((tag) => dataSet.number(tag));
  return rates.find((rate) => rate !== undefined && rate > 0);
}

function everyFrame(frameCount: number): readonly number[] {
  return Array.from({ length: frameCount }, (_, index) => index + 1);
}
