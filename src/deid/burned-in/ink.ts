/**
 * Where in a picture there may be letters at all, at a thousandth of the cost of reading: blocks of 16 × 16 pixels with
 * several steep steps in them, steep measured by the picture's own noise. Letters are drawn with steps of one or two
 * pixels; tissue seen by a detector has none. Also how frames of one image are compared: only blocks that have gained
 * steps are looked at again. Pure.
 */
import { noiseOf } from '../../text-detection/noise.ts';
import type { Box, Picture } from '../../text-detection/picture.ts';

export interface Ink {
  readonly columns: number;
  readonly rows: number;
  /** Steep pixels of each block, up to 256. */
  readonly steps: Uint16Array;
  /** Grey levels of deviation. */
  readonly noise: number;
}

const BLOCK = 16;
/** Noise alone makes a step of this many deviations about once in a hundred thousand pixels. */
const DEVIATIONS = 6;
const STEP_MIN = 6;

export function inkOf(picture: Picture): Ink {
  const { width, height, channels, pixels } = picture;
  const columns = Math.ceil(width / BLOCK);
  const rows = Math.ceil(height / BLOCK);
  const steps = new Uint16Array(columns * rows);
  const noise = noiseOf(picture);
  const least = STEP_MIN + DEVIATIONS * noise;
  const row = width * channels;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const index = y * row + x * channels;
      if (!isSteep(pixels, index, { x, y, row, channels, least })) continue;
      const block = (y >> 4) * columns + (x >> 4);
      steps[block] = (steps[block] ?? 0) + 1;
    }
  }
  return { columns, rows, steps, noise };
}

/** A step to the pixel before the last one, along the row or the column, in any channel. */
function isSteep(
  pixels: Uint8Array,
  index: number,
  at: { x: number; y: number; row: number; channels: number; least: number },
): boolean {
  for (let channel = 0; channel < at.channels; channel++) {
    const value = pixels[index + channel] ?? 0;
    if (at.x >= 2 && Math.abs(value - (pixels[index + channel - 2 * at.channels] ?? 0)) >= at.least) return true;
    if (at.y >= 2 && Math.abs(value - (pixels[index + channel - 2 * at.row] ?? 0)) >= at.least) return true;
  }
  return false;
}

/** A letter of six pixels makes more. */
const LETTER_STEPS = 8;

/** Blocks that may hold letters. */
export function inkedBlocks({ steps }: Ink): Uint8Array {
  return Uint8Array.from(steps, (count) => (count >= LETTER_STEPS ? 1 : 0));
}

/** Growth of steps that is more than tissue which moves makes. */
const GROWTH = 1.3;

/** Blocks with more steps than any frame before had there; `most` is updated. */
export function changedBlocks({ steps }: Ink, most: Uint16Array): Uint8Array {
  const changed = new Uint8Array(steps.length);
  for (let block = 0; block < steps.length; block++) {
    const now = steps[block] ?? 0;
    const before = most[block] ?? 0;
    if (now >= GROWTH * before + LETTER_STEPS) changed[block] = 1;
    if (now > before) most[block] = now;
  }
  return changed;
}

/** Blocks around a marked one that are looked at with it: letters reach out of their block. */
const MARGIN_BLOCKS = 3;
/** Beyond this share of the picture parts cost more than the whole. */
const WHOLE_SHARE = 0.6;

/** Boxes that hold all marked blocks with a margin; the whole picture where that is hardly less. */
export function regionsOf(marked: Uint8Array, { columns, rows }: Ink, picture: Picture): Box[] {
  let boxes = connected(marked, columns, rows);
  for (let merged = mergedOnce(boxes); merged.length < boxes.length; merged = mergedOnce(boxes)) boxes = merged;
  const regions = boxes.map((box) => inPixels(box, picture));
  const area = regions.reduce((sum, { width, height }) => sum + width * height, 0);
  return area > WHOLE_SHARE * picture.width * picture.height
    ? [{ x: 0, y: 0, width: picture.width, height: picture.height }]
    : regions;
}

/** Bounds of the marked blocks of each run of neighbours, in blocks, with the margin. */
function connected(marked: Uint8Array, columns: number, rows: number): Box[] {
  const left = marked.slice();
  const boxes: Box[] = [];
  for (let start = 0; start < left.length; start++) {
    if (left[start] !== 1) continue;
    let [x0, y0, x1, y1] = [columns, rows, 0, 0];
    const stack = [start];
    left[start] = 0;
    for (let block = stack.pop(); block !== undefined; block = stack.pop()) {
      const x = block % columns;
      const y = (block - x) / columns;
      [x0, y0, x1, y1] = [Math.min(x0, x), Math.min(y0, y), Math.max(x1, x), Math.max(y1, y)];
      for (let row = Math.max(0, y - 1); row <= Math.min(rows - 1, y + 1); row++) {
        for (let column = Math.max(0, x - 1); column <= Math.min(columns - 1, x + 1); column++) {
          const next = row * columns + column;
          if (left[next] !== 1) continue;
          left[next] = 0;
          stack.push(next);
        }
      }
    }
    const x = Math.max(0, x0 - MARGIN_BLOCKS);
    const y = Math.max(0, y0 - MARGIN_BLOCKS);
    boxes.push({
      x,
      y,
      width: Math.min(columns, x1 + MARGIN_BLOCKS + 1) - x,
      height: Math.min(rows, y1 + MARGIN_BLOCKS + 1) - y,
    });
  }
  return boxes;
}

function mergedOnce(boxes: readonly Box[]): Box[] {
  const merged: Box[] = [];
  for (const box of boxes) {
    const at = merged.findIndex((other) => touches(other, box));
    const other = merged[at];
    if (other === undefined) merged.push(box);
    else merged[at] = around(other, box);
  }
  return merged;
}

function touches(a: Box, b: Box): boolean {
  return a.x <= b.x + b.width && b.x <= a.x + a.width && a.y <= b.y + b.height && b.y <= a.y + a.height;
}

function around(a: Box, b: Box): Box {
  const x = Math.min(a.x, b.x);
  const y = Math.min(a.y, b.y);
  return {
    x,
    y,
    width: Math.max(a.x + a.width, b.x + b.width) - x,
    height: Math.max(a.y + a.height, b.y + b.height) - y,
  };
}

function inPixels(box: Box, { width, height }: Picture): Box {
  const x = box.x * BLOCK;
  const y = box.y * BLOCK;
  return {
    x,
    y,
    width: Math.min(width, x + box.width * BLOCK) - x,
    height: Math.min(height, y + box.height * BLOCK) - y,
  };
}
