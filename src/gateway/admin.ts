/**
 * The gateway's admin face: all that the console and the CLI's operator verbs may ask of a running gateway. Lists hold
 * no identifying value: instances appear by our own id, sources by their configured name, reasons by code and path.
 */
import type { InstanceId } from '../core/identifier.ts';
import type { SpoolSpace } from '../queue/spool.ts';
import type { DeliveryRow, FlowCounts, InstanceState, LedgerLine, ListOptions } from '../queue/store.ts';
import type { Review, ReviewDecision } from './review.ts';

/** An instance as a list may show it. */
export interface InstanceSummary {
  readonly id: InstanceId;
  readonly customer: string;
  readonly sourceKind: string;
  readonly sourceName: string;
  readonly sopClassUid: string;
  readonly sopClassName: string;
  readonly bytes: number;
  readonly receivedAtMs: number;
  readonly state: InstanceState;
  /** Every destination has taken it. */
  readonly delivered: boolean;
  /** Error code and path-only detail when held; the rule's name when discarded. */
  readonly reason: string | undefined;
  readonly reasonDetail: string | undefined;
  /** The error table's sentence for the reason: what to do. */
  readonly advice: string | undefined;
  readonly images: number;
  /** What was decided about text in the pixels and why; undefined until it is prepared. */
  readonly pixels: string | undefined;
}

export interface InstanceDetail extends InstanceSummary {
  readonly deliveries: readonly DeliveryRow[];
  /** The audit trail of this instance, oldest first: time, event, detail without values. */
  readonly history: readonly { readonly atMs: number; readonly event: string; readonly detail: string }[];
}

export interface GatewayStatus {
  readonly version: string;
  readonly startedAtMs: number;
  readonly counts: FlowCounts;
  readonly space: SpoolSpace;
  readonly associations: number;
  readonly listeners: readonly {
    readonly kind: 'dicom' | 'dicom-tls' | 'http';
    readonly host: string;
    readonly port: number;
  }[];
  readonly destinations: readonly DestinationStatus[];
}

export interface DestinationStatus {
  readonly name: string;
  readonly type: string;
  readonly breaker: 'closed' | 'open' | 'half-open';
  readonly oldestOwedAtMs: number | undefined;
  readonly lastError: string | undefined;
}

/** What one receive over HTTP or from a folder came to. */
export type ReceiveResult =
  | {
      readonly status: 'accepted' | 'duplicate';
      readonly id: InstanceId;
      readonly sopInstanceUid: string;
      /** For the STOW-RS answer, which names it beside the instance (PS3.18 Table I.2-1). */
      readonly sopClassUid?: string;
    }
  | {
      readonly status: 'refused';
      readonly code: string;
      readonly message: string;
      readonly httpStatus: number;
      /** Where the bytes could be read far enough to know. */
      readonly sopInstanceUid?: string;
      readonly sopClassUid?: string;
    };

export interface GatewayAdmin {
  status(): Promise<GatewayStatus>;
  /** Ready to take custody: spool writable and above its mark, store answers. `reasons` is empty when ready. */
  readiness(): Promise<{ ready: boolean; reasons: readonly string[] }>;
  ledger(options: { customer?: string; limit: number }): Promise<LedgerLine[]>;
  list(options: ListOptions): Promise<InstanceSummary[]>;
  detail(id: InstanceId): Promise<InstanceDetail | undefined>;
  release(id: InstanceId, by: string): Promise<void>;
  retry(id: InstanceId, by: string): Promise<void>;
  hold(id: InstanceId, by: string): Promise<void>;
  /** What was found in the pixels of a held instance. @throws INSTANCE_UNKNOWN where it is not held */
  review(id: InstanceId): Promise<Review>;
  /** Processes it again with just these boxes blanked. @throws INSTANCE_UNKNOWN, HTTP_REQUEST_INVALID */
  decideReview(id: InstanceId, decision: ReviewDecision, by: string): Promise<void>;
  discard(id: InstanceId, by: string): Promise<void>;
  /** Before/after of the elements, with the original values: only for whoever may see them; each use is audited. */
  explain(id: InstanceId, by: string): Promise<readonly ExplainLine[] | undefined>;
  /** A rendered, de-identified frame (1-based) of a prepared instance. */
  preview(id: InstanceId, frame: number): Promise<{ bytes: Uint8Array; mediaType: string } | undefined>;
  /**
   * A frame (1-based) as it was received, as PNG: what the person who decides about a held instance has to see. May show
   * identifying text: only for whoever may see it; each use is audited.
   * @throws IMAGING_* where it cannot be rendered, HTTP_TOO_BUSY while others look
   */
  receivedPreview(id: InstanceId, frame: number, by: string): Promise<Uint8Array | undefined>;
  /**
   * Takes custody of one Part 10 file whose bytes are streamed in. Resolves after it is durable.
   */
  receive(bytes: AsyncIterable<Uint8Array>, from: ReceiveOrigin): Promise<ReceiveResult>;
  /** What a user did or was refused, for the audit; repetitions of one kind are counted, so that a flood fills nothing. */
  noteUser(event: UserEvent, detail: string): void;
  /** Prometheus text. */
  metrics(): Promise<string>;
}

/** Details: `NAME from ADDRESS`. */
export type UserEvent = 'user.login' | 'user.refused' | 'user.forbidden';

export interface ReceiveOrigin {
  readonly kind: 'http' | 'stow' | 'folder';
  readonly name: string;
  readonly customer: string;
  /** STOW-RS to `/studies/{uid}`: an instance of another study is refused with HTTP_STUDY_MISMATCH. */
  readonly studyInstanceUid?: string;
}

/** One element as `explain` tells it. */
export interface ExplainLine {
  /** `(0040,0275)[0].(0032,1060)`; items count from 0. */
  readonly path: string;
  readonly keyword: string;
  readonly vr: string;
  readonly before: string;
  readonly action: string;
  readonly rule: string;
  /** Clause and edition of the standard, or the profile's line. */
  readonly clause: string;
  /** Undefined when removed. */
  readonly after: string | undefined;
}

export type { Review, ReviewDecision } from './review.ts';
