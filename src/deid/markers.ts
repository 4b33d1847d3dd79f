/**
 * What PS3.15 §E.1.1 asks to be written into every de-identified instance: that it is, by which method (CID 7050), and
 * what became of dates; and identifiers without which nobody could refer to the instance, where it came without them.
 */
import { VERSION } from '../core/version.ts';
import type { DataSet, Element } from '../dicom/data-set.ts';
import type { Tag } from '../dicom/tag.ts';
import type { Vr } from '../dicom/vr.ts';
import { type DataSetWriter, encodeText } from '../dicom/writer.ts';
import type { CompiledProfile } from './profile.ts';
import { BASIC_METHOD_CODE, METHOD_CODES, type ProfileOption } from './profile-options.ts';
import { EDITION } from './tables.ts';

/** An element that the output has whatever the original had in its place. */
export type Addition =
  | { readonly kind: 'value'; readonly vr: Vr; readonly value: Uint8Array }
  | { readonly kind: 'codes'; readonly codes: readonly (readonly [string, string])[] }
  /** A sequence; of each item the elements, in the order of tags. */
  | { readonly kind: 'items'; readonly items: readonly (readonly (readonly [Tag, Vr, Uint8Array])[])[] };

const PATIENT_IDENTITY_REMOVED = 0x00120062;
const DEIDENTIFICATION_METHOD = 0x00120063;
const DEIDENTIFICATION_METHOD_CODE_SEQUENCE = 0x00120064;
const BURNED_IN_ANNOTATION = 0x00280301;
const RECOGNIZABLE_VISUAL_FEATURES = 0x00280302;
const LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED = 0x00280303;
const CODE_VALUE = 0x00080100;
const CODING_SCHEME_DESIGNATOR = 0x00080102;
const CODE_MEANING = 0x00080104;
/** Their codes are written only where it was done to this instance. */
const DONE_ELSEWHERE: readonly ProfileOption[] = ['cleanPixelData', 'cleanRecognizableVisualFeatures'];

export interface MarkerOptions {
  readonly profile: CompiledProfile;
  readonly burnedIn?: 'NO' | undefined;
  /** CID 7050 codes of what was done to the pixels. */
  readonly methodCodes: readonly string[];
  readonly showsFace: boolean;
}

export function markers({ profile, burnedIn, methodCodes, showsFace }: MarkerOptions): Map<Tag, Addition> {
  const added = new Map<Tag, Addition>();
  if (burnedIn !== undefined) added.set(BURNED_IN_ANNOTATION, text('CS', burnedIn));
  if (profile.base === 'none') return added;
  added.set(PATIENT_IDENTITY_REMOVED, text('CS', 'YES'));
  added.set(DEIDENTIFICATION_METHOD, text('LO', `Lethe ${VERSION} ${profile.name} PS3.15 ${EDITION}`.slice(0, 64)));
  added.set(DEIDENTIFICATION_METHOD_CODE_SEQUENCE, { kind: 'codes', codes: codesOf(profile, methodCodes) });
  added.set(LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED, text('CS', temporal(profile)));
  if (showsFace) added.set(RECOGNIZABLE_VISUAL_FEATURES, text('CS', 'YES'));
  return added;
}

function codesOf(profile: CompiledProfile, methodCodes: readonly string[]): (readonly [string, string])[] {
  const done = new Set(methodCodes);
  const options = (Object.keys(METHOD_CODES) as ProfileOption[]).filter((option) =>
    DONE_ELSEWHERE.includes(option) ? done.has(METHOD_CODES[option][0]) : profile.options.has(option),
  );
  return [BASIC_METHOD_CODE, ...options.map((option) => METHOD_CODES[option])];
}

/** By the options, and by what the site's rules leave in spite of them. */
function temporal({ options, rules }: CompiledProfile): string {
  if (options.has('retainLongitudinalModifiedDates') || rules.dates === 'modified') return 'MODIFIED';
  return options.has('retainLongitudinalFullDates') || rules.dates === 'kept' ? 'UNMODIFIED' : 'REMOVED';
}

function text(vr: Vr, value: string): Addition {
  return { kind: 'value', vr, value: encodeText(value, vr) };
}

export function writeAddition(writer: DataSetWriter, tag: Tag, addition: Addition): void {
  if (addition.kind === 'value') {
    writer.element(tag, addition.vr, addition.value);
    return;
  }
  const items = addition.kind === 'items' ? addition.items : addition.codes.map(codeItem);
  writer.beginSequence(tag);
  for (const item of items) {
    writer.beginItem();
    for (const [inner, vr, value] of item) writer.element(inner, vr, value);
    writer.endItem();
  }
  writer.endSequence();
}

function codeItem([code, meaning]: readonly [string, string]): readonly (readonly [Tag, Vr, Uint8Array])[] {
  return [
    [CODE_VALUE, 'SH', encodeText(code, 'SH')],
    [CODING_SCHEME_DESIGNATOR, 'SH', encodeText('DCM', 'SH')],
    [CODE_MEANING, 'LO', encodeText(meaning, 'LO')],
  ];
}

/** An element of no length, for asking what would become of it. */
export function emptyElement(tag: Tag, vr: Vr): Element {
  return { tag, vr, offset: 0, length: 0, value: new Uint8Array(0) };
}

/** True where the data set has a value for it. */
export function hasValue(dataSet: DataSet, tag: Tag): boolean {
  const element = dataSet.element(tag);
  return element !== undefined && element.length > 0;
}
