/**
 * What must be known of an instance before its first element can be decided: its SOP class, whose it is, by how much its
 * dates move, and everything in it that identifies. One walk over the header, nested items included.
 */
import type { DataSet, Element } from '../dicom/data-set.ts';
import { attributeOf } from '../dicom/dictionary.ts';
import { isPrivate, type Tag } from '../dicom/tag.ts';
import { isStandardUid } from '../dicom/uids.ts';
import { VRS } from '../dicom/vr.ts';
import { sequenceItems } from './element-policy.ts';
import { essence, IdentityCollector, type IdentityKind, isUid, type KnownIdentity } from './identity.ts';
import { issuerOf, patientOf } from './patient.ts';
import type { CompiledProfile } from './profile.ts';
import type { Pseudonyms } from './pseudonym.ts';
import { rowOf, type TableRow } from './tables.ts';
import { meantVr, textValues } from './value-text.ts';

export interface Instance {
  readonly profile: CompiledProfile;
  readonly pseudonyms: Pseudonyms;
  readonly dataSet: DataSet;
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly studyInstanceUid: string;
  /** Patient ID; where there is none, the study stands for its patient. */
  readonly patient: string;
  readonly shiftDays: number;
  readonly identity: KnownIdentity;
  /** Configured name of the sender. */
  readonly source: string | undefined;
}

const STUDY_INSTANCE_UID = 0x0020000d;
const PATIENT_ID = 0x00100020;
const PATIENT_BIRTH_DATE = 0x00100030;
const PLACE =
  /Institution|Address|Residence|Location|Country|Region|Organization|Facility|Department|Ward|School|Room|Service/;

export interface InstanceOptions {
  readonly profile: CompiledProfile;
  readonly pseudonyms: Pseudonyms;
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly source: string | undefined;
}

export function readInstance(dataSet: DataSet, options: InstanceOptions): Instance {
  const studyInstanceUid = dataSet.string(STUDY_INSTANCE_UID) ?? `study of ${options.sopInstanceUid}`;
  const patientId = dataSet.string(PATIENT_ID);
  const patient =
    patientId === undefined
      ? `patient of ${studyInstanceUid}`
      : patientOf(patientId, issuerOf(dataSet, options.profile));
  return {
    ...options,
    dataSet,
    studyInstanceUid,
    patient,
    shiftDays: options.pseudonyms.dateShiftDays(patient),
    // What each element adds is compared by itself (siblings.ts).
    identity: dataSet.unwatched(() => identityOf(dataSet, options.profile)),
  };
}

/** What identifies in this instance, for whoever needs it before the instance is written. */
export function identityOf(dataSet: DataSet, profile: CompiledProfile): KnownIdentity {
  const collector = new IdentityCollector();
  if (profile.base !== 'none') collect(dataSet, profile, collector);
  return collector.identity();
}

/** What one element adds to the identity. */
export interface Contribution {
  /** Of two elements the same where they add the same to everything but the UIDs. */
  readonly known: string;
  readonly uids: readonly string[];
  readonly count: number;
}

/** What `identityOf` takes from an element of the top level. */
export function contributionOf(element: Element, dataSet: DataSet, profile: CompiledProfile): Contribution {
  const known: string[] = [];
  const uids: string[] = [];
  const collector: Collector = {
    add: (kind, value) => known.push(`${kind}\0${essence(kind, value)}\0`),
    addUid(uid) {
      if (isUid(uid)) uids.push(uid);
    },
  };
  if (profile.base !== 'none') collectElement(element, dataSet, profile, collector);
  return { known: known.join(''), uids, count: known.length + uids.length };
}

type Collector = {
  add(kind: IdentityKind, value: string): void;
  addUid(uid: string): void;
};

function collect(dataSet: DataSet, profile: CompiledProfile, collector: Collector): void {
  for (const element of dataSet.elements()) collectElement(element, dataSet, profile, collector);
}

function collectElement(element: Element, dataSet: DataSet, profile: CompiledProfile, collector: Collector): void {
  const items = sequenceItems(element);
  if (items !== undefined) for (const item of items) collect(item, profile, collector);
  else if (element.value !== undefined && element.length > 0) collectValue(element, dataSet, profile, collector);
}

function collectValue(element: Element, dataSet: DataSet, profile: CompiledProfile, collector: Collector): void {
  const vr = meantVr(element);
  if (!VRS[vr].text) return;
  const { tag } = element;
  if (vr === 'PN') {
    for (const value of textValues(element, vr, dataSet) ?? []) collector.add('name', value);
    return;
  }
  const row = isPrivate(tag) ? undefined : rowOf(tag);
  if (row === undefined) return;
  if (profile.codeOf(tag) === 'K') return;
  if (vr === 'UI') {
    if (profile.options.has('retainUIDs')) return;
    for (const uid of textValues(element, vr, dataSet) ?? [])
      if (uid !== '' && !isStandardUid(uid)) collector.addUid(uid);
    return;
  }
  const kind = kindOf(tag, vr, row);
  if (kind !== undefined) for (const value of textValues(element, vr, dataSet) ?? []) collector.add(kind, value);
}

function kindOf(tag: Tag, vr: string, row: TableRow): IdentityKind | undefined {
  if (tag === PATIENT_BIRTH_DATE || vr === 'DA' || vr === 'DT') return 'date';
  if (vr === 'TM' || vr === 'AS' || vr === 'CS' || vr === 'DS' || vr === 'IS') return undefined;
  // Descriptions and characteristics speak of the patient in common words; what identifies in them is known elsewhere.
  const { cleanDescriptors, retainPatientCharacteristics, cleanStructuredContent, cleanGraphics } = row.options;
  if (cleanDescriptors ?? retainPatientCharacteristics ?? cleanStructuredContent ?? cleanGraphics) return undefined;
  return PLACE.test(attributeOf(tag)?.keyword ?? '') ? 'place' : 'identifier';
}
