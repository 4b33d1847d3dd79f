import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { clipRect, complementOf, type Rect, rectsOfFrame } from '../../../src/imaging/redact/rect.ts';

const EXTENT = { rows: 12, columns: 17 };
const RECT = fc.record({
  x: fc.integer({ min: -5, max: 20 }),
  y: fc.integer({ min: -5, max: 20 }),
  width: fc.integer({ min: 0, max: 20 }),
  height: fc.integer({ min: 0, max: 20 }),
});

function holds(rect: Rect, x: number, y: number): boolean {
  return x >= rect.x && x < rect.x + rect.width && y >= rect.y && y < rect.y + rect.height;
}

describe('rectangles', () => {
  test('are clipped to whole pixels, outwards', () => {
    assert.deepEqual(clipRect({ x: -2, y: 3.5, width: 4.2, height: 1 }, EXTENT), { x: 0, y: 3, width: 3, height: 2 });
    assert.equal(clipRect({ x: 17, y: 0, width: 3, height: 3 }, EXTENT), undefined);
    assert.equal(clipRect({ x: 3, y: 3, width: 0, height: 3 }, EXTENT), undefined);
  });

  test('the complement holds every pixel outside of the kept ones exactly once, and no other', () => {
    fc.assert(
      fc.property(fc.array(RECT, { maxLength: 5 }), (keep) => {
        const outside = complementOf(keep, EXTENT);
        for (let y = 0; y < EXTENT.rows; y++) {
          for (let x = 0; x < EXTENT.columns; x++) {
            const count = outside.filter((rect) => holds(rect, x, y)).length;
            assert.equal(count, keep.some((rect) => holds(rect, x, y)) ? 0 : 1);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  test('belong to all frames unless they name theirs', () => {
    const first = { x: 0, y: 0, width: 1, height: 1 };
    const second = { x: 1, y: 1, width: 1, height: 1, frames: [1] };
    assert.deepEqual(rectsOfFrame([first, second], 0, EXTENT), [first]);
    assert.equal(rectsOfFrame([first, second], 1, EXTENT).length, 2);
  });
});
