import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ERRORS, type ErrorCode } from '../../src/core/errors.ts';
import { blamesDestination, decideRetry, destinationFault, type RetryPolicy } from '../../src/delivery/retry.ts';

const POLICY: RetryPolicy = { baseMs: 1_000, maxMs: 60_000, attemptsMax: 10, ageMaxMs: 3_600_000 };
const FIRST = { attempts: 1, ageMs: 0, idempotent: true };
const fraction = (value: number) => ({ fraction: () => value });
const CODES = Object.keys(ERRORS) as ErrorCode[];

test('a transient failure is deferred, whether the destination is idempotent or not', () => {
  for (const idempotent of [true, false]) {
    const decision = decideRetry({ code: 'DELIVERY_BUSY' }, { ...FIRST, idempotent }, POLICY, fraction(0.5));
    assert.deepEqual(decision, { kind: 'defer', delayMs: 500 });
  }
});

test('an ambiguous failure is repeated only where repeating is safe', () => {
  const failure = { code: 'DELIVERY_TIMEOUT' } as const;
  assert.equal(decideRetry(failure, FIRST, POLICY, fraction(0)).kind, 'defer');
  assert.deepEqual(decideRetry(failure, { ...FIRST, idempotent: false }, POLICY, fraction(0)), {
    kind: 'hold',
    code: 'DELIVERY_TIMEOUT',
  });
});

test('the disposition of the table decides for every code', () => {
  for (const code of CODES) {
    const { disposition } = ERRORS[code];
    const expected = disposition === 'retry' || disposition === 'ambiguous' ? 'defer' : 'hold';
    assert.equal(decideRetry({ code }, FIRST, POLICY, fraction(0)).kind, expected, code);
  }
});

test('the ceiling of the delay doubles up to the maximum and jitter is full', () => {
  const delays = [1, 2, 3, 4, 9].map((attempts) => {
    const decision = decideRetry({ code: 'DELIVERY_BUSY' }, { ...FIRST, attempts }, POLICY, fraction(0.999999));
    return decision.kind === 'defer' ? decision.delayMs : -1;
  });
  assert.deepEqual(delays, [1_000, 2_000, 4_000, 8_000, 60_000]);
  assert.deepEqual(decideRetry({ code: 'DELIVERY_BUSY' }, FIRST, POLICY, fraction(0)), { kind: 'defer', delayMs: 0 });
});

test('nothing is sent again before the time that the destination asked for', () => {
  fc.assert(
    fc.property(
      fc.nat(86_400_000),
      fc.integer({ min: 1, max: 9 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (asked, attempts, share) => {
        const failure = { code: 'DELIVERY_BUSY', retryAfterMs: asked } as const;
        const decision = decideRetry(failure, { ...FIRST, attempts }, POLICY, fraction(share));
        return decision.kind === 'defer' && decision.delayMs >= asked && decision.delayMs <= asked + POLICY.maxMs;
      },
    ),
  );
});

test('budgets of attempts and of age end in held', () => {
  const exhausted = { kind: 'hold', code: 'DELIVERY_BUDGET_EXHAUSTED' };
  const failure = { code: 'DELIVERY_UNREACHABLE' } as const;
  assert.equal(decideRetry(failure, { ...FIRST, attempts: 9 }, POLICY, fraction(0)).kind, 'defer');
  assert.deepEqual(decideRetry(failure, { ...FIRST, attempts: 10 }, POLICY, fraction(0)), exhausted);
  assert.deepEqual(decideRetry(failure, { ...FIRST, ageMs: 3_600_000 }, POLICY, fraction(0)), exhausted);
});

test('the breaker hears of what destinations do and of nothing else', () => {
  assert.ok(blamesDestination('DELIVERY_UNREACHABLE'));
  assert.ok(blamesDestination('DELIVERY_BUSY'));
  assert.ok(blamesDestination('DIMSE_ASSOCIATION_ABORTED'));
  for (const code of [
    'DELIVERY_REJECTED',
    'DELIVERY_PAYLOAD_INVALID',
    'SPOOL_IO',
    'SPOOL_CORRUPT',
    'INVARIANT',
  ] as const) {
    assert.ok(!blamesDestination(code), code);
  }
});

test('a destination that took or refused one instance of a batch is well', () => {
  const busy = { kind: 'failed', code: 'DELIVERY_BUSY' } as const;
  const refused = { kind: 'failed', code: 'DELIVERY_REJECTED' } as const;
  const ours = { kind: 'failed', code: 'SPOOL_IO' } as const;
  assert.equal(destinationFault([busy, { kind: 'delivered', receipt: 'r' }]), undefined);
  assert.equal(destinationFault([busy, refused]), undefined);
  assert.equal(destinationFault([ours, busy]), busy);
  assert.equal(destinationFault([ours]), undefined);
});
