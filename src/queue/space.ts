/**
 * How much room the spool has. Asking the file system costs a system call, so the answer is kept for a second or until
 * many bytes were written since; what was written meanwhile is subtracted, so the gauge errs towards `full`.
 */
import { statfsSync } from 'node:fs';
import type { Clock } from '../core/clock.ts';
import type { SpoolSpace } from './spool.ts';

const FRESH_MS = 1000;
const FRESH_BYTES = 64 * 1024 * 1024;
/** Senders are slowed before they are refused. */
const LOW_FACTOR = 2;

export type FreeBytes = () => number;

/** Free bytes for an unprivileged user of the file system that holds `folder`. */
export function freeBytesOf(folder: string): FreeBytes {
  return () => {
    const facts = statfsSync(folder);
    return facts.bavail * facts.bsize;
  };
}

export class SpaceGauge {
  readonly #freeBytes: FreeBytes;
  readonly #limitBytes: number;
  readonly #clock: Clock;
  #measured = 0;
  #measuredAtMs = Number.NEGATIVE_INFINITY;
  #writtenSince = 0;

  constructor(freeBytes: FreeBytes, limitBytes: number, clock: Clock) {
    this.#freeBytes = freeBytes;
    this.#limitBytes = limitBytes;
    this.#clock = clock;
  }

  wrote(bytes: number): void {
    this.#writtenSince += bytes;
  }

  /** The next question asks the file system: something was freed, or a write failed for want of room. */
  invalidate(): void {
    this.#measuredAtMs = Number.NEGATIVE_INFINITY;
  }

  space(): SpoolSpace {
    const now = this.#clock.monotonicMs();
    if (now - this.#measuredAtMs > FRESH_MS || this.#writtenSince > FRESH_BYTES) {
      this.#measured = this.#freeBytes();
      this.#measuredAtMs = now;
      this.#writtenSince = 0;
    }
    const freeBytes = Math.max(0, this.#measured - this.#writtenSince);
    return {
      freeBytes,
      limitBytes: this.#limitBytes,
      full: freeBytes < this.#limitBytes,
      low: freeBytes < this.#limitBytes * LOW_FACTOR,
    };
  }
}
