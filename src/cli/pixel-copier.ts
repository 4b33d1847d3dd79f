/**
 * Copies pixels from file to file in two threads: a second one begins at once, and this one, which has headers to read and
 * write meanwhile, takes its share whenever it comes by (`help`). Where the second fails or dies, this one does it all.
 *
 *   const copier = new PixelCopier(); const copied = copier.copy(task); copier.help(); await copied; await copier.close();
 */
import { Worker } from 'node:worker_threads';
import { type CopyTask, copyBlocks, newClaims } from './copy-blocks.ts';
import type { FromThread, ToThread } from './copy-thread.ts';
import { originOfImage } from './started-how.ts';

interface Begun {
  readonly task: CopyTask;
  readonly claimed: Int32Array;
  /** What this thread threw; the other may be writing still. */
  failure?: unknown;
  resolve(): void;
  reject(error: unknown): void;
}

export class PixelCopier {
  /** Not yet whole, by number. */
  readonly #begun = new Map<number, Begun>();
  #thread: Worker | undefined;
  #numbers = 0;

  constructor() {
    const thread = startThread();
    thread.on('message', (message: FromThread) => this.#onAnswer(message));
    thread.on('error', () => this.#goOnAlone());
    thread.on('exit', () => this.#goOnAlone());
    thread.unref(); // but for what was begun
    this.#thread = thread;
  }

  /**
   * Helps with what was begun before, and begins. Both files stay open until it answers.
   * @throws DICOM_TRUNCATED, or what reading and writing threw
   */
  copy(task: CopyTask): Promise<void> {
    this.help();
    return new Promise((resolve, reject) => {
      const begun: Begun = { task, claimed: newClaims(), resolve, reject };
      if (this.#thread === undefined) {
        copyAgain(begun);
        return;
      }
      const number = this.#numbers++;
      this.#begun.set(number, begun);
      this.#thread.ref();
      this.#thread.postMessage({ number, task, claimed: begun.claimed } satisfies ToThread);
    });
  }

  /** Takes blocks until none is left to take. */
  help(): void {
    for (const begun of this.#begun.values()) {
      try {
        copyBlocks(begun.task, begun.claimed);
      } catch (error) {
        begun.failure = error;
      }
    }
  }

  /** Nothing may be under way. */
  async close(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.terminate();
  }

  #onAnswer({ number, failed }: FromThread): void {
    const begun = this.#begun.get(number);
    this.#begun.delete(number);
    if (this.#begun.size === 0) this.#thread?.unref();
    if (begun === undefined) return;
    if (failed || begun.failure !== undefined) copyAgain(begun);
    else begun.resolve();
  }

  #goOnAlone(): void {
    this.#thread = undefined;
    for (const begun of this.#begun.values()) copyAgain(begun);
    this.#begun.clear();
  }
}

/** From the beginning, in this thread. */
function copyAgain({ task, resolve, reject }: Begun): void {
  try {
    copyBlocks(task, newClaims());
    resolve();
  } catch (error) {
    reject(error);
  }
}

/** As one text where there is one: a thread that loads modules copies its first block a good while later. */
function startThread(): Worker {
  const options = { execArgv: [], trackUnmanagedFds: false };
  const text = originOfImage()?.threads['copy-thread.ts'];
  if (text !== undefined) return new Worker(text, { ...options, eval: true });
  const script = import.meta.url.endsWith('.ts') ? './copy-thread.ts' : './copy-thread.js';
  return new Worker(new URL(script, import.meta.url), options);
}
