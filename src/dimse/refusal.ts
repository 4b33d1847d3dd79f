/**
 * What a C-STORE is answered with when it failed: the status of the error's row (PS3.4 Table B.2-1, PS3.7 Annex C) and an
 * Error Comment (0000,0902) that says what to do, in the 64 characters that an LO has. No comment holds a value.
 */
import type { ErrorCode, LetheError } from '../core/errors.ts';
import { STATUS } from './command.ts';
import type { StoreResponse } from './storage-handler.ts';

export const ERROR_COMMENTS: Partial<Record<ErrorCode, string>> = {
  INVARIANT: 'Internal error; the receiver log has details. Send again',
  DICOM_NOT_PART10: 'Not a DICOM data set',
  DICOM_TRUNCATED: 'The data set ends inside an element; send it again',
  DICOM_MALFORMED: 'The data set breaks the encoding rules of PS3.5',
  DICOM_TOO_DEEP: 'Sequences are nested deeper than the receiver takes',
  DICOM_TOO_LARGE: 'The instance is larger than the limit of the receiver',
  DICOM_TRANSFER_SYNTAX_UNKNOWN: 'The transfer syntax is not known here',
  DIMSE_COMMAND_MALFORMED: 'C-STORE-RQ without a data set or SOP class',
  DIMSE_COMMITMENT_INVALID: 'The storage commitment request cannot be read',
  DIMSE_DUPLICATE_INVOCATION: 'Message ID of a request that is still in progress',
  DIMSE_STUDY_UID_MISSING: 'Study or Series Instance UID is missing or malformed',
  DIMSE_LIMIT_REACHED: 'Enough for one association; continue on a new one',
  DIMSE_INVALID_UID: 'The SOP Instance UID is malformed',
  DIMSE_NOT_AUTHORIZED: 'This sender is not allowed to store here',
  DIMSE_SOP_CLASS_MISMATCH: 'SOP Class or Instance UID differ: command, data set',
  DIMSE_SOP_CLASS_NOT_SUPPORTED: 'No C-STORE in this presentation context',
  DIMSE_DATA_SET_UNREADABLE: 'The data set cannot be read as far as its UIDs',
  INSTANCE_DUPLICATE: 'Stored before under this UID with other content',
  SPOOL_FULL: 'The disk of the receiver is full; send again later',
  SPOOL_IO: 'The disk of the receiver fails; send again later',
  STORE_UNAVAILABLE: 'The database of the receiver fails; send again later',
};

export function refusalOf(error: LetheError): StoreResponse {
  const tag = error.detail['tag'];
  const errorComment = ERROR_COMMENTS[error.code];
  return {
    status: error.row.dimseStatus ?? STATUS.processingFailure,
    ...(errorComment === undefined ? {} : { errorComment }),
    ...(typeof tag === 'number' ? { offendingElements: [tag] } : {}),
  };
}

/** Stored all the same: Data set does not match SOP class (B007, PS3.4 Table B.2-1), with what is wrong with it. */
export function warningOf(error: LetheError): StoreResponse {
  return { ...refusalOf(error), status: STATUS.dataSetDoesNotMatchWarning };
}
