/**
 * How decoded samples relate to Bits Stored and High Bit. A codestream of full precision carries the cells as they
 * are, with High Bit and what lies above it; a shorter one carries the stored bits alone, low aligned (PS3.5 §8.2).
 */
import { invalidCodestream } from '../codestream.ts';
import { type DecodedFrame, describedFrame, type SampleArray } from '../decoded-frame.ts';
import type { ImageDescription, PhotometricInterpretation } from '../image-description.ts';

export interface CodedSamples {
  readonly samples: SampleArray;
  /** Bits a sample of the codestream. */
  readonly precision: number;
  readonly photometric: PhotometricInterpretation;
}

/** @throws IMAGING_CODESTREAM_INVALID where samples need more bits than the data set has for them */
export function codedFrame(description: ImageDescription, coded: CodedSamples): DecodedFrame {
  const { samples, precision } = coded;
  // Subsampled chrominance is a matter of the codestream; what a decoder gives is one sample a pixel.
  const photometric = coded.photometric === 'YBR_FULL_422' ? 'YBR_FULL' : coded.photometric;
  const frame = { ...describedFrame(description, samples), photometric };
  const { bitsAllocated, bitsStored, highBit } = description;
  if (precision === bitsAllocated || precision === highBit + 1) return frame;
  if (precision > bitsStored) assertWithin(samples, bitsStored, description.signed);
  return { ...frame, shift: 0 };
}

/**
 * As `codedFrame`, for lossy coding, which may leave the range of Bits Stored by a little: values are clamped, as
 * a mask would turn the brightest into the darkest.
 */
export function lossyFrame(description: ImageDescription, coded: CodedSamples): DecodedFrame {
  const { bitsStored, highBit, signed } = description;
  const lowAligned = highBit === bitsStored - 1 || coded.precision <= highBit;
  if (lowAligned && coded.precision > bitsStored) clamp(coded.samples, bitsStored, signed);
  return codedFrame(description, coded);
}

/** Calls `outside` for the index of each value that Bits Stored cannot hold. */
function eachOutside(samples: SampleArray, bits: number, signed: boolean, outside: (index: number) => void): void {
  const limit = 2 ** (signed ? bits - 1 : bits);
  const wrap = 2 ** (samples.BYTES_PER_ELEMENT * 8);
  for (let index = 0; index < samples.length; index++) {
    const word = samples[index] ?? 0;
    // Signed samples come with their sign extended: negative ones are just below the width of the array.
    if (word >= limit && !(signed && word >= wrap - limit)) outside(index);
  }
}

function assertWithin(samples: SampleArray, bits: number, signed: boolean): void {
  eachOutside(samples, bits, signed, () => {
    throw invalidCodestream('has values beyond Bits Stored', { bitsStored: bits });
  });
}

function clamp(samples: SampleArray, bits: number, signed: boolean): void {
  const limit = 2 ** (signed ? bits - 1 : bits);
  const wrap = 2 ** (samples.BYTES_PER_ELEMENT * 8);
  eachOutside(samples, bits, signed, (index) => {
    const negative = signed && (samples[index] ?? 0) >= wrap / 2;
    samples[index] = negative ? wrap - limit : limit - 1;
  });
}
