/** Time and chance as parameters, so that whoever decides by them can be tested without waiting or luck. */

export interface Clock {
  /** Milliseconds since the Unix epoch; may jump when the system's clock is set. For records, never for durations. */
  nowMs(): number;
  /** Milliseconds that only grow; for durations and deadlines. */
  monotonicMs(): number;
}

export interface Random {
  /** Uniform in [0, 1). For jitter, never for secrets. */
  fraction(): number;
  /** Cryptographically strong. */
  bytes(count: number): Uint8Array;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/**
 * A clock for schedules: the time since the epoch as it was when this was made, plus what has passed since. It never
 * jumps, so that setting the system's clock makes nothing due, overdue or undue. Whole milliseconds, as `nowMs` is.
 */
export function steadyClock(clock: Clock): Clock {
  const epochMs = clock.nowMs() - clock.monotonicMs();
  return { nowMs: () => Math.floor(epochMs + clock.monotonicMs()), monotonicMs: () => clock.monotonicMs() };
}

export const systemRandom: Random = {
  fraction: () => Math.random(),
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
};
