/**
 * The VOI stage of the grey pipeline: windows (PS3.3 §C.11.2.1.2 and §C.11.2.1.3) and VOI LUTs (§C.11.2.1.1), as
 * functions from a modality value to [0, 1].
 */
import { type LookUpTable, lookUp } from './lut.ts';

export type WindowFunction = 'LINEAR' | 'LINEAR_EXACT' | 'SIGMOID';

export interface Window {
  readonly center: number;
  readonly width: number;
  readonly function: WindowFunction;
}

/** A window that PS3.3 allows: LINEAR asks for a width of at least 1, the others for more than 0. */
export function isValidWindow({ center, width, function: shape }: Window): boolean {
  return Number.isFinite(center) && Number.isFinite(width) && (shape === 'LINEAR' ? width >= 1 : width > 0);
}

/** The formulas of PS3.3 §C.11.2.1.2.1 (LINEAR), §C.11.2.1.3.2 (LINEAR_EXACT), §C.11.2.1.3.1 (SIGMOID). */
export function windowFunction({ center, width, function: shape }: Window): (value: number) => number {
  switch (shape) {
    case 'SIGMOID':
      return (value) => 1 / (1 + Math.exp((-4 * (value - center)) / width));
    case 'LINEAR_EXACT':
      return (value) => clamped((value - center) / width + 0.5);
    case 'LINEAR':
      // A width of 1 is a step just above center - 0.5.
      if (width === 1) return (value) => (value <= center - 0.5 ? 0 : 1);
      return (value) => clamped((value - (center - 0.5)) / (width - 1) + 0.5);
  }
}

export function lutFunction(table: LookUpTable): (value: number) => number {
  // Tolerance: entries wider than the descriptor says (test: voi); the widest entry decides then.
  let widest = 1;
  for (const entry of table.entries) widest = Math.max(widest, entry);
  const white = Math.max(2 ** table.bits - 1, widest);
  return (value) => lookUp(table, value) / white;
}

/** The window that maps [low, high] onto the whole range. */
export function windowOver(low: number, high: number): Window {
  return {
    center: (low + high) / 2,
    width: Math.max(high - low, Number.EPSILON * Math.max(1, Math.abs(high))),
    function: 'LINEAR_EXACT',
  };
}

function clamped(value: number): number {
  return value <= 0 ? 0 : value >= 1 ? 1 : value;
}
