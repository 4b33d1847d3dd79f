/**
 * DICOM JSON Model: PS3.18 Annex F. One object a data set, keyed by tag as eight hexadecimal digits; text is UTF-8
 * whatever the data set's own character set was. Group lengths are left out (§F.2.2). Writes only.
 *
 * Values that are not in memory become a BulkDataURI where the caller gives one, else the element has no value.
 */
import type { DataSet, Element } from './data-set.ts';
import { elementOf, type Tag, tagHex } from './tag.ts';
import { decodeNumbers, parseDecimal, swapUnits } from './values.ts';
import { VRS, type Vr } from './vr.ts';

export type JsonValue = string | number | null | JsonPersonName | DicomJson;

/** Component groups of a person name, §F.2.2; PS3.5 §6.2.1. */
export interface JsonPersonName {
  readonly Alphabetic?: string;
  readonly Ideographic?: string;
  readonly Phonetic?: string;
}

export interface JsonElement {
  readonly vr: Vr;
  readonly Value?: readonly JsonValue[];
  readonly InlineBinary?: string;
  readonly BulkDataURI?: string;
}

export interface DicomJson {
  readonly [tag: string]: JsonElement;
}

export interface DicomJsonOptions {
  /** Where a client would find a value that is not in memory; `path` is the element's tags from the top level. */
  readonly bulkDataUri?: (element: Element, path: readonly Tag[]) => string | undefined;
}

const SPECIFIC_CHARACTER_SET = 0x00080005;
const UTF_8 = 'ISO_IR 192';

/** @throws DICOM_CHARSET_UNKNOWN */
export function toDicomJson(dataSet: DataSet, options: DicomJsonOptions = {}): DicomJson {
  return dataSetJson(dataSet, options, []);
}

function dataSetJson(dataSet: DataSet, options: DicomJsonOptions, around: readonly Tag[]): DicomJson {
  const json: Record<string, JsonElement> = {};
  for (const element of dataSet.elements()) {
    if (elementOf(element.tag) === 0) continue;
    json[tagHex(element.tag)] = elementJson(dataSet, element, options, around);
  }
  return json;
}

function elementJson(
  dataSet: DataSet,
  element: Element,
  options: DicomJsonOptions,
  around: readonly Tag[],
): JsonElement {
  const { tag, vr, value, items } = element;
  if (items !== undefined) {
    const path = [...around, tag];
    const list = items.map((item) => dataSetJson(item, options, path));
    return list.length === 0 ? { vr: 'SQ' } : { vr: 'SQ', Value: list };
  }
  if (value === undefined) {
    const uri = options.bulkDataUri?.(element, [...around, tag]);
    return uri === undefined ? { vr } : { vr, BulkDataURI: uri };
  }
  if (tag === SPECIFIC_CHARACTER_SET) return { vr, Value: [UTF_8] };
  if (value.length === 0) return { vr };
  if (!VRS[vr].text && !VRS[vr].multiValued) return { vr, InlineBinary: base64Of(value, vr, dataSet.littleEndian) };
  const values = VRS[vr].text ? textValues(dataSet.strings(tag), vr) : numberValues(value, vr, dataSet.littleEndian);
  return values.length === 0 ? { vr } : { vr, Value: values };
}

function textValues(values: readonly string[], vr: Vr): readonly JsonValue[] {
  return values.map((text) => {
    if (text === '') return null;
    if (vr === 'PN') return personName(text);
    if (vr !== 'DS' && vr !== 'IS') return text;
    const number = parseDecimal(text);
    return Number.isFinite(number) ? number : text;
  });
}

function personName(text: string): JsonPersonName {
  const [alphabetic = '', ideographic = '', phonetic = ''] = text.split('=');
  return {
    ...(alphabetic === '' ? {} : { Alphabetic: alphabetic }),
    ...(ideographic === '' ? {} : { Ideographic: ideographic }),
    ...(phonetic === '' ? {} : { Phonetic: phonetic }),
  };
}

function numberValues(value: Uint8Array, vr: Vr, littleEndian: boolean): readonly JsonValue[] {
  return decodeNumbers(value, vr, littleEndian).map((number) => {
    if (vr === 'AT') return tagHex(number);
    return Number.isFinite(number) ? number : specialText(number);
  });
}

/** JSON has no word for these; 64-bit integers and special floats may be strings (§F.2.3). */
function specialText(number: number): string {
  if (Number.isNaN(number)) return 'NaN';
  return number > 0 ? 'inf' : '-inf';
}

/** Binary values are given in little endian (§F.2.7), whatever the data set's own order. */
function base64Of(value: Uint8Array, vr: Vr, littleEndian: boolean): string {
  return Buffer.from(littleEndian ? value : swapUnits(value, VRS[vr].unitBytes)).toString('base64');
}
