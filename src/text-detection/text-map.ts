/**
 * From the detector's probability map to boxes of text lines: differentiable binarisation's post-processing (Liao et al.
 * 2020), with upright boxes. The map marks the core of a line; a box is the bounds of one connected core, grown by the
 * distance that the training shrank it by. Pure.
 */
import type { Box } from './picture.ts';

export interface MarkedBox extends Box {
  /** Mean probability of the core, from 0 to 1. */
  readonly score: number;
}

export interface MapLimits {
  /** A pixel is text from here on. */
  readonly threshold: number;
  /** A core whose mean is below is none. */
  readonly boxThreshold: number;
  /** Growth: area × this / perimeter. */
  readonly unclip: number;
  /** Smallest side of a core, in pixels of the map. */
  readonly sideMin: number;
}

/** The training shrank by 0.4 (area × (1 - 0.4²) / perimeter); the published decoder grows by 1.5. */
export const MAP_LIMITS: MapLimits = { threshold: 0.3, boxThreshold: 0.4, unclip: 1.6, sideMin: 2 };

export function boxesOfMap(
  map: Float32Array,
  { width, height }: { width: number; height: number },
  limits: MapLimits,
): MarkedBox[] {
  const seen = new Uint8Array(width * height);
  const stack: number[] = [];
  const boxes: MarkedBox[] = [];
  for (let start = 0; start < seen.length; start++) {
    if (seen[start] === 1 || (map[start] ?? 0) < limits.threshold) continue;
    const core = coreAt(start, { map, seen, stack, width, height, threshold: limits.threshold });
    const score = core.sum / core.area;
    const right = core.right - core.left + 1;
    const down = core.bottom - core.top + 1;
    if (score < limits.boxThreshold || Math.min(right, down) < limits.sideMin) continue;
    boxes.push({ ...grown(core.left, core.top, right, down, limits.unclip, { width, height }), score });
  }
  return boxes;
}

interface Core {
  left: number;
  top: number;
  right: number;
  bottom: number;
  area: number;
  sum: number;
}

/** All pixels connected to `start`, also over corners. */
function coreAt(
  start: number,
  at: { map: Float32Array; seen: Uint8Array; stack: number[]; width: number; height: number; threshold: number },
): Core {
  const { map, seen, stack, width, height, threshold } = at;
  const core: Core = { left: width, top: height, right: 0, bottom: 0, area: 0, sum: 0 };
  seen[start] = 1;
  stack.push(start);
  for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
    const x = index % width;
    const y = (index - x) / width;
    core.left = Math.min(core.left, x);
    core.right = Math.max(core.right, x);
    core.top = Math.min(core.top, y);
    core.bottom = Math.max(core.bottom, y);
    core.area++;
    core.sum += map[index] ?? 0;
    for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row++) {
      for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column++) {
        const next = row * width + column;
        if (seen[next] === 1 || (map[next] ?? 0) < threshold) continue;
        seen[next] = 1;
        stack.push(next);
      }
    }
  }
  return core;
}

function grown(
  left: number,
  top: number,
  width: number,
  height: number,
  unclip: number,
  extent: { width: number; height: number },
): Box {
  const distance = Math.ceil((width * height * unclip) / (2 * (width + height)));
  const x = Math.max(0, left - distance);
  const y = Math.max(0, top - distance);
  return {
    x,
    y,
    width: Math.min(extent.width, left + width + distance) - x,
    height: Math.min(extent.height, top + height + distance) - y,
  };
}
