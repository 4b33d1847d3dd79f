import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admit, afterFailure, afterSuccess, type BreakerState, CLOSED } from '../../src/delivery/breaker.ts';

const OPTIONS = { failuresMax: 3, pauseMs: 1_000, pauseMaxMs: 5_000 };
const whole = { fraction: () => 0 };

function failing(times: number, nowMs = 0): BreakerState {
  let state = CLOSED;
  for (let index = 0; index < times; index++) state = afterFailure(state, { nowMs }, OPTIONS, whole);
  return state;
}

test('a closed circuit sends, and stays closed below the limit of failures in a row', () => {
  const state = failing(2);
  assert.deepEqual(admit(state, 0).admission, { kind: 'send' });
  assert.deepEqual(afterSuccess(), CLOSED);
});

test('at the limit it opens, and nothing is sent until the pause is over', () => {
  const state = failing(3, 100);
  assert.deepEqual(admit(state, 1_099).admission, { kind: 'wait', untilMs: 1_100 });
});

test('after the pause one request goes out, and only one', () => {
  const { state, admission } = admit(failing(3), 1_000);
  assert.deepEqual(admission, { kind: 'probe' });
  assert.equal(admit(state, 1_001).admission.kind, 'wait');
});

test('a probe that succeeds closes the circuit', () => {
  assert.deepEqual(admit(afterSuccess(), 0).admission, { kind: 'send' });
});

test('each probe that fails doubles the pause up to the maximum', () => {
  let state = failing(3);
  const pauses = [];
  for (let round = 0, nowMs = 0; round < 5; round++) {
    const waiting = admit(state, nowMs);
    assert.equal(waiting.admission.kind, 'wait');
    const untilMs = waiting.admission.kind === 'wait' ? waiting.admission.untilMs : 0;
    pauses.push(untilMs - nowMs);
    nowMs = untilMs;
    state = afterFailure(admit(state, nowMs).state, { nowMs }, OPTIONS, whole);
  }
  assert.deepEqual(pauses, [1_000, 2_000, 4_000, 5_000, 5_000]);
});

test('a probe whose outcome never comes frees its place', () => {
  const probing = admit(failing(3), 1_000).state;
  assert.equal(admit(probing, 1_000 + 9 * 60_000).admission.kind, 'wait');
  assert.equal(admit(probing, 1_000 + 11 * 60_000).admission.kind, 'probe');
});

test('failures of what was sent before the opening do not lengthen the pause', () => {
  const open = failing(3);
  assert.equal(afterFailure(open, { nowMs: 500 }, OPTIONS, whole), open);
});

test('the pause is no shorter than what the destination asked for, and jitter only shortens our own', () => {
  const asked = afterFailure(failing(2), { nowMs: 0, askedMs: 30_000 }, OPTIONS, whole);
  assert.deepEqual(admit(asked, 0).admission, { kind: 'wait', untilMs: 30_000 });
  const jittered = afterFailure(failing(2), { nowMs: 0 }, OPTIONS, { fraction: () => 1 });
  assert.deepEqual(admit(jittered, 0).admission, { kind: 'wait', untilMs: 500 });
});
