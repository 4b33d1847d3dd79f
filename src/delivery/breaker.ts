/**
 * A circuit breaker as a state machine: one value a destination, time passed in. Pure.
 *
 *   closed --failures in a row--> open --after a pause--> half-open --success--> closed
 *                                  ^------------- failure -------------|
 *
 * While open nothing is sent and no attempt is counted, so that a backend that is down for an hour costs its queue
 * neither its budgets nor us the sockets. Half-open lets one request through; the pause doubles each time that fails.
 * Success or failure of what was sent before the circuit opened counts like any other.
 *
 * API: `CLOSED`, `admit(state, nowMs)`, `afterSuccess()`, `afterFailure(state, nowMs, options, random)`.
 */
import type { Random } from '../core/clock.ts';

export interface BreakerOptions {
  /** Failures in a row that open the circuit. */
  readonly failuresMax: number;
  readonly pauseMs: number;
  readonly pauseMaxMs: number;
}

export const BREAKER_OPTIONS: BreakerOptions = { failuresMax: 5, pauseMs: 2_000, pauseMaxMs: 60_000 };

export type BreakerState =
  | { readonly kind: 'closed'; readonly failures: number }
  /** `openings` in a row, at least 1: how far the pause has grown. */
  | { readonly kind: 'open'; readonly untilMs: number; readonly openings: number }
  /** One request is on its way; `giveUpAtMs` frees the place when its outcome never comes. */
  | { readonly kind: 'half-open'; readonly openings: number; readonly giveUpAtMs: number };

export type Admission =
  | { readonly kind: 'send' }
  /** Send exactly one request; its outcome decides. */
  | { readonly kind: 'probe' }
  | { readonly kind: 'wait'; readonly untilMs: number };

export const CLOSED: BreakerState = { kind: 'closed', failures: 0 };

/** Longer than any request with its time limits. */
const PROBE_MS_MAX = 10 * 60_000;
/** A pause is drawn from [half, whole], so that many gateways do not probe in step. */
const JITTER = 0.5;

/** May something be sent now? The state to keep comes with the answer. */
export function admit(state: BreakerState, nowMs: number): { state: BreakerState; admission: Admission } {
  if (state.kind === 'closed') return { state, admission: { kind: 'send' } };
  const untilMs = state.kind === 'open' ? state.untilMs : state.giveUpAtMs;
  if (nowMs < untilMs) return { state, admission: { kind: 'wait', untilMs } };
  const probing: BreakerState = { kind: 'half-open', openings: state.openings, giveUpAtMs: nowMs + PROBE_MS_MAX };
  return { state: probing, admission: { kind: 'probe' } };
}

export function afterSuccess(): BreakerState {
  return CLOSED;
}

/** `askedMs`: what the destination asked for (Retry-After); the pause is at least that. */
export function afterFailure(
  state: BreakerState,
  at: { readonly nowMs: number; readonly askedMs?: number },
  options: BreakerOptions,
  random: Pick<Random, 'fraction'>,
): BreakerState {
  // A straggler from before the opening: the pause that runs already answers it.
  if (state.kind === 'open') return state;
  const failures = state.kind === 'closed' ? state.failures + 1 : options.failuresMax;
  if (failures < options.failuresMax) return { kind: 'closed', failures };
  const openings = state.kind === 'half-open' ? state.openings + 1 : 1;
  const ceiling = Math.min(options.pauseMaxMs, options.pauseMs * 2 ** Math.min(openings - 1, 30));
  const pauseMs = ceiling * (1 - JITTER * random.fraction());
  return { kind: 'open', untilMs: at.nowMs + Math.max(pauseMs, at.askedMs ?? 0), openings };
}
