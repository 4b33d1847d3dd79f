/**
 * An output on its way to a file. What is small enough stays in memory until it was checked: then nothing of an instance
 * that could not be made safe was ever on the disk, nobody reads back what was just written, and the writing itself goes
 * on beside the work on the next file. Native pixels, which nobody looks at again, are not even read before that
 * (`later`): they pass from file to file at the end. What is larger goes to the file as it comes.
 *
 *   const output = new OutputFile(path, { expectedBytes }); deidentify(source, output, ...); check(output.sourceWithoutLater());
 *   await output.fill(); await output.save(); source.close();   // or await output.discard()
 */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { type ByteSink, type ByteSource, bytesSource, type Pieces } from '../core/bytes.ts';
import { LetheError } from '../core/errors.ts';
import { borrowScratch, giveBackScratch, SCRATCH_BYTES_MAX } from '../core/scratch.ts';
import { type Blocks, BlockWriter } from './block-writer.ts';
import { type FileSource, fileSource } from './file-source.ts';
import type { PixelCopier } from './pixel-copier.ts';

/** Room for what de-identification adds to the length of a file. */
const GROWTH_BYTES = 256 * 1024;
const MODE = 0o600;
/** Less is copied sooner than another thread hears of it. */
const COPIED_BYTES_MIN = 1024 * 1024;

export interface OutputFileOptions {
  readonly expectedBytes: number;
  readonly isReadAgain: boolean;
  readonly blocks: Blocks;
  /** Who copies long ranges of the input's file, from where they are to the end. */
  readonly copier?: { readonly by: PixelCopier; readonly input: FileSource } | undefined;
}

/** Bytes that stand before position `at` of the memory. */
interface Later {
  readonly at: number;
  readonly length: number;
  readonly pieces: Pieces;
}

export class OutputFile implements ByteSink {
  readonly later: ByteSink['later'];
  readonly #path: string;
  readonly #blocks: Blocks;
  #memory: Uint8Array | undefined;
  #used = 0;
  #fd: number | undefined;
  #opened: (ByteSource & { close(): void }) | undefined;
  readonly #later: Later[] = [];
  readonly #copier: OutputFileOptions['copier'];
  #copying: Promise<void> | undefined;
  #writer: BlockWriter | undefined;

  /**
   * `expectedBytes`: of the input, without what may come later; the output is about as long. `isReadAgain`: whole, before
   * it is saved; then nothing is left for later. `blocks`: of the files of one run.
   */
  constructor(path: string, { expectedBytes, isReadAgain, blocks, copier }: OutputFileOptions) {
    this.#path = path;
    this.#copier = copier;
    this.#blocks = blocks;
    const wanted = expectedBytes + GROWTH_BYTES;
    if (wanted <= SCRATCH_BYTES_MAX) this.#memory = borrowScratch(wanted);
    else this.#fd = openSync(path, 'w', MODE);
    this.later = isReadAgain ? undefined : (length, pieces) => this.#takeLater(length, pieces);
  }

  write(bytes: Uint8Array): void {
    if (this.#memory !== undefined && this.#used + bytes.length > this.#memory.length) this.#outgrow(bytes.length);
    if (this.#memory !== undefined) this.#memory.set(bytes, this.#used);
    else if (this.#fd !== undefined) writeAll(this.#fd, bytes);
    this.#used += bytes.length;
  }

  /** What was written, once nothing more will be; it holds until `save` or `discard`. Only where nothing was left for later. */
  source(): ByteSource {
    if (this.#later.length > 0 || this.#writer !== undefined || this.#copying !== undefined)
      throw new LetheError('INVARIANT', { what: 'an output is read that is not whole' });
    if (this.#memory !== undefined) return bytesSource(this.#memory.subarray(0, this.#used));
    this.#closeFile();
    this.#opened ??= fileSource(this.#path);
    return this.#opened;
  }

  /** The same with zeros in the place of what was left for later, for whoever passes over that. */
  sourceWithoutLater(): ByteSource {
    if (this.#later.length === 0 || this.#memory === undefined) return this.source();
    return sourceWithGaps(this.#memory.subarray(0, this.#used), this.#later);
  }

  /** Begins to make what was left for later, whose source is read until `save` or `discard` answers. */
  async fill(): Promise<void> {
    const memory = this.#memory;
    if (memory === undefined || this.#copy(memory)) return;
    const writer = new BlockWriter(this.#path, this.#blocks);
    this.#writer = writer;
    let done = 0;
    for (const { at, length, pieces } of this.#later) {
      await writer.take(memory.subarray(done, at));
      done = at;
      if ((await writer.takePieces(pieces)) !== length)
        throw new LetheError('INVARIANT', { what: 'other bytes than were announced' });
    }
    await writer.take(memory.subarray(done, this.#used));
    writer.flush();
    giveBackScratch(memory);
    this.#memory = undefined;
  }

  /** To the file, whole; after a failure there is none. */
  async save(): Promise<void> {
    try {
      if (this.#writer === undefined && this.#copying === undefined) await this.fill();
      await this.#copying;
      await this.#release();
    } catch (error) {
      await this.discard();
      throw error;
    }
  }

  /** Leaves nothing behind. */
  async discard(): Promise<void> {
    const isOnDisk = this.#memory === undefined || this.#writer !== undefined || this.#copying !== undefined;
    await this.#copying?.catch(() => undefined);
    await this.#release().catch(() => undefined); // what could not be written goes anyway
    if (isOnDisk) rmSync(this.#path, { force: true });
  }

  /** Whether the one long range is being copied, and what stands around it was written. */
  #copy(memory: Uint8Array): boolean {
    const [only] = this.#later;
    const range = only?.pieces.range;
    if (this.#copier === undefined || only === undefined || range === undefined) return false;
    const { by, input } = this.#copier;
    const { offset, length, cells } = range;
    if (this.#later.length > 1 || range.source !== input || length < COPIED_BYTES_MIN) return false;
    const fd = openSync(this.#path, 'w', MODE);
    this.#fd = fd;
    writeAll(fd, memory.subarray(0, only.at), 0);
    this.#copying = by.copy({ from: input.fd, to: fd, readAt: offset, writeAt: only.at, length, cells });
    this.#copying.catch(() => undefined); // whoever saves or discards hears of it
    writeAll(fd, memory.subarray(only.at, this.#used), only.at + length);
    giveBackScratch(memory);
    this.#memory = undefined;
    return true;
  }

  #takeLater(length: number, pieces: Pieces): void {
    if (this.#memory !== undefined) this.#later.push({ at: this.#used, length, pieces });
    else for (const piece of pieces()) this.write(piece);
  }

  /** Of what is too long for memory the rest goes to the file; with a gap in it, it stays: nothing long follows pixels. */
  #outgrow(more: number): void {
    const memory = this.#memory;
    if (memory === undefined) return;
    if (this.#later.length === 0) {
      this.#fd = openSync(this.#path, 'w', MODE);
      writeAll(this.#fd, memory.subarray(0, this.#used));
      this.#memory = undefined;
    } else {
      this.#memory = new Uint8Array(2 * (this.#used + more));
      this.#memory.set(memory.subarray(0, this.#used));
    }
    giveBackScratch(memory);
  }

  async #release(): Promise<void> {
    this.#closeFile();
    this.#opened?.close();
    this.#opened = undefined;
    if (this.#memory !== undefined) giveBackScratch(this.#memory);
    this.#memory = undefined;
    const writer = this.#writer;
    this.#writer = undefined;
    await writer?.close();
  }

  #closeFile(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

/** Memory with gaps that read as zeros. */
function sourceWithGaps(memory: Uint8Array, gaps: readonly Later[]): ByteSource {
  const parts: { start: number; bytes: Uint8Array }[] = [];
  let start = 0;
  let from = 0;
  for (const { at, length } of [...gaps, { at: memory.length, length: 0 }]) {
    parts.push({ start, bytes: memory.subarray(from, at) });
    start += at - from + length;
    from = at;
  }
  const size = start;
  return {
    size,
    read: (position, length) => {
      const end = Math.min(size, position + length);
      const whole = parts.find(({ start, bytes }) => position >= start && end <= start + bytes.length);
      if (whole !== undefined)
        return whole.bytes.subarray(position - whole.start, Math.max(position, end) - whole.start);
      const answer = new Uint8Array(Math.max(0, end - position));
      for (const { start, bytes } of parts) {
        const part = bytes.subarray(Math.max(0, position - start), Math.max(0, end - start));
        if (part.length > 0) answer.set(part, Math.max(0, start - position));
      }
      return answer;
    },
  };
}

/** Where the file is, or at `position`. */
function writeAll(fd: number, bytes: Uint8Array, position?: number): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(fd, bytes, done, bytes.length - done, position === undefined ? null : position + done);
}
