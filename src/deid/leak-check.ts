/**
 * The last look before anything leaves: everything known to identify is searched for in the whole output as it is, read
 * anew from its bytes: preamble, file meta information, every value of every text VR, private and unknown bytes in the
 * encodings text comes in, the headers of compressed frames, and what stands behind the data set. A find names the path,
 * never the value.
 *
 * Pixels are not searched byte by byte: stored samples spell anything. Numbers, dates and times in their own VRs are
 * not compared with identifiers either, since "12345" is one and a value of 12345 is none.
 */
import type { ByteSource } from '../core/bytes.ts';
import { latin1Text } from '../dicom/charset.ts';
import type { DataSet, Element } from '../dicom/data-set.ts';
import { readDataSet } from '../dicom/data-set-reader.ts';
import { openPart10 } from '../dicom/part10.ts';
import { groupOf, tagText } from '../dicom/tag.ts';
import { isStandardUid } from '../dicom/uids.ts';
import { VRS, type Vr } from '../dicom/vr.ts';
import { type CheckedOutputs, READING } from './checked-outputs.ts';
import { type FragmentAt, imageFragments, metadataRanges } from './codestream-metadata.ts';
import { sequenceItems } from './element-policy.ts';
import { ENCRYPTED_CONTENT } from './encrypted-attributes.ts';
import { isEnvelope } from './enveloped-data.ts';
import { holdsIdentity, type KnownIdentity } from './identity.ts';
import { meantVr, textValues } from './value-text.ts';

export interface Leak {
  /** `(0040,0275)[0].(0032,1060)`, `preamble`, `trailing bytes`, `fragment 3`. */
  readonly path: string;
}

const PIECE_BYTES = 1_048_576;
/** Longer than any name, address or identifier that could lie across the border of two pieces. */
const OVERLAP_BYTES = 1024;
const PREAMBLE_BYTES = 128;
const PIXEL_GROUP = 0x7fe0;
const LEAKS_MAX = 100;
const UIDS = /\d+(?:\.\d+){3,}/g;
/** Values that cannot spell a name, and in which a number is not an identifier. */
const NUMERIC: readonly Vr[] = ['DA', 'DS', 'DT', 'IS', 'TM', 'AS'];

/**
 * `checked`: what was found clean before; what of this output is not new is not searched again.
 * @throws DICOM_* where the output cannot be read: then it must not leave either
 */
export function leakCheck(output: ByteSource, identity: KnownIdentity, checked?: CheckedOutputs): Leak[] {
  const leaks: Leak[] = [];
  const found = (path: string): void => {
    if (leaks.length < LEAKS_MAX) leaks.push({ path });
  };
  const sibling = checked?.siblingOf(output, identity);
  if (sibling !== undefined) {
    const { file, metaChanges, changes } = sibling;
    const search = { needles: identity, source: file.source, found };
    for (const { element } of metaChanges) checkElement(element, file.fileMeta, '', search);
    for (const { element } of changes) checkElement(element, file.dataSet, '', search);
    return leaks;
  }
  const open = openPart10(output);
  const { needles, compared } = watched(identity);
  if (bytesHold(output.read(0, PREAMBLE_BYTES), needles)) found('preamble');
  checkDataSet(open.fileMeta, '', { needles, source: output, found });
  const dataSet = readDataSet(open.source, { ...READING, ...open.encoding, offset: open.dataSetOffset });
  checkDataSet(dataSet, '', { needles, source: open.source, found });
  if (leaks.length === 0) checked?.add({ ...open, dataSet }, identity, compared);
  return leaks;
}

/** What is searched for. */
type Needles = Omit<KnownIdentity, 'uids'> & { readonly uids: Pick<ReadonlySet<string>, 'has'> };

/** Keeps the UIDs that are compared. */
function watched(identity: KnownIdentity): { needles: Needles; compared: ReadonlySet<string> } {
  const compared = new Set<string>();
  const has = (uid: string): boolean => {
    compared.add(uid);
    return identity.uids.has(uid);
  };
  return { needles: { ...identity, uids: { has } }, compared };
}

/** Searches a payload: its text, and the file names and JSON keys in it. */
export function leakCheckText(text: string, identity: KnownIdentity): Leak[] {
  for (const uid of uidsIn(text)) if (identity.uids.has(uid)) return [{ path: 'text' }];
  return holdsIdentity(withoutStandardUids(text), identity) ? [{ path: 'text' }] : [];
}

/** 1.2.840.10008.5.1.4.1.1.2 is of the Standard and names no patient, whose identifier may be 10008. */
function withoutStandardUids(text: string): string {
  return text.replace(UIDS, (uid) => (isStandardUid(uid) ? ' ' : uid));
}

interface Search {
  readonly needles: Needles;
  readonly source: ByteSource;
  found(path: string): void;
}

function checkDataSet(dataSet: DataSet, path: string, search: Search): void {
  for (const element of dataSet.elements()) checkElement(element, dataSet, path, search);
}

function checkElement(element: Element, dataSet: DataSet, path: string, search: Search): void {
  const here = path + tagText(element.tag);
  const items = sequenceItems(element);
  if (items !== undefined) {
    for (const [index, item] of items.entries()) checkDataSet(item, `${here}[${index}].`, search);
  } else if (isSealed(element, path)) return;
  else if (element.fragments !== undefined) checkFragments(element.fragments, here, search);
  else if (holds(element, dataSet, search) || bulkHolds(element, search)) search.found(here);
}

/** What is encrypted to somebody spells anything by chance, and nothing to anybody else. */
function isSealed(element: Element, path: string): boolean {
  const isContent = element.tag === ENCRYPTED_CONTENT && path.startsWith('(0400,0500)[');
  return isContent && element.value !== undefined && isEnvelope(element.value);
}

/** A value too long to have been read: in pieces that overlap, so that nothing is cut in two. */
function bulkHolds(element: Element, { source, needles }: Search): boolean {
  const vr = meantVr(element);
  const isSearched = element.value === undefined && groupOf(element.tag) !== PIXEL_GROUP;
  if (!isSearched || !(isOpaque(vr) || VRS[vr].text)) return false;
  for (let at = 0; at < element.length; at += PIECE_BYTES - OVERLAP_BYTES) {
    const piece = source.read(element.offset + at, Math.min(PIECE_BYTES, element.length - at));
    if (bytesHold(piece, needles)) return true;
  }
  return false;
}

function checkFragments(fragments: readonly FragmentAt[], path: string, search: Search): void {
  let index = 1; // 0 is the Basic Offset Table
  for (const { isImage, fragments: parts } of imageFragments(search.source, fragments.slice(1))) {
    const first = index;
    index += parts.length;
    if (!isImage) continue;
    const image = joined(search.source, parts);
    const isFound = metadataRanges(image).some(({ start, end }) =>
      bytesHold(image.subarray(start, end), search.needles),
    );
    if (isFound) search.found(`${path} fragment ${first}`);
  }
}

function joined(source: ByteSource, parts: readonly FragmentAt[]): Uint8Array {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return source.read(only.offset, only.length);
  return Buffer.concat(parts.map(({ offset, length }) => Buffer.from(source.read(offset, length))));
}

function holds(element: Element, dataSet: DataSet, { needles }: Search): boolean {
  const { value } = element;
  if (value === undefined || groupOf(element.tag) === PIXEL_GROUP) return false;
  const vr = meantVr(element);
  if (vr === 'UI') return uidsHold(latin1Text(value), needles);
  if (NUMERIC.includes(vr)) return false;
  if (!VRS[vr].text) return isOpaque(vr) && bytesHold(value, needles);
  const values = textValues(element, vr, dataSet);
  return values === undefined ? bytesHold(value, needles) : values.some((text) => narrowHolds(text, needles));
}

/** Also with the NULs of a wider encoding left out. */
function narrowHolds(text: string, needles: Needles): boolean {
  return textHolds(text, needles) || (text.includes('\0') && textHolds(text.replaceAll('\0', ''), needles));
}

function isOpaque(vr: Vr): boolean {
  return vr === 'UN' || vr === 'OB';
}

function uidsHold(text: string, needles: Needles): boolean {
  return text.split('\\').some((value) => {
    const uid = value.replace(/^[\0 ]+|[\0 ]+$/g, '');
    return needles.uids.has(uid) && !isStandardUid(uid);
  });
}

function textHolds(text: string, needles: Needles): boolean {
  if (holdsIdentity(text, needles)) return true;
  for (const uid of uidsIn(text)) if (needles.uids.has(uid)) return true;
  return false;
}

function uidsIn(text: string): readonly string[] {
  return text.match(UIDS) ?? [];
}

/** Bytes of no known kind, as text in the encodings that text comes in. */
function bytesHold(bytes: Uint8Array, needles: Needles): boolean {
  if (narrowHolds(latin1Text(bytes), needles)) return true;
  return textHolds(new TextDecoder('utf-8').decode(bytes), needles);
}
