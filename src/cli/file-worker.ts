/** The worker thread of the file verbs: see file-work.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import type { FileJob, FileWorkerData } from './file-job.ts';
import { FileWork } from './file-work.ts';

const port = parentPort;
const work = new FileWork(workerData as FileWorkerData, () => port?.postMessage({ progress: true }));

port?.on('message', ({ job, number }: { job: FileJob; number: number }) => {
  void work.run(job).then((outcome) => port.postMessage({ outcome, number }));
});
