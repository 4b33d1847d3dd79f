/** Runs file jobs over all cores, in order of submission, with a bounded number in hand. */
import { availableParallelism } from 'node:os';
import { type LetheError, toLetheError } from '../core/errors.ts';
import { silentLogger } from '../core/log.ts';
import { WorkerPool } from '../gateway/worker-pool.ts';
import type { FileJob, FileOutcome, FileWorkerData } from './file-job.ts';

const FRAME_TIMEOUT_MS = 20_000;
const HEAP_MEGABYTES = 1024;

export interface FileResult {
  readonly job: FileJob;
  readonly outcome: FileOutcome;
}

/** Outcomes in the order of the jobs; a worker that hangs or dies fails its own job. */
export async function* runFileJobs(jobs: Iterable<FileJob>, data: FileWorkerData): AsyncGenerator<FileResult> {
  const script = new URL(import.meta.url.endsWith('.ts') ? './file-worker.ts' : './file-worker.js', import.meta.url);
  const size = availableParallelism();
  const pool = new WorkerPool<FileJob, FileOutcome>({
    size,
    script,
    workerData: data,
    progressTimeoutMs: FRAME_TIMEOUT_MS,
    heapMegabytes: HEAP_MEGABYTES,
    logger: silentLogger,
  });
  const inHand: Promise<FileResult>[] = [];
  try {
    for (const job of jobs) {
      inHand.push(
        pool.run(job).then(
          (outcome) => ({ job, outcome }),
          (error: unknown) => ({ job, outcome: failedOutcome(toLetheError(error)) }),
        ),
      );
      if (inHand.length >= size * 4) yield await (inHand.shift() as Promise<FileResult>);
    }
    for (const result of inHand.splice(0)) yield await result;
  } finally {
    await Promise.allSettled(inHand);
    await pool.close();
  }
}

function failedOutcome(error: LetheError): FileOutcome {
  return {
    kind: 'failed',
    code: error.code,
    message: error.message,
    held: error.row.disposition === 'hold',
    images: [],
  };
}
