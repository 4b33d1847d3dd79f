/**
 * Boxes as the queue keeps them beside the reason of a hold: `x,y,width,height` in pixels of the stored image, joined by
 * semicolons. Numbers only: a box says where something is, never what. Pure.
 */
import type { Rect } from '../../imaging/redact/rect.ts';

/** Boxes that are listed: more than a person would look through. A list of so many may leave some out. */
export const LISTED_BOXES_MAX = 100;
const PATTERN = /\bboxes=((?:\d+,\d+,\d+,\d+;?)+)/;

export function boxesText(rects: readonly Rect[]): string {
  return rects
    .slice(0, LISTED_BOXES_MAX)
    .map(({ x, y, width, height }) => [x, y, width, height].join())
    .join(';');
}

/** The boxes in the detail of a hold; none where it has none. */
export function boxesOfDetail(detail: string | undefined): Rect[] {
  const list = PATTERN.exec(detail ?? '')?.[1] ?? '';
  return list
    .split(';')
    .filter((part) => part !== '')
    .map((part) => {
      const [x = 0, y = 0, width = 0, height = 0] = part.split(',').map(Number);
      return { x, y, width, height };
    });
}
