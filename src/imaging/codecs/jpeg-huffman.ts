/**
 * Huffman coding of ITU-T T.81: reading (Annex F.2.2), writing (Annex F.1.2) and the making of optimal tables
 * (Annex K.2). Shared by the blanking of DCT blocks and by the lossless process 14 encoder.
 */
import { codestreamInvalid } from './jpeg-segments.ts';

/** BITS and HUFFVAL of one table (T.81 §B.2.4.2). */
export interface HuffmanTable {
  /** Number of codes of length 1 to 16. */
  readonly counts: Uint8Array;
  readonly symbols: Uint8Array;
}

/** Every 16-bit prefix -> length << 8 | symbol; 0 where no code has that prefix. */
export function decodeTable(table: HuffmanTable): Uint16Array {
  const lookup = new Uint16Array(0x10000);
  let code = 0;
  let index = 0;
  for (let length = 1; length <= 16; length += 1) {
    for (let count = table.counts[length - 1] ?? 0; count > 0; count -= 1) {
      const first = code << (16 - length);
      const last = first + (1 << (16 - length));
      if (last > 0x10000) throw codestreamInvalid('a Huffman table has too many codes');
      lookup.fill((length << 8) | (table.symbols[index] ?? 0), first, last);
      index += 1;
      code += 1;
    }
    code <<= 1;
  }
  return lookup;
}

export interface EncodeTable {
  readonly codes: Uint16Array;
  /** 0 where the symbol has no code. */
  readonly lengths: Uint8Array;
}

export function encodeTable(table: HuffmanTable): EncodeTable {
  const codes = new Uint16Array(256);
  const lengths = new Uint8Array(256);
  let code = 0;
  let index = 0;
  for (let length = 1; length <= 16; length += 1) {
    for (let count = table.counts[length - 1] ?? 0; count > 0; count -= 1) {
      const symbol = table.symbols[index] ?? 0;
      codes[symbol] = code;
      lengths[symbol] = length;
      index += 1;
      code += 1;
    }
    code <<= 1;
  }
  return { codes, lengths };
}

/**
 * The optimal table for symbol frequencies (T.81 Figures K.1 to K.4): lengths at most 16, no code of all ones.
 */
export function optimalTable(frequencies: ArrayLike<number>): HuffmanTable {
  const sizes = codeSizes(frequencies);
  const counts = limitedTo16(lengthCounts(sizes));
  const symbols: number[] = [];
  for (let size = 1; size <= 256; size += 1) {
    for (let symbol = 0; symbol < 256; symbol += 1) if (sizes[symbol] === size) symbols.push(symbol);
  }
  return { counts: Uint8Array.from(counts.slice(1, 17)), symbols: Uint8Array.from(symbols) };
}

/** Figure K.1. Symbol 256 is the reserved one that gets the code of all ones. */
function codeSizes(frequencies: ArrayLike<number>): Uint8Array {
  const weight = new Float64Array(257);
  for (let symbol = 0; symbol < 256; symbol += 1) weight[symbol] = frequencies[symbol] ?? 0;
  weight[256] = 1;
  const sizes = new Uint8Array(257);
  const next = new Int16Array(257).fill(-1);
  for (;;) {
    const least = leastWeight(weight, -1);
    const second = leastWeight(weight, least);
    if (second < 0) return sizes;
    weight[least] = (weight[least] ?? 0) + (weight[second] ?? 0);
    weight[second] = 0;
    appendChain(next, sizes, least, second);
  }
}

/** The symbol of least positive weight, the highest one of equals, except `other`; -1 where there is none. */
function leastWeight(weight: Float64Array, other: number): number {
  let found = -1;
  let least = Number.POSITIVE_INFINITY;
  for (let symbol = 0; symbol <= 256; symbol += 1) {
    const value = weight[symbol] ?? 0;
    if (value > 0 && value <= least && symbol !== other) {
      least = value;
      found = symbol;
    }
  }
  return found;
}

function appendChain(next: Int16Array, sizes: Uint8Array, first: number, second: number): void {
  let tail = first;
  for (;;) {
    sizes[tail] = (sizes[tail] ?? 0) + 1;
    const after = next[tail] ?? -1;
    if (after < 0) break;
    tail = after;
  }
  next[tail] = second;
  for (let symbol = second; symbol >= 0; symbol = next[symbol] ?? -1) sizes[symbol] = (sizes[symbol] ?? 0) + 1;
}

/** Figure K.2, from code sizes up to 256 (a degenerate distribution of 257 symbols). */
function lengthCounts(sizes: Uint8Array): number[] {
  const counts = new Array<number>(257).fill(0);
  for (const size of sizes) if (size > 0) counts[size] = (counts[size] ?? 0) + 1;
  return counts;
}

/** Figure K.3: moves codes longer than 16 bits up, then drops the reserved code. */
function limitedTo16(counts: number[]): number[] {
  const at = (length: number): number => counts[length] ?? 0;
  for (let length = 256; length > 16; length -= 1) {
    while (at(length) > 0) {
      let shorter = length - 2;
      while (at(shorter) === 0) shorter -= 1;
      counts[length] = at(length) - 2;
      counts[length - 1] = at(length - 1) + 1;
      counts[shorter + 1] = at(shorter + 1) + 2;
      counts[shorter] = at(shorter) - 1;
    }
  }
  let longest = 16;
  while (longest > 0 && at(longest) === 0) longest -= 1;
  counts[longest] = at(longest) - 1;
  return counts;
}

/** Reads entropy-coded bits; a stuffed zero after 0xFF is dropped, a marker ends the data. */
export class BitReader {
  readonly #bytes: Uint8Array;
  #position: number;
  readonly #end: number;
  #bits = 0;
  #count = 0; // 0 ≤ count ≤ 24 valid low bits in #bits
  #missing = 0; // zero bits supplied after the end of the data

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#position = start;
    this.#end = end;
  }

  /** The next symbol by a table of `decodeTable`. */
  symbol(lookup: Uint16Array): number {
    if (this.#count < 16) this.#fill();
    const entry = lookup[(this.#bits >>> (this.#count - 16)) & 0xffff] ?? 0;
    if (entry === 0) throw codestreamInvalid('no such Huffman code', this.#position);
    this.#count -= entry >> 8;
    if (this.#count < this.#missing) throw codestreamInvalid('entropy-coded data end early', this.#position);
    return entry & 0xff;
  }

  /** A value of `size` additional bits (T.81 Figure F.12, EXTEND). */
  signed(size: number): number {
    if (size === 0) return 0;
    if (this.#count < size) this.#fill();
    this.#count -= size;
    if (this.#count < this.#missing) throw codestreamInvalid('entropy-coded data end early', this.#position);
    const value = (this.#bits >>> this.#count) & ((1 << size) - 1);
    return value < 1 << (size - 1) ? value - (1 << size) + 1 : value;
  }

  /** Steps over the RSTm that must stand here. */
  restart(index: number): void {
    this.#count = 0;
    this.#bits = 0;
    // Bytes the reader has taken ahead of a marker do not exist: filling stops at markers.
    this.#missing = 0;
    while (this.#bytes[this.#position] === 0xff && this.#bytes[this.#position + 1] === 0xff) this.#position += 1;
    if (this.#bytes[this.#position] !== 0xff || this.#bytes[this.#position + 1] !== 0xd0 + (index & 7)) {
      throw codestreamInvalid('a restart marker is missing', this.#position);
    }
    this.#position += 2;
  }

  #fill(): void {
    while (this.#count <= 16) {
      const byte = this.#position < this.#end ? (this.#bytes[this.#position] ?? 0) : undefined;
      const atMarker = byte === 0xff && this.#bytes[this.#position + 1] !== 0;
      if (byte === undefined || atMarker) {
        this.#bits <<= 8;
        this.#missing += 8;
      } else {
        this.#bits = (this.#bits << 8) | byte;
        this.#position += byte === 0xff ? 2 : 1;
      }
      this.#count += 8;
    }
  }
}

/** Writes entropy-coded bits into a growing buffer, stuffing a zero after each 0xFF. */
export class BitWriter {
  #bytes: Uint8Array;
  #length = 0;
  #bits = 0;
  #count = 0; // 0 ≤ count < 8 between calls

  constructor(sizeHint: number) {
    this.#bytes = new Uint8Array(Math.max(1024, sizeHint));
  }

  /** The low `size` bits of `value`, size ≤ 16. */
  put(value: number, size: number): void {
    this.#bits = (this.#bits << size) | (value & ((1 << size) - 1));
    this.#count += size;
    while (this.#count >= 8) {
      this.#count -= 8;
      const byte = (this.#bits >>> this.#count) & 0xff;
      this.#push(byte);
      if (byte === 0xff) this.#push(0);
    }
  }

  symbol(table: EncodeTable, symbol: number): void {
    this.put(table.codes[symbol] ?? 0, table.lengths[symbol] ?? 0);
  }

  /** A value in `size` additional bits: negative ones as the ones' complement (T.81 §F.1.2.1). */
  signed(value: number, size: number): void {
    if (size > 0) this.put(value < 0 ? value - 1 : value, size);
  }

  /** Fills the last byte with ones (T.81 §F.1.2.3). */
  flush(): void {
    if (this.#count > 0) this.put(0x7f, 8 - this.#count);
  }

  marker(code: number): void {
    this.#push(0xff);
    this.#push(code);
  }

  /** The bytes written; valid until the next write. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #push(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(this.#bytes.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#length] = byte;
    this.#length += 1;
  }
}

/** The number of bits that hold |value| (T.81 Table F.1, SSSS). */
export function magnitudeBits(value: number): number {
  return 32 - Math.clz32(value < 0 ? -value : value);
}

/** A DHT segment of these tables; `id` is Tc << 4 | Th (T.81 §B.2.4.2). */
export function huffmanSegment(tables: readonly { readonly id: number; readonly table: HuffmanTable }[]): Uint8Array {
  const content = tables.flatMap(({ id, table }) => [id, ...table.counts, ...table.symbols]);
  const length = content.length + 2;
  return Uint8Array.from([0xff, 0xc4, length >> 8, length & 0xff, ...content]);
}
