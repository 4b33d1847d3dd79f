/**
 * Memory that a file opened for direct I/O can be written from: chunks that begin at a page, taken and given back, the
 * last one given first because it is still in the processor's cache. They are cut from slabs. Given back chunks keep what
 * was in them: whoever writes one to a disk fills what it does not use.
 *
 * JavaScript cannot ask where a buffer begins. What is as large as a slab the C library maps for itself, and puts a
 * header of two words in front, so that there is a page one header before each page of the buffer. Such memory is in huge
 * pages where the C library is told to ask for them (`bin/lethe`, ADR 0012), and a write of a mebibyte is then one piece
 * for the device and not 256. Where that is wrong, which a write tells (`suits`), a slab is memory of WebAssembly, which
 * begins at a page by its specification.
 */
import { LetheError } from '../core/errors.ts';

/** Positions, lengths and memory of direct I/O are multiples of this: the page, and at least the block of any disk in use. */
export const BLOCK_BYTES = 4096;
export const CHUNK_BYTES = 128 * 1024;

const WASM_PAGE_BYTES = 64 * 1024;
/** One is enough for a hundred associations; each further one reserves address space, not memory. */
const SLAB_BYTES = 64 * 1024 * 1024;
/** Of glibc on 64 bits. */
const HEADER_BYTES = 16;
/** Where in a buffer that the C library mapped for itself (of some hundred KiB and more) the first page begins. */
export const FIRST_PAGE = BLOCK_BYTES - HEADER_BYTES;
/** Left out on both sides, so that all that is used can be in huge pages wherever the slab begins. */
const HUGE_PAGE_BYTES = 2 * 1024 * 1024;

export function alignedUp(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}

/** Cut so far from `start` on; the end is `SLAB_BYTES` behind it. */
interface Slab {
  readonly buffer: ArrayBuffer;
  readonly start: number;
  cut: number;
}

export class ChunkPool {
  readonly #suits: (chunk: Uint8Array) => boolean;
  readonly #free: Uint8Array[] = [];
  #slab: Slab | undefined;

  /** `suits`: whether a file can be written directly from this chunk. */
  constructor(suits: (chunk: Uint8Array) => boolean) {
    this.#suits = suits;
  }

  /** @throws SPOOL_IO when there is no memory */
  take(): Uint8Array {
    return this.#free.pop() ?? this.#new();
  }

  give(chunk: Uint8Array): void {
    this.#free.push(chunk);
  }

  #new(): Uint8Array {
    if (this.#slab === undefined || this.#slab.cut + CHUNK_BYTES > SLAB_BYTES) this.#slab = this.#newSlab();
    const chunk = chunkOf(this.#slab);
    this.#slab.cut += CHUNK_BYTES;
    return chunk;
  }

  #newSlab(): Slab {
    try {
      const buffer = new ArrayBuffer(SLAB_BYTES + 2 * HUGE_PAGE_BYTES);
      const mapped = { buffer, start: HUGE_PAGE_BYTES - HEADER_BYTES, cut: 0 };
      if (this.#suits(chunkOf(mapped))) return mapped;
      const pages = SLAB_BYTES / WASM_PAGE_BYTES;
      return { buffer: new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer, start: 0, cut: 0 };
    } catch (error) {
      throw new LetheError('SPOOL_IO', { step: 'memory' }, { cause: error });
    }
  }
}

function chunkOf({ buffer, start, cut }: Slab): Uint8Array {
  return new Uint8Array(buffer, start + cut, CHUNK_BYTES);
}
