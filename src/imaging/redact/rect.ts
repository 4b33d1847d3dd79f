/**
 * Rectangles in pixels of the stored image: `x`, `y` the left top pixel from 0, `width` and `height` in pixels. Pure
 * integer geometry; a rectangle may lie partly outside of an image until it is clipped to it.
 */

export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A rectangle on some frames only; without `frames` (from 0) it is on all of them. */
export interface FrameRect extends Rect {
  readonly frames?: readonly number[];
}

export interface Extent {
  readonly rows: number;
  readonly columns: number;
}

/** The part inside of the image, on whole pixels (outwards); undefined where nothing is inside. */
export function clipRect(rect: Rect, extent: Extent): Rect | undefined {
  const left = Math.max(0, Math.floor(rect.x));
  const top = Math.max(0, Math.floor(rect.y));
  const right = Math.min(extent.columns, Math.ceil(rect.x + rect.width));
  const bottom = Math.min(extent.rows, Math.ceil(rect.y + rect.height));
  return right > left && bottom > top ? { x: left, y: top, width: right - left, height: bottom - top } : undefined;
}

/**
 * All of the image except `keep`, as disjoint rectangles: bands between the horizontal edges of the kept rectangles,
 * each cut at their vertical edges.
 */
export function complementOf(keep: readonly Rect[], extent: Extent): Rect[] {
  const kept = keep.map((rect) => clipRect(rect, extent)).filter((rect) => rect !== undefined);
  const edges = new Set([0, extent.rows]);
  for (const rect of kept) edges.add(rect.y).add(rect.y + rect.height);
  const rows = [...edges].sort((a, b) => a - b);
  const blank: Rect[] = [];
  let top = 0;
  for (const bottom of rows) {
    if (bottom > top) blank.push(...bandOutside(kept, top, bottom, extent.columns));
    top = bottom;
  }
  return blank;
}

function bandOutside(kept: readonly Rect[], top: number, bottom: number, columns: number): Rect[] {
  const inBand = kept.filter((rect) => rect.y <= top && rect.y + rect.height >= bottom).sort((a, b) => a.x - b.x);
  const free: Rect[] = [];
  let left = 0;
  for (const rect of inBand) {
    if (rect.x > left) free.push({ x: left, y: top, width: rect.x - left, height: bottom - top });
    left = Math.max(left, rect.x + rect.width);
  }
  if (left < columns) free.push({ x: left, y: top, width: columns - left, height: bottom - top });
  return free;
}

/** The rectangles that apply to frame `frame` (from 0), clipped to the image. */
export function rectsOfFrame(rects: readonly FrameRect[], frame: number, extent: Extent): Rect[] {
  return rects
    .filter((rect) => rect.frames === undefined || rect.frames.includes(frame))
    .map((rect) => clipRect(rect, extent))
    .filter((rect) => rect !== undefined);
}
