/**
 * Which of its instances a worker has in progress: while one waits for the encoder and another for its bytes from the
 * disk, the thread goes on with a third. In the order they came, and together they take no more memory than two of the
 * largest that are held in memory.
 */
import { SCRATCH_BYTES_MAX } from '../core/scratch.ts';

const RUNNING_MAX = 3;
const RUNNING_BYTES_MAX = 2 * SCRATCH_BYTES_MAX;

export interface Turn {
  /** Of the instance. */
  readonly bytes: number;
  /** Never rejects. */
  run(): Promise<void>;
}

export class Turns {
  readonly #waiting: Turn[] = [];
  #running = 0;
  #runningBytes = 0;

  add(turn: Turn): void {
    this.#waiting.push(turn);
    this.#next();
  }

  #next(): void {
    for (let [turn] = this.#waiting; turn !== undefined && this.#hasRoomFor(turn); [turn] = this.#waiting) {
      this.#waiting.shift();
      void this.#run(turn);
    }
  }

  #hasRoomFor({ bytes }: Turn): boolean {
    if (this.#running === 0) return true;
    return this.#running < RUNNING_MAX && this.#runningBytes + bytes <= RUNNING_BYTES_MAX;
  }

  async #run(turn: Turn): Promise<void> {
    this.#running++;
    this.#runningBytes += turn.bytes;
    await turn.run();
    this.#running--;
    this.#runningBytes -= turn.bytes;
    this.#next();
  }
}
