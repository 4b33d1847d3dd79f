/**
 * The seam between the listener and whoever takes custody. The listener knows DICOM and no disk, the handler the disk
 * and no PDU. All methods of a handler answer at once; what takes time is `complete`.
 */
import type { DataSetFindings } from './data-set-inspector.ts';
import type { Rejection } from './pdu.ts';

/** Who is at the other end, as far as it said so. */
export interface AssociationFacts {
  /** Counts from 1 for the life of the listener: for logs. */
  readonly number: number;
  readonly remoteAddress: string;
  readonly callingAeTitle: string;
  readonly calledAeTitle: string;
  /** Of the peer or the called AE title in the configuration. */
  readonly customer: string | undefined;
  readonly profile: string | undefined;
  readonly tls: boolean;
  /** Of an accepted user identity (PS3.7 §D.3.3.7). */
  readonly user: string | undefined;
  /** False: the peer may verify the connection and nothing else. */
  readonly mayStore: boolean;
  /** Implementation Version Name of the peer; empty where it sent none. */
  readonly implementation: string;
}

/** One C-STORE-RQ with the context it came in. */
export interface StoreRequest {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly transferSyntaxUid: string;
  readonly priority: 'high' | 'normal' | 'low';
  readonly moveOriginatorAeTitle: string | undefined;
  readonly moveOriginatorMessageId: number | undefined;
}

export interface StoreResponse {
  readonly status: number;
  /** What to do, in at most 64 characters. */
  readonly errorComment?: string;
  readonly offendingElements?: readonly number[];
}

/** One instance on its way in. Exactly one of `complete` and `abort` ends it. */
export interface IncomingStore {
  /** The bytes are the caller's again when it returns. False: no more until `drained`. May throw a LetheError: the instance is refused with its status. */
  write(bytes: Uint8Array): boolean;
  drained(): Promise<void>;
  /** Resolves when it is durable. A LetheError is answered with its row's status. */
  complete(findings: DataSetFindings): Promise<StoreResponse>;
  abort(): void;
}

/** One association, from its acceptance to its end. */
export interface StorageAssociation {
  begin(request: StoreRequest): IncomingStore;
  /** Everything has ended; commits that run go on. */
  end(): void;
}

export interface StorageHandler {
  /** May this association begin? A full disk, for one, is a transient rejection. */
  admit(facts: AssociationFacts): Rejection | undefined;
  open(facts: AssociationFacts): StorageAssociation;
}
