/**
 * Data sets and Part 10 files for tests of every folder, written straight from PS3.5 §7 and PS3.10 §7.1. On purpose
 * it shares nothing with src/dicom/writer.ts, so that the reader and the writer are tested by something else; only
 * keywords and default VRs come from the dictionary.
 *
 *   buildPart10([
 *     ['SOPClassUID', CT_IMAGE_STORAGE], ['SOPInstanceUID', '2.25.1'], ['PatientName', 'Doe^Jane'],
 *     [0x00091001, 'LO', 'private'], ['Rows', 2], ['RequestAttributesSequence', [[['StudyDate', '20200101']]]],
 *     ['PixelData', 'OB', { fragments: [new Uint8Array(0), jpeg] }],
 *   ], { transferSyntax: '1.2.840.10008.1.2.4.50' });
 *
 * Elements are written in the order given, values as given (odd ones padded unless `pad: false`).
 */
import { deflateRawSync } from 'node:zlib';
import { implicitVr, tagOfKeyword } from '../../src/dicom/dictionary.ts';

export type BuildValue = string | number | readonly (string | number)[] | Uint8Array | Fragments | Items | null;
/** Encapsulated pixel data; the first fragment is the Basic Offset Table. */
export interface Fragments {
  readonly fragments: readonly Uint8Array[];
}
/** The items of a sequence, each a list of elements. */
export type Items = readonly (readonly BuildElement[])[];
/** A tag or a keyword, a VR where it is not the dictionary's, a value. Strings are encoded one byte a character. */
export type BuildElement =
  | readonly [tag: number | string, value: BuildValue]
  | readonly [tag: number | string, vr: string, value: BuildValue];

export interface BuildOptions {
  /** UID; Explicit VR Little Endian unless said. Deflated ones are deflated by `buildPart10`, not by `buildDataSet`. */
  readonly transferSyntax?: string;
  /** Sequences and items carry their lengths instead of delimiters. */
  readonly definedLengths?: boolean;
  readonly pad?: boolean;
}

export interface BuildPart10Options extends BuildOptions {
  /** Default: zeros. */
  readonly preamble?: Uint8Array;
  /** Elements of group 0002 beside or instead of the usual ones. */
  readonly meta?: readonly BuildElement[];
  /** Default: the transfer syntax of the data set. */
  readonly declaredTransferSyntax?: string;
  /** Bytes after the data set. */
  readonly trailing?: Uint8Array;
}

export const IMPLICIT_LITTLE = '1.2.840.10008.1.2';
export const EXPLICIT_LITTLE = '1.2.840.10008.1.2.1';
export const EXPLICIT_BIG = '1.2.840.10008.1.2.2';
export const DEFLATED_LITTLE = '1.2.840.10008.1.2.1.99';

const LONG_VRS = 'OB OD OF OL OV OW SQ SV UC UN UR UT UV'.split(' ');
const NUL_PADDED = 'UI OB OD OF OL OV OW UN'.split(' ');

interface Form {
  readonly explicit: boolean;
  readonly little: boolean;
  readonly definedLengths: boolean;
  readonly pad: boolean;
}

/** One data set without file meta information. */
export function buildDataSet(elements: readonly BuildElement[], options: BuildOptions | string = {}): Uint8Array {
  const chosen = typeof options === 'string' ? { transferSyntax: options } : options;
  const syntax = chosen.transferSyntax ?? EXPLICIT_LITTLE;
  return dataSet(elements, {
    explicit: syntax !== IMPLICIT_LITTLE,
    little: syntax !== EXPLICIT_BIG,
    definedLengths: chosen.definedLengths ?? false,
    pad: chosen.pad ?? true,
  });
}

/** A whole file: preamble, DICM, group 0002 (SOP Class and Instance UID as in the data set), data set. */
export function buildPart10(elements: readonly BuildElement[], options: BuildPart10Options | string = {}): Uint8Array {
  const chosen = typeof options === 'string' ? { transferSyntax: options } : options;
  const syntax = chosen.transferSyntax ?? EXPLICIT_LITTLE;
  const body = buildDataSet(elements, chosen);
  return concatBytes(
    chosen.preamble ?? new Uint8Array(128),
    latin1('DICM'),
    fileMeta(elements, chosen.declaredTransferSyntax ?? syntax, chosen.meta ?? []),
    syntax === DEFLATED_LITTLE ? even(deflateRawSync(body)) : body,
    chosen.trailing ?? new Uint8Array(0),
  );
}

function fileMeta(
  elements: readonly BuildElement[],
  transferSyntax: string,
  extra: readonly BuildElement[],
): Uint8Array {
  const meta = new Map<number, BuildElement>([
    [0x00020001, [0x00020001, 'OB', Uint8Array.of(0, 1)]],
    [0x00020002, [0x00020002, 'UI', valueIn(elements, 0x00080016)]],
    [0x00020003, [0x00020003, 'UI', valueIn(elements, 0x00080018)]],
    [0x00020010, [0x00020010, 'UI', transferSyntax]],
    [0x00020012, [0x00020012, 'UI', '2.25.1']],
  ]);
  for (const element of extra) meta.set(tagOf(element[0]), element);
  const sorted = [...meta].toSorted(([a], [b]) => a - b).map(([, element]) => element);
  const rest = buildDataSet(sorted);
  return concatBytes(buildDataSet([[0x00020000, 'UL', rest.length]]), rest);
}

function valueIn(elements: readonly BuildElement[], tag: number): BuildValue {
  const found = elements.find((element) => tagOf(element[0]) === tag);
  return found === undefined ? '' : found.length === 2 ? found[1] : found[2];
}

function dataSet(elements: readonly BuildElement[], form: Form): Uint8Array {
  return concatBytes(...elements.map((element) => elementBytes(element, form)));
}

function elementBytes(element: BuildElement, form: Form): Uint8Array {
  const tag = tagOf(element[0]);
  const vr = element.length === 3 ? element[1] : implicitVr(tag);
  const value = element.length === 3 ? element[2] : element[1];
  if (isFragments(value))
    return concatBytes(
      header(tag, vr, undefined, form),
      ...value.fragments.map((bytes) => item(bytes, form)),
      end(form),
    );
  if (vr !== 'SQ' && !isItems(value)) {
    const bytes = form.pad
      ? even(valueBytes(value, vr, form), NUL_PADDED.includes(vr) ? 0 : 0x20)
      : valueBytes(value, vr, form);
    return concatBytes(header(tag, vr, bytes.length, form), bytes);
  }
  // A sequence in UN is Implicit VR Little Endian inside (PS3.5 §6.2.2).
  const inner = vr === 'UN' ? { ...form, explicit: false, little: true } : form;
  const bodies = (isItems(value) ? value : []).map((elements) => dataSet(elements, inner));
  const items = concatBytes(...bodies.map((body) => sequenceItem(body, inner)));
  if (form.definedLengths) return concatBytes(header(tag, vr, items.length, form), items);
  return concatBytes(header(tag, vr, undefined, form), items, end(inner));
}

function isFragments(value: BuildValue): value is Fragments {
  return typeof value === 'object' && value !== null && 'fragments' in value;
}

function isItems(value: BuildValue): value is Items {
  return Array.isArray(value) && Array.isArray(value[0]);
}

function header(tag: number, vr: string, length: number | undefined, form: Form): Uint8Array {
  const start = concatBytes(uint(tag >>> 16, 2, form), uint(tag & 0xffff, 2, form));
  const long = length ?? 0xffffffff;
  if (!form.explicit) return concatBytes(start, uint(long, 4, form));
  if (!LONG_VRS.includes(vr)) return concatBytes(start, latin1(vr), uint(long, 2, form));
  return concatBytes(start, latin1(vr), new Uint8Array(2), uint(long, 4, form));
}

function delimiter(element: number, length: number, form: Form): Uint8Array {
  return concatBytes(uint(0xfffe, 2, form), uint(element, 2, form), uint(length, 4, form));
}

function sequenceItem(body: Uint8Array, form: Form): Uint8Array {
  if (form.definedLengths) return concatBytes(delimiter(0xe000, body.length, form), body);
  return concatBytes(delimiter(0xe000, 0xffffffff, form), body, delimiter(0xe00d, 0, form));
}

function item(bytes: Uint8Array, form: Form): Uint8Array {
  const padded = form.pad ? even(bytes) : bytes;
  return concatBytes(delimiter(0xe000, padded.length, form), padded);
}

function end(form: Form): Uint8Array {
  return delimiter(0xe0dd, 0, form);
}

function valueBytes(value: Exclude<BuildValue, Fragments | Items>, vr: string, form: Form): Uint8Array {
  if (value === null) return new Uint8Array(0);
  if (value instanceof Uint8Array) return value;
  const values = typeof value === 'object' ? value : [value];
  if (values.every((one) => typeof one === 'number') && !isText(vr)) {
    return concatBytes(...values.map((one) => number(Number(one), vr, form)));
  }
  return latin1(values.join('\\'));
}

function isText(vr: string): boolean {
  return 'AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT'.split(' ').includes(vr);
}

function number(value: number, vr: string, form: Form): Uint8Array {
  if (vr === 'AT') return concatBytes(uint(value >>> 16, 2, form), uint(value & 0xffff, 2, form));
  if (vr === 'FD' || vr === 'OD') return swapped(new Uint8Array(Float64Array.of(value).buffer), form);
  if (vr === 'FL' || vr === 'OF') return swapped(new Uint8Array(Float32Array.of(value).buffer), form);
  if (vr === 'OB' || vr === 'UN') return Uint8Array.of(value);
  const bytes = vr === 'SV' || vr === 'UV' || vr === 'OV' ? 8 : vr === 'SL' || vr === 'UL' || vr === 'OL' ? 4 : 2;
  return uint(value, bytes, form);
}

function uint(value: number, bytes: number, form: Form): Uint8Array {
  let rest = BigInt.asUintN(bytes * 8, BigInt(value));
  const little = new Uint8Array(bytes);
  for (let index = 0; index < bytes; index++) {
    little[index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return swapped(little, form);
}

/** From the machine's order, which is little endian on all that Node 26 runs on. */
function swapped(little: Uint8Array, form: Form): Uint8Array {
  return form.little ? little : little.toReversed();
}

function even(bytes: Uint8Array, padding = 0): Uint8Array {
  return bytes.length % 2 === 0 ? bytes : concatBytes(bytes, Uint8Array.of(padding));
}

function tagOf(tag: number | string): number {
  if (typeof tag === 'number') return tag;
  const found = tagOfKeyword(tag);
  if (found === undefined) throw new Error(`no keyword ${tag} in PS3.6`);
  return found;
}

export function latin1(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'));
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}
