/**
 * Storage commitment, push model (PS3.4 Annex J): the data sets of N-ACTION and N-EVENT-REPORT as values, and the seam to
 * whoever knows what is in custody. Pure.
 *
 * Public: `CommitmentTransaction`, `CommitmentResult`, `CommitmentLedger`, `parseCommitmentRequest`,
 * `writeCommitmentReport`, `EVENT_TYPE`.
 */
import { bytesSource, MemorySink } from '../core/bytes.ts';
import { LetheError } from '../core/errors.ts';
import type { DataSet } from '../dicom/data-set.ts';
import { readDataSet } from '../dicom/data-set-reader.ts';
import type { Tag } from '../dicom/tag.ts';
import { type TransferSyntax, transferSyntaxOf } from '../dicom/transfer-syntax.ts';
import { DataSetWriter, encodeNumbers } from '../dicom/writer.ts';
import { COMMAND, type CommandSet } from './command.ts';
import { STORAGE_COMMITMENT_PUSH_MODEL } from './negotiation.ts';

/** The well-known instance that every N-ACTION of the push model names (PS3.4 §J.3.5). */
export const COMMITMENT_INSTANCE = '1.2.840.10008.1.20.1.1';
/** Request Storage Commitment, the only action type (PS3.4 Table J.3-1). */
export const REQUEST_COMMITMENT = 1;
/** PS3.4 Table J.3-2. */
export const EVENT_TYPE = { successful: 1, failuresExist: 2 } as const;

/** PS3.3 C.14.1.1. */
export const FAILURE_REASON = {
  processingFailure: 0x0110,
  noSuchObjectInstance: 0x0112,
  resourceLimitation: 0x0213,
  sopClassNotSupported: 0x0122,
  classInstanceConflict: 0x0119,
  duplicateTransactionUid: 0x0131,
} as const;

export interface SopReference {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
}

export interface CommitmentTransaction {
  readonly transactionUid: string;
  /** Who asked, and is to be told: the sender's own UIDs go back to it and to nobody else. */
  readonly callingAeTitle: string;
  /** Whom it asked. */
  readonly calledAeTitle: string;
  readonly customer: string | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly requestedAtMs: number;
  readonly references: readonly SopReference[];
}

export interface FailedReference extends SopReference {
  /** One of FAILURE_REASON. */
  readonly reason: number;
}

/** None of it, for one reason. */
export function failedResult({ references }: CommitmentTransaction, reason: number): CommitmentResult {
  return { committed: [], failed: references.map((reference) => ({ ...reference, reason })) };
}

export interface CommitmentResult {
  readonly committed: readonly SopReference[];
  readonly failed: readonly FailedReference[];
}

/**
 * The seam to the store. A transaction survives a restart from `remember` until `settle`; the same transaction twice is
 * one.
 */
export interface CommitmentLedger {
  /**
   * Resolves when the transaction is durable: only then is the N-ACTION answered. `other`: its UID is in use for other
   * references.
   */
  remember(transaction: CommitmentTransaction): Promise<'new' | 'same' | 'other'>;
  /** By policy on custody or on delivery; undefined: not decided yet, ask again later. `last`: whatever is open has failed. */
  decide(transaction: CommitmentTransaction, last: boolean): Promise<CommitmentResult | undefined>;
  /** The peer has confirmed the report, or it was given up. */
  settle(transaction: CommitmentTransaction, outcome: 'reported' | 'given up'): Promise<void>;
  /** What is remembered and not settled, at the start. */
  owed(): Promise<readonly CommitmentTransaction[]>;
}

const TRANSACTION_UID: Tag = 0x00081195;
const FAILED_SOP_SEQUENCE: Tag = 0x00081198;
const REFERENCED_SOP_SEQUENCE: Tag = 0x00081199;
const REFERENCED_SOP_CLASS_UID: Tag = 0x00081150;
const REFERENCED_SOP_INSTANCE_UID: Tag = 0x00081155;
const FAILURE_REASON_TAG: Tag = 0x00081197;
const IMPLICIT_VR_LITTLE_ENDIAN = '1.2.840.10008.1.2';

/** Action Information of Table J.3-1. @throws DIMSE_COMMITMENT_INVALID */
export function parseCommitmentRequest(
  bytes: Uint8Array,
  transferSyntaxUid: string,
): Pick<CommitmentTransaction, 'transactionUid' | 'references'> {
  const { explicitVr, littleEndian } = encodingOf(transferSyntaxUid);
  let dataSet: DataSet;
  try {
    dataSet = readDataSet(bytesSource(bytes), { explicitVr, littleEndian });
  } catch (error) {
    throw new LetheError('DIMSE_COMMITMENT_INVALID', { what: 'data set' }, { cause: error });
  }
  const transactionUid = dataSet.string(TRANSACTION_UID) ?? '';
  const references = dataSet.items(REFERENCED_SOP_SEQUENCE).map((item) => ({
    sopClassUid: item.string(REFERENCED_SOP_CLASS_UID) ?? '',
    sopInstanceUid: item.string(REFERENCED_SOP_INSTANCE_UID) ?? '',
  }));
  const complete = references.every(({ sopClassUid, sopInstanceUid }) => sopClassUid !== '' && sopInstanceUid !== '');
  if (transactionUid === '' || references.length === 0 || !complete)
    throw new LetheError('DIMSE_COMMITMENT_INVALID', { what: 'references', count: references.length });
  return { transactionUid, references };
}

/** Event Information of Table J.3-2 and the event type that goes with it. */
export function writeCommitmentReport(
  transactionUid: string,
  { committed, failed }: CommitmentResult,
  transferSyntaxUid: string,
): { eventTypeId: number; bytes: Uint8Array } {
  const { explicitVr, littleEndian } = encodingOf(transferSyntaxUid);
  const sink = new MemorySink();
  const writer = new DataSetWriter(sink, { explicitVr, littleEndian });
  const uid = (tag: Tag, value: string) => writer.element(tag, 'UI', Buffer.from(value, 'latin1'));
  const reference = ({ sopClassUid, sopInstanceUid }: SopReference) => {
    uid(REFERENCED_SOP_CLASS_UID, sopClassUid);
    uid(REFERENCED_SOP_INSTANCE_UID, sopInstanceUid);
  };
  uid(TRANSACTION_UID, transactionUid);
  if (failed.length > 0) {
    writer.beginSequence(FAILED_SOP_SEQUENCE);
    for (const one of failed) {
      writer.beginItem();
      reference(one);
      writer.element(FAILURE_REASON_TAG, 'US', encodeNumbers([one.reason], 'US', littleEndian));
      writer.endItem();
    }
    writer.endSequence();
  }
  if (committed.length > 0) {
    writer.beginSequence(REFERENCED_SOP_SEQUENCE);
    for (const one of committed) {
      writer.beginItem();
      reference(one);
      writer.endItem();
    }
    writer.endSequence();
  }
  return { eventTypeId: failed.length > 0 ? EVENT_TYPE.failuresExist : EVENT_TYPE.successful, bytes: sink.bytes() };
}

/** N-EVENT-REPORT-RQ, PS3.7 Table 10.3-1. */
export function eventReport(messageId: number, eventTypeId: number): CommandSet {
  return {
    commandField: COMMAND['N-EVENT-REPORT-RQ'],
    messageId,
    affectedSopClassUid: STORAGE_COMMITMENT_PUSH_MODEL,
    affectedSopInstanceUid: COMMITMENT_INSTANCE,
    eventTypeId,
    dataSetType: 1,
  };
}

/** What the peers of this service negotiate; a deflated or encapsulated syntax makes no sense for it. */
function encodingOf(transferSyntaxUid: string): TransferSyntax {
  const syntax = transferSyntaxOf(transferSyntaxUid);
  if (syntax === undefined || syntax.deflated)
    throw new LetheError('DIMSE_COMMITMENT_INVALID', { what: 'transfer syntax' });
  return syntax;
}

/** Of a report on an association that we ask for: what every peer takes. */
export const REPORT_TRANSFER_SYNTAX = IMPLICIT_VR_LITTLE_ENDIAN;
