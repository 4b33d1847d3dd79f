/**
 * Study Root Query/Retrieve (PS3.4 Annex C): the identifiers that we ask with and the answers we read. Pure.
 *
 * A query names a study by its Study Instance UID or by an Accession Number, and asks what it consists of. No answer is
 * trusted further than its shape: a peer may leave out every optional key (PS3.4 §C.2.2.1.3).
 */
import { bytesSource, MemorySink } from '../core/bytes.ts';
import { LetheError } from '../core/errors.ts';
import { characterSetOf } from '../dicom/charset.ts';
import type { DataSet } from '../dicom/data-set.ts';
import { readDataSet } from '../dicom/data-set-reader.ts';
import type { Tag } from '../dicom/tag.ts';
import { type TransferSyntax, transferSyntaxOf } from '../dicom/transfer-syntax.ts';
import { DataSetWriter, encodeText } from '../dicom/writer.ts';

export const STUDY_ROOT_FIND = '1.2.840.10008.5.1.4.1.2.2.1';
export const STUDY_ROOT_MOVE = '1.2.840.10008.5.1.4.1.2.2.2';
export const STUDY_ROOT_GET = '1.2.840.10008.5.1.4.1.2.2.3';

export type StudyKey = { readonly studyInstanceUid: string } | { readonly accessionNumber: string };

export interface FoundStudy {
  readonly studyInstanceUid: string;
  /** (0020,1208), where the peer says it. */
  readonly instances: number | undefined;
  /** (0008,0062), where the peer says it. */
  readonly sopClasses: readonly string[];
}

const SPECIFIC_CHARACTER_SET: Tag = 0x00080005;
const ACCESSION_NUMBER: Tag = 0x00080050;
const QUERY_RETRIEVE_LEVEL: Tag = 0x00080052;
const SOP_CLASSES_IN_STUDY: Tag = 0x00080062;
const STUDY_INSTANCE_UID: Tag = 0x0020000d;
const NUMBER_OF_STUDY_RELATED_INSTANCES: Tag = 0x00201208;
const ANSWER_BYTES_MAX = 1024 * 1024; // an answer holds a handful of keys
/** What matches more than itself (PS3.4 §C.2.2.2): a list of keys must not ask for the whole archive. */
const WILDCARD = /[*?\\]/;
const UID = /^[0-9.]{1,64}$/;

/** What can be asked for: one study, never a pattern. */
export function isStudyKey(key: StudyKey): boolean {
  if ('studyInstanceUid' in key) return UID.test(key.studyInstanceUid);
  return key.accessionNumber !== '' && key.accessionNumber.length <= 16 && !WILDCARD.test(key.accessionNumber);
}

/** C-FIND identifier, STUDY level (PS3.4 §C.6.2.1). Elements in the order of their tags. */
export function findIdentifier(key: StudyKey, transferSyntaxUid: string): Uint8Array {
  const accession = 'accessionNumber' in key ? key.accessionNumber : '';
  const study = 'studyInstanceUid' in key ? key.studyInstanceUid : '';
  return written(transferSyntaxUid, (writer) => {
    writer.element(SPECIFIC_CHARACTER_SET, 'CS', latin1('ISO_IR 100'));
    writer.element(ACCESSION_NUMBER, 'SH', encodeText(accession, 'SH', characterSetOf(['ISO_IR 100'])));
    writer.element(QUERY_RETRIEVE_LEVEL, 'CS', latin1('STUDY'));
    writer.element(SOP_CLASSES_IN_STUDY, 'UI', latin1(''));
    writer.element(STUDY_INSTANCE_UID, 'UI', latin1(study));
    writer.element(NUMBER_OF_STUDY_RELATED_INSTANCES, 'IS', latin1(''));
  });
}

/** C-GET and C-MOVE identifier, STUDY level (PS3.4 §C.6.2.2, §C.6.2.3). */
export function retrieveIdentifier(studyInstanceUid: string, transferSyntaxUid: string): Uint8Array {
  return written(transferSyntaxUid, (writer) => {
    writer.element(QUERY_RETRIEVE_LEVEL, 'CS', latin1('STUDY'));
    writer.element(STUDY_INSTANCE_UID, 'UI', latin1(studyInstanceUid));
  });
}

/** Undefined where the answer names no study. @throws DIMSE_ANSWER_UNREADABLE */
export function parseFound(chunks: readonly Uint8Array[], transferSyntaxUid: string): FoundStudy | undefined {
  const bytes = Buffer.concat(chunks);
  if (bytes.length > ANSWER_BYTES_MAX) throw new LetheError('DIMSE_ANSWER_UNREADABLE', { length: bytes.length });
  const dataSet = parsed(bytes, transferSyntaxUid);
  const studyInstanceUid = dataSet.string(STUDY_INSTANCE_UID) ?? '';
  if (!UID.test(studyInstanceUid)) return undefined;
  const instances = dataSet.number(NUMBER_OF_STUDY_RELATED_INSTANCES);
  const known = instances !== undefined && Number.isInteger(instances) && instances >= 0;
  return {
    studyInstanceUid,
    instances: known ? instances : undefined,
    sopClasses: dataSet.strings(SOP_CLASSES_IN_STUDY).filter((uid) => UID.test(uid)),
  };
}

function parsed(bytes: Uint8Array, transferSyntaxUid: string): DataSet {
  const { explicitVr, littleEndian } = encodingOf(transferSyntaxUid);
  try {
    return readDataSet(bytesSource(bytes), { explicitVr, littleEndian });
  } catch (error) {
    throw new LetheError('DIMSE_ANSWER_UNREADABLE', { what: 'data set' }, { cause: error });
  }
}

function written(transferSyntaxUid: string, write: (writer: DataSetWriter) => void): Uint8Array {
  const sink = new MemorySink();
  write(new DataSetWriter(sink, encodingOf(transferSyntaxUid)));
  return sink.bytes();
}

function encodingOf(transferSyntaxUid: string): TransferSyntax {
  const syntax = transferSyntaxOf(transferSyntaxUid);
  if (syntax === undefined || syntax.deflated)
    throw new LetheError('DIMSE_ANSWER_UNREADABLE', { what: 'transfer syntax' });
  return syntax;
}

function latin1(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}
