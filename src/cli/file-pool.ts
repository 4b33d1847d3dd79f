/**
 * Runs file jobs over all cores, in order of submission, with a bounded number in hand. The main thread takes light jobs
 * (`FileWork.runLight`) itself: a few files are done before a worker has started, and of many it has its share. Whatever
 * runs a codec over foreign bytes runs in a worker, which can be ended when it hangs.
 */
import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { type LetheError, toLetheError } from '../core/errors.ts';
import type { FileJob, FileOutcome, FileWorkerData } from './file-job.ts';
import { FileWork } from './file-work.ts';
import { fileWorkers, type Workers } from './file-workers.ts';
import { FileWorkersProcess } from './file-workers-process.ts';
import { PixelCopier } from './pixel-copier.ts';
import { isFromImage } from './started-how.ts';

/**
 * For fewer, one thread is the faster way: each compiles its code anew, and until that is done it costs more than the
 * files (200 CT: 0.47 s in one thread, 0.70 s in two).
 */
const JOBS_FOR_WORKERS_MIN = 500;
/** The main thread looks around only between two files of its own: this many lie ready for each worker meanwhile. */
const READY_PER_WORKER = 4;
/** Outcomes that wait for an earlier one. */
const WAITING_MAX = 256;

/** Of files together, in bytes: to copy less takes less time than a second thread takes to start. */
const LONG_BYTES_MIN = 32 * 1024 * 1024;
const LONG_FILE_BYTES = 2 * 1024 * 1024;
const LOOKED_AT_MAX = 64;

export interface FileResult {
  readonly job: FileJob;
  readonly outcome: FileOutcome;
}

/** Outcomes in the order of the jobs; a worker that hangs or dies fails its own job. */
export async function* runFileJobs(jobs: readonly FileJob[], data: FileWorkerData): AsyncGenerator<FileResult> {
  const mayBeLight = data.deid !== undefined && jobs.every(({ formats }) => formats.length === 0);
  const size = mayBeLight ? Math.max(1, availableParallelism() - 1) : availableParallelism();
  const workers: Workers = isFromImage() ? new FileWorkersProcess(data, size) : fileWorkers(data, size);
  const isForWorkers = !mayBeLight || jobs.length >= JOBS_FOR_WORKERS_MIN;
  const copier = !isForWorkers && availableParallelism() > 1 && areLong(jobs) ? new PixelCopier() : undefined;
  const own = mayBeLight ? new FileWork(data, () => undefined, copier) : undefined;
  const waiting: Promise<FileResult>[] = [];
  let ready = 0;
  const runInWorker = (job: FileJob): Promise<FileOutcome> => {
    ready++;
    return workers
      .run(job)
      .catch((error: unknown) => failedOutcome(toLetheError(error)))
      .finally(() => ready--);
  };
  try {
    for (const job of jobs) {
      const isOwn = own !== undefined && !(isForWorkers && ready < size * READY_PER_WORKER);
      const light = isOwn ? await own.runLight(job) : undefined;
      const outcome = light === undefined ? runInWorker(job) : light.written;
      waiting.push(outcome.then((one) => ({ job, outcome: one })));
      if (own !== undefined) await setImmediate(); // hears the workers
      if (waiting.length >= WAITING_MAX) yield await (waiting.shift() as Promise<FileResult>);
    }
    own?.help();
    for (const result of waiting.splice(0)) yield await result;
  } finally {
    await Promise.allSettled(waiting);
    await workers.close();
    await copier?.close();
  }
}

/** Whether the first files have much to copy. */
function areLong(jobs: readonly FileJob[]): boolean {
  let bytes = 0;
  for (const { path } of jobs.slice(0, LOOKED_AT_MAX)) {
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    if (size >= LONG_FILE_BYTES) bytes += size;
    if (bytes >= LONG_BYTES_MIN) return true;
  }
  return false;
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
