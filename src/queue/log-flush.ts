/**
 * Keeps SQLite's write-ahead log nearly flushed. A checkpoint begins with a flush of all that was written since the last
 * one, in the thread that serves everybody: 3 ms after a hundred instances. Where a thread of the pool flushes now and
 * then, it finds little left to do. Nothing relies on it: what has to be durable SQLite flushes itself, and what fails
 * here fails there too.
 *
 * Only the log is opened. Closing a descriptor of the database or of its shared memory would give up SQLite's locks.
 */
import { close, fdatasync, open } from 'node:fs';

/** About a mebibyte of the log: ten pages a round. */
const ROUNDS = 25;

export class LogFlush {
  readonly #path: string;
  #fd: number | undefined;
  #rounds = 0;
  #running: Promise<void> | undefined;
  #ended = false;

  constructor(databasePath: string) {
    this.#path = `${databasePath}-wal`;
  }

  /** A transaction was written to the log. */
  wrote(): void {
    this.#rounds++;
    if (this.#rounds < ROUNDS || this.#running !== undefined || this.#ended) return;
    this.#rounds = 0;
    this.#running = this.#flush().finally(() => {
      this.#running = undefined;
    });
  }

  async close(): Promise<void> {
    this.#ended = true;
    await this.#running;
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) await new Promise<void>((resolve) => close(fd, () => resolve()));
  }

  async #flush(): Promise<void> {
    this.#fd ??= await new Promise<number | undefined>((resolve) => {
      open(this.#path, 'r', (error, fd) => resolve(error === null ? fd : undefined));
    });
    const fd = this.#fd;
    if (fd === undefined) this.#ended = true;
    else await new Promise<void>((resolve) => fdatasync(fd, () => resolve()));
  }
}
