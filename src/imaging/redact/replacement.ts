/**
 * What a redaction hands to whoever writes the instance: elements that take the place of the instance's own, at the top
 * level of the data set. Values are encoded in the byte order of the transfer syntax that the output has. Pixel data
 * are produced while they are written, frame by frame, so that nothing here grows with the number of frames.
 */
import type { Pieces } from '../../core/bytes.ts';
import type { Tag } from '../../dicom/tag.ts';
import type { Vr } from '../../dicom/vr.ts';

export type Replacement =
  /** The element is left out. */
  | { readonly kind: 'remove' }
  | { readonly kind: 'value'; readonly vr: Vr; readonly value: Uint8Array }
  /**
   * A long value of `length` bytes (even), as chunks that are valid until the next one is asked for (see `Pieces`).
   * `chunks` may be called more than once and may throw a LetheError in the middle: then the instance is held.
   */
  | {
      readonly kind: 'bulk';
      readonly vr: 'OB' | 'OW' | 'OF' | 'OD';
      readonly length: number;
      readonly chunks: Pieces;
    }
  /**
   * Encapsulated frames (PS3.5 §A.4), one whole fragment a frame, not yet padded to an even length. The Basic Offset
   * Table is written empty. Lives and fails as `chunks` does.
   */
  | { readonly kind: 'fragments'; readonly vr: 'OB'; readonly fragments: () => Iterable<Uint8Array> };

export interface PixelReplacements {
  readonly replace: ReadonlyMap<Tag, Replacement>;
  /** The output's transfer syntax where it differs from the instance's. */
  readonly transferSyntaxUid?: string;
  /** Burned In Annotation (0028,0301) of the output, where the pixels are known to be free of identifying text. */
  readonly burnedIn?: 'NO';
  /** CID 7050 codes of what was done, e.g. 113101 Clean Pixel Data Option. */
  readonly methodCodes: readonly string[];
}
