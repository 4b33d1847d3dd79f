/**
 * Writes a data set: PS3.5 §7.1 headers in the chosen encoding, sequences and items of undefined length (§7.5.1),
 * encapsulated fragments (A.4), and the encoding of values by VR (§6.2), byte order (§7.3) and character set.
 *
 * Bulk bytes go to the sink as they are, by reference; a header with a small value is one write. Values that are given
 * must already be in the byte order of the stream. The order of elements is the caller's.
 *
 *   const writer = new DataSetWriter(sink, { explicitVr: true, littleEndian: true });
 *   writer.element(tag, 'LO', encodeText('text', 'LO', characterSet));
 *   writer.beginBulk(tag, 'OW', length); writer.bulkData(bytes); writer.endBulk();
 *   writer.bulk(tag, 'OW', length, pieces);
 *   writer.beginSequence(tag); writer.beginItem(); … writer.endItem(); writer.endSequence();
 *   writer.beginFragments(tag, 'OB'); writer.fragment(length); writer.bulkData(bytes); writer.endBulk(); writer.endFragments();
 */
import type { ByteSink, Pieces } from '../core/bytes.ts';
import { assert, LetheError } from '../core/errors.ts';
import { type CharacterSet, characterSetOf } from './charset.ts';
import { type Tag, tagText } from './tag.ts';
import { VRS, type Vr } from './vr.ts';

const UNDEFINED_LENGTH = 0xffffffff;
const SHORT_LENGTH_MAX = 0xfffe;
const LONG_LENGTH_MAX = 0xfffffffe;
const ITEM = 0xfffee000;
const ITEM_DELIMITATION = 0xfffee00d;
const SEQUENCE_DELIMITATION = 0xfffee0dd;
const HEADER_BYTES_MAX = 12;
/** Up to here a value is copied behind its header, so that the sink sees one write. */
const JOINED_VALUE_BYTES_MAX = 4096;

export class DataSetWriter {
  readonly #sink: ByteSink;
  readonly #explicitVr: boolean;
  readonly #littleEndian: boolean;
  readonly #scratch = new Uint8Array(HEADER_BYTES_MAX + JOINED_VALUE_BYTES_MAX + 1);
  readonly #view = new DataView(this.#scratch.buffer);
  #bulkRemaining = 0;
  #bulkPadding = 0; // bytes, 0 or 1
  #bulkPaddingByte = 0;

  constructor(sink: ByteSink, options: { explicitVr: boolean; littleEndian: boolean }) {
    this.#sink = sink;
    this.#explicitVr = options.explicitVr;
    this.#littleEndian = options.littleEndian;
  }

  /**
   * A whole element; an odd value is padded as its VR asks. In Explicit VR a value too long for a VR with 16-bit
   * length is written as UN (PS3.5 §6.2.2 note 1).
   */
  element(tag: Tag, vr: Vr, value: Uint8Array): void {
    const even = value.length + (value.length % 2);
    const at = this.#header(tag, this.#fittingVr(vr, even), even);
    if (value.length > JOINED_VALUE_BYTES_MAX) {
      this.#sink.write(this.#scratch.subarray(0, at));
      this.#sink.write(value);
      if (even > value.length) this.#sink.write(Uint8Array.of(VRS[vr].padding));
      return;
    }
    this.#scratch.set(value, at);
    if (even > value.length) this.#scratch[at + value.length] = VRS[vr].padding;
    this.#sink.write(this.#scratch.subarray(0, at + even));
  }

  /** Announces a value of `length` bytes, which must then be written by `bulkData`. */
  beginBulk(tag: Tag, vr: Vr, length: number): void {
    this.#bulkPadding = length % 2;
    this.#bulkPaddingByte = VRS[vr].padding;
    const even = length + this.#bulkPadding;
    if (even > LONG_LENGTH_MAX) throw new LetheError('DICOM_TOO_LARGE', { tag: tagText(tag), length });
    this.#bulkRemaining = length;
    this.#sink.write(this.#scratch.subarray(0, this.#header(tag, this.#fittingVr(vr, even), even)));
  }

  bulkData(bytes: Uint8Array): void {
    this.#bulkRemaining -= bytes.length;
    assert(this.#bulkRemaining >= 0, 'more bulk data than announced');
    this.#sink.write(bytes);
  }

  endBulk(): void {
    assert(this.#bulkRemaining === 0, 'less bulk data than announced');
    if (this.#bulkPadding > 0) this.#sink.write(Uint8Array.of(this.#bulkPaddingByte));
    this.#bulkPadding = 0;
  }

  /** A whole value of `length` bytes in pieces, which the sink may leave for later: then it counts them. */
  bulk(tag: Tag, vr: Vr, length: number, pieces: Pieces): void {
    this.beginBulk(tag, vr, length);
    if (this.#sink.later === undefined) for (const piece of pieces()) this.bulkData(piece);
    else {
      this.#sink.later(length, pieces);
      this.#bulkRemaining = 0;
    }
    this.endBulk();
  }

  beginSequence(tag: Tag): void {
    this.#sink.write(this.#scratch.subarray(0, this.#header(tag, 'SQ', UNDEFINED_LENGTH)));
  }

  beginItem(): void {
    this.#delimiter(ITEM, UNDEFINED_LENGTH);
  }

  endItem(): void {
    this.#delimiter(ITEM_DELIMITATION, 0);
  }

  endSequence(): void {
    this.#delimiter(SEQUENCE_DELIMITATION, 0);
  }

  /** Encapsulated Pixel Data; the first fragment is the Basic Offset Table and may be empty. */
  beginFragments(tag: Tag, vr: 'OB' | 'OW' | 'UN'): void {
    this.#sink.write(this.#scratch.subarray(0, this.#header(tag, vr === 'UN' ? 'OB' : vr, UNDEFINED_LENGTH)));
  }

  /** Announces a fragment of `length` bytes, written by `bulkData` and ended by `endBulk`; odd ones are padded. */
  fragment(length: number): void {
    this.#bulkPadding = length % 2;
    this.#bulkPaddingByte = 0;
    this.#bulkRemaining = length;
    this.#delimiter(ITEM, length + this.#bulkPadding);
  }

  endFragments(): void {
    this.#delimiter(SEQUENCE_DELIMITATION, 0);
  }

  #fittingVr(vr: Vr, length: number): Vr {
    return this.#explicitVr && length > SHORT_LENGTH_MAX && !VRS[vr].longLength ? 'UN' : vr;
  }

  /** Puts a header into the scratch memory and answers its length. */
  #header(tag: Tag, vr: Vr, length: number): number {
    const little = this.#littleEndian;
    const view = this.#view;
    view.setUint16(0, tag >>> 16, little);
    view.setUint16(2, tag & 0xffff, little);
    if (!this.#explicitVr) {
      view.setUint32(4, length, little);
      return 8;
    }
    view.setUint8(4, vr.charCodeAt(0));
    view.setUint8(5, vr.charCodeAt(1));
    if (!VRS[vr].longLength) {
      view.setUint16(6, length, little);
      return 8;
    }
    view.setUint16(6, 0);
    view.setUint32(8, length, little);
    return HEADER_BYTES_MAX;
  }

  /** Items and delimiters have no VR in any encoding (PS3.5 §7.5). */
  #delimiter(tag: Tag, length: number): void {
    const view = this.#view;
    view.setUint16(0, tag >>> 16, this.#littleEndian);
    view.setUint16(2, tag & 0xffff, this.#littleEndian);
    view.setUint32(4, length, this.#littleEndian);
    this.#sink.write(this.#scratch.subarray(0, 8));
  }
}

const DEFAULT_SET = characterSetOf([]);

/**
 * Text (several values joined by backslashes) as bytes, without padding: the writer pads.
 * @throws DICOM_MALFORMED when the character set cannot hold the text
 */
export function encodeText(
  text: string | readonly string[],
  vr: Vr,
  characterSet: CharacterSet = DEFAULT_SET,
): Uint8Array {
  const joined = typeof text === 'string' ? text : text.join('\\');
  const bytes = (VRS[vr].charset ? characterSet : DEFAULT_SET).encode(joined, vr);
  if (bytes === undefined) throw new LetheError('DICOM_MALFORMED', { what: 'text outside of the character set', vr });
  return bytes;
}

type Setter = (view: DataView, at: number, value: number, littleEndian: boolean) => void;

const SETTERS: Readonly<Partial<Record<Vr, Setter>>> = {
  AT: (view, at, value, little) => {
    view.setUint16(at, value >>> 16, little);
    view.setUint16(at + 2, value & 0xffff, little);
  },
  FD: (view, at, value, little) => view.setFloat64(at, value, little),
  FL: (view, at, value, little) => view.setFloat32(at, value, little),
  OB: (view, at, value) => view.setUint8(at, value),
  OD: (view, at, value, little) => view.setFloat64(at, value, little),
  OF: (view, at, value, little) => view.setFloat32(at, value, little),
  OL: (view, at, value, little) => view.setUint32(at, value, little),
  OV: (view, at, value, little) => view.setBigUint64(at, BigInt(value), little),
  OW: (view, at, value, little) => view.setUint16(at, value, little),
  SL: (view, at, value, little) => view.setInt32(at, value, little),
  SS: (view, at, value, little) => view.setInt16(at, value, little),
  SV: (view, at, value, little) => view.setBigInt64(at, BigInt(value), little),
  UL: (view, at, value, little) => view.setUint32(at, value, little),
  US: (view, at, value, little) => view.setUint16(at, value, little),
  UV: (view, at, value, little) => view.setBigUint64(at, BigInt(value), little),
};

/** Numbers of a binary VR (AT: tags) as bytes in the given byte order. */
export function encodeNumbers(numbers: readonly number[], vr: Vr, littleEndian = true): Uint8Array {
  const setter = SETTERS[vr];
  assert(setter !== undefined, `no binary numbers in ${vr}`);
  const unit = vr === 'AT' ? 4 : VRS[vr].unitBytes;
  const bytes = new Uint8Array(numbers.length * unit);
  const view = new DataView(bytes.buffer);
  numbers.forEach((value, index) => {
    setter(view, index * unit, value, littleEndian);
  });
  return bytes;
}
