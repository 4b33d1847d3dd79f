/** The formulas of PS3.3 §C.11.2.1.2 and §C.11.2.1.3, by the pseudo-code and examples that stand there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isValidWindow, lutFunction, windowFunction, windowOver } from '../../src/imaging/voi.ts';

function near(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} instead of ${expected}`);
}

test('LINEAR, center 2048 and width 4096: 0 is black and 4095 white (the example of §C.11.2.1.2.1)', () => {
  const apply = windowFunction({ center: 2048, width: 4096, function: 'LINEAR' });
  assert.deepEqual([apply(-1), apply(0), apply(4095), apply(4096)], [0, 0, 1, 1]);
  near(apply(2047.5), 0.5);
});

test('LINEAR, center 2048 and width 1: a threshold, 2047 is black and 2048 white', () => {
  const apply = windowFunction({ center: 2048, width: 1, function: 'LINEAR' });
  assert.deepEqual([apply(2047), apply(2048)], [0, 1]);
});

test('LINEAR, center 0 and width 100: black up to -50, white above 49', () => {
  const apply = windowFunction({ center: 0, width: 100, function: 'LINEAR' });
  assert.deepEqual([apply(-50), apply(49)], [0, 1]);
  near(apply(-0.5), 0.5);
  near(apply(0), (0 + 0.5) / 99 + 0.5);
});

test('LINEAR_EXACT, center 0 and width 100: black up to -50, white above 50', () => {
  const apply = windowFunction({ center: 0, width: 100, function: 'LINEAR_EXACT' });
  assert.deepEqual([apply(-50), apply(0), apply(50)], [0, 0.5, 1]);
});

test('SIGMOID is one half at its center and e^-2 of the way at half a width below', () => {
  const apply = windowFunction({ center: 100, width: 40, function: 'SIGMOID' });
  assert.equal(apply(100), 0.5);
  near(apply(80), 1 / (1 + Math.exp(2)));
});

test('a width below 1 is no LINEAR window, and a width of 0 is none at all', () => {
  assert.equal(isValidWindow({ center: 0, width: 0.5, function: 'LINEAR' }), false);
  assert.equal(isValidWindow({ center: 0, width: 0.5, function: 'LINEAR_EXACT' }), true);
  assert.equal(isValidWindow({ center: 0, width: 0, function: 'SIGMOID' }), false);
  assert.equal(isValidWindow({ center: Number.NaN, width: 10, function: 'LINEAR' }), false);
});

test('a VOI LUT maps from its first value; what lies outside takes its ends', () => {
  const apply = lutFunction({ first: 10, entries: Uint16Array.of(0, 51, 255), bits: 8 });
  assert.deepEqual([9, 10, 11, 12, 500].map(apply), [0, 0, 0.2, 1, 1]);
});

test('a VOI LUT with entries wider than its descriptor says is white at its widest entry', () => {
  assert.equal(lutFunction({ first: 0, entries: Uint16Array.of(0, 4095), bits: 8 })(1), 1);
});

test('a window over a range begins and ends there', () => {
  const apply = windowFunction(windowOver(-5, 15));
  assert.deepEqual([apply(-5), apply(5), apply(15)], [0, 0.5, 1]);
});
