/**
 * One decoded frame as samples in memory. A sample is the low `bitsStored` bits of `word >>> shift`, sign-extended
 * where the frame is signed (PS3.5 §8.1.1): words keep what a modality put above or below them, so that a native
 * frame needs no copy, and whoever maps words through a look-up table pays nothing for it.
 */
import type { ImageDescription, PhotometricInterpretation } from './image-description.ts';

export type SampleArray = Uint8Array | Uint16Array | Uint32Array | Float32Array | Float64Array;

export interface DecodedFrame {
  readonly rows: number;
  readonly columns: number;
  readonly samplesPerPixel: 1 | 3;
  /** rows × columns × samplesPerPixel, row by row, the samples of a pixel together. */
  readonly samples: SampleArray;
  readonly bitsStored: number;
  /** Position of the lowest stored bit; 0 unless High Bit says otherwise. */
  readonly shift: number;
  readonly signed: boolean;
  /** What the samples are now: a JPEG 2000 frame with a component transform is RGB when it leaves the decoder. */
  readonly photometric: PhotometricInterpretation;
}

/** A frame as the description says it, for decoders that change nothing. */
export function describedFrame(description: ImageDescription, samples: SampleArray): DecodedFrame {
  const { rows, columns, samplesPerPixel, bitsStored, highBit, signed, photometric } = description;
  return { rows, columns, samplesPerPixel, samples, bitsStored, shift: highBit + 1 - bitsStored, signed, photometric };
}

export function isFloating(samples: SampleArray): samples is Float32Array | Float64Array {
  return samples instanceof Float32Array || samples instanceof Float64Array;
}

/** The stored value of one integer word. */
export function storedValue(word: number, frame: Pick<DecodedFrame, 'bitsStored' | 'shift' | 'signed'>): number {
  // Up to the sign bit of 32 and down again: the shift that comes back extends the sign, or does not.
  const spare = 32 - frame.bitsStored;
  const raised = (word >>> frame.shift) << spare;
  return frame.signed ? raised >> spare : raised >>> spare;
}

/** Samples by planes (Planar Configuration 1) to samples by pixels. */
export function interleave<Samples extends SampleArray>(planes: Samples, output: Samples): Samples {
  const pixels = Math.floor(planes.length / 3);
  for (let pixel = 0, index = 0; pixel < pixels; pixel++) {
    output[index++] = planes[pixel] ?? 0;
    output[index++] = planes[pixel + pixels] ?? 0;
    output[index++] = planes[pixel + 2 * pixels] ?? 0;
  }
  return output;
}
