/**
 * Writes a new file in blocks, in a thread of libuv's while the next ones are filled here. Blocks end on whole pages of the
 * file, and their memory is used again. They are written one by one: two threads that write one file only wait for each
 * other, and spin on a processor meanwhile. Longer ones would be given larger pages, which are seldom ready to be used.
 *
 *   const writer = new BlockWriter(path, blocks); await writer.take(bytes); await writer.takePieces(pieces); await writer.close();
 */
import { closeSync, open, write } from 'node:fs';
import type { Pieces } from '../core/bytes.ts';
import { borrowScratch, giveBackScratch } from '../core/scratch.ts';

const BLOCK_BYTES = 512 * 1024;
/** So small that a piece stays in the cache between its reading and the look at it. */
const ROOM_BYTES = 256 * 1024;
/** Less is not worth a piece, nor enough for one (`Pieces`). */
const ROOM_BYTES_MIN = 4096;
/** In hand together: so far is whoever fills them ahead of whoever writes. */
const BLOCKS_MAX = 8;
const MODE = 0o600;

/** Memory that the files share that are written one behind the other: more, and it would be new to the processor. */
export class Blocks {
  #inHand = 0;
  readonly #waiting: (() => void)[] = [];

  async borrow(): Promise<Uint8Array> {
    if (this.#inHand >= BLOCKS_MAX) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#inHand++;
    return borrowScratch(BLOCK_BYTES);
  }

  giveBack(block: Uint8Array): void {
    giveBackScratch(block);
    const next = this.#waiting.shift(); // takes the place of it
    if (next === undefined) this.#inHand--;
    else next();
  }
}

interface Full {
  /** To be given back. */
  readonly block: Uint8Array;
  readonly bytes: Uint8Array;
}

export class BlockWriter {
  readonly #opened: Promise<number>;
  readonly #blocks: Blocks;
  #block: Uint8Array | undefined;
  #used = 0; // of the block
  #position = 0; // in the file, of the next block that is written
  readonly #waiting: Full[] = [];
  #writing: Promise<void> | undefined;
  #failure: Error | undefined;

  constructor(path: string, blocks: Blocks) {
    this.#blocks = blocks;
    this.#opened = opened(path);
    this.#opened.catch(() => undefined); // whoever writes or closes hears of it
  }

  /** They may be used again once it answers. */
  async take(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const block = await this.#ready();
      const part = bytes.subarray(done, done + BLOCK_BYTES - this.#used);
      block.set(part, this.#used);
      this.#used += part.length;
      done += part.length;
      if (this.#used === BLOCK_BYTES) this.#send();
    }
  }

  /** Answers how many bytes they were. */
  async takePieces(pieces: Pieces): Promise<number> {
    let bytes = 0;
    await this.#ready();
    for (const piece of pieces(() => this.#room())) {
      bytes += piece.length;
      if (!this.#takeInPlace(piece)) await this.take(piece);
      if (this.#block === undefined) await this.#ready();
    }
    return bytes;
  }

  /** Hands over what is left. `close` waits for it. */
  flush(): void {
    if (this.#used > 0) this.#send();
    else this.#giveBackBlock();
  }

  /** Once all is written, or failed: nothing goes on behind it. @throws what the writing threw */
  async close(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    try {
      if (this.#failure !== undefined) throw this.#failure;
    } finally {
      this.#giveBackBlock();
      for (const { block } of this.#waiting.splice(0)) this.#blocks.giveBack(block);
      closeSync(await this.#opened);
    }
  }

  /** The block to fill, which has room. */
  async #ready(): Promise<Uint8Array> {
    this.#block ??= await this.#blocks.borrow();
    return this.#block;
  }

  #giveBackBlock(): void {
    if (this.#block !== undefined) this.#blocks.giveBack(this.#block);
    this.#block = undefined;
  }

  #room(): Uint8Array {
    const room = this.#block?.subarray(this.#used, Math.min(BLOCK_BYTES, this.#used + ROOM_BYTES));
    return room === undefined || room.length < ROOM_BYTES_MIN ? new Uint8Array(ROOM_BYTES_MIN) : room;
  }

  /** What was made in `room` is where it should be. */
  #takeInPlace(bytes: Uint8Array): boolean {
    const block = this.#block;
    if (block?.buffer !== bytes.buffer || bytes.byteOffset !== block.byteOffset + this.#used) return false;
    this.#used += bytes.length;
    if (this.#used === BLOCK_BYTES) this.#send();
    return true;
  }

  #send(): void {
    if (this.#block !== undefined)
      this.#waiting.push({ block: this.#block, bytes: this.#block.subarray(0, this.#used) });
    this.#block = undefined;
    this.#used = 0;
    if (this.#failure !== undefined) throw this.#failure;
    this.#writeOn();
  }

  /** The next that waits, unless one is being written. */
  #writeOn(): void {
    const full = this.#writing === undefined ? this.#waiting.shift() : undefined;
    if (full === undefined) return;
    const { block, bytes } = full;
    const position = this.#position;
    this.#position += bytes.length;
    this.#writing = this.#opened
      .then((fd) => writeAllAt(fd, bytes, position))
      .catch((error: Error) => {
        this.#failure = error;
      })
      .finally(() => {
        this.#blocks.giveBack(block);
        this.#writing = undefined;
        if (this.#failure === undefined) this.#writeOn();
      });
  }
}

function opened(path: string): Promise<number> {
  return new Promise((resolve, reject) =>
    open(path, 'w', MODE, (error, fd) => (error === null ? resolve(fd) : reject(error))),
  );
}

function writeAllAt(fd: number, bytes: Uint8Array, position: number): Promise<void> {
  return new Promise((resolve, reject) =>
    write(fd, bytes, 0, bytes.length, position, (error, count) => {
      if (error !== null) reject(error);
      else if (count < bytes.length) writeAllAt(fd, bytes.subarray(count), position + count).then(resolve, reject);
      else resolve();
    }),
  );
}
