/**
 * What happens on one accepted association of the storage SCP: C-STORE streamed to the handler as it arrives, C-ECHO,
 * and the right refusal for everything else (PS3.7 §9.1, PS3.4 Annex B). Requests are answered by message id; while one
 * instance is being made durable the next may arrive, up to the negotiated window.
 */
import { LetheError, toLetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { transferSyntaxOf } from '../dicom/transfer-syntax.ts';
import type { Association } from './association.ts';
import {
  COMMAND,
  type CommandSet,
  hasDataSet,
  type ResponseFacts,
  responseTo,
  STATUS,
  writeCommand,
} from './command.ts';
import type { CommitmentService } from './commitment-service.ts';
import { DataSetInspector } from './data-set-inspector.ts';
import { MessageAssembler } from './message-assembler.ts';
import { isStorable, type NegotiatedContext, STORAGE_COMMITMENT_PUSH_MODEL, VERIFICATION } from './negotiation.ts';
import { ABORT_REASON, type PdvSlice } from './pdu.ts';
import { abortReasonOf } from './pdu-reader.ts';
import { commandPdus } from './pdu-writer.ts';
import { refusalOf, warningOf } from './refusal.ts';
import type { AssociationFacts, IncomingStore, StorageAssociation, StoreResponse } from './storage-handler.ts';
import { decidingFault, uidFault, type ValidationPolicy } from './validation.ts';

export interface SessionOptions {
  readonly association: Association;
  readonly facts: AssociationFacts;
  readonly contexts: readonly NegotiatedContext[];
  readonly peerMaxPduLengthBytes: number;
  /** Requests in progress at once; more are not read until one is answered. */
  readonly operationsMax: number;
  readonly handler: StorageAssociation;
  readonly logger: Logger;
  readonly validation: ValidationPolicy;
  readonly unknownSopClasses: 'accept' | 'reject';
  /** What the association may bring, refused instances counted; infinite: no limit. */
  readonly instancesMax: number;
  readonly bytesMax: number;
  /** Absent: storage commitment is not served. */
  readonly commitment?: CommitmentService;
  /** `ms`: from the command to its answer. */
  onResponse(status: number, ms: number): void;
}

/** One C-STORE-RQ whose data set is arriving. `store` is gone once it was refused: the rest is read away. */
interface Receiving {
  readonly request: CommandSet;
  readonly contextId: number;
  readonly startMs: number;
  readonly inspector: DataSetInspector;
  store: IncomingStore | undefined;
  refusal: LetheError | undefined;
}

/** Statuses Bxxx: stored, with a remark (PS3.7 §C.4). */
const WARNING_MASK = 0xf000;
const WARNING = 0xb000;

export class StorageSession {
  readonly #options: SessionOptions;
  readonly #contexts: ReadonlyMap<number, NegotiatedContext>;
  readonly #assembler: MessageAssembler;
  readonly #inProgress = new Set<number>();
  #receiving: Receiving | undefined;
  /** An N-ACTION whose data set is arriving. */
  #action: { readonly command: CommandSet; readonly context: NegotiatedContext } | undefined;
  #releasing = false;
  #ended = false;
  #waiting = 0;
  #requests = 0;
  instances = 0;
  bytes = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#contexts = new Map(options.contexts.map((context) => [context.id, context]));
    this.#assembler = new MessageAssembler({
      onCommand: (command, contextId) => this.#onCommand(command, contextId),
      onData: (bytes) => this.#onData(bytes),
      onDataEnd: () => this.#onDataEnd(),
    });
  }

  onPdv(slice: PdvSlice): void {
    try {
      if (!this.#contexts.has(slice.contextId)) {
        throw new LetheError('DIMSE_PDU_UNEXPECTED', {
          what: 'presentation context was not accepted',
          abortReason: ABORT_REASON.invalidParameterValue,
        });
      }
      this.#assembler.push(slice);
    } catch (error) {
      const known = toLetheError(error);
      this.#options.association.abortAsProvider(abortReasonOf(known), known);
    }
  }

  /** Something is being made durable: the peer waits for us, not we for it. */
  get busy(): boolean {
    return this.#inProgress.size > 0 && this.#receiving === undefined;
  }

  /** The peer has begun a message that it has to go on with. */
  get insideMessage(): boolean {
    return this.#assembler.busy;
  }

  /** A-RELEASE was asked for: answered when everything in progress is. */
  onReleaseRequest(): void {
    this.#releasing = true;
    this.#respondRelease();
  }

  /** The association is over, whatever way: an instance that is not complete leaves no trace. */
  onEnd(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#receiving?.store?.abort();
    this.#receiving = undefined;
    this.#options.commitment?.onEnd();
    this.#options.handler.end();
  }

  #respondRelease(): void {
    if (this.#releasing && this.#inProgress.size === 0) this.#options.association.respondRelease();
  }

  #onCommand(command: CommandSet, contextId: number): void {
    switch (command.commandField) {
      case COMMAND['C-STORE-RQ']:
        return this.#beginStore(command, contextId);
      case COMMAND['C-ECHO-RQ']:
        return this.#echo(command, contextId);
      case COMMAND['N-ACTION-RQ']:
        return this.#beginAction(command, contextId);
      case COMMAND['N-EVENT-REPORT-RSP']:
        return this.#options.commitment?.onResponse(command);
      case COMMAND['C-CANCEL-RQ']:
        return; // nothing here can be cancelled; the Standard asks for no answer
      default:
        // A response that nobody asked for is ignored; an unknown request is told so (PS3.7 §C.5.23).
        if ((command.commandField & 0x8000) === 0)
          this.#respond(command, contextId, { status: STATUS.unrecognizedOperation });
    }
  }

  #beginAction(command: CommandSet, contextId: number): void {
    const context = this.#contexts.get(contextId);
    if (this.#options.commitment === undefined || context === undefined)
      return this.#respond(command, contextId, { status: STATUS.unrecognizedOperation });
    this.#action = { command, context };
    if (!hasDataSet(command)) this.#onDataEnd();
  }

  /** The answer goes out when the request is remembered, and only then the report (PS3.4 §J.3.2). */
  async #endAction({ command, context }: { command: CommandSet; context: NegotiatedContext }): Promise<void> {
    const ended = await this.#options.commitment?.end(command, context);
    if (ended === undefined) return;
    this.#respond(command, context.id, ended.response);
    ended.afterwards?.();
  }

  #echo(command: CommandSet, contextId: number): void {
    const right = this.#contexts.get(contextId)?.abstractSyntax === VERIFICATION;
    this.#respond(command, contextId, right ? { status: STATUS.success } : { status: STATUS.sopClassNotSupported });
  }

  #beginStore(command: CommandSet, contextId: number): void {
    const transferSyntaxUid = this.#contexts.get(contextId)?.transferSyntax ?? '';
    const receiving: Receiving = {
      request: command,
      contextId,
      startMs: performance.now(),
      inspector: new DataSetInspector(transferSyntaxOf(transferSyntaxUid)),
      store: undefined,
      refusal: this.#requestRefusal(command, contextId),
    };
    this.#receiving = receiving;
    const messageId = command.messageId ?? 0;
    if (receiving.refusal === undefined) this.#inProgress.add(messageId);
    if (receiving.refusal === undefined) this.#attempt(receiving, () => this.#open(receiving, transferSyntaxUid));
    if (!hasDataSet(command)) this.#onDataEnd();
  }

  #requestRefusal(command: CommandSet, contextId: number): LetheError | undefined {
    const abstractSyntax = this.#contexts.get(contextId)?.abstractSyntax;
    if (abstractSyntax === VERIFICATION || abstractSyntax === STORAGE_COMMITMENT_PUSH_MODEL)
      return new LetheError('DIMSE_SOP_CLASS_NOT_SUPPORTED');
    const { facts, validation, unknownSopClasses, instancesMax } = this.#options;
    if (!facts.mayStore) return new LetheError('DIMSE_NOT_AUTHORIZED');
    this.#requests++;
    if (this.#requests > instancesMax || this.bytes >= this.#options.bytesMax)
      return new LetheError('DIMSE_LIMIT_REACHED');
    if (!hasDataSet(command) || command.affectedSopClassUid === undefined)
      return new LetheError('DIMSE_COMMAND_MALFORMED', { field: 'data set' });
    // Another class than the context's is kept as the sender calls it, unless the site takes no unknown ones.
    if (command.affectedSopClassUid !== abstractSyntax && !isStorable(command.affectedSopClassUid, unknownSopClasses))
      return new LetheError('DIMSE_SOP_CLASS_NOT_SUPPORTED');
    const fault = uidFault(command, validation);
    if (fault?.remedy === 'refuse') return fault.error;
    if (this.#inProgress.has(command.messageId ?? 0)) return new LetheError('DIMSE_DUPLICATE_INVOCATION');
    return undefined;
  }

  #open(receiving: Receiving, transferSyntaxUid: string): void {
    const { request } = receiving;
    receiving.store = this.#options.handler.begin({
      sopClassUid: request.affectedSopClassUid ?? '',
      sopInstanceUid: request.affectedSopInstanceUid ?? '',
      transferSyntaxUid,
      priority: request.priority === 1 ? 'high' : request.priority === 2 ? 'low' : 'normal',
      moveOriginatorAeTitle: request.moveOriginatorAeTitle,
      moveOriginatorMessageId: request.moveOriginatorMessageId,
    });
  }

  /** A refusal does not end the association: the data set is read away and answered. */
  #attempt(receiving: Receiving, work: () => void): void {
    try {
      work();
    } catch (error) {
      receiving.refusal = toLetheError(error);
      receiving.store?.abort();
      receiving.store = undefined;
    }
  }

  #onData(bytes: Uint8Array): void {
    const receiving = this.#receiving;
    this.bytes += bytes.length;
    if (this.#action !== undefined) this.#options.commitment?.push(bytes);
    if (receiving?.store === undefined) return;
    const { store } = receiving;
    this.#attempt(receiving, () => {
      if (this.bytes > this.#options.bytesMax) throw new LetheError('DIMSE_LIMIT_REACHED');
      receiving.inspector.push(bytes);
      if (!store.write(bytes)) void this.#pauseUntil(store.drained());
    });
  }

  /** Nobody reads the socket until `done`; several reasons to wait may overlap. */
  async #pauseUntil(done: Promise<unknown>): Promise<void> {
    this.#waiting++;
    this.#options.association.pause();
    await done.catch(() => undefined); // whoever failed reports it where it is answered
    this.#waiting--;
    if (this.#waiting === 0 && !this.#ended) this.#options.association.resume();
  }

  #onDataEnd(): void {
    const action = this.#action;
    this.#action = undefined;
    if (action !== undefined) void this.#pauseUntil(this.#endAction(action));
    const receiving = this.#receiving;
    this.#receiving = undefined;
    if (receiving === undefined) return;
    const completed = this.#complete(receiving);
    if (this.#inProgress.size >= this.#options.operationsMax) void this.#pauseUntil(completed);
  }

  async #complete(receiving: Receiving): Promise<void> {
    const { request, contextId } = receiving;
    const response = await this.#responseOf(receiving);
    // A duplicate invocation is answered without forgetting the request that is really in progress.
    if (receiving.refusal?.code !== 'DIMSE_DUPLICATE_INVOCATION') this.#inProgress.delete(request.messageId ?? 0);
    if (response.status === STATUS.success || (response.status & WARNING_MASK) === WARNING) this.instances++;
    this.#respond(request, contextId, response, receiving.startMs);
    this.#respondRelease();
  }

  async #responseOf(receiving: Receiving): Promise<StoreResponse> {
    try {
      if (receiving.refusal !== undefined) throw receiving.refusal;
      const findings = receiving.inspector.end();
      const fault = decidingFault(receiving.request, findings, this.#options.validation);
      if (fault?.remedy === 'refuse') throw fault.error;
      if (receiving.store === undefined) throw new LetheError('INVARIANT', { what: 'store without a handler' });
      const store = receiving.store;
      receiving.store = undefined; // from here on it is complete: an abort of the association does not undo it
      const response = await store.complete(findings);
      return fault?.remedy === 'warn' && response.status === STATUS.success ? warningOf(fault.error) : response;
    } catch (error) {
      const known = toLetheError(error);
      receiving.store?.abort();
      this.#logRefusal(known);
      return refusalOf(known);
    }
  }

  #logRefusal(error: LetheError): void {
    const { facts, logger } = this.#options;
    const { number, remoteAddress, callingAeTitle, calledAeTitle } = facts;
    const status = error.row.dimseStatus ?? STATUS.processingFailure;
    logger.log('warn', 'store.refused', {
      association: number,
      remote: remoteAddress,
      callingAeTitle,
      calledAeTitle,
      status,
      code: error.code,
    });
  }

  #respond(request: CommandSet, contextId: number, facts: ResponseFacts, startMs = performance.now()): void {
    this.#options.onResponse(facts.status, performance.now() - startMs);
    const { association, peerMaxPduLengthBytes } = this.#options;
    const response = commandPdus(contextId, writeCommand(responseTo(request, facts)), peerMaxPduLengthBytes);
    // A peer that asks and does not listen is not read any more, or its answers would fill the memory.
    if (!association.send([response])) void this.#pauseUntil(association.drained());
  }
}
