/**
 * The data set as a stream of tokens: PS3.5 §7 (data elements, sequences, items), A.4 (encapsulated fragments) and
 * §6.2.2 (UN of undefined length holds an Implicit VR Little Endian sequence). Bytes in, tokens out: no I/O, no
 * recursion, and no allocation that a length claim could drive; a value is joined only once all of it has arrived.
 *
 * It reads one data set without file meta information. Values stay as they were encoded; `vr` comes from the stream,
 * in Implicit VR from the dictionary. Duplicated and out-of-order elements pass: `DataSet` reports them.
 * What breaks the rules is refused with tag and offset; what is tolerated is marked `Tolerance:`.
 *
 *   const tokenizer = new DataSetTokenizer({ explicitVr, littleEndian });
 *   tokenizer.push(chunk); while ((token = tokenizer.next())) …; tokenizer.end(); and next() until undefined again.
 */
import { LetheError } from '../core/errors.ts';
import { ChunkQueue } from './chunk-queue.ts';
import { implicitVr, isSignDependent } from './dictionary.ts';
import { type Tag, tagText } from './tag.ts';
import { areLetters, isLongLength, type Vr, vrOfBytes } from './vr.ts';

/**
 * `offset` is where the value begins (after the header), `length` undefined where the stream says "undefined length".
 * `depth` counts the items around: 0 at the top level; of `item-start` and `item-end` it is the depth of their elements.
 */
export type Token =
  | ElementToken
  | { kind: 'bulk-start'; tag: Tag; vr: Vr; length: number; offset: number; depth: number }
  | { kind: 'bulk-data'; bytes: Uint8Array }
  | { kind: 'bulk-end' }
  | { kind: 'sequence-start'; tag: Tag; vr: 'SQ' | 'UN'; length: number | undefined; offset: number; depth: number }
  | { kind: 'item-start'; index: number; length: number | undefined; offset: number; depth: number }
  | { kind: 'item-end'; depth: number }
  | { kind: 'sequence-end'; tag: Tag; depth: number }
  | { kind: 'fragments-start'; tag: Tag; vr: 'OB' | 'OW' | 'UN'; offset: number; depth: number }
  | { kind: 'fragment-start'; index: number; length: number; offset: number }
  | { kind: 'fragment-end' }
  | { kind: 'fragments-end'; depth: number };

export interface ElementToken {
  kind: 'element';
  tag: Tag;
  vr: Vr;
  /** The stream itself said UN, or a VR that this edition does not know. */
  explicitUn: boolean;
  length: number;
  offset: number;
  depth: number;
  value: Uint8Array;
}

export interface TokenizerOptions {
  readonly explicitVr: boolean;
  readonly littleEndian: boolean;
  /** A longer value comes in pieces (`bulk-*`). */
  readonly wholeValueBytesMax?: number;
  readonly depthMax?: number;
  /** Position of the first byte pushed; tokens count from it. */
  readonly offset?: number;
  /** Pixel Representation (0028,0103) was 1 before the first byte pushed. */
  readonly signed?: boolean;
  /** Native Pixel Data (7FE0,0010) of the top level comes in pieces however short it is. */
  readonly pixelsInPieces?: boolean;
}

export const WHOLE_VALUE_BYTES_MAX = 64 * 1024;
export const DEPTH_MAX = 64;

const UNDEFINED_LENGTH = 0xffffffff;
const ITEM = 0xfffee000;
const ITEM_DELIMITATION = 0xfffee00d;
const SEQUENCE_DELIMITATION = 0xfffee0dd;
const DELIMITER_GROUP = 0xfffe;
const PIXEL_DATA = 0x7fe00010;
const PIXEL_REPRESENTATION = 0x00280103;
const SHORT_HEADER = 8;
const LONG_HEADER = 12;
const SPACE = 0x20;

const IN_DATA_SET = 0; // the top level or an item: elements follow
const IN_SEQUENCE = 1; // items follow
const IN_FRAGMENTS = 2;

/** What is open. The innermost frame knows all that reading on needs; closing it returns to its parent. */
interface Frame {
  readonly kind: typeof IN_DATA_SET | typeof IN_SEQUENCE | typeof IN_FRAGMENTS;
  readonly parent: Frame | undefined; // undefined: the top level
  readonly tag: Tag; // of the sequence or the fragments
  readonly end: number; // position of its last byte + 1; Infinity where a delimiter ends it
  readonly limit: number; // min(end, limit of parent): nothing inside reaches beyond it
  readonly explicitVr: boolean;
  readonly littleEndian: boolean;
  readonly depth: number;
  signed: boolean; // last Pixel Representation seen here or around
  items: number; // items or fragments begun
}

/** A header read but not yet consumed. */
interface Header {
  tag: Tag;
  vr: Vr;
  length: number;
  headerBytes: number;
  explicitUn: boolean;
}

const BULK_END: Token = Object.freeze({ kind: 'bulk-end' });
const FRAGMENT_END: Token = Object.freeze({ kind: 'fragment-end' });
const NO_BULK = -1;

export class DataSetTokenizer {
  readonly #input = new ChunkQueue();
  readonly #bytes = new Uint8Array(LONG_HEADER);
  readonly #header: Header = { tag: 0, vr: 'UN', length: 0, headerBytes: 0, explicitUn: false };
  readonly #wholeValueBytesMax: number;
  readonly #depthMax: number;
  readonly #pixelsInPieces: boolean;
  #frame: Frame;
  #offset: number; // of the first byte not consumed
  #bulkRemaining = NO_BULK;
  #bulkEnd: Token = BULK_END;
  #ended = false;
  #finished = false;

  constructor(options: TokenizerOptions) {
    this.#wholeValueBytesMax = options.wholeValueBytesMax ?? WHOLE_VALUE_BYTES_MAX;
    this.#depthMax = options.depthMax ?? DEPTH_MAX;
    this.#offset = options.offset ?? 0;
    this.#pixelsInPieces = options.pixelsInPieces ?? false;
    this.#frame = {
      kind: IN_DATA_SET,
      parent: undefined,
      tag: 0,
      end: Number.POSITIVE_INFINITY,
      limit: Number.POSITIVE_INFINITY,
      explicitVr: options.explicitVr,
      littleEndian: options.littleEndian,
      depth: 0,
      signed: options.signed ?? false,
      items: 0,
    };
  }

  /** Bytes are kept by reference until their tokens were taken; token values may be views of them. */
  push(bytes: Uint8Array): void {
    this.#input.push(bytes);
  }

  /** No more bytes will come: from now on `next` throws where the data set is not complete. */
  end(): void {
    this.#ended = true;
  }

  /** After `end()`: everything was read and nothing is open. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Position of the next byte to be read. */
  get offset(): number {
    return this.#offset;
  }

  /** Byte order of the values here: sequences in UN are little endian in any transfer syntax (PS3.5 §6.2.2). */
  get littleEndian(): boolean {
    return this.#frame.littleEndian;
  }

  /** Bytes of the current bulk value or fragment that were not pushed yet; `skip` leaves some or all of them out. */
  skippableBytes(): number {
    return Math.max(0, this.#bulkRemaining - this.#input.available);
  }

  /** The next `count` bytes of the current value will not be pushed: its `bulk-data` is that much shorter. */
  skip(count: number): void {
    if (count < 0 || count > this.skippableBytes())
      throw new LetheError('INVARIANT', { what: 'skip beyond the value' });
    this.#bulkRemaining -= count;
    this.#offset += count;
  }

  /**
   * The next token; undefined when it needs more bytes, or when all is read (`finished`).
   * @throws DICOM_TRUNCATED DICOM_MALFORMED DICOM_TOO_DEEP
   */
  next(): Token | undefined {
    for (;;) {
      if (this.#bulkRemaining >= 0) return this.#nextBulk();
      const frame = this.#frame;
      if (this.#offset === frame.end) return this.#close(frame);
      if (!this.#peekHeader(frame)) return undefined;
      if (frame.kind === IN_DATA_SET) {
        if (this.#header.tag >>> 16 !== DELIMITER_GROUP) return this.#element(frame);
        if (!this.#isIgnoredDelimiter(frame)) return this.#itemDelimiter(frame);
      } else if (!this.#isIgnoredDelimiter(frame)) {
        return frame.kind === IN_SEQUENCE ? this.#item(frame) : this.#fragment(frame);
      }
      this.#consume(SHORT_HEADER);
    }
  }

  #nextBulk(): Token | undefined {
    if (this.#bulkRemaining === 0) {
      this.#bulkRemaining = NO_BULK;
      return this.#bulkEnd;
    }
    if (this.#input.available === 0) {
      if (this.#ended) throw this.#error('DICOM_TRUNCATED', this.#header.tag, this.#bulkRemaining);
      return undefined;
    }
    const bytes = this.#input.takeSome(this.#bulkRemaining);
    this.#bulkRemaining -= bytes.length;
    this.#offset += bytes.length;
    return { kind: 'bulk-data', bytes };
  }

  /** Reads tag and length (and VR in a data set) into #header; false when more bytes are needed or all is read. */
  #peekHeader(frame: Frame): boolean {
    const input = this.#input;
    if (this.#offset + SHORT_HEADER > frame.limit) throw this.#error('DICOM_MALFORMED', frame.tag);
    if (input.available < SHORT_HEADER) return this.#wait(frame);
    const bytes = this.#bytes;
    input.peek(SHORT_HEADER, bytes);
    const header = this.#header;
    header.tag = (this.#u16(frame, 0) * 0x10000 + this.#u16(frame, 2)) >>> 0;
    header.headerBytes = SHORT_HEADER;
    if (frame.kind !== IN_DATA_SET || header.tag >>> 16 === DELIMITER_GROUP) {
      header.length = this.#u32(frame, 4);
      return true;
    }
    header.explicitUn = false;
    if (frame.explicitVr) return this.#peekExplicit(frame);
    header.length = this.#u32(frame, 4);
    header.vr = frame.signed && isSignDependent(header.tag) ? 'SS' : implicitVr(header.tag);
    return true;
  }

  /** PS3.5 §7.1.2, Tables 7.1-1 and 7.1-2. */
  #peekExplicit(frame: Frame): boolean {
    const header = this.#header;
    const bytes = this.#bytes;
    const first = bytes[4] ?? 0;
    const second = bytes[5] ?? 0;
    const vr = vrOfBytes(first, second);
    if (vr === undefined) {
      // Tolerance: a VR of two spaces (seen from a GE workstation) is UN behind an 8-byte header, as DCMTK reads it.
      if (first === SPACE && second === SPACE) {
        header.vr = 'UN';
        header.explicitUn = true;
        header.length = this.#u16(frame, 6);
        return true;
      }
      // A VR of a later edition has a 32-bit length (PS3.5 §6.2, §7.1.2): read as UN. Anything else is no VR.
      if (!areLetters(first, second) || bytes[6] !== 0 || bytes[7] !== 0)
        throw this.#error('DICOM_MALFORMED', header.tag);
    } else if (!isLongLength(first, second)) {
      header.vr = vr;
      header.length = this.#u16(frame, 6);
      return true;
    }
    if (this.#input.available < LONG_HEADER) return this.#wait(frame);
    this.#input.peek(LONG_HEADER, bytes);
    header.vr = vr ?? 'UN';
    header.explicitUn = header.vr === 'UN';
    header.length = this.#u32(frame, 8);
    header.headerBytes = LONG_HEADER;
    return true;
  }

  /** A header is not all there: fine while bytes may come, and at the very end of the top level. */
  #wait(frame: Frame): false {
    if (!this.#ended) return false;
    if (frame.parent !== undefined || this.#input.available > 0) throw this.#error('DICOM_TRUNCATED', frame.tag);
    this.#finished = true;
    return false;
  }

  #element(frame: Frame): Token | undefined {
    const { tag, vr, length, headerBytes, explicitUn } = this.#header;
    if (length === UNDEFINED_LENGTH) return this.#undefinedLength(frame);
    const offset = this.#offset + headerBytes;
    if (offset + length > frame.limit) throw this.#error('DICOM_MALFORMED', tag, length);
    if (vr === 'SQ') {
      this.#consume(headerBytes);
      this.#open(frame, IN_SEQUENCE, offset + length);
      return { kind: 'sequence-start', tag, vr, length, offset, depth: frame.depth };
    }
    if (length > this.#wholeValueBytesMax || (tag === PIXEL_DATA && this.#pixelsInPieces && frame.depth === 0)) {
      this.#consume(headerBytes);
      this.#bulkRemaining = length;
      this.#bulkEnd = BULK_END;
      return { kind: 'bulk-start', tag, vr, length, offset, depth: frame.depth };
    }
    if (this.#input.available < headerBytes + length) {
      if (this.#ended) throw this.#error('DICOM_TRUNCATED', tag, length);
      return undefined;
    }
    this.#input.drop(headerBytes);
    const value = this.#input.take(length);
    this.#offset = offset + length;
    if (tag === PIXEL_REPRESENTATION && length === 2) frame.signed = ((value[0] ?? 0) | (value[1] ?? 0)) === 1;
    return { kind: 'element', tag, vr, explicitUn, length, offset, depth: frame.depth, value };
  }

  #undefinedLength(frame: Frame): Token {
    const { tag, vr, headerBytes } = this.#header;
    const offset = this.#offset + headerBytes;
    const { depth } = frame;
    const isPixelData = tag === PIXEL_DATA && vr === 'UN';
    if (vr === 'OB' || vr === 'OW' || isPixelData) {
      this.#consume(headerBytes);
      this.#open(frame, IN_FRAGMENTS, Number.POSITIVE_INFINITY);
      return { kind: 'fragments-start', tag, vr, offset, depth };
    }
    if (vr !== 'SQ' && vr !== 'UN') throw this.#error('DICOM_MALFORMED', tag, UNDEFINED_LENGTH);
    this.#consume(headerBytes);
    this.#open(frame, IN_SEQUENCE, Number.POSITIVE_INFINITY);
    return { kind: 'sequence-start', tag, vr, length: undefined, offset, depth };
  }

  /**
   * Tolerance: a delimiter inside a sequence or item of defined length is superfluous (PS3.5 §7.5.1 asks for it only
   * after an undefined length); some senders write it, and it says nothing.
   */
  #isIgnoredDelimiter(frame: Frame): boolean {
    if (frame.end === Number.POSITIVE_INFINITY || this.#header.length !== 0) return false;
    return this.#header.tag === (frame.kind === IN_DATA_SET ? ITEM_DELIMITATION : SEQUENCE_DELIMITATION);
  }

  /** A tag of group FFFE where elements are expected: only the end of an item of undefined length may come. */
  #itemDelimiter(frame: Frame): Token {
    const { tag, length } = this.#header;
    const closes = frame.parent !== undefined && frame.end === Number.POSITIVE_INFINITY && length === 0;
    if (closes && tag === ITEM_DELIMITATION) {
      this.#consume(SHORT_HEADER);
      return this.#close(frame);
    }
    // Tolerance: the sequence ends although its last item did not: that item ends with it.
    if (closes && tag === SEQUENCE_DELIMITATION && frame.parent?.end === Number.POSITIVE_INFINITY)
      return this.#close(frame);
    throw this.#error('DICOM_MALFORMED', tag, length);
  }

  #item(frame: Frame): Token {
    const { tag, length } = this.#header;
    if (tag === SEQUENCE_DELIMITATION && length === 0) {
      this.#consume(SHORT_HEADER);
      return this.#close(frame);
    }
    if (tag !== ITEM) throw this.#error('DICOM_MALFORMED', tag, length);
    const depth = frame.depth + 1;
    if (depth > this.#depthMax) throw this.#error('DICOM_TOO_DEEP', frame.tag);
    const offset = this.#offset + SHORT_HEADER;
    const undefinedLength = length === UNDEFINED_LENGTH;
    if (!undefinedLength && offset + length > frame.limit) throw this.#error('DICOM_MALFORMED', tag, length);
    this.#consume(SHORT_HEADER);
    this.#open(frame, IN_DATA_SET, undefinedLength ? Number.POSITIVE_INFINITY : offset + length);
    const index = frame.items++;
    return { kind: 'item-start', index, length: undefinedLength ? undefined : length, offset, depth };
  }

  #fragment(frame: Frame): Token {
    const { tag, length } = this.#header;
    if (tag === SEQUENCE_DELIMITATION && length === 0) {
      this.#consume(SHORT_HEADER);
      return this.#close(frame);
    }
    const offset = this.#offset + SHORT_HEADER;
    if (tag !== ITEM || length === UNDEFINED_LENGTH || offset + length > frame.limit) {
      throw this.#error('DICOM_MALFORMED', tag, length);
    }
    this.#consume(SHORT_HEADER);
    this.#bulkRemaining = length;
    this.#bulkEnd = FRAGMENT_END;
    return { kind: 'fragment-start', index: frame.items++, length, offset };
  }

  /** Opens what #header announced. A sequence in UN is Implicit VR Little Endian inside (PS3.5 §6.2.2). */
  #open(parent: Frame, kind: Frame['kind'], end: number): void {
    const isItem = kind === IN_DATA_SET;
    const inUn = kind === IN_SEQUENCE && this.#header.vr === 'UN';
    this.#frame = {
      kind,
      parent,
      tag: isItem ? parent.tag : this.#header.tag,
      end,
      limit: Math.min(end, parent.limit),
      explicitVr: parent.explicitVr && !inUn,
      littleEndian: parent.littleEndian || inUn,
      depth: isItem ? parent.depth + 1 : parent.depth,
      signed: parent.signed,
      items: 0,
    };
  }

  #close(frame: Frame): Token {
    this.#frame = frame.parent ?? frame;
    if (frame.kind === IN_DATA_SET) return { kind: 'item-end', depth: frame.depth };
    if (frame.kind === IN_SEQUENCE) return { kind: 'sequence-end', tag: frame.tag, depth: frame.depth };
    return { kind: 'fragments-end', depth: frame.depth };
  }

  #consume(count: number): void {
    this.#input.drop(count);
    this.#offset += count;
  }

  #u16(frame: Frame, at: number): number {
    const first = this.#bytes[at] ?? 0;
    const second = this.#bytes[at + 1] ?? 0;
    return frame.littleEndian ? first | (second << 8) : (first << 8) | second;
  }

  #u32(frame: Frame, at: number): number {
    const first = this.#u16(frame, at);
    const second = this.#u16(frame, at + 2);
    return frame.littleEndian ? second * 0x10000 + first : first * 0x10000 + second;
  }

  #error(code: 'DICOM_TRUNCATED' | 'DICOM_MALFORMED' | 'DICOM_TOO_DEEP', tag: Tag, length?: number): LetheError {
    return new LetheError(code, { tag: tagText(tag), offset: this.#offset, length });
  }
}
