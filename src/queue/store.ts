/**
 * The store seam: which instance is where, and what is owed to whom. Knows UIDs as strings and no DICOM. Implementations:
 * `sqlite-store.ts`; PostgreSQL later; `test/queue/store.contract.ts` is run on each.
 *
 * Two legs. instance: received -> prepared | held | discarded (prepared may become held again; held -> received by
 * `release`). delivery, one row per instance and destination: queued -> claimed -> inflight -> delivered | deferred |
 * rejected | held. Every change is one transaction with its audit entry.
 */
import type { AuditEntry } from '../core/chain.ts';
import type { InstanceId } from '../core/identifier.ts';
import type { PreparedLocation, Relocation, SpooledInstance, SpoolLocation } from './spool.ts';

export type InstanceState = 'received' | 'prepared' | 'held' | 'discarded';
export type DeliveryState = 'queued' | 'claimed' | 'inflight' | 'delivered' | 'deferred' | 'rejected' | 'held';

/** Opaque keyed hashes of a study and of its patient. */
export interface StudyOfPatient {
  readonly studyKey: string;
  readonly patientKey: string;
}

export interface InstanceRow {
  readonly id: InstanceId;
  readonly customer: string;
  readonly sourceKind: string;
  readonly sourceName: string;
  readonly sopClassUid: string;
  /** The sender's own UIDs: identified data, never in logs or lists. */
  readonly sopInstanceUid: string;
  readonly studyInstanceUid: string | undefined;
  readonly transferSyntaxUid: string;
  readonly bytes: number;
  /** SHA-256 of the data; undefined: not found out yet. `CONTENT_LOST`: it never will be. */
  readonly digest: string | undefined;
  readonly receivedAtMs: number;
  readonly priority: 'high' | 'normal';
  /** Picked by the source; undefined: the site's own. */
  readonly profile: string | undefined;
  readonly state: InstanceState;
  /** Error code and path-only detail of why it is held, or the rule that discarded it. */
  readonly reason: string | undefined;
  readonly reasonDetail: string | undefined;
  /** Undefined once the identified bytes were erased. */
  readonly location: SpoolLocation | undefined;
  readonly prepared: PreparedOutput | undefined;
  /** Since when nothing is owed any more: delivered everywhere, or discarded. */
  readonly settledAtMs: number | undefined;
}

/** What `prepare` produced; everything in it is de-identified. */
export interface PreparedOutput {
  readonly location: PreparedLocation;
  /** Pseudonymous identifiers and image descriptions as JSON, interpreted by `delivery/`. */
  readonly manifest: string;
  /** Pseudonymous series UID (or study, or instance): what is batched together. */
  readonly studyKey: string;
  readonly seriesKey: string;
  readonly bytes: number;
  /** Bytes that a destination is sent of it, where that is not all. */
  readonly bytesFor?: Readonly<Record<string, number>>;
}

/** Destinations for which nothing could be prepared, although it could for others. */
export interface UnpreparedFor {
  readonly destinations: readonly string[];
  readonly reason: string;
  readonly detail: string | undefined;
}

export interface PrepareDecision {
  /** Gives the deliveries high priority whatever the instance's own. */
  readonly urgent?: boolean;
  /** Their deliveries are held at once; `release` has the instance processed anew. */
  readonly unprepared?: readonly UnpreparedFor[];
  /** Bound as by `bindStudyToPatient`, in the same transaction. */
  readonly patient?: { readonly customer: string; readonly studies: readonly StudyOfPatient[] };
}

export interface DeliveryRow {
  readonly id: number;
  readonly instance: InstanceId;
  readonly destination: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  /** When it became owed; the age budget counts from here. */
  readonly createdAtMs: number;
  readonly dueAtMs: number;
  readonly priority: 'high' | 'normal';
  readonly reason: string | undefined;
  readonly reasonDetail: string | undefined;
  /** What the destination said when it took it. */
  readonly receipt: string | undefined;
}

export interface ClaimedDelivery {
  readonly delivery: DeliveryRow;
  readonly instance: InstanceRow;
  readonly prepared: PreparedOutput;
}

export type AcceptOutcome =
  /** `replaced`: other content under this UID that was on record, where the policy is that. */
  | { readonly kind: 'accepted'; readonly replaced?: readonly InstanceId[] }
  /** Same customer and SOP Instance UID, same digest: Success, and nothing is owed twice. */
  | { readonly kind: 'duplicate'; readonly of: InstanceId }
  /** The same as a duplicate, but the bytes of the first had been lost: these take their place, and it is owed again. */
  | { readonly kind: 'restored'; readonly of: InstanceId }
  /** Other content is on record under this UID, and that was to be refused: there is no row for this one. */
  | { readonly kind: 'conflict'; readonly of: InstanceId; readonly digest: string }
  /**
   * There is content under this UID, and it takes digests to tell whether it is the same: the offered one's, and those
   * of `earlier` by `noteDigest`. Then accept again.
   */
  | { readonly kind: 'undetermined'; readonly earlier: readonly { id: InstanceId; location: SpoolLocation }[] };

/** In place of the digest of an instance whose bytes are not what was received any more. */
export const CONTENT_LOST = 'lost';

/**
 * What becomes of content under a UID that is on record with other content: no row, a version, a held version, or the
 * place of what was not delivered yet, which is discarded.
 */
export type OtherContent = 'refuse' | 'keep' | 'hold' | 'replace';

export interface FlowCounts {
  readonly received: number;
  readonly prepared: number;
  readonly held: number;
  readonly discarded: number;
  /** By destination. */
  readonly deliveries: Readonly<Record<string, Readonly<Record<DeliveryState, number>>>>;
}

/** What history may stay, and how much of it goes in one step. */
export interface HistoryLimits {
  /** Instances settled by then go, and what is known of studies seen last before then. */
  readonly settledBeforeMs: number;
  /** More than `instancesMax` rows: those settled by then go too, oldest first; never later ones. */
  readonly settledBeforeMsAtLeast: number;
  readonly instancesMax: number;
  /** Ledger lines of studies whose newest instance came before are added up. */
  readonly linesBeforeMs: number;
  /** Of each kind: bounds the transaction. */
  readonly rowsMax: number;
}

export interface Pruned {
  readonly instances: number;
  readonly studies: number;
  readonly lines: number;
}

/** One line of the ledger: received = delivered + held + discarded + onTheWay, always. */
export interface LedgerLine {
  readonly customer: string;
  readonly sourceName: string;
  /** The sender's Study Instance UID, only for those allowed to see it. */
  readonly studyInstanceUid: string | undefined;
  readonly received: number;
  readonly delivered: number;
  readonly held: number;
  readonly discarded: number;
  readonly onTheWay: number;
  /** Of the line that sums up a source's studies too old for lines of their own: how many. */
  readonly earlierStudies?: number;
}

export interface Store {
  /** Makes the row for committed bytes. Idempotent by id (recovery repeats it). `otherContent`: `keep` when left out. */
  accept(
    spooled: SpooledInstance,
    studyInstanceUid: string | undefined,
    otherContent?: OtherContent,
  ): Promise<AcceptOutcome>;
  /** The SHA-256 of an instance's data, found out after it was accepted; once is enough, again changes nothing. */
  noteDigest(id: InstanceId, digest: string): Promise<void>;
  /** The first content under this customer and SOP Instance UID. */
  findBySopInstanceUid(customer: string, sopInstanceUid: string): Promise<InstanceRow | undefined>;
  /** All contents under this customer and SOP Instance UID, oldest first. */
  versionsOf(customer: string, sopInstanceUid: string): Promise<InstanceRow[]>;
  instance(id: InstanceId): Promise<InstanceRow | undefined>;
  /** In state received, high priority first, then oldest, at most `limit`. A pure query: `except` is what the caller has in hand. */
  takeReceived(limit: number, except?: ReadonlySet<InstanceId>): Promise<InstanceRow[]>;
  /**
   * prepared, with one queued delivery a destination. An instance that no destination takes is held by the caller
   * instead. A delivery that was settled or is on its way already stays as it is. False: it is of a study that was another
   * patient's (`decision.patient`), and nothing has changed.
   */
  markPrepared(
    id: InstanceId,
    output: PreparedOutput,
    destinations: readonly string[],
    decision?: PrepareDecision,
  ): Promise<boolean>;
  /** No change where nothing is owed any more. */
  hold(id: InstanceId, reason: string, detail: string | undefined): Promise<void>;
  discard(id: InstanceId, rule: string): Promise<void>;
  /**
   * held -> received (processed anew) by an operator; its held deliveries are queued again when already prepared. One
   * that was never prepared for a destination is processed anew; what was delivered stays delivered.
   */
  release(id: InstanceId, by: string): Promise<void>;
  /**
   * One study's patient: false when the study was already seen with another one. The first of `studies` is recorded; the
   * others say the same under keys that were used before.
   */
  bindStudyToPatient(customer: string, studies: readonly StudyOfPatient[]): Promise<boolean>;

  /** Claims due deliveries of one destination that share a batch key; high priority first, then oldest. */
  claim(destination: string, options: ClaimOptions): Promise<ClaimedDelivery[]>;
  /** `flushed`: on the medium before it resolves, for destinations that would not recognise a repetition. */
  markInflight(deliveries: readonly number[], flushed?: boolean): Promise<void>;
  settle(deliveries: readonly number[], receipt: string): Promise<void>;
  defer(deliveries: readonly number[], dueAtMs: number, reason: string, detail: string | undefined): Promise<void>;
  holdDeliveries(deliveries: readonly number[], reason: string, detail: string | undefined): Promise<void>;
  /** Back to queued without an attempt counted (shutdown, circuit open). */
  unclaim(deliveries: readonly number[]): Promise<void>;
  /**
   * After a restart: claimed -> queued; inflight -> queued where the destination is idempotent, else held. Where the
   * system's clock was set back, what seems to be of the future is of now.
   */
  requeueAfterRestart(idempotent: (destination: string) => boolean): Promise<{ requeued: number; held: number }>;
  /** A destination that was unwell is well again: what was put off because of that is due, oldest first. */
  hasten(destination: string): Promise<void>;
  /** prepared -> received: the prepared output was lost, the received bytes were not. No change once settled. */
  prepareAgain(id: InstanceId): Promise<void>;
  /** The bytes of these received instances lie elsewhere; all or none. Flushed. @throws SPOOL_CORRUPT where one is not at `from` */
  relocate(moves: readonly Relocation[]): Promise<void>;
  /** In this state and owed something still, oldest first, at most `limit`; for reconciliation at start. */
  unsettled(state: InstanceState, limit: number, afterId?: InstanceId): Promise<InstanceRow[]>;
  /** When the next deferred delivery of a destination is due; undefined when none waits. */
  nextDueAtMs(destination: string): Promise<number | undefined>;
  /** Since when the oldest delivery is owed that is neither delivered nor held; undefined when none is. */
  oldestOwedAtMs(destination: string): Promise<number | undefined>;

  /**
   * Instances whose received (or prepared) bytes are still there although every delivery is delivered, or the instance
   * discarded, since before `settledBeforeMs`. Held or deferred anywhere: never.
   */
  erasable(what: 'received' | 'prepared', settledBeforeMs: number, limit: number): Promise<InstanceRow[]>;
  /** Before the bytes go: it is flushed, and with it all that was said of these instances earlier. */
  markErased(ids: readonly InstanceId[], what: 'received' | 'prepared'): Promise<void>;

  /** Keeps a storage commitment request until it is settled; answers the one kept under this UID before. Opaque here. */
  rememberCommitment(peer: string, transactionUid: string, request: string): Promise<string | undefined>;
  settleCommitment(peer: string, transactionUid: string, outcome: string): Promise<void>;
  /** Requests not settled, oldest first. */
  owedCommitments(): Promise<string[]>;

  /**
   * Forgets settled instances whose bytes are erased, in one bounded step. The ledger and the counts keep their numbers;
   * the audit keeps what it says of them. What comes again after that is new.
   */
  prune(limits: HistoryLimits): Promise<Pruned>;
  /** The last audit entry that was moved to the archive; sequence 0 while none was. */
  archivedAudit(): Promise<{ readonly sequence: number; readonly hash: string }>;
  /** All entries up to this one are on the medium elsewhere. No change where it is not an entry, or the last one. Flushed. */
  noteArchived(through: { readonly sequence: number; readonly hash: string }): Promise<void>;
  /** Removes entries that are in the archive, oldest first; answers how many. */
  dropArchived(limit: number): Promise<number>;

  /** Since ever: what was pruned is still counted. */
  counts(): Promise<FlowCounts>;
  ledger(options: { customer?: string; limit: number }): Promise<LedgerLine[]>;
  list(options: ListOptions): Promise<InstanceRow[]>;
  deliveriesOf(id: InstanceId): Promise<DeliveryRow[]>;
  /** The audit trail of one instance, oldest first. */
  history(id: InstanceId): Promise<{ atMs: number; event: string; detail: string }[]>;
  /** An audit entry about something that is no transition of an instance (an operator looked, the gateway started). */
  note(event: string, detail: string, id?: InstanceId): Promise<void>;
  /**
   * The chain with its hashes, oldest first, from behind `after` (default: all that is not in the archive), for export and
   * verification.
   */
  auditEntries(after?: number): AsyncIterable<AuditEntry & { readonly hash: string }>;
  /** Its last entry; undefined while there is none. */
  auditHead(): Promise<{ readonly sequence: number; readonly hash: string } | undefined>;
  close(): Promise<void>;
}

export interface ClaimOptions {
  readonly nowMs: number;
  readonly by: 'instance' | 'series' | 'study';
  readonly maxInstances: number;
  readonly maxBytes: number;
  /** A batch that is not full waits until its newest member is this old; 0 claims at once. */
  readonly idleMs: number;
}

export interface ListOptions {
  readonly state?: InstanceState;
  readonly customer?: string;
  readonly deliveryState?: DeliveryState;
  readonly destination?: string;
  readonly limit: number;
  /** Exclusive upper bound of the id, for paging from newest to oldest. */
  readonly beforeId?: InstanceId;
}
