/**
 * Digests of large instances on a thread of their own: SHA-256 takes as long as receiving, and the thread that receives
 * serves every association. The thread reads back what was written, from the page cache; nothing is copied to it.
 *
 * A thread that dies fails the digests it had (SPOOL_IO, the sender is told to send again); the next one gets a new thread.
 */
import { Worker } from 'node:worker_threads';
import { LetheError } from '../core/errors.ts';

export type DigestOrder =
  | { readonly kind: 'start'; readonly id: number; readonly path: string; readonly position: number }
  | { readonly kind: 'advance' | 'finish'; readonly id: number; readonly to: number }
  | { readonly kind: 'cancel'; readonly id: number };

/** Without a digest it failed. */
export interface DigestAnswer {
  readonly id: number;
  readonly digest?: string;
}

/** Of the bytes of a file from where it was started. Exactly one of `finish` and `cancel` ends it. */
export interface RunningDigest {
  /** The file is written up to here. */
  advance(to: number): void;
  /** Lower-case hexadecimal SHA-256. @throws SPOOL_IO */
  finish(to: number): Promise<string>;
  cancel(): void;
}

interface Pending {
  readonly settled: PromiseWithResolvers<string>;
  readonly worker: Worker;
}

export class DigestWorker {
  #worker: Worker | undefined;
  #count = 0;
  readonly #pending = new Map<number, Pending>();

  start(path: string, position: number): RunningDigest {
    const worker = this.#worker ?? this.#open();
    const id = ++this.#count;
    const settled = Promise.withResolvers<string>();
    settled.promise.catch(() => undefined); // heard by whoever finishes
    this.#pending.set(id, { settled, worker });
    const tell = (order: DigestOrder) => worker.postMessage(order);
    tell({ kind: 'start', id, path, position });
    return {
      advance: (to) => tell({ kind: 'advance', id, to }),
      finish: (to) => {
        tell({ kind: 'finish', id, to });
        return settled.promise;
      },
      cancel: () => {
        this.#pending.delete(id);
        tell({ kind: 'cancel', id });
      },
    };
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #open(): Worker {
    const worker = new Worker(new URL('./digest-thread.ts', import.meta.url));
    worker.unref();
    worker.on('message', ({ id, digest }: DigestAnswer) => this.#settle(id, digest));
    worker.on('error', () => this.#lost(worker));
    worker.on('exit', () => this.#lost(worker));
    this.#worker = worker;
    return worker;
  }

  #settle(id: number, digest: string | undefined): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (digest === undefined) pending?.settled.reject(new LetheError('SPOOL_IO', { step: 'digest' }));
    else pending?.settled.resolve(digest);
  }

  #lost(worker: Worker): void {
    if (this.#worker === worker) this.#worker = undefined;
    for (const [id, pending] of this.#pending) if (pending.worker === worker) this.#settle(id, undefined);
  }
}
