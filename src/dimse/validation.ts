/**
 * What is checked of a C-STORE on receipt, without loading pixels (PS3.4 §B.2.3), and what the site wants done about
 * each: `refuse` it with its status, `warn` (stored, answered B007), or `accept`. What is stored in spite of a fault is held
 * by the processing, which meets the same fault again. Pure.
 */
import { LetheError } from '../core/errors.ts';
import type { Tag } from '../dicom/tag.ts';
import type { CommandSet } from './command.ts';
import type { DataSetFindings } from './data-set-inspector.ts';

export type Remedy = 'refuse' | 'warn' | 'accept';

export interface ValidationPolicy {
  /** SOP Class or SOP Instance UID of the command and of the data set differ (A900). */
  readonly uidsDiffer: Remedy;
  /** SOP Instance UID is not made of digits and periods, or is longer than 64 (0117). */
  readonly uidMalformed: Remedy;
  /** The data set cannot be read as far as its UIDs (C000). */
  readonly unreadable: Remedy;
  /** Study or Series Instance UID is missing, empty or malformed (A901). */
  readonly studyUidsMissing: Remedy;
}

export const VALIDATION: ValidationPolicy = {
  uidsDiffer: 'refuse',
  uidMalformed: 'refuse',
  unreadable: 'refuse',
  studyUidsMissing: 'accept',
};

export interface Fault {
  readonly error: LetheError;
  readonly remedy: Remedy;
}

const UID_CHARACTERS_MAX = 64;
const UID_CHARACTERS = /^[0-9.]+$/;
/** What a name in a command may be at all, so that it can be kept and compared. */
const STORABLE_UID = /^[\x21-\x7e]{1,64}$/;

/** Tolerance: components with leading zeros, which archives are full of; anything that is no UID at all is a fault. */
function isUid(text: string): boolean {
  return text.length <= UID_CHARACTERS_MAX && UID_CHARACTERS.test(text);
}

/** Known from the command alone: what is refused is refused before its data set arrives. */
export function uidFault(request: CommandSet, policy: ValidationPolicy): Fault | undefined {
  const uid = request.affectedSopInstanceUid ?? '';
  if (isUid(uid)) return undefined;
  return {
    error: new LetheError('DIMSE_INVALID_UID'),
    remedy: STORABLE_UID.test(uid) ? policy.uidMalformed : 'refuse',
  };
}

const SEVERITY: readonly Remedy[] = ['refuse', 'warn', 'accept'];

/** The fault of command and data set that decides: the first of those with the severest remedy. */
export function decidingFault(
  request: CommandSet,
  findings: DataSetFindings,
  policy: ValidationPolicy,
): Fault | undefined {
  const faults = [uidFault(request, policy), ...dataSetFaults(request, findings, policy)].filter(
    (fault) => fault !== undefined,
  );
  return faults.toSorted((a, b) => SEVERITY.indexOf(a.remedy) - SEVERITY.indexOf(b.remedy))[0];
}

function dataSetFaults(request: CommandSet, findings: DataSetFindings, policy: ValidationPolicy): Fault[] {
  const { error } = findings;
  if (error !== undefined) {
    const unreadable = new LetheError('DIMSE_DATA_SET_UNREADABLE', { cause: error.code }, { cause: error });
    return [{ error: unreadable, remedy: policy.unreadable }];
  }
  const faults: Fault[] = [];
  const fault = (code: 'DIMSE_SOP_CLASS_MISMATCH' | 'DIMSE_STUDY_UID_MISSING', tag: Tag, remedy: Remedy) =>
    faults.push({ error: new LetheError(code, { tag }), remedy });
  const differs = (said: string | undefined, found: string | undefined) =>
    found !== undefined && found !== '' && found !== said;
  if (differs(request.affectedSopClassUid, findings.sopClassUid))
    fault('DIMSE_SOP_CLASS_MISMATCH', 0x00080016, policy.uidsDiffer);
  if (differs(request.affectedSopInstanceUid, findings.sopInstanceUid))
    fault('DIMSE_SOP_CLASS_MISMATCH', 0x00080018, policy.uidsDiffer);
  if (!findings.inspected) return faults; // a transfer syntax that is not looked into: nobody knows
  if (!isUid(findings.studyInstanceUid ?? '')) fault('DIMSE_STUDY_UID_MISSING', 0x0020000d, policy.studyUidsMissing);
  if (!isUid(findings.seriesInstanceUid ?? '')) fault('DIMSE_STUDY_UID_MISSING', 0x0020000e, policy.studyUidsMissing);
  return faults;
}
