/** Lets bytes through at the rate of `pace.ts`, one limit for all requests of a destination. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, systemClock } from '../core/clock.ts';
import { type Bucket, emptyBucket, pay } from './pace.ts';

export type Wait = (ms: number, signal: AbortSignal) => Promise<void>;

/** Pieces a second at least, so that a slow line sees a stream and not a burst now and then. */
const PIECES_A_SECOND = 8;
const PIECE_BYTES_MIN = 1024;

export class Pacer {
  readonly #bytesPerSecond: number;
  readonly #pieceBytes: number;
  readonly #clock: Clock;
  readonly #wait: Wait;
  #bucket: Bucket;

  constructor(bytesPerSecond: number, clock: Clock = systemClock, wait: Wait = abortableSleep) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#pieceBytes = Math.max(PIECE_BYTES_MIN, Math.floor(bytesPerSecond / PIECES_A_SECOND));
    this.#clock = clock;
    this.#wait = wait;
    this.#bucket = emptyBucket(clock.monotonicMs());
  }

  /** The same bytes in smaller pieces, each when its time has come. */
  async *through(
    chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      for (let position = 0; position < chunk.length; position += this.#pieceBytes) {
        const piece = chunk.subarray(position, position + this.#pieceBytes);
        const { bucket, waitMs } = pay(this.#bucket, piece.length, this.#clock.monotonicMs(), this.#bytesPerSecond);
        this.#bucket = bucket;
        if (waitMs > 0) await this.#wait(waitMs, signal);
        yield piece;
      }
    }
  }
}

async function abortableSleep(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal });
}
