/** Whose an instance is: a patient ID, and its issuer where the profile distinguishes issuers. */
import type { DataSet } from '../dicom/data-set.ts';
import type { CompiledProfile } from './profile.ts';

const ISSUER_OF_PATIENT_ID = 0x00100021;
const ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE = 0x00100024;
const UNIVERSAL_ENTITY_ID = 0x00400032;

/** Issuer of Patient ID, or the universal one of its qualifiers (PS3.3 Table 10-18); '' where the profile ignores it. */
export function issuerOf(dataSet: DataSet, profile: CompiledProfile): string {
  if (profile.issuer === 'ignore') return '';
  const [qualifiers] = dataSet.items(ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE);
  return dataSet.string(ISSUER_OF_PATIENT_ID) ?? qualifiers?.string(UNIVERSAL_ENTITY_ID) ?? '';
}

/** What a patient is known by: the same ID of another issuer is another patient. */
export function patientOf(patientId: string, issuer: string): string {
  return issuer === '' ? patientId : `${patientId}\0${issuer}`;
}
