/**
 * Worker threads for CPU work, each disposable: a worker that gives no sign of progress within the deadline (a codec
 * can hang on damaged bytes) or dies (out of memory, abort inside WASM) is replaced. Jobs wait in order; the queue is
 * bounded by the caller, which never submits more than it can hold.
 *
 * A worker has a few small jobs at a time: while one waits for the encoder's thread, or for its outcome to be noted here,
 * it goes on with another. Whose fault it was when such a worker ends nobody can say, so all are done again, each alone: a
 * job fails only where it was the only one.
 *
 * Protocol: main -> worker `{ job, number }`; worker -> main `{ progress: true }` any number of times, and for each job
 * `{ outcome, number }`.
 */
import { Worker } from 'node:worker_threads';
import { LetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';

const TERMINATE_PATIENCE_MS = 2000; // ending a thread takes milliseconds where it works at all

export interface WorkerPoolOptions<Job> {
  readonly size: number;
  /** Whether a job may share a worker; what needs much memory has one for itself. Unless given, all have. */
  isSmall?(job: Job): boolean;
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
  readonly number: number;
  readonly job: Job;
  /** Given to a worker that does nothing else meanwhile. */
  isAlone: boolean;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: LetheError) => void;
}

interface Slot<Job, Outcome> {
  readonly index: number;
  worker: Worker | undefined;
  tasks: Task<Job, Outcome>[];
  deadline: NodeJS.Timeout | undefined;
}

type Message<Outcome> = { readonly progress: true } | { readonly outcome: Outcome; readonly number: number };

/** Those that run by turns, and as many again and more for the time that this thread is busy with something else. */
const TASKS_MAX = 8;

export class WorkerPool<Job, Outcome> {
  readonly #options: WorkerPoolOptions<Job>;
  readonly #slots: Slot<Job, Outcome>[];
  readonly #waiting: Task<Job, Outcome>[] = [];
  #closed = false;
  #numbers = 0;

  constructor(options: WorkerPoolOptions<Job>) {
    this.#options = options;
    this.#slots = Array.from({ length: options.size }, (_, index) => ({
      index,
      worker: undefined,
      tasks: [],
      deadline: undefined,
    }));
  }

  /** How many jobs may be with workers at once. */
  get size(): number {
    return this.#options.size * (this.#options.isSmall === undefined ? 1 : TASKS_MAX);
  }

  /** @throws IMAGING_TIMEOUT when there was no progress in time, WORKER_DIED when the worker ended by itself */
  run(job: Job): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new LetheError('INVARIANT', { what: 'job after close' }));
      const isAlone = this.#options.isSmall?.(job) !== true;
      this.#waiting.push({ number: ++this.#numbers, job, isAlone, resolve, reject });
      this.#assign();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#slots.map((slot) => this.#end(slot)));
    for (const task of this.#waiting.splice(0)) task.reject(new LetheError('WORKER_DIED', { what: 'closed' }));
  }

  #assign(): void {
    while (!this.#closed) {
      const [task] = this.#waiting;
      const slot = task && this.#slotFor(task);
      if (task === undefined || slot === undefined) return;
      this.#waiting.shift();
      slot.tasks.push(task);
      slot.worker ??= this.#start(slot);
      if (slot.tasks.length === 1) this.#expectProgress(slot);
      slot.worker.postMessage({ job: task.job, number: task.number });
    }
  }

  /** One that has nothing to do, else one that may take a second. */
  #slotFor(task: Task<Job, Outcome>): Slot<Job, Outcome> | undefined {
    const idle = this.#slots.find(({ tasks }) => tasks.length === 0);
    if (idle !== undefined || task.isAlone) return idle;
    return this.#slots.find(({ tasks }) => tasks.length < TASKS_MAX && !tasks.some(({ isAlone }) => isAlone));
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
    const task = slot.tasks.find(({ number }) => number === message.number);
    slot.tasks = slot.tasks.filter((other) => other !== task);
    if (slot.tasks.length > 0) this.#expectProgress(slot);
    else clearTimeout(slot.deadline);
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
    const { tasks } = slot;
    void this.#end(slot);
    if (!this.#closed) this.#options.logger.log('warn', 'worker.replaced', { worker: slot.index, reason });
    const [only] = tasks;
    if (tasks.length === 1) only?.reject(error);
    else for (const task of tasks.toReversed()) this.#again(task);
    this.#assign();
  }

  /** Before all others, so that it does not wait longer than those that came after it. */
  #again(task: Task<Job, Outcome>): void {
    task.isAlone = true;
    this.#waiting.unshift(task);
  }

  async #end(slot: Slot<Job, Outcome>): Promise<void> {
    const { worker, tasks } = slot;
    clearTimeout(slot.deadline);
    slot.worker = undefined;
    slot.tasks = [];
    if (this.#closed) for (const task of tasks) task.reject(new LetheError('WORKER_DIED', { what: 'closed' }));
    if (worker === undefined) return;
    // A thread that ran out of memory may never confirm its end; waiting for it longer would only delay our own.
    const patience = AbortSignal.timeout(TERMINATE_PATIENCE_MS);
    await Promise.race([worker.terminate(), new Promise((resolve) => patience.addEventListener('abort', resolve))]);
  }
}

function errorCode(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? error.name;
}
