/** What the file verbs (`deid`, `convert`) and their worker threads say to each other. Plain data only. */

import type { ErrorCode } from '../core/errors.ts';
import type { PixelPolicy } from '../deid/burned-in/clean-pixels.ts';
import type { PseudonymKey } from '../deid/pseudonym.ts';
import type { ImageFormat } from '../imaging/render.ts';

export interface FileWorkerData {
  /** Undefined for `convert`. */
  readonly deid:
    | {
        readonly profile: string;
        readonly key: PseudonymKey;
        readonly pixels: PixelPolicy;
        readonly textDetection: 'auto' | 'off';
      }
    | undefined;
}

export interface FileJob {
  readonly path: string;
  /** Where to write: a folder and, for `convert`, the start of the names. */
  readonly dir: string;
  readonly stem: string;
  /** Names the temporary files of this job. */
  readonly number: number;
  readonly formats: readonly ImageFormat[];
  /** Whether `deid` leaves the Part 10 file. */
  readonly dicom: boolean;
  readonly quality: number;
  readonly frames: 'all' | readonly number[];
  readonly window: 'auto' | { readonly center: number; readonly width: number };
  readonly base64: boolean;
}

export interface WrittenImage {
  readonly frame: number;
  /** As written; `deid` renames it when the whole instance is done. */
  readonly path: string;
  readonly extension: string;
  readonly width: number;
  readonly height: number;
  readonly photometricInterpretation: string;
  readonly samplesPerPixel: number;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly highBit: number;
  readonly rescaleSlope: number;
  readonly rescaleIntercept: number;
  readonly window: { readonly center: number; readonly width: number } | undefined;
  readonly format: ImageFormat;
  readonly notes: readonly string[];
}

export type FileOutcome =
  | {
      readonly kind: 'ok';
      readonly images: readonly WrittenImage[];
      /** Of `deid`. */
      readonly sopInstanceUid: string | undefined;
      readonly dicomPath: string | undefined;
      /** SHA-256 of the de-identified object. */
      readonly digest: string;
      readonly actions: Readonly<Record<string, number>>;
      readonly pixels: string | undefined;
    }
  | {
      readonly kind: 'failed';
      readonly code: ErrorCode;
      readonly message: string;
      readonly held: boolean;
      readonly images: readonly WrittenImage[];
    };
