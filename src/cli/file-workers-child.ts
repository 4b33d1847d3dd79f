/** The process of `FileWorkersProcess`: hands its jobs to threads, and ends with its parent. */
import { toLetheError } from '../core/errors.ts';
import { fileWorkers, type Workers } from './file-workers.ts';
import type { FromChild, ToChild } from './file-workers-process.ts';

let workers: Workers | undefined;

process.on('message', (message: ToChild) => {
  if ('data' in message) workers = fileWorkers(message.data, message.size);
  else if (workers !== undefined) void answer(workers, message);
});
process.on('disconnect', () => void workers?.close().finally(() => process.exit()));
// Whoever interrupts the command interrupts both; the parent says when this one ends.
process.on('SIGINT', () => undefined);

async function answer(from: Workers, { job, number }: Extract<ToChild, { job: unknown }>): Promise<void> {
  let message: FromChild;
  try {
    message = { number, outcome: await from.run(job) };
  } catch (error) {
    const { code, detail } = toLetheError(error);
    message = { number, failed: { code, detail } };
  }
  if (process.connected) process.send?.(message);
}
