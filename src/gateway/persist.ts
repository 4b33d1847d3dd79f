/**
 * What happened in the world must get into the store: where the store does not answer (locked, out of room), it is asked
 * again until it does or the gateway stops. Whoever waits here claims and processes nothing more meanwhile, which is what
 * keeps deliveries from being lost between their answer and its record.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { toLetheError } from '../core/errors.ts';
import type { Wake } from './signal.ts';

const PAUSE_MS = 500;

/** @throws what `work` throws where that is final, or when the gateway stops: the next start finds out what happened */
export async function persist<Result>(work: () => Promise<Result>, wake: Pick<Wake, 'closed'>): Promise<Result> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (toLetheError(error).row.disposition !== 'retry' || wake.closed) throw error;
    }
    await sleep(PAUSE_MS);
  }
}
