/**
 * Where bytes come from and go to. Pure floors (`dicom`, `deid`, `imaging`) know only these two interfaces; whoever
 * does I/O implements them over a file, a range of a spool segment, or memory.
 */

/** Random access to `size` bytes. Synchronous on purpose: it is used in workers and one-shot commands. */
export interface ByteSource {
  readonly size: number;
  /**
   * Up to `length` bytes from `position`; fewer only at the end of the source. The result may be a view that the next
   * `read` overwrites: copy what must survive.
   */
  read(position: number, length: number): Uint8Array;
}

/** Takes bytes in order. The sink may keep no reference after `write` returns unless it copies. */
export interface ByteSink {
  write(bytes: Uint8Array): void;
}

/** A source over memory; `read` answers views, nothing is copied. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: (position, length) => bytes.subarray(position, Math.min(bytes.length, position + length)),
  };
}

/** The range [start, start + size) of another source. */
export function rangeSource(source: ByteSource, start: number, size: number): ByteSource {
  return {
    size,
    read: (position, length) => source.read(start + position, Math.max(0, Math.min(length, size - position))),
  };
}

/** A sink that collects copies; `bytes()` joins them. For tests and small things only: it is not bounded. */
export class MemorySink implements ByteSink {
  readonly #chunks: Uint8Array[] = [];
  #length = 0;

  write(bytes: Uint8Array): void {
    this.#chunks.push(new Uint8Array(bytes)); // a Buffer's slice would be a view
    this.#length += bytes.length;
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.#length);
    let position = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, position);
      position += chunk.length;
    }
    return all;
  }
}
