/**
 * A data set in memory, for headers: a tree of elements whose values are still encoded and are decoded when asked for.
 * Values beyond `wholeValueBytesMax`, and fragments, are references into the source they were read from (`valueBytes`).
 *
 * Elements come in the order of the file. Where a tag occurs twice both are listed, lookups answer the last, and
 * `warnings` names it: whoever removes or searches values walks `elements()`.
 * Values in UN are read by the VR that the dictionary gives their tag, in little endian (PS3.5 §6.2.2).
 *
 *   dataSet.string(tag) strings(tag) number(tag) numbers(tag) bytes(tag) items(tag) element(tag) elements()
 *   valueBytes(file.source, element, bytesMax)   a value that stayed in the source
 *   dataSet.like(replacements) derive(compute) watch(run)   of a series: see `sibling-reader.ts`
 */
import type { ByteSource } from '../core/bytes.ts';
import { LetheError } from '../core/errors.ts';
import { asciiText, type CharacterSet, characterSetOf, latin1Text } from './charset.ts';
import { implicitVr } from './dictionary.ts';
import { type Tag, tagHex, tagText } from './tag.ts';
import { decodeNumbers, parseDecimal, splitText } from './values.ts';
import { VRS, type Vr } from './vr.ts';

export interface Element {
  readonly tag: Tag;
  readonly vr: Vr;
  /** Where the value begins in the source. */
  readonly offset: number;
  /** Bytes of the value in the source; of an undefined length, all that belongs to it, delimiter included. */
  readonly length: number;
  /** Absent: a sequence, fragments, or a value too large to keep. */
  readonly value?: Uint8Array;
  readonly items?: readonly DataSet[];
  /** The first is the Basic Offset Table, which may be empty (PS3.5 A.4). */
  readonly fragments?: readonly { offset: number; length: number }[];
}

export interface DataSetWarning {
  readonly kind: 'duplicate' | 'out-of-order';
  readonly tag: Tag;
}

const SPECIFIC_CHARACTER_SET = 0x00080005;
const WARNINGS_MAX = 100;
/** Up to here a search is as fast as an index; most items are that small, and there may be a million of them. */
const SCANNED_MAX = 8;
const NO_WARNINGS: readonly DataSetWarning[] = [];
const NO_ITEMS: readonly DataSet[] = [];
const NO_ELEMENTS: readonly Element[] = [];
/** Among the tags that were asked for: the elements as a whole were. No tag is negative. */
export const ALL_ELEMENTS = -1;

/** What was made of a data set, and the tags that it was asked for meanwhile. */
interface Derived {
  readonly value: unknown;
  readonly asked: ReadonlySet<Tag>;
}

export class DataSet {
  readonly littleEndian: boolean;
  readonly #parent: DataSet | undefined;
  #elements: Element[] = [];
  #byTag: Map<Tag, Element> | undefined; // made for the first lookup among many
  #warnings: DataSetWarning[] | undefined;
  #characterSet: CharacterSet | undefined;
  /** Equal but for `#replaced`. */
  #model: DataSet | undefined;
  #replaced: readonly Element[] = NO_ELEMENTS;
  #asked: Set<Tag> | undefined; // while somebody watches
  #derived: Map<unknown, Derived> | undefined;

  constructor(littleEndian: boolean, parent?: DataSet) {
    this.littleEndian = littleEndian;
    this.#parent = parent;
  }

  /** For whoever reads a data set: the next element of the file. */
  append(element: Element): void {
    const last = this.#elements.at(-1);
    if (last !== undefined && last.tag >= element.tag) this.#warn(element.tag);
    this.#elements.push(element);
    this.#byTag?.set(element.tag, element);
  }

  /** Breaches of the order of elements (PS3.5 §7.1) in this data set, not in its items; the first hundred. */
  get warnings(): readonly DataSetWarning[] {
    return this.#warnings ?? NO_WARNINGS;
  }

  /** Of this data set, else of the one around it (PS3.5 §7.5.3). @throws DICOM_CHARSET_UNKNOWN */
  get characterSet(): CharacterSet {
    if (this.#characterSet === undefined) {
      const own = this.has(SPECIFIC_CHARACTER_SET);
      if (!own && this.#parent !== undefined) return this.#parent.characterSet;
      this.#characterSet = characterSetOf(this.strings(SPECIFIC_CHARACTER_SET));
    }
    return this.#characterSet;
  }

  /**
   * This data set with other elements in some places, each with the tag of the one before. Its own must be in order, and
   * Specific Character Set stays.
   */
  like(replacements: readonly { readonly index: number; readonly element: Element }[]): DataSet {
    const dataSet = new DataSet(this.littleEndian, this.#parent);
    dataSet.#elements = this.#elements.slice();
    for (const { index, element } of replacements) dataSet.#elements[index] = element;
    dataSet.#model = this;
    dataSet.#replaced = replacements.map(({ element }) => element);
    dataSet.#characterSet = this.#characterSet;
    return dataSet;
  }

  /** Made by `like`: what is the same has the offsets of the other's file. */
  get isLike(): boolean {
    return this.#model !== undefined;
  }

  /**
   * `compute(this)`; computed once, and taken from the data set that this one is like where nothing differs that was asked
   * for then. `compute` depends on the data set alone, and is known by its identity: a function of a module.
   */
  derive<T>(compute: (dataSet: DataSet) => T): T {
    const known = this.#derived?.get(compute) ?? this.#derivedByModel(compute);
    if (known !== undefined) {
      for (const tag of known.asked) this.#asked?.add(tag);
      return known.value as T;
    }
    const { result, asked } = this.watch(() => compute(this));
    this.#derived ??= new Map();
    this.#derived.set(compute, { value: result, asked });
    return result;
  }

  #derivedByModel(compute: unknown): Derived | undefined {
    const model = this.#model;
    const known = model === undefined ? undefined : model.#derived?.get(compute);
    if (known === undefined || known.asked.has(ALL_ELEMENTS)) return undefined;
    return this.#replaced.some(({ tag }) => known.asked.has(tag)) ? undefined : known;
  }

  /**
   * The tags that `run` asks this data set for; what it asks items for counts as their sequence. `ALL_ELEMENTS` is among
   * them where it went through the elements, so that any may have mattered.
   */
  watch<T>(run: () => T): { readonly result: T; readonly asked: ReadonlySet<Tag> } {
    const outer = this.#asked;
    const asked = new Set<Tag>();
    this.#asked = asked;
    try {
      return { result: run(), asked };
    } finally {
      this.#asked = outer;
      if (outer !== undefined) for (const tag of asked) outer.add(tag);
    }
  }

  /** What `run` asks for does not count for who watches. */
  unwatched<T>(run: () => T): T {
    const outer = this.#asked;
    this.#asked = undefined;
    try {
      return run();
    } finally {
      this.#asked = outer;
    }
  }

  elements(): Iterable<Element> {
    this.#asked?.add(ALL_ELEMENTS);
    return this.#elements;
  }

  /** Whether `test` holds for the tag of any element. Data sets that are `like` each other have the same tags. */
  someTag(test: (tag: Tag) => boolean): boolean {
    return this.#elements.some(({ tag }) => test(tag));
  }

  has(tag: Tag): boolean {
    return this.element(tag) !== undefined;
  }

  element(tag: Tag): Element | undefined {
    this.#asked?.add(tag);
    if (this.#model === undefined) return this.#find(tag);
    for (const element of this.#replaced) if (element.tag === tag) return element;
    return this.#model.#find(tag);
  }

  #find(tag: Tag): Element | undefined {
    if (this.#byTag !== undefined) return this.#byTag.get(tag);
    if (this.#elements.length <= SCANNED_MAX) return this.#elements.findLast((element) => element.tag === tag);
    this.#byTag = new Map(this.#elements.map((element) => [element.tag, element]));
    return this.#byTag.get(tag);
  }

  /** First value, decoded and without padding (numbers as decimal text, AT as eight digits); undefined if absent or empty. */
  string(tag: Tag): string | undefined {
    const [first] = this.strings(tag);
    return first === '' ? undefined : first;
  }

  /** All values, empty ones as ''. @throws DICOM_CHARSET_UNKNOWN */
  strings(tag: Tag): readonly string[] {
    const element = this.element(tag);
    if (element?.value === undefined) return [];
    const vr = meantVr(element);
    if (VRS[vr].text) return splitText(VRS[vr].charset ? this.#text(element.value, vr) : latin1Text(element.value), vr);
    const numbers = this.numbers(tag);
    return vr === 'AT' ? numbers.map(tagHex) : numbers.map(String);
  }

  /** First value; undefined if absent, empty or no number. */
  number(tag: Tag): number | undefined {
    const first = this.numbers(tag)[0];
    return first === undefined || Number.isNaN(first) ? undefined : first;
  }

  /** All values of a numeric VR, of DS, or of IS; NaN where a value is no number. */
  numbers(tag: Tag): readonly number[] {
    const element = this.element(tag);
    if (element?.value === undefined) return [];
    const vr = meantVr(element);
    if (VRS[vr].text) return splitText(latin1Text(element.value), vr).map(parseDecimal);
    return decodeNumbers(element.value, vr, this.littleEndian || element.vr === 'UN');
  }

  /** The encoded value; undefined if absent, or too large to be here (see `valueBytes`). */
  bytes(tag: Tag): Uint8Array | undefined {
    return this.element(tag)?.value;
  }

  items(tag: Tag): readonly DataSet[] {
    return this.element(tag)?.items ?? NO_ITEMS;
  }

  /** Tolerance: plain ASCII can be read whatever an unknown Specific Character Set means. */
  #text(value: Uint8Array, vr: Vr): string {
    try {
      return this.characterSet.decode(value, vr);
    } catch (error) {
      const ascii = asciiText(value);
      if (ascii === undefined) throw error;
      return ascii;
    }
  }

  #warn(tag: Tag): void {
    this.#warnings ??= [];
    const kind = this.has(tag) ? 'duplicate' : 'out-of-order';
    if (this.#warnings.length < WARNINGS_MAX) this.#warnings.push({ kind, tag });
  }
}

/** UN says that the writer did not know the VR; the dictionary may. */
function meantVr(element: Element): Vr {
  return element.vr === 'UN' ? implicitVr(element.tag) : element.vr;
}

/**
 * The bytes of a value, read from the source where the data set does not hold them.
 * @throws DICOM_TOO_LARGE when it is longer than `bytesMax`, DICOM_TRUNCATED when the source ends before
 */
export function valueBytes(source: ByteSource, element: Element, bytesMax: number): Uint8Array {
  if (element.value !== undefined) return element.value;
  const { tag, offset, length } = element;
  if (length > bytesMax) throw new LetheError('DICOM_TOO_LARGE', { tag: tagText(tag), length });
  const bytes = source.read(offset, length);
  if (bytes.length < length) throw new LetheError('DICOM_TRUNCATED', { tag: tagText(tag), offset, length });
  return new Uint8Array(bytes);
}
