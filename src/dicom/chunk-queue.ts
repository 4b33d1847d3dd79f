/**
 * Bytes that arrived and are not yet consumed, in the chunks in which they came. Nothing is copied unless a value lies
 * across chunks, and then only that value: the cost is linear however small the chunks are.
 *
 * Chunks are kept by reference until consumed; whoever pushes must not reuse their memory.
 */
export class ChunkQueue {
  readonly #chunks: Uint8Array[] = [];
  #head = 0; // first chunk not yet used up
  #position = 0; // within that chunk
  #available = 0;

  /** Bytes pushed and not consumed. */
  get available(): number {
    return this.#available;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.#available += bytes.length;
  }

  /** The next `length` bytes, `length ≤ available`: a view where they lie in one chunk, else a joined copy. */
  take(length: number): Uint8Array {
    const chunk = this.#chunks[this.#head];
    const end = this.#position + length;
    if (chunk !== undefined && end <= chunk.length) {
      const view = chunk.subarray(this.#position, end);
      this.#advance(end, chunk.length);
      this.#available -= length;
      return view;
    }
    const joined = new Uint8Array(length);
    this.#copy(joined, length, true);
    return joined;
  }

  /** A view of at most `lengthMax` bytes of one chunk; needs `available > 0`. */
  takeSome(lengthMax: number): Uint8Array {
    const chunk = this.#chunks[this.#head] ?? EMPTY;
    return this.take(Math.min(lengthMax, chunk.length - this.#position));
  }

  /** Looks at the next `length` bytes, `length ≤ available` and `≤ into.length`, without consuming them. */
  peek(length: number, into: Uint8Array): void {
    const chunk = this.#chunks[this.#head];
    if (chunk === undefined || this.#position + length > chunk.length) {
      this.#copy(into, length, false);
      return;
    }
    for (let index = 0; index < length; index++) into[index] = chunk[this.#position + index] ?? 0;
  }

  /** Forgets the next `length` bytes, `length ≤ available`. */
  drop(length: number): void {
    let rest = length;
    this.#available -= length;
    while (rest > 0) {
      const chunk = this.#chunks[this.#head] ?? EMPTY;
      const step = Math.min(rest, chunk.length - this.#position);
      this.#advance(this.#position + step, chunk.length);
      rest -= step;
    }
  }

  #copy(into: Uint8Array, length: number, consume: boolean): void {
    let copied = 0;
    let position = this.#position;
    for (let index = this.#head; copied < length; index++) {
      const chunk = this.#chunks[index] ?? EMPTY;
      const part = chunk.subarray(position, position + length - copied);
      into.set(part, copied);
      copied += part.length;
      position = 0;
    }
    if (consume) this.drop(length);
  }

  #advance(position: number, chunkLength: number): void {
    this.#position = position;
    if (position < chunkLength) return;
    this.#chunks[this.#head] = EMPTY; // its memory may go now
    this.#head++;
    this.#position = 0;
    if (this.#head === this.#chunks.length) {
      this.#chunks.length = 0;
      this.#head = 0;
    } else if (this.#head >= COMPACT_AT) {
      this.#chunks.splice(0, this.#head);
      this.#head = 0;
    }
  }
}

const EMPTY = new Uint8Array(0);
/** Used-up chunks are released in blocks of this many, so that removing them stays linear. */
const COMPACT_AT = 1024;
