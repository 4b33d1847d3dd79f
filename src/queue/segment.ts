/**
 * One append-only file of the received area, on its writing side. Records are whole blocks and follow each other; the end
 * moves when a record is complete in memory, `flush` makes everything before it durable, and one flush serves every
 * commit that waits at that moment (group commit). After a failed write or flush nothing is appended any more: a page
 * that could not be written may look clean afterwards, so only what was flushed before is trusted.
 */
import { constants } from 'node:fs';
import { join } from 'node:path';
import type { LetheError } from '../core/errors.ts';
import { closeFile, diskError, flushData, flushFolder, openFile, truncateFile, writeFully } from './disk.ts';

export const SEGMENT_SUFFIX = '.seg';

export class Segment {
  readonly name: string;
  readonly createdAtMs: number;
  readonly #fd: number;
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

  private constructor(name: string, createdAtMs: number, fd: number) {
    this.name = name;
    this.createdAtMs = createdAtMs;
    this.#fd = fd;
  }

  /**
   * A new file whose name is durable before its first record is. `flags` are further ones (`DIRECT`).
   * @throws SPOOL_FULL, SPOOL_IO
   */
  static async create(folder: string, name: string, createdAtMs: number, flags = 0): Promise<Segment> {
    const { O_CREAT, O_EXCL, O_WRONLY } = constants;
    const fd = await openFile(join(folder, name + SEGMENT_SUFFIX), O_CREAT | O_EXCL | O_WRONLY | flags);
    try {
      await flushFolder(folder);
    } catch (error) {
      await closeFile(fd);
      throw error;
    }
    return new Segment(name, createdAtMs, fd);
  }

  /** @throws SPOOL_FULL, SPOOL_IO */
  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    try {
      await writeFully(this.#fd, buffers, position);
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
      .then(() => truncateFile(this.#fd, this.end))
      .catch((error: unknown) => {
        this.#fail(error);
      });
    return this.settled;
  }

  async close(): Promise<void> {
    await this.settled;
    await this.#waiting?.catch(() => undefined);
    await this.#running?.catch(() => undefined);
    await closeFile(this.#fd);
  }

  #fail(error: unknown): LetheError {
    this.failure ??= diskError(error, 'segment');
    return this.failure;
  }
}
