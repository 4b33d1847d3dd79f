/**
 * Builds a `DataSet` from a source through the tokenizer. Large values are passed over, not read: the caller's source
 * is asked only for the bytes of headers and small values. What is kept is bounded by `headerBytesMax`.
 */
import type { ByteSource } from '../core/bytes.ts';
import { LetheError } from '../core/errors.ts';
import { DataSet, type Element } from './data-set.ts';
import { type Tag, tagText } from './tag.ts';
import { DataSetTokenizer, type Token } from './tokens.ts';
import type { Vr } from './vr.ts';

export interface ReadDataSetOptions {
  readonly explicitVr: boolean;
  readonly littleEndian: boolean;
  /** Where the data set begins in the source. */
  readonly offset?: number;
  /** A longer value stays in the source; see `Element`. */
  readonly wholeValueBytesMax?: number;
  /** Bound of what is kept in memory, with what the tree itself costs. */
  readonly headerBytesMax?: number;
  /** Leaves out Pixel Data (7FE0,0008), (7FE0,0009), (7FE0,0010) at the top level and all that follows. */
  readonly stopAtPixelData?: boolean;
  /** Ends with Pixel Data (7FE0,0010) at the top level: what stands behind, a data set or not, is not looked at. */
  readonly endAfterPixelData?: boolean;
  /** Native Pixel Data (7FE0,0010) of the top level stays in the source however short it is. */
  readonly pixelsStay?: boolean;
  /** Reads one element of a data set that begins before, of which this is what is known of its beginning. */
  readonly oneElementIn?: { readonly dataSet: DataSet; readonly signed: boolean };
}

export const HEADER_BYTES_MAX = 256 * 1024 * 1024;

/** At the start, and after a value that was passed over: what is wanted there is mostly short. */
const SHORT_CHUNK_BYTES = 16 * 1024;
const CHUNK_BYTES = 64 * 1024;
/** What each costs in memory beside its value, as measured on Node 26 (V8 14). */
const ELEMENT_COST_BYTES = 192;
const ITEM_COST_BYTES = 320;
const FRAGMENT_COST_BYTES = 72;
const FIRST_PIXEL_DATA = 0x7fe00008;
const LAST_PIXEL_DATA = 0x7fe00010;

/** @throws DICOM_TRUNCATED DICOM_MALFORMED DICOM_TOO_DEEP DICOM_TOO_LARGE */
export function readDataSet(source: ByteSource, options: ReadDataSetOptions): DataSet {
  const offset = options.offset ?? 0;
  const tokenizer = new DataSetTokenizer({
    explicitVr: options.explicitVr,
    littleEndian: options.littleEndian,
    offset,
    ...(options.wholeValueBytesMax === undefined ? {} : { wholeValueBytesMax: options.wholeValueBytesMax }),
    signed: options.oneElementIn?.signed ?? false,
    pixelsInPieces: options.pixelsStay ?? false,
  });
  const builder = new DataSetBuilder(tokenizer, options);
  let position = offset;
  let chunkBytes = SHORT_CHUNK_BYTES;
  for (;;) {
    for (let token = tokenizer.next(); token !== undefined; token = tokenizer.next()) {
      if (!builder.accept(token)) return builder.root;
      const skipped = skipBulk(tokenizer, source.size - position);
      position += skipped;
      if (skipped > 0) chunkBytes = SHORT_CHUNK_BYTES;
    }
    if (tokenizer.finished) return builder.root;
    const chunk = source.read(position, chunkBytes);
    if (chunk.length === 0) tokenizer.end();
    else tokenizer.push(new Uint8Array(chunk)); // a copy (a Buffer's slice is none): the source may reuse its memory
    builder.expectChunk(chunk.length);
    position += chunk.length;
    chunkBytes = CHUNK_BYTES;
  }
}

/** Passes over what the current value still wants; a claim beyond the source is left for the tokenizer to refuse. */
function skipBulk(tokenizer: DataSetTokenizer, remaining: number): number {
  const count = Math.min(tokenizer.skippableBytes(), remaining);
  if (count > 0) tokenizer.skip(count);
  return count;
}

/** A sequence or fragments that are open: the element is made when they end, when its extent is known. */
interface Open {
  readonly tag: Tag;
  readonly vr: Vr;
  readonly offset: number;
  readonly owner: DataSet;
  readonly items: DataSet[] | undefined;
  readonly fragments: { offset: number; length: number }[] | undefined;
}

class DataSetBuilder {
  readonly root: DataSet;
  readonly #tokenizer: DataSetTokenizer;
  readonly #headerBytesMax: number;
  readonly #stopAtPixelData: boolean;
  readonly #endAfterPixelData: boolean;
  readonly #endsAfterOne: boolean;
  #endsWithBulk = false;
  readonly #open: Open[] = [];
  #dataSet: DataSet;
  #cost = 0;
  #chunkBytes = 0; // of the last chunk, until a value kept it

  constructor(tokenizer: DataSetTokenizer, options: ReadDataSetOptions) {
    this.root = new DataSet(options.littleEndian, options.oneElementIn?.dataSet);
    this.#dataSet = this.root;
    this.#tokenizer = tokenizer;
    this.#headerBytesMax = options.headerBytesMax ?? HEADER_BYTES_MAX;
    this.#stopAtPixelData = options.stopAtPixelData ?? false;
    this.#endAfterPixelData = options.endAfterPixelData ?? false;
    this.#endsAfterOne = options.oneElementIn !== undefined;
  }

  /** The next values are views of a chunk of this size; the first of them keeps the whole chunk in memory. */
  expectChunk(bytes: number): void {
    this.#chunkBytes = bytes;
  }

  /** False: the rest is not wanted. */
  accept(token: Token): boolean {
    switch (token.kind) {
      case 'element':
        if (this.#stops(token)) return false;
        this.#chargeValue(token.tag, token.value.length);
        this.#dataSet.append({
          tag: token.tag,
          vr: token.vr,
          offset: token.offset,
          length: token.length,
          value: token.value,
        });
        return !this.#isLast(token);
      case 'bulk-start':
        if (this.#stops(token)) return false;
        this.#charge(token.tag, ELEMENT_COST_BYTES);
        this.#dataSet.append({ tag: token.tag, vr: token.vr, offset: token.offset, length: token.length });
        this.#endsWithBulk = this.#isLast(token);
        return true;
      case 'sequence-start':
      case 'fragments-start':
        if (this.#stops(token)) return false;
        this.#begin(token);
        return true;
      case 'item-start':
        this.#beginItem();
        return true;
      case 'item-end':
        this.#dataSet = this.#innermost().owner;
        return true;
      case 'fragment-start':
        this.#charge(this.#innermost().tag, FRAGMENT_COST_BYTES);
        this.#innermost().fragments?.push({ offset: token.offset, length: token.length });
        return true;
      case 'sequence-end':
        this.#finish();
        return !(this.#endsAfterOne && token.depth === 0);
      case 'fragments-end':
        return !this.#isLast({ tag: this.#finish(), depth: token.depth });
      case 'bulk-end':
        return !this.#endsWithBulk;
      case 'bulk-data':
      case 'fragment-end':
        return true;
    }
  }

  #isLast({ tag, depth }: { tag: Tag; depth: number }): boolean {
    return depth === 0 && (this.#endsAfterOne || (this.#endAfterPixelData && tag === LAST_PIXEL_DATA));
  }

  #stops(token: { tag: Tag; depth: number }): boolean {
    return this.#stopAtPixelData && token.depth === 0 && token.tag >= FIRST_PIXEL_DATA && token.tag <= LAST_PIXEL_DATA;
  }

  #begin(token: Token & { kind: 'sequence-start' | 'fragments-start' }): void {
    const { tag, vr, offset } = token;
    this.#charge(tag, ELEMENT_COST_BYTES);
    const isSequence = token.kind === 'sequence-start';
    const items = isSequence ? [] : undefined;
    this.#open.push({ tag, vr, offset, owner: this.#dataSet, items, fragments: isSequence ? undefined : [] });
  }

  #beginItem(): void {
    const open = this.#innermost();
    this.#charge(open.tag, ITEM_COST_BYTES);
    this.#dataSet = new DataSet(this.#tokenizer.littleEndian, open.owner);
    open.items?.push(this.#dataSet);
  }

  #finish(): Tag {
    const { tag, vr, offset, owner, items, fragments } = this.#innermost();
    this.#open.pop();
    const base = { tag, vr, offset, length: this.#tokenizer.offset - offset };
    const element: Element = items === undefined ? { ...base, fragments: fragments ?? [] } : { ...base, items };
    owner.append(element);
    return tag;
  }

  #innermost(): Open {
    const open = this.#open.at(-1);
    if (open === undefined) throw new LetheError('INVARIANT', { what: 'a token outside of any sequence' });
    return open;
  }

  /** A value counts by itself, as it may be a copy, and the first of a chunk for the chunk too. */
  #chargeValue(tag: Tag, bytes: number): void {
    this.#charge(tag, ELEMENT_COST_BYTES + bytes + (bytes > 0 ? this.#chunkBytes : 0));
    if (bytes > 0) this.#chunkBytes = 0;
  }

  #charge(tag: Tag, bytes: number): void {
    this.#cost += bytes;
    if (this.#cost <= this.#headerBytesMax) return;
    throw new LetheError('DICOM_TOO_LARGE', { tag: tagText(tag), limit: this.#headerBytesMax });
  }
}
