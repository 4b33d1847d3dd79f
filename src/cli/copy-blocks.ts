/**
 * Copies a range of a file into another in blocks, each taken by whichever thread is free: it reads the block, clears what
 * hides in its cells and writes it, while it is in the cache of its own processor. Handing bytes from a thread that reads
 * to one that writes costs more than it gives: they lie in the cache of the other.
 *
 *   copyBlocks(task, claimed)      in every thread that takes part, with the same shared `claimed`
 */
import { readSync, writeSync } from 'node:fs';
import type { Cells } from '../core/bytes.ts';
import { LetheError } from '../core/errors.ts';
import { words16, words32 } from '../imaging/byte-order.ts';
import { scanMemory } from '../imaging/redact/cell-scan.ts';
import { clearUnusedBits } from '../imaging/redact/unused-bits.ts';

export interface CopyTask {
  /** Descriptors, of the whole process. */
  readonly from: number;
  readonly to: number;
  readonly readAt: number;
  readonly writeAt: number;
  readonly length: number;
  readonly cells?: Cells | undefined;
}

/** Ends of blocks are ends of pages of the output: each is given memory of its own size by the file system. */
const BLOCK_BYTES = 256 * 1024;

let memory: Uint8Array | undefined;

/** For one task: how many of its blocks were taken. */
export function newClaims(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
}

/** Answers when no block is left to take. @throws DICOM_TRUNCATED, or what reading and writing threw */
export function copyBlocks(task: CopyTask, claimed: Int32Array): void {
  memory ??= scanMemory() ?? new Uint8Array(BLOCK_BYTES);
  for (;;) {
    const index = Atomics.add(claimed, 0, 1);
    const start = edge(task, index);
    if (start >= task.length) return;
    copyRange(task, start, memory.subarray(0, edge(task, index + 1) - start));
  }
}

/** Where the block begins, from the beginning of the range: on a whole cell. */
function edge({ writeAt, length, cells }: CopyTask, index: number): number {
  if (index === 0) return 0;
  const page = index * BLOCK_BYTES - (writeAt % BLOCK_BYTES);
  const cellBytes = (cells?.bitsAllocated ?? 8) / 8;
  return Math.min(length, page - (page % cellBytes));
}

function copyRange({ from, to, readAt, writeAt, cells }: CopyTask, start: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    const count = readSync(from, bytes, done, bytes.length - done, readAt + start + done);
    if (count === 0) throw new LetheError('DICOM_TRUNCATED', { offset: readAt + start + done });
    done += count;
  }
  if (cells !== undefined) clearUnusedBits(wordsOf(bytes, cells), cells, cells.padding);
  for (let done = 0; done < bytes.length; )
    done += writeSync(to, bytes, done, bytes.length - done, writeAt + start + done);
}

/** Views: a block begins where its memory does. */
function wordsOf(bytes: Uint8Array, { bitsAllocated }: Cells): Uint8Array | Uint16Array | Uint32Array {
  if (bitsAllocated === 8) return bytes;
  return bitsAllocated === 16 ? words16(bytes) : words32(bytes);
}
