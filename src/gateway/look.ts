/**
 * A look at a frame as it was received, for the person who decides about a held instance. In a thread of its own, as a
 * codec may hang on it; one at a time; and the thread ends with the look, so that identified pixels do not stay in memory.
 */

import type { ErrorCode } from '../core/errors.ts';
import { LetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { WorkerPool } from './worker-pool.ts';

export interface LookJob {
  readonly location: string;
  /** From 1. */
  readonly frame: number;
}

export type LookOutcome =
  | { readonly kind: 'png'; readonly bytes: Uint8Array }
  | { readonly kind: 'failed'; readonly code: ErrorCode };

export interface LookWorkerData {
  readonly dataDir: string;
}

/** @throws IMAGING_*, DICOM_*, HTTP_TOO_BUSY */
export type Look = (job: LookJob) => Promise<Uint8Array>;

/** People who look at the same time; more are asked to come back. */
const WAITING_MAX = 8;
const FRAME_TIMEOUT_MS = 20_000;
const HEAP_MEGABYTES = 512;

export function lookInto({ dataDir, logger }: { dataDir: string; logger: Logger }): Look {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return async (job) => {
    if (waiting >= WAITING_MAX) throw new LetheError('HTTP_TOO_BUSY', { waiting });
    waiting++;
    const mine = last.then(() => lookOnce(job, { dataDir }, logger));
    last = mine.catch(() => undefined);
    try {
      return await mine;
    } finally {
      waiting--;
    }
  };
}

async function lookOnce(job: LookJob, workerData: LookWorkerData, logger: Logger): Promise<Uint8Array> {
  const script = new URL(import.meta.url.endsWith('.ts') ? './look-worker.ts' : './look-worker.js', import.meta.url);
  const pool = new WorkerPool<LookJob, LookOutcome>({
    size: 1,
    script,
    workerData,
    progressTimeoutMs: FRAME_TIMEOUT_MS,
    heapMegabytes: HEAP_MEGABYTES,
    logger,
  });
  try {
    const outcome = await pool.run(job);
    if (outcome.kind === 'failed') throw new LetheError(outcome.code);
    return outcome.bytes;
  } finally {
    await pool.close();
  }
}
