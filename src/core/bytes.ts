/**
 * Where bytes come from and go to. Pure floors (`dicom`, `deid`, `imaging`) know only these two interfaces; whoever
 * does I/O implements them over a file, a range of a spool segment, or memory.
 */

/** Random access to `size` bytes. Synchronous on purpose: it is used in workers and one-shot commands. */
export interface ByteSource {
  readonly size: number;
  /**
   * Up to `length` bytes from `position`; fewer only at the end of the source. The result may be a view that the next
   * `read` overwrites: copy what must survive. `into` holds at least `length` bytes where it is given, and may be used
   * for the answer.
   */
  read(position: number, length: number, into?: Uint8Array): Uint8Array;
  /** All of it, where it is in memory: nobody changes it while the source is open. */
  readonly bytes?: Uint8Array;
}

/**
 * Bytes that are made while they are taken. Each piece is asked for when the one before it is done with; where `room` is
 * given, a piece may be a view of what it answers, and then holds beyond the next: of at least 16 bytes, and new for each.
 */
export interface Pieces {
  (room?: () => Uint8Array): Iterable<Uint8Array>;
  /** The same as data, which can be told to another thread; absent where they are more than that. */
  readonly range?: SourceRange;
}

/** `length` bytes from `offset` of a source. */
export interface SourceRange {
  readonly source: ByteSource;
  readonly offset: number;
  readonly length: number;
  /** Present where bits of its cells are to be cleared. */
  readonly cells?: Cells;
}

/** Little-endian cells that hold values in some of their bits, PS3.5 §8.1.1. */
export interface Cells {
  readonly bitsAllocated: 8 | 16 | 32;
  readonly bitsStored: number;
  readonly highBit: number;
  readonly signed: boolean;
  /** Cells of just this word stay. */
  readonly padding?: number | undefined;
}

/** Takes bytes in order. The sink may keep no reference after `write` returns unless it copies. */
export interface ByteSink {
  write(bytes: Uint8Array): void;
  /**
   * `length` bytes stand here, and are asked for after the last `write`, while the source is still open. Only of a sink
   * that has a use for it; another is given the pieces by `write`.
   */
  readonly later?: ((length: number, pieces: Pieces) => void) | undefined;
}

/** A source over memory; `read` answers views, nothing is copied. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    bytes,
    read: (position, length) => bytes.subarray(position, Math.min(bytes.length, position + length)),
  };
}

/** The range [start, start + size) of another source. */
export function rangeSource(source: ByteSource, start: number, size: number): ByteSource {
  return {
    size,
    read: (position, length, into) =>
      source.read(start + position, Math.max(0, Math.min(length, size - position)), into),
  };
}

/** Sources one behind the other. What lies across a border is put together, in `into` or in memory of its own. */
export function joinedSource(sources: readonly ByteSource[]): ByteSource {
  const parts: { readonly start: number; readonly source: ByteSource }[] = [];
  let size = 0;
  for (const source of sources) {
    parts.push({ start: size, source });
    size += source.size;
  }
  const read: ByteSource['read'] = (position, length, into) => {
    const end = Math.min(size, position + length);
    const touched = parts.filter(({ start, source }) => start < end && position < start + source.size);
    const [first] = touched;
    if (first === undefined) return new Uint8Array();
    if (touched.length === 1) return first.source.read(position - first.start, end - position, into);
    const joined = into?.subarray(0, end - position) ?? new Uint8Array(end - position);
    for (const { start, source } of touched) {
      const from = Math.max(position, start);
      joined.set(source.read(from - start, Math.min(end, start + source.size) - from), from - position);
    }
    return joined;
  };
  return { size, read };
}

/** Small writes are gathered into blocks, large ones pass by reference: a data set is a hundred writes of a few bytes. */
export class GatheringSink implements ByteSink {
  readonly later: ByteSink['later'];
  readonly #sink: ByteSink;
  readonly #block: Uint8Array;
  #used = 0;

  constructor(sink: ByteSink, blockBytes = 64 * 1024) {
    this.#sink = sink;
    this.#block = new Uint8Array(blockBytes);
    const { later } = sink;
    this.later =
      later &&
      ((length, pieces) => {
        this.flush();
        later(length, pieces);
      });
  }

  write(bytes: Uint8Array): void {
    if (this.#used + bytes.length > this.#block.length) this.flush();
    if (bytes.length >= this.#block.length) {
      this.#sink.write(bytes);
      return;
    }
    this.#block.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  /** To be called after the last write. */
  flush(): void {
    if (this.#used > 0) this.#sink.write(this.#block.subarray(0, this.#used));
    this.#used = 0;
  }
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
