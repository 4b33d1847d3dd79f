/**
 * Storage commitment on one association of the listener: reads the N-ACTION (PS3.4 §J.3.2), answers it when it is
 * remembered, and reports by N-EVENT-REPORT on the same association as long as that stands.
 */
import { toLetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { Association } from './association.ts';
import { type CommandSet, type ResponseFacts, STATUS, writeCommand } from './command.ts';
import {
  COMMITMENT_INSTANCE,
  type CommitmentResult,
  type CommitmentTransaction,
  eventReport,
  FAILURE_REASON,
  failedResult,
  parseCommitmentRequest,
  REQUEST_COMMITMENT,
  writeCommitmentReport,
} from './commitment.ts';
import type { CommitmentReporter } from './commitment-reporter.ts';
import { type NegotiatedContext, STORAGE_COMMITMENT_PUSH_MODEL } from './negotiation.ts';
import { commandPdus, dataTfHeader, pdvDataBytesMax } from './pdu-writer.ts';
import type { AssociationFacts } from './storage-handler.ts';

export interface CommitmentServiceOptions {
  readonly association: Association;
  readonly facts: AssociationFacts;
  readonly peerMaxPduLengthBytes: number;
  readonly reporter: CommitmentReporter;
  readonly logger: Logger;
  readonly reportTimeoutMs?: number;
}

/** A request for a hundred thousand instances has about 15 MB. */
const REQUEST_BYTES_MAX = 32 * 1024 * 1024;
const REPORT_TIMEOUT_MS = 30_000;
const MESSAGE_ID_MAX = 0xffff;

export class CommitmentService {
  readonly #options: CommitmentServiceOptions;
  readonly #unanswered = new Map<number, (confirmed: boolean) => void>();
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #messageId = 0;
  #ended = false;

  constructor(options: CommitmentServiceOptions) {
    this.#options = options;
  }

  push(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (this.#bytes <= REQUEST_BYTES_MAX) this.#chunks.push(new Uint8Array(bytes));
    else this.#chunks = [];
  }

  /** The whole N-ACTION is here. Resolves with what to answer; `afterwards` is for when it was answered. */
  async end(
    command: CommandSet,
    context: NegotiatedContext,
  ): Promise<{ response: ResponseFacts; afterwards?: () => void }> {
    const bytes = Buffer.concat(this.#chunks);
    const tooLong = this.#bytes > REQUEST_BYTES_MAX;
    this.#chunks = [];
    this.#bytes = 0;
    const status = requestStatus(command, context, tooLong);
    if (status !== STATUS.success) return { response: { status } };
    try {
      const { facts, reporter } = this.#options;
      const { callingAeTitle, calledAeTitle, customer } = facts;
      const request = parseCommitmentRequest(bytes, context.transferSyntax);
      const asked = { ...request, callingAeTitle, calledAeTitle, customer };
      const { transaction, known } = await reporter.request(asked);
      this.#log(transaction);
      const same = (_transaction: CommitmentTransaction, result: CommitmentResult) =>
        this.#report(transaction, result, context);
      const afterwards =
        known === 'other'
          ? () => void same(transaction, failedResult(transaction, FAILURE_REASON.duplicateTransactionUid))
          : () => reporter.answered(transaction, same);
      return { response: { status: STATUS.success }, afterwards };
    } catch (error) {
      return { response: { status: toLetheError(error).row.dimseStatus ?? STATUS.processingFailure } };
    }
  }

  /** An N-EVENT-REPORT-RSP. */
  onResponse(command: CommandSet): void {
    const messageId = command.messageIdBeingRespondedTo ?? 0;
    this.#unanswered.get(messageId)?.(command.status === STATUS.success);
  }

  onEnd(): void {
    this.#ended = true;
    for (const confirm of this.#unanswered.values()) confirm(false);
  }

  #report(transaction: CommitmentTransaction, result: CommitmentResult, context: NegotiatedContext): Promise<boolean> {
    const { association, peerMaxPduLengthBytes } = this.#options;
    if (this.#ended || association.state !== 'Sta6') return Promise.resolve(false);
    const { eventTypeId, bytes } = writeCommitmentReport(transaction.transactionUid, result, context.transferSyntax);
    this.#messageId = (this.#messageId % MESSAGE_ID_MAX) + 1;
    const command = writeCommand(eventReport(this.#messageId, eventTypeId));
    association.send([commandPdus(context.id, command, peerMaxPduLengthBytes)]);
    const fragment = pdvDataBytesMax(peerMaxPduLengthBytes, bytes.length);
    for (let at = 0; at < bytes.length; at += fragment) {
      const data = bytes.subarray(at, at + fragment);
      const last = at + fragment >= bytes.length;
      association.send([dataTfHeader({ contextId: context.id, command: false, last, length: data.length }), data]);
    }
    return this.#confirmation(this.#messageId);
  }

  #confirmation(messageId: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (confirmed: boolean) => {
        clearTimeout(timer);
        this.#unanswered.delete(messageId);
        resolve(confirmed);
      };
      const timer = setTimeout(() => settle(false), this.#options.reportTimeoutMs ?? REPORT_TIMEOUT_MS);
      this.#unanswered.set(messageId, settle);
    });
  }

  #log({ transactionUid, references }: CommitmentTransaction): void {
    const { facts, logger } = this.#options;
    const { number, remoteAddress, callingAeTitle, calledAeTitle } = facts;
    const fields = { association: number, remote: remoteAddress, callingAeTitle, calledAeTitle };
    logger.log('info', 'commitment.requested', { ...fields, transaction: transactionUid, count: references.length });
  }
}

/** PS3.7 §10.1.4.1.10. */
function requestStatus(command: CommandSet, context: NegotiatedContext, tooLong: boolean): number {
  if (context.abstractSyntax !== STORAGE_COMMITMENT_PUSH_MODEL) return STATUS.sopClassNotSupported;
  if (command.requestedSopInstanceUid !== COMMITMENT_INSTANCE) return STATUS.noSuchObjectInstance;
  if (command.actionTypeId !== REQUEST_COMMITMENT) return STATUS.noSuchActionType;
  return tooLong ? STATUS.resourceLimitation : STATUS.success;
}
