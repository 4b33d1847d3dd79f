/** The listener's custody: each association writes to its own place in the spool, each C-STORE becomes one instance. */
import { LetheError } from '../core/errors.ts';
import { writeFileMeta } from '../dicom/part10.ts';
import { STATUS } from '../dimse/command.ts';
import type { DataSetFindings } from '../dimse/data-set-inspector.ts';
import { REJECTION, type Rejection } from '../dimse/pdu.ts';
import type {
  AssociationFacts,
  IncomingStore,
  StorageAssociation,
  StorageHandler,
  StoreRequest,
  StoreResponse,
} from '../dimse/storage-handler.ts';
import type { IncomingInstance } from '../queue/spool.ts';
import { DEFAULT_CUSTOMER } from './keys.ts';
import type { Receiver } from './receive.ts';

export function storageHandler(receiver: Receiver, instanceBytesMax: number): StorageHandler {
  return {
    admit: (): Rejection | undefined => (receiver.spool.space().full ? REJECTION.temporaryCongestion : undefined),
    open: (facts) => new SpooledAssociation(receiver, facts, instanceBytesMax),
  };
}

class SpooledAssociation implements StorageAssociation {
  readonly #receiver: Receiver;
  readonly #facts: AssociationFacts;
  readonly #bytesMax: number;
  readonly #writer;

  constructor(receiver: Receiver, facts: AssociationFacts, bytesMax: number) {
    this.#receiver = receiver;
    this.#facts = facts;
    this.#bytesMax = bytesMax;
    this.#writer = receiver.spool.writer();
  }

  begin(request: StoreRequest): IncomingStore {
    this.#receiver.requireSpace();
    const { sopClassUid, sopInstanceUid, transferSyntaxUid } = request;
    const { customer, callingAeTitle, calledAeTitle } = this.#facts;
    const record = this.#receiver.newRecord({
      customer: customer ?? DEFAULT_CUSTOMER,
      sourceKind: 'dicom',
      sourceName: callingAeTitle,
      sopClassUid,
      sopInstanceUid,
      transferSyntaxUid,
      priority: request.priority === 'high' ? 'high' : 'normal',
      ...(this.#facts.profile === undefined ? {} : { profile: this.#facts.profile }),
      facts: {
        calledAeTitle,
        ...(request.moveOriginatorAeTitle === undefined
          ? {}
          : { moveOriginatorAeTitle: request.moveOriginatorAeTitle }),
        ...(request.moveOriginatorMessageId === undefined
          ? {}
          : { moveOriginatorMessageId: String(request.moveOriginatorMessageId) }),
      },
    });
    const header = writeFileMeta({ sopClassUid, sopInstanceUid, transferSyntaxUid, sourceAeTitle: callingAeTitle });
    return new SpooledStore(this.#receiver, this.#writer.begin(record, header), this.#bytesMax);
  }

  end(): void {
    // Commits that run finish first; nobody waits for the segment to be handed on.
    void this.#writer.close().catch(() => undefined);
  }
}

class SpooledStore implements IncomingStore {
  readonly #receiver: Receiver;
  readonly #incoming: IncomingInstance;
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(receiver: Receiver, incoming: IncomingInstance, bytesMax: number) {
    this.#receiver = receiver;
    this.#incoming = incoming;
    this.#bytesMax = bytesMax;
  }

  write(bytes: Uint8Array): boolean {
    this.#bytes += bytes.length;
    if (this.#bytes > this.#bytesMax) throw new LetheError('DICOM_TOO_LARGE', { limit: this.#bytesMax });
    return this.#incoming.write(bytes);
  }

  drained(): Promise<void> {
    return this.#incoming.drained();
  }

  async complete(findings: DataSetFindings): Promise<StoreResponse> {
    await this.#receiver.takeCustody(this.#incoming, findings.studyInstanceUid);
    return { status: STATUS.success };
  }

  abort(): void {
    void this.#incoming.abort();
  }
}
