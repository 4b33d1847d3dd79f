/**
 * An association with a peer that may be busy: what it rejects as transient (PS3.8 Table 9-21, result 2: congestion, a
 * local limit) is asked for again after growing pauses with full jitter, so that many who wait do not come back together.
 * A permanent rejection, and everything else, is the caller's at once.
 */
import type { Random } from '../core/clock.ts';
import { LetheError } from '../core/errors.ts';
import { StorageScu, type StorageScuOptions } from './storage-scu.ts';

export interface Patience {
  readonly random: Random;
  /** 1: no second try. */
  readonly attemptsMax: number;
  /** The first pause is at most this long, each further one twice that. */
  readonly firstDelayMs: number;
  readonly delayMsMax: number;
}

const TRANSIENT = 2;

/** @throws as `StorageScu.connect`; the last rejection when the attempts are used up */
export async function connectPatiently(options: StorageScuOptions, patience: Patience): Promise<StorageScu> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await StorageScu.connect(options);
    } catch (error) {
      if (!isTransientRejection(error) || attempt >= patience.attemptsMax) throw error;
      const limitMs = Math.min(patience.delayMsMax, patience.firstDelayMs * 2 ** (attempt - 1));
      await pause(limitMs * patience.random.fraction(), options.signal);
    }
  }
}

export function isTransientRejection(error: unknown): boolean {
  return (
    error instanceof LetheError && error.code === 'DIMSE_ASSOCIATION_REJECTED' && error.detail['result'] === TRANSIENT
  );
}

/** Ends early when the caller gives up: the next attempt says so. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
    if (signal?.aborted === true) done();
  });
}
