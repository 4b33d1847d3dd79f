/**
 * Memory for one instance's bytes, used again for the next: allocating and releasing half a megabyte for each costs more
 * than most of what is done with it. What is in it is arbitrary; whoever borrows may read only what they wrote.
 */

import { type ByteSource, bytesSource } from './bytes.ts';

/** Up to this size an instance is held in memory as a whole; what is larger goes through files in pieces. */
export const SCRATCH_BYTES_MAX = 16 * 1024 * 1024;

const UNIT_BYTES = 1024 * 1024;
/** For two instances at once, of the largest: what is read of each, and its picture, which is half as long. */
const KEPT_BYTES_MAX = 3 * SCRATCH_BYTES_MAX;
const KEPT_MAX = 16;
/** What fits is not lent for much less: whoever asks for so much next would not find it. */
const WASTE_MAX = 2;

/** Those that were given back last are last. */
const kept: Uint8Array[] = [];

/** At least `bytes` long, `bytes <= SCRATCH_BYTES_MAX`. To be given back, or left to the garbage collector. */
export function borrowScratch(bytes: number): Uint8Array {
  const size = scratchSize(bytes);
  let best: Uint8Array | undefined;
  for (const buffer of kept) {
    const fits = buffer.length >= bytes && buffer.length <= WASTE_MAX * size;
    if (fits && (best === undefined || buffer.length <= best.length)) best = buffer;
  }
  if (best === undefined) return new Uint8Array(size);
  kept.splice(kept.indexOf(best), 1);
  return best;
}

/** The borrower keeps no view of it. Of what is kept those go first that nobody asked for longest. */
export function giveBackScratch(buffer: Uint8Array): void {
  if (buffer.length > SCRATCH_BYTES_MAX) return;
  kept.push(buffer);
  while (kept.length > KEPT_MAX || keptBytes() > KEPT_BYTES_MAX) kept.shift();
}

function keptBytes(): number {
  return kept.reduce((sum, { length }) => sum + length, 0);
}

/** Whole units, so that a buffer fits most of what comes after it and little of it lies idle. */
function scratchSize(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / UNIT_BYTES)) * UNIT_BYTES;
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
