/**
 * The destination seam: one folder or file an implementation (`image-api`, `stow-rs`, `dicom`, `folder`, `s3`), one
 * contract suite (`test/delivery/destination.contract.ts`) for all. A destination sees only prepared, de-identified
 * output; it never knows a sender's identifiers.
 */
import type { ByteSource } from '../core/bytes.ts';
import { type ErrorCode, LetheError } from '../core/errors.ts';

/** What an instance became; written by `prepare`, read by destinations. All identifiers are pseudonymous. */
export interface PreparedManifest {
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  readonly sopInstanceUid: string;
  readonly sopClassUid: string;
  readonly transferSyntaxUid: string;
  readonly accessionNumber: string;
  readonly patientId: string;
  /** As the contract wants it (`^\d+Y$`), already generalised; absent when unknown. */
  readonly patientAge?: string;
  readonly modality?: string;
  /** Name of the de-identified Part 10 file among the prepared files; absent where no destination of it wants the file. */
  readonly dicomFile?: string;
  /** SHA-256 (hex) of the de-identified Part 10 file; where it was not kept, of the image files one after the other. */
  readonly digest: string;
  readonly images: readonly PreparedImage[];
  /** For the record, not for destinations: what was decided about text in the pixels, and why. */
  readonly pixels?: string;
}

/** The prepared Part 10 file, for destinations that send it. @throws SPOOL_CORRUPT where it was prepared without */
export function dicomFileOf({ dicomFile }: PreparedManifest): string {
  if (dicomFile === undefined) throw new LetheError('SPOOL_CORRUPT', { what: 'prepared without the DICOM object' });
  return dicomFile;
}

/** One rendered frame. The numbers describe the image file that is sent, not the original (see the contract). */
export interface PreparedImage {
  readonly file: string;
  readonly mediaType: 'image/jpeg' | 'image/png';
  /** Frame 1 keeps the instance's UID; others derive from it. */
  readonly imageInstanceUid: string;
  /** From 1. */
  readonly frame: number;
  readonly bytes: number;
  readonly height: number;
  readonly width: number;
  readonly rescaleSlope: number;
  readonly rescaleIntercept: number;
  readonly photometricInterpretation: string;
  readonly samplesPerPixel: number;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly highBit: number;
}

declare const deidentified: unique symbol;

/** Made only in `gateway/` from a row whose instance passed verification: the compiler keeps identified bytes out. */
export interface DeliverableInstance {
  readonly [deidentified]: true;
  readonly id: string;
  readonly manifest: PreparedManifest;
  open(file: string): ByteSource & { close(): void };
}

export type DeliveryOutcome =
  | { readonly kind: 'delivered'; readonly receipt: string }
  /** Transient or ambiguous by the error's row; `retryAfterMs` when the destination said so. */
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly detail?: string; readonly retryAfterMs?: number };

export interface Destination {
  readonly name: string;
  readonly type: string;
  /** True when sending the same instance again is recognised by the other side (by UID and digest). */
  readonly idempotent: boolean;
  /**
   * Sends one batch; answers one outcome an instance, in order. Never throws for what the other side does or for bad
   * data; throws only for our own bugs. `signal` aborts a send that has to stop.
   */
  deliver(batch: readonly DeliverableInstance[], signal: AbortSignal): Promise<DeliveryOutcome[]>;
  /** Can it be reached? For `check` and the breaker's half-open probe. Undefined when all is well. */
  probe(signal: AbortSignal): Promise<ErrorCode | undefined>;
  close(): Promise<void>;
}
