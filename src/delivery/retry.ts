/**
 * What to do about a delivery that failed. Pure: the failure's row of the error table, the delivery's history and a
 * random fraction in, a decision out. Nothing here reads a message or a status: the disposition alone decides.
 *
 * transient -> later; ambiguous -> later where repeating is safe, else a person; everything else -> a person. Delays
 * double from `baseMs` to `maxMs` with full jitter (uniform from zero), so that a thousand deliveries that failed
 * together do not come back together. The budgets end in *held*, never in deletion.
 *
 * API: `decideRetry(failure, history, policy, random) -> RetryDecision`; `blamesDestination`, `destinationFault`.
 */
import type { Random } from '../core/clock.ts';
import { ERRORS, type ErrorCode } from '../core/errors.ts';
import type { DeliveryOutcome } from './destination.ts';
import type { FailedOutcome } from './http-failure.ts';

export interface RetryPolicy {
  readonly baseMs: number;
  readonly maxMs: number;
  /** Attempts in all, the first included. */
  readonly attemptsMax: number;
  /** Since the delivery became owed. */
  readonly ageMaxMs: number;
}

export const RETRY_POLICY: RetryPolicy = {
  baseMs: 1_000,
  maxMs: 5 * 60_000,
  attemptsMax: 1_000,
  ageMaxMs: 7 * 24 * 60 * 60_000,
};

export interface FailedDelivery {
  readonly code: ErrorCode;
  /** What the destination asked for. */
  readonly retryAfterMs?: number;
}

export interface DeliveryHistory {
  /** Including the one that just failed; at least 1. */
  readonly attempts: number;
  readonly ageMs: number;
  /** Whether the destination recognises a repetition. */
  readonly idempotent: boolean;
}

export type RetryDecision =
  | { readonly kind: 'defer'; readonly delayMs: number }
  | { readonly kind: 'hold'; readonly code: ErrorCode };

export function decideRetry(
  failure: FailedDelivery,
  history: DeliveryHistory,
  policy: RetryPolicy,
  random: Pick<Random, 'fraction'>,
): RetryDecision {
  if (!mayRepeat(failure.code, history.idempotent)) return { kind: 'hold', code: failure.code };
  if (history.attempts >= policy.attemptsMax || history.ageMs >= policy.ageMaxMs) {
    return { kind: 'hold', code: 'DELIVERY_BUDGET_EXHAUSTED' };
  }
  return { kind: 'defer', delayMs: delayMs(history.attempts, failure.retryAfterMs, policy, random) };
}

/** Whether a failure says something about the destination rather than about what was sent: the circuit breaker's food. */
export function blamesDestination(code: ErrorCode): boolean {
  const { disposition } = ERRORS[code];
  const transient = disposition === 'retry' || disposition === 'ambiguous';
  return transient && (code.startsWith('DELIVERY_') || code.startsWith('DIMSE_'));
}

/**
 * What a batch says about the destination, for the circuit breaker: the failure to count, or undefined where it showed
 * that it is well. Delivering or refusing one instance shows that, whatever became of others: an instance on which a
 * backend breaks each time must not open the circuit for its neighbours.
 */
export function destinationFault(outcomes: readonly DeliveryOutcome[]): FailedOutcome | undefined {
  const alive = outcomes.some((outcome) => outcome.kind === 'delivered' || outcome.code === 'DELIVERY_REJECTED');
  if (alive) return undefined;
  return outcomes.filter((outcome) => outcome.kind === 'failed').find((outcome) => blamesDestination(outcome.code));
}

function mayRepeat(code: ErrorCode, idempotent: boolean): boolean {
  const { disposition } = ERRORS[code];
  return disposition === 'retry' || (disposition === 'ambiguous' && idempotent);
}

/** Never before what the destination asked for; jitter is added to that, or everybody would return at once. */
function delayMs(
  attempts: number,
  retryAfterMs: number | undefined,
  policy: RetryPolicy,
  random: Pick<Random, 'fraction'>,
): number {
  // 2^30 times any base is beyond any maximum; larger exponents would only risk Infinity.
  const exponent = Math.min(Math.max(attempts, 1) - 1, 30);
  const ceiling = Math.min(policy.maxMs, policy.baseMs * 2 ** exponent);
  return Math.round((retryAfterMs ?? 0) + random.fraction() * ceiling);
}
