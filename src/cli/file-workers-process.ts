/**
 * The worker threads of the file verbs in a process of their own, for a process that cannot have threads (`isFromImage`).
 * It is started with the first job, from the sources; how many jobs are with it at once is bounded by who calls.
 *
 * Protocol: parent -> child `{ data, size }` once, then `{ job, number }`; child -> parent, for each job, `{ number, outcome }`
 * or `{ number, failed }`. The child ends when the channel closes.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ErrorCode } from '../core/error-table.ts';
import { type ErrorDetail, LetheError } from '../core/errors.ts';
import type { FileJob, FileOutcome, FileWorkerData } from './file-job.ts';
import type { Workers } from './file-workers.ts';
import { ordinaryOptions } from './started-how.ts';

export type ToChild =
  | { readonly data: FileWorkerData; readonly size: number }
  | { readonly job: FileJob; readonly number: number };

/** An error crosses as its code and detail: a class does not. */
export interface Failed {
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;
}

export type FromChild = { readonly number: number } & ({ readonly outcome: FileOutcome } | { readonly failed: Failed });

interface Asked {
  readonly resolve: (outcome: FileOutcome) => void;
  readonly reject: (error: LetheError) => void;
}

const END_PATIENCE_MS = 2000; // ending its threads takes milliseconds where it works at all

export class FileWorkersProcess implements Workers {
  readonly #data: FileWorkerData;
  readonly #size: number;
  readonly #asked = new Map<number, Asked>();
  #child: ChildProcess | undefined;
  #numbers = 0;

  constructor(data: FileWorkerData, size: number) {
    this.#data = data;
    this.#size = size;
  }

  /** Of the process, while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** @throws IMAGING_TIMEOUT, WORKER_DIED: also where the process ended by itself */
  run(job: FileJob): Promise<FileOutcome> {
    return new Promise((resolve, reject) => {
      const number = ++this.#numbers;
      this.#asked.set(number, { resolve, reject });
      this.#child ??= this.#start();
      this.#child.send({ job, number } satisfies ToChild, (error) => {
        if (error !== null) this.#died('it does not listen');
      });
    });
  }

  async close(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const hasEnded = once(child, 'exit');
    const deadline = setTimeout(() => child.kill('SIGKILL'), END_PATIENCE_MS);
    if (child.connected) child.disconnect();
    await hasEnded;
    clearTimeout(deadline);
  }

  #start(): ChildProcess {
    const script = import.meta.url.endsWith('.ts') ? './file-workers-child.ts' : './file-workers-child.js';
    const child = fork(fileURLToPath(new URL(script, import.meta.url)), [], {
      serialization: 'advanced',
      execArgv: ordinaryOptions(),
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    child.on('message', (answer: FromChild) => this.#settle(answer));
    child.on('exit', (code, signal) => this.#died(String(signal ?? code ?? 'unknown')));
    child.on('error', () => this.#died('it cannot be started'));
    child.send({ data: this.#data, size: this.#size } satisfies ToChild);
    return child;
  }

  #settle(answer: FromChild): void {
    const asked = this.#asked.get(answer.number);
    this.#asked.delete(answer.number);
    if ('outcome' in answer) asked?.resolve(answer.outcome);
    else asked?.reject(new LetheError(answer.failed.code, answer.failed.detail));
  }

  /** The next job starts another. */
  #died(reason: string): void {
    this.#child = undefined;
    const asked = [...this.#asked.values()];
    this.#asked.clear();
    for (const { reject } of asked) reject(new LetheError('WORKER_DIED', { reason }));
  }
}
