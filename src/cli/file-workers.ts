/** The worker threads of the file verbs, each of which can be ended when a codec hangs. */
import { silentLogger } from '../core/log.ts';
import { WorkerPool } from '../gateway/worker-pool.ts';
import type { FileJob, FileOutcome, FileWorkerData } from './file-job.ts';

const FRAME_TIMEOUT_MS = 20_000;
const HEAP_MEGABYTES = 1024;

export interface Workers {
  /** @throws IMAGING_TIMEOUT, WORKER_DIED */
  run(job: FileJob): Promise<FileOutcome>;
  close(): Promise<void>;
}

/** `size` threads, started when there is work for them. */
export function fileWorkers(data: FileWorkerData, size: number): Workers {
  return new WorkerPool<FileJob, FileOutcome>({
    size,
    script: new URL(import.meta.url.endsWith('.ts') ? './file-worker.ts' : './file-worker.js', import.meta.url),
    workerData: data,
    progressTimeoutMs: FRAME_TIMEOUT_MS,
    heapMegabytes: HEAP_MEGABYTES,
    logger: silentLogger,
  });
}
