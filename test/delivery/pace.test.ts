import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { emptyBucket, opensInMs, parseTimeWindow, pay } from '../../src/delivery/pace.ts';

test('over any sequence of pieces the rate is held, but for a short burst and the last piece', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 5_000 }), pauseMs: fc.nat(400) }), { minLength: 2 }),
      (pieces) => {
        const rate = 1_000;
        let [bucket, now, sent] = [emptyBucket(0), 0, 0];
        for (const { bytes, pauseMs } of pieces) {
          now += pauseMs;
          const paid = pay(bucket, bytes, now, rate);
          bucket = paid.bucket;
          now += paid.waitMs;
          assert.ok(sent <= (now * rate) / 1000 + 250 + 1e-6, 'before this piece, no more than the rate and a burst');
          sent += bytes;
        }
      },
    ),
  );
});

test('a sender that keeps to its rate never waits, a faster one waits for what it overdrew', () => {
  const first = pay(emptyBucket(0), 1_000, 0, 1_000);
  assert.equal(first.waitMs, 0);
  assert.equal(pay(first.bucket, 1_000, 1_000, 1_000).waitMs, 0);
  assert.equal(pay(first.bucket, 1_000, 400, 1_000).waitMs, 600);
});

const at = (text: string) => Date.parse(text);
const HOUR = 3_600_000;

test('without windows it is always open', () => {
  assert.equal(opensInMs([], 0, 'UTC'), 0);
});

test('a window over midnight belongs to the day it began', () => {
  // 2026-11-23 is a Monday.
  const nights = [parseTimeWindow('mon-fri 20:00-06:00')];
  assert.equal(opensInMs(nights, at('2026-11-23T20:00:00Z'), 'UTC'), 0);
  assert.equal(opensInMs(nights, at('2026-11-28T05:59:59Z'), 'UTC'), 0, 'Saturday morning is still Friday night');
  assert.equal(opensInMs(nights, at('2026-11-23T05:00:00Z'), 'UTC'), 15 * HOUR, 'Monday morning is Sunday night');
  assert.equal(opensInMs(nights, at('2026-11-28T06:00:00Z'), 'UTC'), 62 * HOUR, 'to Monday evening');
});

test('the clock is that of the time zone', () => {
  const window = [parseTimeWindow('08:00-09:00')];
  assert.equal(opensInMs(window, at('2026-07-01T06:30:00Z'), 'Europe/Berlin'), 0);
  assert.equal(opensInMs(window, at('2026-07-01T06:30:00Z'), 'UTC'), 1.5 * HOUR);
});

test('the wait ends at the full minute at which the window opens', () => {
  assert.equal(opensInMs([parseTimeWindow('10:00-11:00')], at('2026-11-23T09:58:30.250Z'), 'UTC'), 89_750);
});

test('a window that closed today opens again in a week when it is of one day', () => {
  assert.equal(opensInMs([parseTimeWindow('mon 08:00-09:00')], at('2026-11-23T09:00:00Z'), 'UTC'), (7 * 24 - 1) * HOUR);
});

test('days may be listed, and a range may run over the week’s end', () => {
  assert.deepEqual([...parseTimeWindow('sat-mon,wed 00:00-24:00').days].sort(), [0, 1, 3, 6]);
});

for (const text of [
  '',
  '20:00',
  '25:00-26:00',
  '10:00-10:00',
  'xxx 10:00-11:00',
  '10:60-11:00',
  'mon-xxx 10:00-11:00',
  '24:00-01:00',
]) {
  test(`\`${text}\` is no time window`, () => {
    assert.throws(() => parseTimeWindow(text), { code: 'CONFIG_INVALID' });
  });
}
