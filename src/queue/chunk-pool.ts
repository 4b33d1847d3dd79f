/**
 * Memory that a file opened for direct I/O can be written from: chunks that begin at a page, taken and given back, the
 * last one given first because it is still in the processor's cache.
 *
 * JavaScript cannot ask where a buffer begins. The memory of WebAssembly begins at a page by its specification and
 * costs nothing where it is not touched, so a slab of it is cut into chunks. Given back chunks keep what was in them:
 * whoever writes one to a disk fills what it does not use.
 */
import { LetheError } from '../core/errors.ts';

/** Positions, lengths and memory of direct I/O are multiples of this: the page, and at least the block of any disk in use. */
export const BLOCK_BYTES = 4096;
export const CHUNK_BYTES = 128 * 1024;

const PAGE_BYTES = 64 * 1024; // of WebAssembly
/** One is enough for a hundred associations; each further one reserves address space, not memory. */
const SLAB_BYTES = 64 * 1024 * 1024;

export function alignedUp(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}

export class ChunkPool {
  readonly #free: Uint8Array[] = [];
  #slab: ArrayBuffer | undefined;
  #cut = 0;

  /** @throws SPOOL_IO when there is no memory */
  take(): Uint8Array {
    return this.#free.pop() ?? this.#new();
  }

  give(chunk: Uint8Array): void {
    this.#free.push(chunk);
  }

  #new(): Uint8Array {
    if (this.#slab === undefined || this.#cut + CHUNK_BYTES > this.#slab.byteLength) {
      this.#slab = slab();
      this.#cut = 0;
    }
    const chunk = new Uint8Array(this.#slab, this.#cut, CHUNK_BYTES);
    this.#cut += CHUNK_BYTES;
    return chunk;
  }
}

function slab(): ArrayBuffer {
  const pages = SLAB_BYTES / PAGE_BYTES;
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer;
  } catch (error) {
    throw new LetheError('SPOOL_IO', { step: 'memory' }, { cause: error });
  }
}
