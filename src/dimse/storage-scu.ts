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
import { COMMAND, type CommandSet, NO_DATA_SET, writeCommand } from './command.ts';
import { MessageAssembler } from './message-assembler.ts';
import { type NegotiatedContext, VERIFICATION } from './negotiation.ts';
import {
  APPLICATION_CONTEXT,
  type AssociateAc,
  type AssociateRq,
  CONTEXT_RESULT,
  type PresentationContextRq,
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
  /** The longest wait for an answer to a request. */
  readonly dimseTimeoutMs?: number;
  readonly timers?: Partial<AssociationTimers>;
  readonly maxPduLengthBytes?: number;
  /** Requests in progress at once that we ask for; the peer may grant fewer. */
  readonly operationsInvoked?: number;
}

export interface StoreOperation {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly transferSyntaxUid: string;
  /** The data set without file meta information, in `transferSyntaxUid`. */
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
const STATUS_MASK = 0x8000;

interface Pending {
  resolve(response: OperationResponse): void;
  reject(error: LetheError): void;
  timer: NodeJS.Timeout;
}

export class StorageScu {
  readonly #options: StorageScuOptions;
  readonly #association: Association;
  readonly #pending = new Map<number, Pending>();
  readonly #assembler: MessageAssembler;
  readonly #established = Promise.withResolvers<AssociateAc>();
  readonly #released = Promise.withResolvers<void>();
  #contexts: NegotiatedContext[] = [];
  #peerMaxPduLengthBytes = 0;
  #messageId = 0;
  /** Data sets are sent one after the other, even where answers may come in any order (PS3.8 §E.1). */
  #sending: Promise<unknown> = Promise.resolve();
  #failure: LetheError | undefined;

  private constructor(socket: Socket, options: StorageScuOptions) {
    this.#options = options;
    this.#assembler = new MessageAssembler({
      onCommand: (command) => this.#onResponse(command),
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
   * @throws DELIVERY_UNREACHABLE, DIMSE_ASSOCIATION_REJECTED, DIMSE_ASSOCIATION_ABORTED, DIMSE_TIMEOUT
   */
  static async connect(options: StorageScuOptions): Promise<StorageScu> {
    const timeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    const socket =
      options.tls === undefined
        ? createConnection(options.port, options.host)
        : connectTls({ ...options.tls, host: options.host, port: options.port });
    const scu = new StorageScu(socket, options);
    const timer = setTimeout(() => scu.#giveUp(new LetheError('DIMSE_TIMEOUT', { timer: 'connect' })), timeoutMs);
    try {
      await opened(socket, options.tls !== undefined);
      scu.#association.connected(requestOf(options));
      scu.#onAccepted(await scu.#established.promise);
    } catch (error) {
      scu.abort();
      // Not reached is more than "aborted", which is what the association itself makes of it.
      const unreachable = error instanceof LetheError && error.code === 'DELIVERY_UNREACHABLE';
      throw unreachable ? error : (scu.#failure ?? error);
    } finally {
      clearTimeout(timer);
    }
    return scu;
  }

  /** What the peer accepted. */
  get contexts(): readonly NegotiatedContext[] {
    return this.#contexts;
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

  /** Orderly end: resolves when the peer agreed or is gone. */
  async release(): Promise<void> {
    await this.#sending.catch(() => undefined);
    this.#association.release();
    const timer = setTimeout(
      () => this.abort(),
      this.#options.timers?.artimTimeoutMs ?? ASSOCIATION_TIMERS.artimTimeoutMs,
    );
    await this.#released.promise;
    clearTimeout(timer);
  }

  abort(): void {
    this.#association.abort();
  }

  #onAccepted(response: AssociateAc): void {
    this.#peerMaxPduLengthBytes = response.userInformation.maxPduLengthBytes;
    const proposed = requestOf(this.#options).contexts;
    this.#contexts = response.contexts
      .filter(({ result }) => result === CONTEXT_RESULT.acceptance)
      .flatMap(({ id, transferSyntax }) => {
        const abstractSyntax = proposed.find((context) => context.id === id)?.abstractSyntax;
        return abstractSyntax === undefined ? [] : [{ id, abstractSyntax, transferSyntax }];
      });
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
    const messageId = this.#nextMessageId();
    const answered = this.#await(messageId);
    const send = this.#sending.then(() => this.#send(contextId, { ...command, messageId }, dataSet));
    this.#sending = send.catch((error: unknown) => {
      // A source that fails in the middle of a data set leaves a message that cannot be finished.
      if (error instanceof LetheError) this.#giveUp(error);
      else this.#giveUp(new LetheError('INVARIANT', { what: 'data set source' }, { cause: error }));
    });
    return answered;
  }

  #nextMessageId(): number {
    this.#messageId = (this.#messageId % 0xffff) + 1;
    return this.#messageId;
  }

  #await(messageId: number): Promise<OperationResponse> {
    return new Promise((resolve, reject) => {
      const timeoutMs = this.#options.dimseTimeoutMs ?? DIMSE_TIMEOUT_MS;
      const timer = setTimeout(
        () => this.#giveUp(new LetheError('DIMSE_TIMEOUT', { timer: 'dimse', timeoutMs })),
        timeoutMs,
      );
      this.#pending.set(messageId, { resolve, reject, timer });
    });
  }

  async #send(contextId: number, command: CommandSet, dataSet: StoreOperation['dataSet'] | undefined): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#association.send([commandPdus(contextId, writeCommand(command), this.#peerMaxPduLengthBytes)]);
    if (dataSet === undefined) return;
    const fragmentMax = pdvDataBytesMax(
      this.#peerMaxPduLengthBytes === 0 ? FRAGMENT_BYTES_MAX : this.#peerMaxPduLengthBytes,
      FRAGMENT_BYTES_MAX,
    );
    let held: Uint8Array | undefined; // one fragment behind, so that the last one can say so
    for await (const chunk of dataSet) {
      for (let position = 0; position < chunk.length; position += fragmentMax) {
        if (held !== undefined) await this.#sendFragment(contextId, held, false);
        held = chunk.subarray(position, position + fragmentMax);
      }
    }
    await this.#sendFragment(contextId, held ?? new Uint8Array(0), true);
  }

  async #sendFragment(contextId: number, bytes: Uint8Array, last: boolean): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const more = this.#association.send([
      dataTfHeader({ contextId, command: false, last, length: bytes.length }),
      bytes,
    ]);
    if (!more) await this.#association.drained();
  }

  #onResponse(command: CommandSet): void {
    const messageId = command.messageIdBeingRespondedTo ?? 0;
    const pending = this.#pending.get(messageId);
    if (pending === undefined || (command.commandField & STATUS_MASK) === 0) return; // nothing we asked for
    this.#pending.delete(messageId);
    clearTimeout(pending.timer);
    pending.resolve({ status: command.status ?? 0x0110, errorComment: command.errorComment });
  }

  #giveUp(error: LetheError): void {
    this.#fail(error);
    this.abort();
  }

  #fail(error: LetheError): void {
    this.#failure ??= error;
    this.#established.reject(this.#failure);
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer);
      pending.reject(this.#failure);
    }
    this.#pending.clear();
  }
}

/** PS3.8 §7.1.1. One presentation context an abstract syntax and transfer syntax that is proposed. */
function requestOf(options: StorageScuOptions): AssociateRq {
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
      ...(invoked === 1 ? {} : { asyncWindow: { invoked, performed: 1 } }),
    },
  };
}

function opened(socket: Socket, tls: boolean): Promise<void> {
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

function endError(end: AssociationEnd): LetheError {
  if (end.error !== undefined) return end.error;
  return new LetheError('DIMSE_ASSOCIATION_ABORTED', { kind: end.kind, source: end.source, reason: end.reason });
}
