/**
 * Memory for one instance's bytes, used again for the next: allocating and releasing half a megabyte for each costs more
 * than most of what is done with it. What is in it is arbitrary; whoever borrows may read only what they wrote.
 */

import { type ByteSource, bytesSource } from './bytes.ts';

/** Up to this size an instance is held in memory as a whole; what is larger goes through files in pieces. */
export const SCRATCH_BYTES_MAX = 16 * 1024 * 1024;

const SMALLEST_BYTES = 1024 * 1024;
/** One for what is read and one for what is written, and one that grew, of the largest; of small ones more. */
const KEPT_BYTES_MAX = 3 * SCRATCH_BYTES_MAX;
const KEPT_MAX = 16;

const kept: Uint8Array[] = [];

/** At least `bytes` long, `bytes <= SCRATCH_BYTES_MAX`. To be given back, or left to the garbage collector. */
export function borrowScratch(bytes: number): Uint8Array {
  const index = kept.findIndex((buffer) => buffer.length >= bytes);
  const [buffer] = index < 0 ? [] : kept.splice(index, 1);
  return buffer ?? new Uint8Array(scratchSize(bytes));
}

/** The borrower keeps no view of it. */
export function giveBackScratch(buffer: Uint8Array): void {
  if (buffer.length > SCRATCH_BYTES_MAX) return;
  kept.push(buffer);
  kept.sort((a, b) => a.length - b.length);
  while (kept.length > KEPT_MAX || keptBytes() > KEPT_BYTES_MAX) kept.shift();
}

function keptBytes(): number {
  return kept.reduce((sum, { length }) => sum + length, 0);
}

/** Powers of two, so that a buffer fits most of what comes after it. */
function scratchSize(bytes: number): number {
  let size = SMALLEST_BYTES;
  while (size < bytes) size *= 2;
  return size;
}

/**
 * The same bytes read once and whole where they are few enough: for whoever goes over them several times. The answers of
 * `read` are views that hold until `close`, which also closes the source where it is still open.
 */
export function inMemory(source: ByteSource & { close(): void }): ByteSource & { close(): void } {
  if (source.size > SCRATCH_BYTES_MAX) return source;
  const memory = borrowScratch(source.size);
  try {
    const { size, read } = bytesSource(source.read(0, source.size, memory));
    return { size, read, close: () => giveBackScratch(memory) };
  } finally {
    source.close();
  }
}
