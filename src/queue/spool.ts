/**
 * The spool seam: durable bytes. Two areas that never mix: `received` holds identified bytes as they came, `prepared`
 * what may leave. Implementations: `local-spool.ts` (segments on a local disk); object storage later.
 *
 * Custody: the promise of `commit()` resolves only after the bytes AND the journal record that describes them are
 * durable (flushed file, flushed directory). One flush may serve many instances; never none. What was not committed
 * leaves no trace after the next start.
 */
import type { ByteSource } from '../core/bytes.ts';
import type { InstanceId } from '../core/identifier.ts';

/** What the journal record beside the bytes says; enough to rebuild the store's row when the store lost it. */
export interface ReceivedRecord {
  readonly id: InstanceId;
  readonly customer: string;
  /** Where it came from: `dicom`, `folder`, `http`, `stow`, `pull`. */
  readonly sourceKind: string;
  /** Calling AE title, folder name, or remote address: for the ledger, not for logs. */
  readonly sourceName: string;
  /** From the command set or the data set; strings, opaque here. */
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly transferSyntaxUid: string;
  /** Milliseconds since the epoch. */
  readonly receivedAtMs: number;
  /** `high` for C-STORE priority HIGH (STAT), else `normal`. */
  readonly priority: 'high' | 'normal';
  /** De-identification profile where the source picks one. */
  readonly profile?: string;
  /** More facts by name (called AE title, move originator, ...); small. */
  readonly facts?: Readonly<Record<string, string>>;
}

/** Where committed bytes are. Opaque to all but the spool; a string so that a row can hold it. */
export type SpoolLocation = string;

export interface SpooledInstance {
  readonly record: ReceivedRecord;
  readonly location: SpoolLocation;
  readonly bytes: number;
  /**
   * Lower-case hexadecimal SHA-256 of the data (what came after the header of `begin`); undefined: not found out yet,
   * ask `Spool.digestOf`. What proves on disk that they are whole is a checksum of the spool's own.
   */
  readonly digest: string | undefined;
}

/** Committed bytes that were copied elsewhere, so that those around them can go. */
export interface Relocation {
  readonly id: InstanceId;
  readonly from: SpoolLocation;
  readonly to: SpoolLocation;
}

/** One instance on its way in. Exactly one of `commit` and `abort` ends it. */
export interface IncomingInstance {
  /** Appends a copy; `false` asks the caller to stop reading its socket until `drained()` resolves. @throws SPOOL_IO, SPOOL_FULL */
  write(bytes: Uint8Array): boolean;
  drained(): Promise<void>;
  /** Resolves when bytes and record are durable. @throws SPOOL_IO, SPOOL_FULL */
  commit(): Promise<SpooledInstance>;
  abort(): Promise<void>;
}

/** One per association, folder pass or request: its instances follow each other, so they may share a segment. */
export interface SpoolWriter {
  /**
   * Starts an instance. `header` (preamble and file meta for what came over DIMSE) is written first and is not part
   * of the digest, so that the same data set has the same digest whichever way it came.
   */
  begin(record: ReceivedRecord, header: Uint8Array): IncomingInstance;
  close(): Promise<void>;
}

export interface SpoolSpace {
  readonly freeBytes: number;
  readonly limitBytes: number;
  /** Below the limit: nothing may be accepted. */
  readonly full: boolean;
  /** Near the limit: slow down. */
  readonly low: boolean;
}

/** A prepared output being written: files of one instance, visible together. */
export interface PreparedWriter {
  /** Adds a file such as `instance.dcm` or `frame-1.jpg` (our own names, never a sender's). */
  file(name: string): { write(bytes: Uint8Array): void; end(): void };
  /**
   * Visible. A power cut may take it, or part of it: `openPrepared` answers whole members or SPOOL_CORRUPT, and the
   * received bytes, which stay until nothing is owed, give the same again. @throws SPOOL_IO, SPOOL_FULL
   */
  commit(): PreparedLocation;
  abort(): void;
}

/**
 * Branded: only `PreparedWriter.commit` and the store (for rows it wrote from one) make it. Delivery takes nothing else, so identified
 * bytes cannot be handed to it by mistake.
 */
export type PreparedLocation = string & { readonly preparedLocation: unique symbol };

export interface Spool {
  writer(): SpoolWriter;
  /** Reads committed bytes. The caller closes. @throws SPOOL_IO */
  openReceived(location: SpoolLocation): ByteSource & { close(): void };
  /**
   * The SHA-256 of committed data, or undefined where they are not what was received. Reads all of them.
   * @throws SPOOL_IO, SPOOL_CORRUPT
   */
  digestOf(location: SpoolLocation): Promise<string | undefined>;
  /** Erases instances' identified bytes; space may return later (when a segment is empty). Idempotent. @throws SPOOL_IO */
  eraseReceived(locations: readonly SpoolLocation[]): Promise<void>;
  prepared(id: InstanceId, attempt: string): PreparedWriter;
  /** One member, whole. The caller closes. @throws SPOOL_IO; SPOOL_CORRUPT where it is not what was written */
  openPrepared(location: PreparedLocation, name: string): ByteSource & { close(): void };
  /** Absolute path for streaming a prepared file from disk; local implementation only. */
  erasePrepared(location: PreparedLocation): Promise<void>;
  /**
   * Has erased bytes go that stay because of live neighbours: these are copied, and `moved` records where to. It answers
   * false where one of them is not on record at the place that it leaves; then nothing moves. @throws SPOOL_IO, SPOOL_FULL
   */
  reclaim(moved: (moves: readonly Relocation[]) => Promise<boolean>): Promise<void>;
  space(): SpoolSpace;
  /** Every committed record on disk, for reconciliation at start; torn tails are cut off and counted. */
  recover(): AsyncIterable<SpooledInstance>;
  /** Sealed packs with the instance each is of: those that no row names are the rest of a crash. */
  sealedPacks(): Iterable<{ readonly location: PreparedLocation; readonly id: InstanceId }>;
  close(): Promise<void>;
}
