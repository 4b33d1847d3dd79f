/**
 * An output on its way to a file. What is small enough stays in memory until it was checked: then nothing of an instance
 * that could not be made safe was ever on the disk, nobody reads back what was just written, and the writing itself goes
 * on beside the work on the next file. What is larger goes to the file as it comes.
 *
 *   const output = new OutputFile(path, source.size); deidentify(source, output, ...); check(output.source());
 *   await output.save();   // or output.discard()
 */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { type ByteSink, type ByteSource, bytesSource } from '../core/bytes.ts';
import { borrowScratch, giveBackScratch, SCRATCH_BYTES_MAX } from '../core/scratch.ts';
import { fileSource } from './file-source.ts';

/** Room for what de-identification adds to the length of a file. */
const GROWTH_BYTES = 256 * 1024;
const MODE = 0o600;

export class OutputFile implements ByteSink {
  readonly #path: string;
  #memory: Uint8Array | undefined;
  #used = 0;
  #fd: number | undefined;
  #opened: (ByteSource & { close(): void }) | undefined;

  /** `expectedBytes`: of the input; the output is about as long. */
  constructor(path: string, expectedBytes: number) {
    this.#path = path;
    const wanted = expectedBytes + GROWTH_BYTES;
    if (wanted <= SCRATCH_BYTES_MAX) this.#memory = borrowScratch(wanted);
    else this.#fd = openSync(path, 'w', MODE);
  }

  write(bytes: Uint8Array): void {
    if (this.#memory !== undefined && this.#used + bytes.length > this.#memory.length) this.#spill(this.#memory);
    if (this.#memory !== undefined) this.#memory.set(bytes, this.#used);
    else if (this.#fd !== undefined) writeAll(this.#fd, bytes);
    this.#used += bytes.length;
  }

  /** What was written, once nothing more will be; it holds until `save` or `discard`. */
  source(): ByteSource {
    if (this.#memory !== undefined) return bytesSource(this.#memory.subarray(0, this.#used));
    this.#closeFile();
    this.#opened ??= fileSource(this.#path);
    return this.#opened;
  }

  /** To the file, whole; after a failure there is none. */
  async save(): Promise<void> {
    this.#release();
    const memory = this.#memory;
    if (memory === undefined) return;
    try {
      await writeNew(this.#path, memory.subarray(0, this.#used));
    } catch (error) {
      rmSync(this.#path, { force: true });
      throw error;
    } finally {
      this.#giveBack();
    }
  }

  /** Leaves nothing behind. */
  discard(): void {
    const wasOnDisk = this.#memory === undefined;
    this.#release();
    this.#giveBack();
    if (wasOnDisk) rmSync(this.#path, { force: true });
  }

  #spill(memory: Uint8Array): void {
    this.#fd = openSync(this.#path, 'w', MODE);
    writeAll(this.#fd, memory.subarray(0, this.#used));
    this.#giveBack();
  }

  #release(): void {
    this.#closeFile();
    this.#opened?.close();
    this.#opened = undefined;
  }

  #closeFile(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #giveBack(): void {
    if (this.#memory !== undefined) giveBackScratch(this.#memory);
    this.#memory = undefined;
  }
}

async function writeNew(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'w', MODE);
  try {
    for (let done = 0; done < bytes.length; ) done += (await file.write(bytes, done, bytes.length - done)).bytesWritten;
  } finally {
    await file.close();
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done);
}
