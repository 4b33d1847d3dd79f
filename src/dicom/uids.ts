/**
 * Unique identifiers: the registry of PS3.6 Table A-1 (edition in the generated file) and the form of PS3.5 §9.1.
 */
import { ROWS } from './uids.generated.ts';

/** PS3.6 Table A-1, column "UID Type". */
export type UidType =
  | 'SOPClass'
  | 'TransferSyntax'
  | 'WellKnownSOPInstance'
  | 'WellKnownFrameOfReference'
  | 'Other'
  | 'CodingScheme'
  | 'ApplicationContext'
  | 'MetaSOPClass'
  | 'ServiceClass';

export interface RegisteredUid {
  readonly uid: string;
  readonly type: UidType;
  readonly name: string;
  readonly retired: boolean;
}

const UID_CHARACTERS_MAX = 64;

let registry: ReadonlyMap<string, RegisteredUid> | undefined;

/** PS3.6 Table A-1 by UID. */
export function registeredUids(): ReadonlyMap<string, RegisteredUid> {
  registry ??= new Map(ROWS.trim().split('\n').map(parseRow));
  return registry;
}

export function uidName(uid: string): string | undefined {
  return registeredUids().get(uid)?.name;
}

/**
 * A UID that the Standard itself assigns: never the identity of an instance, so de-identification keeps it. Only what
 * Table A-1 lists: senders are known that make instance UIDs under the Standard's own root.
 */
export function isStandardUid(uid: string): boolean {
  return registeredUids().has(uid);
}

/** Digits and dots, no component empty or with a leading zero, at most 64 characters (PS3.5 §9.1). */
export function isValidUid(text: string): boolean {
  return text.length <= UID_CHARACTERS_MAX && /^(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))+$/.test(text);
}

/** Names of things that C-STORE does not carry although their SOP class is named "Storage". */
const NOT_STORED = /^(?:Storage Commitment|Media Storage Directory|Storage Management)/;

/** SOP classes of the Storage Service Class (PS3.4 Annex B.5, GG.3) by UID, retired ones too, with their names. */
export const STORAGE_SOP_CLASSES: ReadonlyMap<string, string> = new Map(
  [...registeredUids().values()]
    .filter(({ type, name }) => type === 'SOPClass' && / Storage\b/.test(name) && !NOT_STORED.test(name))
    .map(({ uid, name }) => [uid, name]),
);

function parseRow(line: string): [string, RegisteredUid] {
  const [uid = '', type = '', retired = '', name = ''] = line.split('|');
  return [uid, { uid, type: type as UidType, name, retired: retired === 'R' }];
}
