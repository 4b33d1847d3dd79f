import assert from 'node:assert/strict';
import { test } from 'node:test';
import { steadyClock } from '../../src/core/clock.ts';

test('a steady clock follows what has passed, whatever the wall clock is set to, in whole milliseconds', () => {
  const wall = { epochMs: 1_750_000_000_000, passedMs: 12.25 };
  const clock = steadyClock({
    nowMs: () => wall.epochMs + Math.floor(wall.passedMs),
    monotonicMs: () => wall.passedMs,
  });
  const startMs = clock.nowMs();
  for (const jumpMs of [3_600_000, -7_200_000, 365 * 86_400_000]) {
    wall.epochMs += jumpMs;
    wall.passedMs += 1000.5;
    const passedMs = clock.nowMs() - startMs;
    assert.ok(Number.isInteger(passedMs) && Math.abs(passedMs - (wall.passedMs - 12.25)) <= 1, String(passedMs));
  }
});
