/**
 * Writes the de-identified data set: walks the original element by element, asks the policy, and writes what it answers.
 * Values that were not read into memory (pixel data, other bulk) go from source to sink in chunks as they are, so memory
 * does not grow with them. Sequences are written with undefined length (PS3.5 §7.5.1), elements in the order of tags.
 */
import type { ByteSource, Pieces } from '../core/bytes.ts';
import { LetheError } from '../core/errors.ts';
import { borrowScratch, giveBackScratch } from '../core/scratch.ts';
import { type DataSet, type Element, valueBytes } from '../dicom/data-set.ts';
import { type Tag, tagText } from '../dicom/tag.ts';
import { swapUnits } from '../dicom/values.ts';
import { VRS, type Vr } from '../dicom/vr.ts';
import type { DataSetWriter } from '../dicom/writer.ts';
import type { Replacement } from '../imaging/redact/replacement.ts';
import { type FragmentAt, imageFragments, withoutMetadata } from './codestream-metadata.ts';
import { type Place, type Policy, TOP_LEVEL, type Verdict } from './element-policy.ts';
import { type Addition, writeAddition } from './markers.ts';
import { meantVr } from './value-text.ts';

export interface RewriterOptions {
  readonly policy: Policy;
  readonly writer: DataSetWriter;
  /** Byte order of the output. */
  readonly littleEndian: boolean;
  readonly source: ByteSource;
  readonly additions: ReadonlyMap<Tag, Addition | Original>;
  readonly replacements: ReadonlyMap<Tag, Replacement>;
  /** Bytes that native Pixel Data should have; what is beyond is no pixel and stays behind. */
  readonly pixelBytes: number | undefined;
  /** Told of each element of the original's top level, in order. */
  readonly witness?: Witness | undefined;
}

export interface Witness {
  before(): void;
  after(counts: Readonly<ActionCounts>): void;
}

/** An element of another data set, in the place of the one here. */
export interface Original {
  readonly kind: 'original';
  readonly element: Element;
  readonly dataSet: DataSet;
}

/** How many elements went which way. */
export interface ActionCounts {
  removed: number;
  emptied: number;
  replaced: number;
  cleaned: number;
  mapped: number;
  kept: number;
}

const PIXEL_DATA = 0x7fe00010;
const COPY_BYTES = 1024 * 1024;
const EMPTY = new Uint8Array();
/** A compressed frame, which could hold metadata, is read whole. */
const FRAME_BYTES_MAX = 256 * 1024 * 1024;
const TEXT_BYTES_MAX = 64 * 1024 * 1024;

export class Rewriter {
  readonly counts: ActionCounts = { removed: 0, emptied: 0, replaced: 0, cleaned: 0, mapped: 0, kept: 0 };
  readonly #options: RewriterOptions;
  #root: DataSet | undefined;

  constructor(options: RewriterOptions) {
    this.#options = options;
  }

  /** `elements`: those of the data set, `inOrder`. */
  writeRoot(dataSet: DataSet, elements: Iterable<Element>): void {
    const { additions, replacements, witness } = this.#options;
    this.#root = dataSet;
    const forced = [...new Set([...additions.keys(), ...replacements.keys()])].sort((a, b) => a - b);
    let next = 0;
    const writeForced = (before: number): void => {
      for (let tag = forced[next]; tag !== undefined && tag < before; tag = forced[++next]) this.#writeForced(tag);
    };
    for (const element of elements) {
      writeForced(element.tag);
      witness?.before();
      this.writeOne(element, dataSet);
      witness?.after(this.counts);
      if (forced[next] === element.tag) next++;
    }
    writeForced(Number.POSITIVE_INFINITY);
  }

  /** An element of the top level, or what takes its place. */
  writeOne(element: Element, dataSet: DataSet): void {
    this.#root = dataSet;
    if (!this.#writeForced(element.tag)) this.#writeElement(element, dataSet, TOP_LEVEL);
  }

  /** False where nothing is written there but what the original has. */
  #writeForced(tag: Tag): boolean {
    const { additions, replacements, writer } = this.#options;
    const addition = additions.get(tag);
    if (addition?.kind === 'original') this.#writeElement(addition.element, addition.dataSet, TOP_LEVEL);
    else if (addition !== undefined) writeAddition(writer, tag, addition);
    else if (replacements.has(tag)) this.#writeReplacement(tag, replacements.get(tag));
    else return false;
    return true;
  }

  #writeElement(original: Element, dataSet: DataSet, place: Place): void {
    const element = this.#withText(original);
    const verdict = this.#options.policy.verdict(element, dataSet, place);
    this.#count(verdict);
    switch (verdict.kind) {
      case 'remove':
        return;
      case 'value':
        this.#options.writer.element(element.tag, verdict.vr, verdict.value);
        return;
      case 'items':
        this.#writeItems(element, verdict.items, verdict.place);
        return;
      case 'keep':
        this.#writeKept(element, dataSet);
        return;
    }
  }

  /** A text too long to have been read with the header is read now: it must be seen before it may stay. */
  #withText(element: Element): Element {
    const isLong = element.value === undefined && element.items === undefined && element.fragments === undefined;
    if (!isLong || !VRS[meantVr(element)].text) return element;
    return { ...element, value: valueBytes(this.#options.source, element, TEXT_BYTES_MAX) };
  }

  #writeItems(element: Element, items: readonly DataSet[], place: Place): void {
    const { writer, policy } = this.#options;
    writer.beginSequence(element.tag);
    for (const item of items) {
      const inside = policy.itemPlace(element.tag, item, place);
      if (inside === undefined) {
        this.counts.removed++;
        continue;
      }
      writer.beginItem();
      for (const inner of inOrder(item)) this.#writeElement(inner, item, inside);
      writer.endItem();
    }
    writer.endSequence();
  }

  #writeKept(element: Element, dataSet: DataSet): void {
    const { writer, littleEndian } = this.#options;
    const vr = meantVr(element);
    const isSwapped = (dataSet.littleEndian || element.vr === 'UN') !== littleEndian;
    if (element.fragments !== undefined) this.#copyFragments(element, element.fragments);
    else if (element.tag === PIXEL_DATA && dataSet === this.#root) this.#copyPixels(element, vr);
    else if (element.value !== undefined) {
      writer.element(element.tag, vr, isSwapped ? swapUnits(element.value, VRS[vr].unitBytes) : element.value);
    } else {
      if (isSwapped && VRS[vr].unitBytes > 1)
        throw new LetheError('DEID_ACTION_FAILED', { path: tagText(element.tag) });
      this.#copyBulk(element, vr, element.length);
    }
  }

  #copyPixels(element: Element, vr: Vr): void {
    const { pixelBytes, writer, source } = this.#options;
    const { offset } = element;
    const length = pixelBytes === undefined ? element.length : Math.min(element.length, pixelBytes);
    if (element.value === undefined) {
      const pieces: Pieces = (room) => this.#pieces(offset, length, room);
      writer.bulk(element.tag, vr, length, Object.assign(pieces, { range: { source, offset, length } }));
    } else writer.element(element.tag, vr, element.value.subarray(0, length));
  }

  #copyBulk(element: Element, vr: Vr, length: number): void {
    const { writer } = this.#options;
    writer.beginBulk(element.tag, vr, length);
    this.#copyRange(element.offset, length);
    writer.endBulk();
  }

  #copyRange(offset: number, length: number): void {
    for (const piece of this.#pieces(offset, length)) this.#options.writer.bulkData(piece);
  }

  *#pieces(offset: number, length: number, given?: () => Uint8Array): Generator<Uint8Array> {
    const own = given === undefined ? borrowScratch(COPY_BYTES) : EMPTY;
    for (let position = 0; position < length; ) {
      const space = given?.() ?? own;
      const wanted = Math.min(COPY_BYTES, space.length, length - position);
      const piece = this.#options.source.read(offset + position, wanted, space);
      if (piece.length === 0) throw new LetheError('DICOM_TRUNCATED', { offset: offset + position });
      yield piece;
      position += piece.length;
    }
    if (given === undefined) giveBackScratch(own);
  }

  #copyFragments(element: Element, fragments: readonly { offset: number; length: number }[]): void {
    const { writer, source } = this.#options;
    writer.beginFragments(element.tag, element.vr === 'OW' ? 'OW' : 'OB');
    // The first is the Basic Offset Table (PS3.5 A.4).
    const [table, ...rest] = fragments;
    if (table !== undefined) this.#copyFragment(table);
    for (const { isImage, fragments: parts } of imageFragments(source, rest)) {
      const bytes = parts.reduce((sum, { length }) => sum + length, 0);
      const [only] = parts;
      if (isImage && bytes > FRAME_BYTES_MAX)
        throw new LetheError('DEID_UNSUPPORTED_CONTENT', { problem: 'a frame too large to be checked', bytes });
      if (!isImage) for (const part of parts) this.#copyFragment(part);
      else if (parts.length === 1 && only !== undefined) {
        writer.fragment(only.length);
        writer.bulkData(withoutMetadata(source.read(only.offset, only.length)));
        writer.endBulk();
      } else this.#writeSplitImage(parts);
    }
    writer.endFragments();
  }

  #copyFragment({ offset, length }: FragmentAt): void {
    this.#options.writer.fragment(length);
    this.#copyRange(offset, length);
    this.#options.writer.endBulk();
  }

  /** One image in several fragments: cleaned as one, written as it was cut. */
  #writeSplitImage(parts: readonly FragmentAt[]): void {
    const { writer, source } = this.#options;
    const whole = Buffer.concat(parts.map(({ offset, length }) => Buffer.from(source.read(offset, length))));
    const clean = withoutMetadata(whole);
    let position = 0;
    for (const { length } of parts) {
      writer.fragment(length);
      writer.bulkData(clean.subarray(position, position + length));
      writer.endBulk();
      position += length;
    }
  }

  #writeReplacement(tag: Tag, replacement: Replacement | undefined): void {
    const { writer } = this.#options;
    if (replacement === undefined || replacement.kind === 'remove') return;
    if (replacement.kind === 'value') {
      writer.element(tag, replacement.vr, replacement.value);
      return;
    }
    if (replacement.kind === 'bulk') {
      writer.bulk(tag, replacement.vr, replacement.length, replacement.chunks);
      return;
    }
    writer.beginFragments(tag, replacement.vr);
    writer.fragment(0);
    writer.endBulk();
    for (const fragment of replacement.fragments()) {
      writer.fragment(fragment.length);
      writer.bulkData(fragment);
      writer.endBulk();
    }
    writer.endFragments();
  }

  #count(verdict: Verdict): void {
    const { counts } = this;
    if (verdict.kind === 'remove') counts.removed++;
    else if (verdict.action === 'Z') counts.emptied++;
    else if (verdict.action === 'D') counts.replaced++;
    else if (verdict.action === 'U') counts.mapped++;
    else if (verdict.action === 'C') counts.cleaned++;
    else counts.kept++;
  }
}

/** By tag, each once: of duplicates the last, which is the one that lookups answer. */
export function inOrder(dataSet: DataSet): Iterable<Element> {
  if (dataSet.warnings.length === 0) return dataSet.elements();
  const byTag = new Map<Tag, Element>();
  for (const element of dataSet.elements()) byTag.set(element.tag, element);
  return [...byTag.values()].sort((a, b) => a.tag - b.tag);
}
