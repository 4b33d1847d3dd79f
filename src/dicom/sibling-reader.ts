/**
 * Files that resemble one that was read before. The instances of a series differ in a handful of elements (SOP Instance
 * UID, Instance Number, positions, pixels), and reading the rest again is most of what reading costs. What lies in the
 * bytes of the one before is compared, not parsed: a data set is read from its first byte to its last without looking
 * back, so that from the same state the same bytes are the same elements (PS3.5 §7.1).
 *
 * A file is a sibling when it has the same top-level elements, each with the same VR, in the same encoding. The data set
 * it gives is what `readPart10` gives, but for one thing: `offset` of an element that is the same, and of what is in it,
 * is that of the first file. Only elements that hold their values are taken over, so that nobody needs it. Everything
 * else, broken files too, is answered with undefined: read it as a whole.
 *
 *   const reader = SiblingReader.of(file, options); const sibling = reader?.read(source, mayDiffer);
 */
import type { ByteSource } from '../core/bytes.ts';
import { LetheError } from '../core/errors.ts';
import type { DataSet, Element } from './data-set.ts';
import { readDataSet } from './data-set-reader.ts';
import type { Part10File } from './part10.ts';
import type { Tag } from './tag.ts';
import { WHOLE_VALUE_BYTES_MAX } from './tokens.ts';

/** An element of the top level that is not as in the first file; `index` counts the elements of its data set. */
export interface Difference {
  readonly index: number;
  readonly element: Element;
}

export interface Sibling {
  readonly file: Part10File;
  /** In file meta information. */
  readonly metaChanges: readonly Difference[];
  /** In the data set; always with Pixel Data and what else of group 7FE0 there is. */
  readonly changes: readonly Difference[];
}

/** How the first file was read, and siblings are to be. */
export interface SiblingOptions {
  readonly wholeValueBytesMax: number;
  readonly endAfterPixelData?: boolean;
  readonly pixelsStay?: boolean;
}

/** A longer header is no usual image's, and is read as a whole each time. It bounds what is kept of the first file. */
export const SIBLING_HEADER_BYTES_MAX = 64 * 1024;

const PREFIX_BYTES = 132; // preamble and `DICM`, PS3.10 §7.1
/** Room for values longer than those of the first file. */
const GROWTH_BYTES = 16 * 1024;
const DIFFERENCES_MAX = 32;
const UNDEFINED_LENGTH = 0xffffffff;
const SHORT_HEADER_BYTES = 8;
const TRANSFER_SYNTAX_UID = 0x00020010;
const SPECIFIC_CHARACTER_SET = 0x00080005;
const PIXEL_REPRESENTATION = 0x00280103;
const PIXEL_DATA = 0x7fe00010;
const FIRST_OF_PIXEL_GROUP = 0x7fe00000;
/** What decides how others are read. */
const DECIDING: readonly Tag[] = [TRANSFER_SYNTAX_UID, SPECIFIC_CHARACTER_SET, PIXEL_REPRESENTATION];

interface Part {
  readonly element: Element;
  readonly index: number;
  readonly isMeta: boolean;
  // of header and value in the first file; the end of what was not kept lies beyond the kept bytes
  readonly start: number;
  readonly end: number;
}

type First = Omit<Part10File, 'source'>;

export class SiblingReader {
  readonly #file: First;
  readonly #options: SiblingOptions;
  readonly #head: Buffer;
  readonly #parts: readonly Part[];
  readonly #isSigned: boolean;
  /** By part: the next that siblings were seen to differ in, itself included; the parts before are compared as one. */
  #nextVarying: Uint16Array;

  private constructor({ source, ...file }: Part10File, parts: readonly Part[], head: Buffer, options: SiblingOptions) {
    this.#file = file; // its source may be closed, and its memory used for others
    this.#parts = parts;
    this.#head = head;
    this.#options = options;
    const [low = 0, high = 0] = file.dataSet.bytes(PIXEL_REPRESENTATION) ?? [];
    this.#isSigned = (low | high) === 1; // as the tokenizer has it
    this.#nextVarying = new Uint16Array(parts.length).fill(parts.length);
    this.#mark(parts.flatMap(({ element }, index) => (isOfPixels(element) ? [index] : [])));
  }

  /** Undefined where the file is not of the kind that has siblings. Keeps the bytes of the header. */
  static of(file: Part10File, options: SiblingOptions): SiblingReader | undefined {
    const { fileMeta, dataSet, encoding, transferSyntax, source } = file;
    if (!encoding.littleEndian || transferSyntax.deflated || dataSet.isLike) return undefined;
    if (fileMeta.warnings.length > 0 || dataSet.warnings.length > 0) return undefined;
    const parts: Part[] = [];
    const metaEnd = addParts(parts, fileMeta, PREFIX_BYTES, true);
    if (metaEnd !== file.dataSetOffset) return undefined;
    addParts(parts, dataSet, metaEnd, false);
    const last = parts.at(-1);
    if (last === undefined || last.isMeta) return undefined;
    const bytes = isWhole(last.element) ? last.end : last.element.offset;
    if (bytes > SIBLING_HEADER_BYTES_MAX || !parts.every((part) => part === last || isWhole(part.element)))
      return undefined;
    const head = Buffer.from(source.read(0, bytes)); // a copy
    const hasPrefix = head.toString('latin1', PREFIX_BYTES - 4, PREFIX_BYTES) === 'DICM';
    return hasPrefix && head.length === bytes ? new SiblingReader(file, parts, head, options) : undefined;
  }

  /** The sibling, where no element of the data set differs that may not. */
  read(source: ByteSource, mayDiffer: (tag: Tag) => boolean): Sibling | undefined {
    const begin = (): Buffer => bufferOf(source.read(0, this.#head.length + GROWTH_BYTES));
    let head = begin();
    const firstElement = this.#file.dataSetOffset;
    if (!this.#isSame(head, 0, 0, PREFIX_BYTES)) return undefined;
    const different: number[] = [];
    const changes: { meta: Difference[]; data: Difference[] } = { meta: [], data: [] };
    const parts = this.#parts;
    let at = PREFIX_BYTES;
    for (let place = 0; place < parts.length; ) {
      const run = this.#run(head, at, place);
      if (run > place) {
        at += (parts[run - 1]?.end ?? 0) - (parts[place]?.start ?? 0);
        place = run;
        continue;
      }
      const part = parts[place];
      if (part === undefined) return undefined;
      // How the data set is encoded was told from its first bytes.
      if (part.start === firstElement && !this.#isSame(head, at, firstElement, firstElement + SHORT_HEADER_BYTES))
        return undefined;
      if (DECIDING.includes(part.element.tag) || !(part.isMeta || mayDiffer(part.element.tag))) return undefined;
      const element = this.#element(part, at, head, source);
      if (element === undefined || different.length === DIFFERENCES_MAX) return undefined;
      different.push(place);
      (part.isMeta ? changes.meta : changes.data).push({ index: part.index, element });
      if (element.value === undefined) head = begin(); // the source may have answered in the same memory
      at = element.offset + element.length;
      place++;
    }
    if (!this.#isEnd(at, source)) return undefined;
    this.#mark(different);
    return { file: this.#fileOf(source, changes), metaChanges: changes.meta, changes: changes.data };
  }

  #fileOf(source: ByteSource, { meta, data }: { meta: Difference[]; data: Difference[] }): Part10File {
    const { fileMeta, dataSet, transferSyntax, encoding, dataSetOffset } = this.#file;
    const moved = meta.reduce((sum, { index, element }) => {
      const before = this.#parts[index]?.element.length ?? 0;
      return sum + element.length - before;
    }, 0);
    return {
      fileMeta: fileMeta.like(meta),
      transferSyntax,
      encoding,
      source,
      dataSetOffset: dataSetOffset + moved,
      dataSet: dataSet.like(data),
    };
  }

  /** The first part from `place` on that is not the same; `place` itself where that one is not. */
  #run(head: Buffer, at: number, place: number): number {
    const parts = this.#parts;
    const first = parts[place];
    const next = this.#nextVarying[place] ?? place;
    const last = parts[next - 1];
    if (first === undefined) return place;
    if (next > place && last !== undefined && this.#isSame(head, at, first.start, last.end)) return next;
    // One by one: something in the run differs that never did, or did once and does not now.
    if (isOfPixels(first.element) || !this.#isSame(head, at, first.start, first.end)) return place;
    return place + 1;
  }

  #isSame(head: Buffer, at: number, start: number, end: number): boolean {
    const length = end - start;
    if (end > this.#head.length || at + length > head.length) return false;
    return this.#head.compare(head, at, at + length, start, end) === 0;
  }

  /** The element that begins here, in the place of another; undefined where it has another tag or VR. */
  #element(part: Part, at: number, head: Buffer, source: ByteSource): Element | undefined {
    const { element: before } = part;
    const isPlain = before.items === undefined && before.fragments === undefined;
    return isPlain ? this.#plain(part, at, head, source) : this.#tree(before, at, source);
  }

  /** PS3.5 §7.1.2 and §7.1.3: the length stands at the end of the header, in two bytes of an 8-byte header with VR. */
  #plain({ element: before, start, isMeta }: Part, at: number, head: Buffer, source: ByteSource): Element | undefined {
    const headerBytes = before.offset - start;
    const hasVr = isMeta || this.#file.encoding.explicitVr;
    const isShort = hasVr && headerBytes === SHORT_HEADER_BYTES;
    const lengthAt = headerBytes - (isShort ? 2 : 4);
    const offset = at + headerBytes;
    if (offset > head.length || !this.#isSame(head, at, start, start + lengthAt)) return undefined;
    const length = isShort ? head.readUInt16LE(at + lengthAt) : head.readUInt32LE(at + lengthAt);
    if (length === UNDEFINED_LENGTH || offset + length > source.size) return undefined;
    const { tag, vr } = before;
    const { wholeValueBytesMax, pixelsStay } = this.#options;
    const longest = isMeta ? WHOLE_VALUE_BYTES_MAX : wholeValueBytesMax;
    const stays = length > longest || (pixelsStay === true && tag === PIXEL_DATA);
    if (stays !== (before.value === undefined)) return undefined;
    if (stays) return { tag, vr, offset, length };
    if (offset + length > head.length) return undefined;
    return { tag, vr, offset, length, value: new Uint8Array(head.subarray(offset, offset + length)) };
  }

  #tree({ tag, vr }: Element, at: number, source: ByteSource): Element | undefined {
    const { dataSet, encoding } = this.#file;
    const oneElementIn = { dataSet, signed: this.#isSigned && tag > PIXEL_REPRESENTATION };
    try {
      const read = readDataSet(source, { ...this.#options, ...encoding, offset: at, oneElementIn });
      const element = read.element(tag);
      const isKept = element !== undefined && (isWhole(element) || isOfPixels(element));
      return isKept && element.vr === vr ? element : undefined;
    } catch (error) {
      if (error instanceof LetheError && error.row.blame === 'peer') return undefined; // as a whole it fails with its offset
      throw error;
    }
  }

  #isEnd(at: number, source: ByteSource): boolean {
    if (at === source.size) return true;
    return this.#options.endAfterPixelData === true && this.#parts.at(-1)?.element.tag === PIXEL_DATA;
  }

  #mark(places: readonly number[]): void {
    const varying = this.#nextVarying;
    if (places.every((place) => varying[place] === place)) return;
    const marked = varying.map((next, place) => (next === place || places.includes(place) ? place : varying.length));
    for (let place = marked.length - 2; place >= 0; place--) {
      if (marked[place] !== place) marked[place] = marked[place + 1] ?? 0;
    }
    this.#nextVarying = marked;
  }
}

/** Elements follow each other without a gap; where the last ends. */
function addParts(parts: Part[], dataSet: DataSet, start: number, isMeta: boolean): number {
  let at = start;
  let index = 0;
  for (const element of dataSet.elements()) {
    const end = element.offset + element.length;
    parts.push({ element, index, isMeta, start: at, end });
    at = end;
    index++;
  }
  return at;
}

/** Nothing of it stayed in the source. */
function isWhole({ value, items }: Element): boolean {
  if (value !== undefined) return true;
  return items?.every((item) => [...item.elements()].every(isWhole)) ?? false;
}

/** Never taken over: whoever wants pixels reads them at their offset. */
function isOfPixels({ tag }: Element): boolean {
  return tag >= FIRST_OF_PIXEL_GROUP;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
