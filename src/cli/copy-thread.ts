/** The second thread of `PixelCopier`. It loads next to nothing: it is to be there before the first file is. */
import { parentPort } from 'node:worker_threads';
import { type CopyTask, copyBlocks } from './copy-blocks.ts';

export interface ToThread {
  readonly number: number;
  readonly task: CopyTask;
  readonly claimed: Int32Array;
}

export interface FromThread {
  readonly number: number;
  /** A block was taken and could not be copied. */
  readonly failed: boolean;
}

parentPort?.on('message', ({ number, task, claimed }: ToThread) => {
  let failed = false;
  try {
    copyBlocks(task, claimed);
  } catch {
    failed = true; // whoever asked does it again and is told why
  }
  parentPort?.postMessage({ number, failed } satisfies FromThread);
});
