/**
 * The sending side: one association to a storage SCP, C-ECHO and C-STORE on it (PS3.7 §9.1, PS3.4 Annex B), on the same
 * codec and state table as the listener. Data sets are streamed from their source with back-pressure; requests wait for
 * their answer one at a time or, where the peer grants a window, several at once.
 */
import { createConnection, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { LetheError } from '../core/errors.ts';
import { IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME } from '../core/version.ts';
import { ASSOCIATION_TIMERS, Association, type AssociationEnd, type AssociationTimers } from './association.ts';
import { COMMAND, type CommandSet, NO_DATA_SET, responseTo, STATUS, writeCommand } from './command.ts';
import { type CommitmentResult, eventReport, writeCommitmentReport } from './commitment.ts';
import { fragmentsOf } from './fragments.ts';
import { MessageAssembler } from './message-assembler.ts';
import { type NegotiatedContext, STORAGE_COMMITMENT_PUSH_MODEL, VERIFICATION } from './negotiation.ts';
import {
  APPLICATION_CONTEXT,
  type AssociateAc,
  type AssociateRq,
  CONTEXT_RESULT,
  type PresentationContextRq,
  type RoleSelection,
} from './pdu.ts';
import { commandPdus, dataTfHeader, pdvDataBytesMax } from './pdu-writer.ts';

export interface ProposedContext {
  readonly abstractSyntax: string;
  readonly transferSyntaxes: readonly string[];
}

export interface StorageScuOptions {
  readonly host: string;
  readonly port: number;
  readonly callingAeTitle: string;
  readonly calledAeTitle: string;
  /** Proposed in this order; at most 128, each becomes one presentation context. */
  readonly contexts: readonly ProposedContext[];
  /** Makes it a TLS connection; certificates as `node:tls` takes them. */
  readonly tls?: ConnectionOptions;
  readonly connectTimeoutMs?: number;
  /** The longest wait for an answer to a request, from when the last of it was sent. */
  readonly dimseTimeoutMs?: number;
  /** Gives up connecting and negotiating; an association that stands is ended by `abort`. */
  readonly signal?: AbortSignal;
  readonly timers?: Partial<AssociationTimers>;
  readonly maxPduLengthBytes?: number;
  readonly roles?: readonly RoleSelection[];
  /** Requests in progress at once that we ask for; the peer may grant fewer. */
  readonly operationsInvoked?: number;
}

export interface StoreOperation {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly transferSyntaxUid: string;
  /**
   * The data set without file meta information, in `transferSyntaxUid`. A chunk is kept by reference until the peer has
   * taken it: the source does not reuse its buffer.
   */
  readonly dataSet: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  readonly priority?: 'high' | 'normal' | 'low';
}

export interface OperationResponse {
  readonly status: number;
  readonly errorComment: string | undefined;
}

const CONTEXTS_MAX = 128; // odd identifiers 1 to 255 (PS3.8 §9.3.2.2)
const CONNECT_TIMEOUT_MS = 10_000;
const DIMSE_TIMEOUT_MS = 120_000;
const MAX_PDU_LENGTH_BYTES = 256 * 1024;
/** Where a peer sets no limit: large enough that headers cost nothing, small enough that two fit the socket's buffer. */
const FRAGMENT_BYTES_MAX = 256 * 1024;
const PRIORITY = { normal: 0, high: 1, low: 2 } as const; // PS3.7 §9.3.1.1
const RESPONSE_BIT = 0x8000; // of the Command Field (PS3.7 §E.1)
const MESSAGE_ID_MAX = 0xffff;

/** One request from when it was asked for until it is answered or hopeless. */
interface Operation {
  readonly contextId: number;
  readonly command: Omit<CommandSet, 'messageId'>;
  readonly dataSet: StoreOperation['dataSet'] | undefined;
  resolve(response: OperationResponse): void;
  reject(error: LetheError): void;
  timer: NodeJS.Timeout | undefined;
}

export class StorageScu {
  readonly #options: StorageScuOptions;
  readonly #association: Association;
  /** All that are not settled, whether sent or waiting for their turn. */
  readonly #operations = new Set<Operation>();
  /** Those that were sent, by message id. */
  readonly #sent = new Map<number, Operation>();
  readonly #assembler: MessageAssembler;
  readonly #established = Promise.withResolvers<AssociateAc>();
  readonly #released = Promise.withResolvers<void>();
  #contexts: NegotiatedContext[] = [];
  #peerMaxPduLengthBytes = 0;
  /** Requests that may be unanswered at once (PS3.7 §D.3.3.3). */
  #window = 1;
  #messageId = 0;
  #settled = Promise.withResolvers<void>();
  /** Data sets are sent one after the other, even where answers may come in any order (PS3.8 §E.1). */
  #sending: Promise<unknown> = Promise.resolve();
  #failure: LetheError | undefined;

  private constructor(socket: Socket, options: StorageScuOptions) {
    this.#options = options;
    this.#assembler = new MessageAssembler({
      onCommand: (command, contextId) => this.#onCommand(command, contextId),
      onData: () => undefined,
      onDataEnd: () => undefined,
    });
    const timers = { ...ASSOCIATION_TIMERS, ...options.timers };
    this.#association = new Association(
      socket,
      { role: 'requestor', maxPduLengthBytes: options.maxPduLengthBytes ?? MAX_PDU_LENGTH_BYTES, timers },
      {
        onAccepted: (response) => this.#established.resolve(response),
        onRejected: ({ result, source, reason }) =>
          this.#fail(new LetheError('DIMSE_ASSOCIATION_REJECTED', { result, source, reason })),
        onPdv: (slice) => this.#assembler.push(slice),
        onReleased: () => this.#released.resolve(),
        onReleaseRequest: () => this.#association.respondRelease(),
        onEnd: (end) => this.#fail(endError(end)),
        onClosed: () => {
          this.#fail(new LetheError('DIMSE_ASSOCIATION_ABORTED', { what: 'closed' }));
          this.#released.resolve();
        },
      },
    );
    this.#established.promise.catch(() => undefined);
  }

  /**
   * Connects and negotiates.
   * @throws DELIVERY_UNREACHABLE, DIMSE_ASSOCIATION_REJECTED, DIMSE_ASSOCIATION_ABORTED (also for `signal`), DIMSE_TIMEOUT
   */
  static async connect(options: StorageScuOptions): Promise<StorageScu> {
    const { signal } = options;
    const isStopped = () => signal?.aborted === true;
    if (isStopped()) throw stopped();
    const timeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    const socket =
      options.tls === undefined
        ? createConnection(options.port, options.host)
        : connectTls({ ...options.tls, host: options.host, port: options.port });
    const scu = new StorageScu(socket, options);
    const timer = setTimeout(() => scu.#giveUp(new LetheError('DIMSE_TIMEOUT', { timer: 'connect' })), timeoutMs);
    const onStop = () => scu.#giveUp(stopped());
    signal?.addEventListener('abort', onStop, { once: true });
    try {
      await opened(socket, options.tls !== undefined);
      scu.#association.connected(requestOf(options));
      scu.#onAccepted(await scu.#established.promise);
    } catch (error) {
      const failure = scu.#failure;
      scu.abort();
      // Not reached is more than "aborted", which is what the association itself makes of it.
      const unreachable = error instanceof LetheError && error.code === 'DELIVERY_UNREACHABLE';
      throw unreachable && !isStopped() ? error : (failure ?? error);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onStop);
    }
    return scu;
  }

  /** What the peer accepted. */
  get contexts(): readonly NegotiatedContext[] {
    return this.#contexts;
  }

  /** The association stands: it may be used for more. */
  get usable(): boolean {
    return this.#failure === undefined && this.#association.state === 'Sta6';
  }

  /** Requests that may be unanswered at once, as the peer granted (PS3.7 §D.3.3.3). */
  get window(): number {
    return this.#window;
  }

  accepts(sopClassUid: string, transferSyntaxUid: string): boolean {
    return this.#contextFor(sopClassUid, transferSyntaxUid) !== undefined;
  }

  /** @throws DIMSE_NO_CONTEXT, DIMSE_TIMEOUT, DIMSE_ASSOCIATION_ABORTED */
  echo(): Promise<OperationResponse> {
    const context = this.#contexts.find(({ abstractSyntax }) => abstractSyntax === VERIFICATION);
    if (context === undefined) return Promise.reject(new LetheError('DIMSE_NO_CONTEXT'));
    return this.#request(context.id, {
      commandField: COMMAND['C-ECHO-RQ'],
      affectedSopClassUid: VERIFICATION,
      dataSetType: NO_DATA_SET,
    });
  }

  /** Resolves with the peer's status. @throws DIMSE_NO_CONTEXT, DIMSE_TIMEOUT, DIMSE_ASSOCIATION_ABORTED */
  async store(operation: StoreOperation): Promise<OperationResponse> {
    const context = this.#contextFor(operation.sopClassUid, operation.transferSyntaxUid);
    if (context === undefined)
      throw new LetheError('DIMSE_NO_CONTEXT', {
        sopClass: operation.sopClassUid,
        transferSyntax: operation.transferSyntaxUid,
      });
    const command: CommandSet = {
      commandField: COMMAND['C-STORE-RQ'],
      affectedSopClassUid: operation.sopClassUid,
      affectedSopInstanceUid: operation.sopInstanceUid,
      priority: PRIORITY[operation.priority ?? 'normal'],
      dataSetType: 1,
    };
    return this.#request(context.id, command, operation.dataSet);
  }

  /** N-EVENT-REPORT of storage commitment, as its SCP (PS3.4 §J.3.3). @throws as `echo` */
  reportCommitment(transactionUid: string, result: CommitmentResult): Promise<OperationResponse> {
    const context = this.#contexts.find(({ abstractSyntax }) => abstractSyntax === STORAGE_COMMITMENT_PUSH_MODEL);
    if (context === undefined) return Promise.reject(new LetheError('DIMSE_NO_CONTEXT'));
    const { eventTypeId, bytes } = writeCommitmentReport(transactionUid, result, context.transferSyntax);
    return this.#request(context.id, eventReport(0, eventTypeId), [bytes]);
  }

  /** Orderly end, after every request in progress: resolves when the peer agreed or is gone. Never rejects. */
  async release(): Promise<void> {
    while (this.#operations.size > 0) await this.#settled.promise;
    this.#association.release();
    const timer = setTimeout(
      () => this.abort(),
      this.#options.timers?.artimTimeoutMs ?? ASSOCIATION_TIMERS.artimTimeoutMs,
    );
    await this.#released.promise;
    clearTimeout(timer);
  }

  /** Ends the association at once: whatever waits is rejected now, not when the peer has closed its side. */
  abort(): void {
    this.#fail(new LetheError('DIMSE_ASSOCIATION_ABORTED', { what: 'by this side' }));
    this.#association.abort();
    this.#released.resolve();
  }

  #onAccepted(response: AssociateAc): void {
    const { maxPduLengthBytes, asyncWindow } = response.userInformation;
    this.#peerMaxPduLengthBytes = maxPduLengthBytes;
    const asked = this.#options.operationsInvoked ?? 1;
    const granted = asyncWindow?.invoked ?? 1;
    this.#window = granted === 0 ? Math.max(1, asked) : Math.min(granted, Math.max(1, asked));
    this.#contexts = acceptedContexts(response, requestOf(this.#options).contexts);
  }

  #contextFor(sopClassUid: string, transferSyntaxUid: string): NegotiatedContext | undefined {
    return this.#contexts.find(
      (context) => context.abstractSyntax === sopClassUid && context.transferSyntax === transferSyntaxUid,
    );
  }

  #request(
    contextId: number,
    command: Omit<CommandSet, 'messageId'>,
    dataSet?: StoreOperation['dataSet'],
  ): Promise<OperationResponse> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const operation: Operation = { contextId, command, dataSet, resolve, reject, timer: undefined };
      this.#operations.add(operation);
      this.#sending = this.#sending.then(() => this.#send(operation));
    });
  }

  /** Waits for its turn within the window, then sends. Never rejects: a failure ends the association. */
  async #send(operation: Operation): Promise<void> {
    while (this.#failure === undefined && this.#sent.size >= this.#window) await this.#settled.promise;
    if (this.#failure !== undefined) return;
    const messageId = this.#nextMessageId();
    this.#sent.set(messageId, operation);
    try {
      await this.#sendMessage(operation.contextId, { ...operation.command, messageId }, operation.dataSet);
    } catch (error) {
      // A source that fails in the middle of a data set leaves a message that cannot be finished.
      const known = error instanceof LetheError;
      this.#giveUp(known ? error : new LetheError('INVARIANT', { what: 'data set source' }, { cause: error }));
      return;
    }
    if (!this.#operations.has(operation)) return;
    const timeoutMs = this.#options.dimseTimeoutMs ?? DIMSE_TIMEOUT_MS;
    const timeout = () => this.#giveUp(new LetheError('DIMSE_TIMEOUT', { timer: 'dimse', timeoutMs }));
    operation.timer = setTimeout(timeout, timeoutMs);
  }

  /** Message ids count round; one that is still unanswered is passed over. */
  #nextMessageId(): number {
    do this.#messageId = (this.#messageId % MESSAGE_ID_MAX) + 1;
    while (this.#sent.has(this.#messageId));
    return this.#messageId;
  }

  async #sendMessage(contextId: number, command: CommandSet, dataSet: StoreOperation['dataSet'] | undefined) {
    this.#association.send([commandPdus(contextId, writeCommand(command), this.#peerMaxPduLengthBytes)]);
    if (dataSet === undefined) return;
    const max = pdvDataBytesMax(this.#peerMaxPduLengthBytes, FRAGMENT_BYTES_MAX);
    for await (const { bytes, last } of fragmentsOf(dataSet, Math.min(max, FRAGMENT_BYTES_MAX))) {
      if (this.#failure !== undefined) throw this.#failure;
      const header = dataTfHeader({ contextId, command: false, last, length: bytes.length });
      if (!this.#association.send([header, bytes])) await this.#association.drained();
    }
  }

  #onCommand(command: CommandSet, contextId: number): void {
    if ((command.commandField & RESPONSE_BIT) === 0) {
      // Nothing is served on this side of the association.
      if (command.commandField === COMMAND['C-CANCEL-RQ']) return;
      const response = writeCommand(responseTo(command, { status: STATUS.unrecognizedOperation }));
      this.#association.send([commandPdus(contextId, response, this.#peerMaxPduLengthBytes)]);
      return;
    }
    const messageId = command.messageIdBeingRespondedTo ?? 0;
    const operation = this.#sent.get(messageId);
    if (operation === undefined) return; // nothing we asked for
    this.#sent.delete(messageId);
    this.#operations.delete(operation);
    clearTimeout(operation.timer);
    operation.resolve({ status: command.status ?? STATUS.processingFailure, errorComment: command.errorComment });
    this.#wake();
  }

  #giveUp(error: LetheError): void {
    this.#fail(error);
    this.abort();
  }

  #fail(error: LetheError): void {
    this.#failure ??= error;
    this.#established.reject(this.#failure);
    for (const operation of this.#operations) {
      clearTimeout(operation.timer);
      operation.reject(this.#failure);
    }
    this.#operations.clear();
    this.#sent.clear();
    this.#wake();
  }

  #wake(): void {
    this.#settled.resolve();
    this.#settled = Promise.withResolvers<void>();
  }
}

function stopped(): LetheError {
  return new LetheError('DIMSE_ASSOCIATION_ABORTED', { what: 'stopped' });
}

/** What was proposed and accepted, with the transfer syntax that the peer chose (PS3.8 §9.3.3.2). */
export function acceptedContexts(
  { contexts }: AssociateAc,
  proposed: readonly Pick<PresentationContextRq, 'id' | 'abstractSyntax'>[],
): NegotiatedContext[] {
  return contexts
    .filter(({ result }) => result === CONTEXT_RESULT.acceptance)
    .flatMap(({ id, transferSyntax }) => {
      const abstractSyntax = proposed.find((context) => context.id === id)?.abstractSyntax;
      return abstractSyntax === undefined ? [] : [{ id, abstractSyntax, transferSyntax }];
    });
}

/** PS3.8 §7.1.1. One presentation context an abstract syntax and transfer syntax that is proposed. */
export function requestOf(options: StorageScuOptions): AssociateRq {
  const contexts: PresentationContextRq[] = options.contexts
    .slice(0, CONTEXTS_MAX)
    .map(({ abstractSyntax, transferSyntaxes }, index) => ({ id: index * 2 + 1, abstractSyntax, transferSyntaxes }));
  const invoked = options.operationsInvoked ?? 1;
  return {
    type: 'A-ASSOCIATE-RQ',
    protocolVersion: 1,
    calledAeTitle: options.calledAeTitle,
    callingAeTitle: options.callingAeTitle,
    applicationContext: APPLICATION_CONTEXT,
    contexts,
    userInformation: {
      maxPduLengthBytes: options.maxPduLengthBytes ?? MAX_PDU_LENGTH_BYTES,
      implementationClassUid: IMPLEMENTATION_CLASS_UID,
      implementationVersionName: IMPLEMENTATION_VERSION_NAME,
      ...(options.roles === undefined ? {} : { roles: options.roles }),
      ...(invoked === 1 ? {} : { asyncWindow: { invoked, performed: 1 } }),
    },
  };
}

export function opened(socket: Socket, tls: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error) =>
      reject(
        new LetheError(
          'DELIVERY_UNREACHABLE',
          { errno: (error as NodeJS.ErrnoException).code ?? error.name },
          { cause: error },
        ),
      );
    socket.once('error', failed);
    socket.once('close', () => reject(new LetheError('DELIVERY_UNREACHABLE', { what: 'closed' })));
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      socket.off('error', failed);
      resolve();
    });
  });
}

export function endError(end: AssociationEnd): LetheError {
  if (end.error !== undefined) return end.error;
  return new LetheError('DIMSE_ASSOCIATION_ABORTED', { kind: end.kind, source: end.source, reason: end.reason });
}
