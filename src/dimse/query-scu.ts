/**
 * The asking side: one association to a Query/Retrieve SCP; C-FIND, C-MOVE and C-GET on it (PS3.7 §9.1.2 to §9.1.4,
 * PS3.4 Annex C), one at a time. What C-GET brings comes as C-STORE on the same association, where we are the SCP (PS3.7
 * §D.3.3.4): each instance goes to a `StorageAssociation`, and is answered when that has taken it. An answer tells the
 * truth of custody here as it does on the listener.
 */
import { createConnection, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { LetheError, toLetheError } from '../core/errors.ts';
import { transferSyntaxOf } from '../dicom/transfer-syntax.ts';
import { ASSOCIATION_TIMERS, Association } from './association.ts';
import { COMMAND, type CommandSet, hasDataSet, responseTo, STATUS, writeCommand } from './command.ts';
import { DataSetInspector } from './data-set-inspector.ts';
import { fragmentsOf } from './fragments.ts';
import { MessageAssembler } from './message-assembler.ts';
import type { NegotiatedContext } from './negotiation.ts';
import type { AssociateAc } from './pdu.ts';
import { commandPdus, dataTfHeader, pdvDataBytesMax } from './pdu-writer.ts';
import {
  type FoundStudy,
  findIdentifier,
  parseFound,
  retrieveIdentifier,
  STUDY_ROOT_FIND,
  STUDY_ROOT_GET,
  STUDY_ROOT_MOVE,
  type StudyKey,
} from './query-retrieve.ts';
import { refusalOf } from './refusal.ts';
import type { IncomingStore, StorageAssociation } from './storage-handler.ts';
import { acceptedContexts, endError, opened, requestOf, type StorageScuOptions } from './storage-scu.ts';

export interface QueryScuOptions extends Omit<StorageScuOptions, 'operationsInvoked' | 'dimseTimeoutMs'> {
  /** The longest silence of the peer while it owes an answer; each message of a C-GET counts. */
  readonly answerTimeoutMs?: number;
  /** Takes what C-GET brings. Absent: a C-STORE is refused. */
  readonly storage?: StorageAssociation;
}

/** What a retrieval came to, by the peer's own count (PS3.4 §C.4.2.1.6, §C.4.3.1.4). */
export interface Retrieved {
  readonly status: number;
  readonly completed: number;
  readonly failed: number;
  readonly warnings: number;
  /** Of C-GET: instances that we answered with Success or a warning. */
  readonly stored: number;
}

const CONNECT_TIMEOUT_MS = 10_000;
const ANSWER_TIMEOUT_MS = 300_000; // an archive that fetches from tape says nothing for minutes
const MAX_PDU_LENGTH_BYTES = 256 * 1024;
const FOUND_MAX = 1000; // an accession number has one study, seldom more
const PENDING = new Set([0xff00, 0xff01]); // PS3.4 Tables C.4-1 to C.4-3
const CANCEL = 0xfe00;
const RESPONSE_BIT = 0x8000;

interface Request {
  readonly messageId: number;
  readonly transferSyntax: string;
  onPending(identifier: readonly Uint8Array[]): void;
  resolve(final: CommandSet): void;
  reject(error: LetheError): void;
}

/** A C-STORE-RQ whose data set is arriving; `store` is gone once it was refused. */
interface Arriving {
  readonly request: CommandSet;
  readonly contextId: number;
  readonly inspector: DataSetInspector;
  store: IncomingStore | undefined;
  refusal: LetheError | undefined;
}

export class QueryScu {
  readonly #options: QueryScuOptions;
  readonly #association: Association;
  readonly #assembler: MessageAssembler;
  readonly #established = Promise.withResolvers<AssociateAc>();
  readonly #released = Promise.withResolvers<void>();
  #contexts: NegotiatedContext[] = [];
  #peerMaxPduLengthBytes = 0;
  #messageId = 0;
  #request: Request | undefined;
  #answer: { command: CommandSet; chunks: Uint8Array[]; bytes: number } | undefined;
  #arriving: Arriving | undefined;
  #stored = 0;
  #storing = Promise.resolve();
  #waiting = 0;
  #timer: NodeJS.Timeout | undefined;
  #failure: LetheError | undefined;

  private constructor(socket: Socket, options: QueryScuOptions) {
    this.#options = options;
    this.#assembler = new MessageAssembler({
      onCommand: (command, contextId) => this.#onCommand(command, contextId),
      onData: (bytes) => this.#onData(bytes),
      onDataEnd: () => this.#onDataEnd(),
    });
    this.#association = new Association(
      socket,
      {
        role: 'requestor',
        maxPduLengthBytes: options.maxPduLengthBytes ?? MAX_PDU_LENGTH_BYTES,
        timers: { ...ASSOCIATION_TIMERS, ...options.timers },
      },
      {
        onAccepted: (response) => this.#established.resolve(response),
        onRejected: ({ result, source, reason }) =>
          this.#fail(new LetheError('DIMSE_ASSOCIATION_REJECTED', { result, source, reason })),
        onPdv: (slice) => {
          this.#watch();
          this.#assembler.push(slice);
        },
        onReleased: () => this.#released.resolve(),
        onReleaseRequest: () => this.#association.respondRelease(),
        busy: () => this.#request !== undefined,
        onEnd: (end) => this.#fail(endError(end)),
        onClosed: () => {
          this.#fail(new LetheError('DIMSE_ASSOCIATION_ABORTED', { what: 'closed' }));
          this.#released.resolve();
        },
      },
    );
    this.#established.promise.catch(() => undefined);
  }

  /** @throws DELIVERY_UNREACHABLE, DIMSE_ASSOCIATION_REJECTED, DIMSE_ASSOCIATION_ABORTED, DIMSE_TIMEOUT */
  static async connect(options: QueryScuOptions): Promise<QueryScu> {
    const { host, port, tls } = options;
    const socket = tls === undefined ? createConnection(port, host) : connectTls({ ...tls, host, port });
    const scu = new QueryScu(socket, options);
    const timeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    const timer = setTimeout(() => scu.#giveUp(new LetheError('DIMSE_TIMEOUT', { timer: 'connect' })), timeoutMs);
    try {
      await opened(socket, tls !== undefined);
      const request = requestOf(options);
      scu.#association.connected(request);
      scu.#onAccepted(await scu.#established.promise, request.contexts);
    } catch (error) {
      const failure = scu.#failure;
      scu.abort();
      const unreachable = error instanceof LetheError && error.code === 'DELIVERY_UNREACHABLE';
      throw unreachable ? error : (failure ?? error);
    } finally {
      clearTimeout(timer);
    }
    return scu;
  }

  /** Whether the peer took this abstract syntax. */
  accepts(abstractSyntax: string): boolean {
    return this.#contexts.some((context) => context.abstractSyntax === abstractSyntax);
  }

  /** Studies that match. @throws DIMSE_NO_CONTEXT, DIMSE_QUERY_FAILED, DIMSE_ANSWER_UNREADABLE, DIMSE_TIMEOUT, DIMSE_ASSOCIATION_ABORTED */
  async find(key: StudyKey): Promise<FoundStudy[]> {
    const context = this.#context(STUDY_ROOT_FIND);
    const found: FoundStudy[] = [];
    const final = await this.#perform(
      context,
      { commandField: COMMAND['C-FIND-RQ'] },
      findIdentifier(key, context.transferSyntax),
      (identifier) => {
        if (found.length >= FOUND_MAX) throw new LetheError('DIMSE_QUERY_FAILED', { what: 'too many matches' });
        const study = parseFound(identifier, context.transferSyntax);
        if (study !== undefined) found.push(study);
      },
    );
    if (final.status !== STATUS.success) throw new LetheError('DIMSE_QUERY_FAILED', { status: final.status ?? -1 });
    return found;
  }

  /** To us, on this association. @throws as `find`, but a status of the peer is an answer */
  async get(studyInstanceUid: string): Promise<Retrieved> {
    const context = this.#context(STUDY_ROOT_GET);
    this.#stored = 0;
    const identifier = retrieveIdentifier(studyInstanceUid, context.transferSyntax);
    const final = await this.#perform(context, { commandField: COMMAND['C-GET-RQ'] }, identifier);
    await this.#storing;
    return retrievedOf(final, this.#stored);
  }

  /** To whoever the peer knows under that AE title. @throws as `get` */
  async move(studyInstanceUid: string, moveDestination: string): Promise<Retrieved> {
    const context = this.#context(STUDY_ROOT_MOVE);
    const identifier = retrieveIdentifier(studyInstanceUid, context.transferSyntax);
    const command = { commandField: COMMAND['C-MOVE-RQ'], moveDestination };
    return retrievedOf(await this.#perform(context, command, identifier), 0);
  }

  /** Orderly end; never rejects. */
  async release(): Promise<void> {
    this.#association.release();
    const timer = setTimeout(
      () => this.abort(),
      this.#options.timers?.artimTimeoutMs ?? ASSOCIATION_TIMERS.artimTimeoutMs,
    );
    await this.#released.promise;
    clearTimeout(timer);
  }

  abort(): void {
    this.#fail(new LetheError('DIMSE_ASSOCIATION_ABORTED', { what: 'by this side' }));
    this.#association.abort();
    this.#released.resolve();
  }

  #onAccepted(response: AssociateAc, proposed: Parameters<typeof acceptedContexts>[1]): void {
    this.#peerMaxPduLengthBytes = response.userInformation.maxPduLengthBytes;
    this.#contexts = acceptedContexts(response, proposed);
  }

  #context(abstractSyntax: string): NegotiatedContext {
    const context = this.#contexts.find((one) => one.abstractSyntax === abstractSyntax);
    if (context === undefined) throw new LetheError('DIMSE_NO_CONTEXT', { sopClass: abstractSyntax });
    return context;
  }

  async #perform(
    context: NegotiatedContext,
    command: Pick<CommandSet, 'commandField' | 'moveDestination'>,
    identifier: Uint8Array,
    onPending: Request['onPending'] = () => undefined,
  ): Promise<CommandSet> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#request !== undefined) throw new LetheError('INVARIANT', { what: 'one request at a time' });
    this.#messageId = (this.#messageId % 0xffff) + 1;
    const messageId = this.#messageId;
    const answered = new Promise<CommandSet>((resolve, reject) => {
      this.#request = { messageId, transferSyntax: context.transferSyntax, onPending, resolve, reject };
    });
    answered.catch(() => undefined);
    const { id, abstractSyntax } = context;
    this.#sendCommand(id, { ...command, messageId, affectedSopClassUid: abstractSyntax, priority: 0, dataSetType: 1 });
    await this.#sendIdentifier(id, identifier);
    this.#watch();
    return answered;
  }

  #sendCommand(contextId: number, command: CommandSet): void {
    this.#association.send([commandPdus(contextId, writeCommand(command), this.#peerMaxPduLengthBytes)]);
  }

  async #sendIdentifier(contextId: number, identifier: Uint8Array): Promise<void> {
    const max = pdvDataBytesMax(this.#peerMaxPduLengthBytes, MAX_PDU_LENGTH_BYTES);
    for await (const { bytes, last } of fragmentsOf([identifier], max))
      this.#association.send([dataTfHeader({ contextId, command: false, last, length: bytes.length }), bytes]);
  }

  #onCommand(command: CommandSet, contextId: number): void {
    if ((command.commandField & RESPONSE_BIT) !== 0) {
      this.#answer = { command, chunks: [], bytes: 0 };
      if (!hasDataSet(command)) this.#onDataEnd();
      return;
    }
    if (command.commandField === COMMAND['C-STORE-RQ']) this.#beginStore(command, contextId);
    else if (command.commandField !== COMMAND['C-CANCEL-RQ'])
      this.#sendCommand(contextId, responseTo(command, { status: STATUS.unrecognizedOperation }));
  }

  #beginStore(request: CommandSet, contextId: number): void {
    const transferSyntaxUid = this.#contexts.find(({ id }) => id === contextId)?.transferSyntax ?? '';
    const arriving: Arriving = {
      request,
      contextId,
      inspector: new DataSetInspector(transferSyntaxOf(transferSyntaxUid)),
      store: undefined,
      refusal: undefined,
    };
    this.#arriving = arriving;
    this.#attempt(arriving, () => {
      if (this.#options.storage === undefined) throw new LetheError('DIMSE_SOP_CLASS_NOT_SUPPORTED');
      arriving.store = this.#options.storage.begin({
        sopClassUid: request.affectedSopClassUid ?? '',
        sopInstanceUid: request.affectedSopInstanceUid ?? '',
        transferSyntaxUid,
        priority: 'normal',
        moveOriginatorAeTitle: undefined,
        moveOriginatorMessageId: undefined,
      });
    });
    if (!hasDataSet(request)) this.#onDataEnd();
  }

  #attempt(arriving: Arriving, work: () => void): void {
    try {
      work();
    } catch (error) {
      arriving.refusal = toLetheError(error);
      arriving.store?.abort();
      arriving.store = undefined;
    }
  }

  #onData(bytes: Uint8Array): void {
    const answer = this.#answer;
    if (answer !== undefined) {
      answer.bytes += bytes.length;
      // Beyond what is parsed, counting is enough: the whole is refused.
      if (answer.bytes <= MAX_PDU_LENGTH_BYTES * 8) answer.chunks.push(new Uint8Array(bytes));
      return;
    }
    const arriving = this.#arriving;
    if (arriving?.store === undefined) return;
    const { store } = arriving;
    this.#attempt(arriving, () => {
      arriving.inspector.push(bytes);
      if (!store.write(bytes)) void this.#pauseUntil(store.drained());
    });
  }

  #onDataEnd(): void {
    const answer = this.#answer;
    const arriving = this.#arriving;
    this.#answer = undefined;
    this.#arriving = undefined;
    if (answer !== undefined) this.#onAnswer(answer);
    else if (arriving !== undefined) {
      this.#storing = this.#complete(arriving);
      void this.#pauseUntil(this.#storing);
    }
  }

  #onAnswer({ command, chunks }: { command: CommandSet; chunks: readonly Uint8Array[] }): void {
    const request = this.#request;
    if (request === undefined || command.messageIdBeingRespondedTo !== request.messageId) return;
    if (PENDING.has(command.status ?? 0)) {
      try {
        if (hasDataSet(command)) request.onPending(chunks);
      } catch (error) {
        this.#giveUp(toLetheError(error));
      }
      return;
    }
    this.#request = undefined;
    clearTimeout(this.#timer);
    request.resolve(command);
  }

  /** Success only after `complete` says that it is taken. */
  async #complete(arriving: Arriving): Promise<void> {
    const { request, contextId, store } = arriving;
    try {
      if (arriving.refusal !== undefined) throw arriving.refusal;
      const findings = arriving.inspector.end();
      if (findings.error !== undefined) throw findings.error;
      if (store === undefined) throw new LetheError('INVARIANT', { what: 'store without a handler' });
      const response = await store.complete(findings);
      if (response.status === STATUS.success || response.status >>> 12 === 0xb) this.#stored++;
      this.#sendCommand(contextId, responseTo(request, response));
    } catch (error) {
      store?.abort();
      this.#sendCommand(contextId, responseTo(request, refusalOf(toLetheError(error))));
    }
  }

  async #pauseUntil(done: Promise<unknown>): Promise<void> {
    this.#waiting++;
    this.#association.pause();
    await done.catch(() => undefined); // whoever failed reports it where it is answered
    this.#waiting--;
    this.#watch();
    if (this.#waiting === 0) this.#association.resume();
  }

  /** Silence begins anew with whatever comes. */
  #watch(): void {
    clearTimeout(this.#timer);
    if (this.#request === undefined || this.#failure !== undefined) return;
    const timeoutMs = this.#options.answerTimeoutMs ?? ANSWER_TIMEOUT_MS;
    this.#timer = setTimeout(() => {
      if (this.#waiting === 0) this.#giveUp(new LetheError('DIMSE_TIMEOUT', { timer: 'answer', timeoutMs }));
    }, timeoutMs);
  }

  #giveUp(error: LetheError): void {
    this.#fail(error);
    this.abort();
  }

  #fail(error: LetheError): void {
    this.#failure ??= error;
    clearTimeout(this.#timer);
    this.#established.reject(this.#failure);
    this.#request?.reject(this.#failure);
    this.#request = undefined;
    this.#arriving?.store?.abort();
    this.#arriving = undefined;
  }
}

/** Counts that a peer leaves out are zero. A status other than Success does not take back what was stored. */
function retrievedOf(final: CommandSet, stored: number): Retrieved {
  return {
    status: final.status ?? CANCEL,
    completed: final.completedSubOperations ?? 0,
    failed: final.failedSubOperations ?? 0,
    warnings: final.warningSubOperations ?? 0,
    stored,
  };
}
