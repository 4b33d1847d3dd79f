/** F20, shared by the tests of the table and of the wire. */
import type { ErrorCode } from '../../src/core/errors.ts';

/** Status by cause, PS3.4 Table B.2-1 and PS3.7 Annex C; the ranges A7xx and Cxxx are ours to divide. */
export const STATUS_BY_CODE: readonly (readonly [ErrorCode, number])[] = [
  ['INVARIANT', 0x0110],
  ['INSTANCE_DUPLICATE', 0x0111],
  ['DIMSE_INVALID_UID', 0x0117],
  ['DIMSE_SOP_CLASS_NOT_SUPPORTED', 0x0122],
  ['DIMSE_NOT_AUTHORIZED', 0x0124],
  ['DIMSE_DUPLICATE_INVOCATION', 0x0210],
  ['DIMSE_COMMAND_MALFORMED', 0x0212],
  ['DIMSE_LIMIT_REACHED', 0x0213],
  ['SPOOL_FULL', 0xa700],
  ['SPOOL_IO', 0xa701],
  ['STORE_UNAVAILABLE', 0xa702],
  ['DIMSE_SOP_CLASS_MISMATCH', 0xa900],
  ['DIMSE_STUDY_UID_MISSING', 0xa901],
  ['DIMSE_DATA_SET_UNREADABLE', 0xc000],
];
