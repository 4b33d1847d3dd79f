/**
 * One append-only file of the received area, on its writing side. Records are whole blocks and follow each other; the end
 * moves when a record is complete in memory, `flush` makes everything before it durable, and one flush serves every
 * commit that waits at that moment (group commit). After a failed write or flush nothing is appended any more: a page
 * that could not be written may look clean afterwards, so only what was flushed before is trusted.
 *
 * A record that nothing else waits beside is written and flushed by one call (`O_DSYNC`), which saves the way to the
 * thread pool and back. The file is as long from the beginning as its records may become, a hole behind them, so that
 * such a write never changes the length, and nothing depends on when a file system makes a new length durable.
 */
import { constants } from 'node:fs';
import { join } from 'node:path';
import type { LetheError } from '../core/errors.ts';
import {
  closeFile,
  diskError,
  flushData,
  flushFolder,
  openFile,
  SYNCHRONOUS,
  truncateFile,
  writeFully,
} from './disk.ts';

export const SEGMENT_SUFFIX = '.seg';
/** A segment that is longer takes no further instance, unless the spool is told otherwise. */
export const SEGMENT_BYTES_MAX = 64 * 1024 * 1024;

interface Descriptors {
  readonly plain: number;
  /** Writes through this one are durable when they end; undefined: not here. */
  readonly synchronous: number | undefined;
}

export class Segment {
  readonly name: string;
  readonly createdAtMs: number;
  readonly #fd: number;
  readonly #synchronous: number | undefined;
  /** Commits that have begun and not ended. */
  #commits = 0;
  /** Where the next record starts. */
  end = 0;
  /** Why nothing more is appended; flushes of what was written before may still succeed. */
  failure: LetheError | undefined;
  #flushFailure: LetheError | undefined;
  /** Resolves when the abort of an earlier record has cut its bytes off. */
  settled: Promise<void> = Promise.resolve();
  /**
   * Resolves when the fixed part of the last record that began to seal is written: records are sealed in their order, so
   * that no committed record ever stands behind one that recovery could not walk over.
   */
  sealed: Promise<void> = Promise.resolve();
  #running: Promise<void> | undefined;
  #waiting: Promise<void> | undefined;

  private constructor(name: string, createdAtMs: number, { plain, synchronous }: Descriptors) {
    this.name = name;
    this.createdAtMs = createdAtMs;
    this.#fd = plain;
    this.#synchronous = synchronous;
  }

  /**
   * A new file whose name is durable before its first record is. `flags` are further ones (`DIRECT`).
   * @throws SPOOL_FULL, SPOOL_IO
   */
  static async create(folder: string, name: string, createdAtMs: number, flags = 0): Promise<Segment> {
    const { O_CREAT, O_EXCL, O_WRONLY } = constants;
    const path = join(folder, name + SEGMENT_SUFFIX);
    const plain = await openFile(path, O_CREAT | O_EXCL | O_WRONLY | flags);
    let synchronous: number | undefined;
    try {
      if (flags !== 0) synchronous = await openSynchronous(path, plain, O_WRONLY | flags);
      await flushFolder(folder);
    } catch (error) {
      await closeFile(plain);
      if (synchronous !== undefined) await closeFile(synchronous);
      throw error;
    }
    return new Segment(name, createdAtMs, { plain, synchronous });
  }

  /**
   * A commit begins; `endCommit` when it has ended. True: no other is under way, so that all before is durable or cut off
   * and this one may write its record by `writeDurably`.
   */
  beginCommit(): boolean {
    this.#commits++;
    return this.#commits === 1;
  }

  endCommit(): void {
    this.#commits--;
  }

  /** Writes a whole record; false: it is still to be flushed. @throws SPOOL_FULL, SPOOL_IO */
  async writeDurably(buffers: readonly Uint8Array[], position: number): Promise<boolean> {
    const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
    const fd = position + bytes > SEGMENT_BYTES_MAX ? undefined : this.#synchronous;
    await this.#write(fd ?? this.#fd, buffers, position);
    return fd !== undefined;
  }

  /** @throws SPOOL_FULL, SPOOL_IO */
  write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    return this.#write(this.#fd, buffers, position);
  }

  async #write(fd: number, buffers: readonly Uint8Array[], position: number): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    try {
      await writeFully(fd, buffers, position);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Resolves when everything written before the call is durable. @throws SPOOL_FULL, SPOOL_IO */
  flush(): Promise<void> {
    // A round that has not begun yet will cover this caller too.
    this.#waiting ??= (this.#running ?? Promise.resolve()).then(
      () => this.#flushRound(),
      () => this.#flushRound(),
    );
    return this.#waiting;
  }

  async #flushRound(): Promise<void> {
    this.#running = this.#waiting;
    this.#waiting = undefined;
    if (this.#flushFailure !== undefined) throw this.#flushFailure;
    try {
      await flushData(this.#fd);
    } catch (error) {
      this.#flushFailure = this.#fail(error);
      throw this.#flushFailure;
    }
  }

  /** Cuts an unfinished record off, so that nothing of it is left and the next one starts on clean ground. */
  cut(position: number): Promise<void> {
    this.end = Math.min(this.end, position);
    this.settled = this.settled
      .then(() => this.#cutOff())
      .catch((error: unknown) => {
        this.#fail(error);
      });
    return this.settled;
  }

  /** Behind the last record nothing is left but the hole. */
  async #cutOff(): Promise<void> {
    await truncateFile(this.#fd, this.end);
    if (this.#synchronous !== undefined && this.end < SEGMENT_BYTES_MAX)
      await truncateFile(this.#fd, SEGMENT_BYTES_MAX);
  }

  async close(): Promise<void> {
    await this.settled;
    await this.#waiting?.catch(() => undefined);
    await this.#running?.catch(() => undefined);
    if (this.#synchronous !== undefined) {
      await closeFile(this.#synchronous);
      // The hole behind the records; where it stays, the next start cuts it off.
      if (this.end < SEGMENT_BYTES_MAX) await truncateFile(this.#fd, this.end).catch(() => undefined);
    }
    await closeFile(this.#fd);
  }

  #fail(error: unknown): LetheError {
    this.failure ??= diskError(error, 'segment');
    return this.failure;
  }
}

/** With the hole that it needs behind the records; undefined where there is no such thing (a file size quota, say). */
async function openSynchronous(path: string, plain: number, flags: number): Promise<number | undefined> {
  if (SYNCHRONOUS === 0) return undefined;
  try {
    await truncateFile(plain, SEGMENT_BYTES_MAX);
    return await openFile(path, flags | SYNCHRONOUS);
  } catch {
    return undefined; // whatever it is: the records themselves will say so
  }
}
