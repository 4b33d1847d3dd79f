/** What main and workers say to each other about one instance. Cloned between threads: plain data only. */
import type { ErrorCode } from '../core/errors.ts';
import type { InstanceId } from '../core/identifier.ts';
import type { PreparedOutput, StudyOfPatient, UnpreparedFor } from '../queue/store.ts';

export interface ProcessJob {
  readonly id: InstanceId;
  readonly customer: string;
  readonly sourceKind: string;
  readonly sourceName: string;
  /** Milliseconds since the epoch. */
  readonly receivedAtMs: number;
  /** As the source picked it; undefined: the site's own. */
  readonly profile: string | undefined;
  /** Where the identified bytes are. */
  readonly location: string;
  /** How many there are. */
  readonly bytes: number;
  /** Names the prepared output of this try, so that a crashed try cannot be mistaken for it. */
  readonly attempt: string;
}

export type ProcessOutcome = Decision & {
  /** SHA-256 of the received data, as far as they could be read. */
  readonly contentDigest?: string;
};

type Decision =
  | {
      readonly kind: 'prepared';
      readonly output: PreparedOutput;
      /** All that take it. */
      readonly destinations: readonly string[];
      /** Those that would have taken it, had it been possible to make it as they ask. */
      readonly unprepared: readonly UnpreparedFor[];
      readonly urgent: boolean;
      /** For the one-study-one-patient rule: as it is recorded, and as it was before there was a key for it alone. */
      readonly studies: readonly StudyOfPatient[];
      readonly images: number;
    }
  | { readonly kind: 'held'; readonly code: ErrorCode; readonly detail: string | undefined }
  | { readonly kind: 'discarded'; readonly rule: string }
  /** Nothing is wrong with the instance: the same may succeed later (disk full, store away). */
  | { readonly kind: 'retry'; readonly code: ErrorCode };
