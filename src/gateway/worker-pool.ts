/**
 * Worker threads for CPU work, each disposable: a worker that gives no sign of progress within the deadline (a codec
 * can hang on damaged bytes) or dies (out of memory, abort inside WASM) is replaced. Jobs wait in order; the queue is
 * bounded by the caller, which never submits more than it can hold. One job a worker at a time.
 *
 * Protocol: main -> worker `{ job }`; worker -> main `{ progress: true }` any number of times, then `{ outcome }`.
 */
import { Worker } from 'node:worker_threads';
import { LetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';

const TERMINATE_PATIENCE_MS = 2000; // ending a thread takes milliseconds where it works at all

export interface WorkerPoolOptions {
  readonly size: number;
  readonly script: URL;
  /** Cloned into every worker at its start. */
  readonly workerData: unknown;
  /** Longest time without progress before a worker is ended. */
  readonly progressTimeoutMs: number;
  /** Heap limit of a worker; more ends the worker, not the process. */
  readonly heapMegabytes: number;
  readonly logger: Logger;
}

interface Task<Job, Outcome> {
  readonly job: Job;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: LetheError) => void;
}

interface Slot<Job, Outcome> {
  readonly index: number;
  worker: Worker | undefined;
  task: Task<Job, Outcome> | undefined;
  deadline: NodeJS.Timeout | undefined;
}

type Message<Outcome> = { readonly progress: true } | { readonly outcome: Outcome };

export class WorkerPool<Job, Outcome> {
  readonly #options: WorkerPoolOptions;
  readonly #slots: Slot<Job, Outcome>[];
  readonly #waiting: Task<Job, Outcome>[] = [];
  #closed = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.size }, (_, index) => ({
      index,
      worker: undefined,
      task: undefined,
      deadline: undefined,
    }));
  }

  /** How many jobs may run at once. */
  get size(): number {
    return this.#options.size;
  }

  /** @throws IMAGING_TIMEOUT when there was no progress in time, WORKER_DIED when the worker ended by itself */
  run(job: Job): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new LetheError('INVARIANT', { what: 'job after close' }));
      this.#waiting.push({ job, resolve, reject });
      this.#assign();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#slots.map((slot) => this.#end(slot)));
    for (const task of this.#waiting.splice(0)) task.reject(new LetheError('WORKER_DIED', { what: 'closed' }));
  }

  #assign(): void {
    for (const slot of this.#slots) {
      if (slot.task !== undefined || this.#closed) continue;
      const task = this.#waiting.shift();
      if (task === undefined) return;
      slot.task = task;
      slot.worker ??= this.#start(slot);
      this.#expectProgress(slot);
      slot.worker.postMessage({ job: task.job });
    }
  }

  #start(slot: Slot<Job, Outcome>): Worker {
    const { script, workerData, heapMegabytes } = this.#options;
    const worker = new Worker(script, { workerData, resourceLimits: { maxOldGenerationSizeMb: heapMegabytes } });
    worker.on('message', (message: Message<Outcome>) => this.#onMessage(slot, worker, message));
    worker.on('error', (error: Error) => this.#onDeath(slot, worker, errorCode(error)));
    worker.on('exit', (code) => this.#onDeath(slot, worker, `exit ${code}`));
    return worker;
  }

  #onMessage(slot: Slot<Job, Outcome>, worker: Worker, message: Message<Outcome>): void {
    if (slot.worker !== worker) return; // a replaced worker's last words
    if ('progress' in message) {
      this.#expectProgress(slot);
      return;
    }
    const task = slot.task;
    clearTimeout(slot.deadline);
    slot.task = undefined;
    task?.resolve(message.outcome);
    this.#assign();
  }

  #expectProgress(slot: Slot<Job, Outcome>): void {
    clearTimeout(slot.deadline);
    slot.deadline = setTimeout(
      () =>
        this.#replace(
          slot,
          'no progress',
          new LetheError('IMAGING_TIMEOUT', { timeoutMs: this.#options.progressTimeoutMs }),
        ),
      this.#options.progressTimeoutMs,
    );
  }

  #onDeath(slot: Slot<Job, Outcome>, worker: Worker, reason: string): void {
    if (slot.worker === worker) this.#replace(slot, reason, new LetheError('WORKER_DIED', { reason }));
  }

  #replace(slot: Slot<Job, Outcome>, reason: string, error: LetheError): void {
    const { task } = slot;
    void this.#end(slot);
    if (!this.#closed) this.#options.logger.log('warn', 'worker.replaced', { worker: slot.index, reason });
    task?.reject(error);
    this.#assign();
  }

  async #end(slot: Slot<Job, Outcome>): Promise<void> {
    const { worker, task } = slot;
    clearTimeout(slot.deadline);
    slot.worker = undefined;
    slot.task = undefined;
    if (this.#closed) task?.reject(new LetheError('WORKER_DIED', { what: 'closed' }));
    if (worker === undefined) return;
    // A thread that ran out of memory may never confirm its end; waiting for it longer would only delay our own.
    const patience = AbortSignal.timeout(TERMINATE_PATIENCE_MS);
    await Promise.race([worker.terminate(), new Promise((resolve) => patience.addEventListener('abort', resolve))]);
  }
}

function errorCode(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? error.name;
}
