/**
 * What the Image Pixel Module (PS3.3 §C.7.6.3) and its floating point siblings (§C.7.6.24, §C.7.6.25) say of the
 * pixels, checked against each other and against limits before a byte of pixel data is looked at.
 *
 * Promises: after `describeImage` every product of these numbers is an exact integer and one frame fits the limit, so
 * nobody behind it checks again. It does not look into codestreams: what they say is compared by the codecs.
 *
 * API: `hasImage(dataSet)`, `describeImage(dataSet, transferSyntax, limits?)`, `frameBytes(description)`.
 */
import { LetheError } from '../core/errors.ts';
import type { DataSet } from '../dicom/data-set.ts';
import type { Tag } from '../dicom/tag.ts';
import type { TransferSyntax } from '../dicom/transfer-syntax.ts';
import { TAGS } from './tags.ts';

/** PS3.3 §C.7.6.3.1.2, current and retired terms that carry pixels which can be shown. */
const PHOTOMETRIC_INTERPRETATIONS = [
  'MONOCHROME1',
  'MONOCHROME2',
  'PALETTE COLOR',
  'RGB',
  'YBR_FULL',
  'YBR_FULL_422',
  'YBR_PARTIAL_422',
  'YBR_PARTIAL_420',
  'YBR_ICT',
  'YBR_RCT',
  // JPEG XL only; leaves the decoder as RGB.
  'XYB',
] as const;

export type PhotometricInterpretation = (typeof PHOTOMETRIC_INTERPRETATIONS)[number];

export interface ImageDescription {
  /** Pixel Data (7FE0,0010), Float (7FE0,0008) or Double Float Pixel Data (7FE0,0009). */
  readonly pixelDataTag: Tag;
  readonly kind: 'integer' | 'float' | 'double';
  readonly rows: number;
  readonly columns: number;
  readonly frames: number;
  readonly samplesPerPixel: 1 | 3;
  readonly photometric: PhotometricInterpretation;
  /** 1, 8, 16, 32 or 64. */
  readonly bitsAllocated: number;
  // 1 ≤ bitsStored ≤ bitsAllocated
  readonly bitsStored: number;
  // bitsStored - 1 ≤ highBit < bitsAllocated
  readonly highBit: number;
  readonly signed: boolean;
  /** 0: samples of a pixel together; 1: planes. As declared; 0 where there is one sample. */
  readonly planar: 0 | 1;
}

export interface ImageLimits {
  /** One decoded frame, in bytes. */
  readonly frameBytesMax: number;
  readonly framesMax: number;
}

/** A 16-bit image of 20000 × 13000, or 8-bit colour of the same: more than any detector has. */
export const IMAGE_LIMITS: ImageLimits = { frameBytesMax: 768 * 1024 * 1024, framesMax: 1_000_000 };

/** Whether the object is an image at all: it has pixel data of one of the three kinds. */
export function hasImage(dataSet: DataSet): boolean {
  return pixelDataTagOf(dataSet) !== undefined;
}

/**
 * Reads and checks the description of the pixels.
 * @throws IMAGING_PIXEL_DATA_MISSING where there is none, IMAGING_DESCRIPTION_INVALID naming the attribute,
 *   IMAGING_TOO_LARGE
 */
export function describeImage(
  dataSet: DataSet,
  transferSyntax: TransferSyntax,
  limits: ImageLimits = IMAGE_LIMITS,
): ImageDescription {
  const pixelDataTag = pixelDataTagOf(dataSet);
  if (pixelDataTag === undefined) throw new LetheError('IMAGING_PIXEL_DATA_MISSING', { what: 'no pixel data element' });
  const rows = positive(dataSet, TAGS.Rows, 'Rows');
  const columns = positive(dataSet, TAGS.Columns, 'Columns');
  const frames = framesOf(dataSet, limits);
  const samplesPerPixel = samplesOf(dataSet);
  const photometric = photometricOf(dataSet, samplesPerPixel);
  const bits = bitsOf(dataSet, pixelDataTag);
  // Planar Configuration has a meaning for several samples only (PS3.3 §C.7.6.3.1.3).
  const planar = samplesPerPixel === 3 && dataSet.number(TAGS.PlanarConfiguration) === 1 ? 1 : 0;
  const description: ImageDescription = {
    pixelDataTag,
    rows,
    columns,
    frames,
    samplesPerPixel,
    photometric,
    planar,
    ...bits,
  };
  const bytes = rows * columns * samplesPerPixel * Math.max(1, bits.bitsAllocated / 8);
  if (bytes > limits.frameBytesMax) {
    throw new LetheError('IMAGING_TOO_LARGE', { rows, columns, frameBytesMax: limits.frameBytesMax });
  }
  if (transferSyntax.encapsulated && bits.kind !== 'integer' && !isFramewiseNative(transferSyntax)) {
    throw invalid('FloatPixelData', 'compressed');
  }
  return description;
}

/** Families whose frames are the native bytes, wrapped or deflated one by one (PS3.5 §A.4.11, §A.4.13). */
export function isFramewiseNative(transferSyntax: TransferSyntax): boolean {
  return transferSyntax.family === 'encapsulated-uncompressed' || transferSyntax.family === 'deflated-frame';
}

/** Bytes of one native frame; of 1-bit frames rounded up, though they are packed without padding (PS3.5 §8.1.1). */
export function frameBytes(description: ImageDescription): number {
  const { rows, columns, samplesPerPixel, bitsAllocated, photometric } = description;
  // Two luminance samples share the chrominance of a pair (PS3.3 §C.7.6.3.1.2): 2 samples a pixel instead of 3.
  const samples = isSubsampled422(photometric) ? 2 : samplesPerPixel;
  return Math.ceil((rows * columns * samples * bitsAllocated) / 8);
}

export function isSubsampled422(photometric: PhotometricInterpretation): boolean {
  return photometric === 'YBR_FULL_422' || photometric === 'YBR_PARTIAL_422';
}

export function isGrey(photometric: PhotometricInterpretation): boolean {
  return photometric === 'MONOCHROME1' || photometric === 'MONOCHROME2';
}

function pixelDataTagOf(dataSet: DataSet): Tag | undefined {
  return [TAGS.PixelData, TAGS.FloatPixelData, TAGS.DoubleFloatPixelData].find((tag) => dataSet.has(tag));
}

function framesOf(dataSet: DataSet, limits: ImageLimits): number {
  // Tolerance: Number of Frames 0 or empty is sent by some modalities for a single frame (test: image-description).
  const frames = dataSet.number(TAGS.NumberOfFrames) ?? 1;
  if (!Number.isInteger(frames) || frames < 0) throw invalid('NumberOfFrames', 'not a count');
  if (frames > limits.framesMax) throw new LetheError('IMAGING_TOO_LARGE', { frames, framesMax: limits.framesMax });
  return Math.max(1, frames);
}

function samplesOf(dataSet: DataSet): 1 | 3 {
  const samples = dataSet.number(TAGS.SamplesPerPixel) ?? 1;
  if (samples !== 1 && samples !== 3) throw invalid('SamplesPerPixel', 'neither 1 nor 3');
  return samples;
}

function photometricOf(dataSet: DataSet, samplesPerPixel: 1 | 3): PhotometricInterpretation {
  const value = dataSet.string(TAGS.PhotometricInterpretation)?.toUpperCase();
  // Tolerance: absent where there is one obvious reading (float and old objects).
  if (value === undefined) return samplesPerPixel === 3 ? 'RGB' : 'MONOCHROME2';
  const known = PHOTOMETRIC_INTERPRETATIONS.find((term) => term === value);
  if (known === undefined) throw invalid('PhotometricInterpretation', 'not a term that can be shown');
  const oneSample = isGrey(known) || known === 'PALETTE COLOR';
  if (oneSample !== (samplesPerPixel === 1)) throw invalid('PhotometricInterpretation', 'contradicts SamplesPerPixel');
  return known;
}

type Bits = Pick<ImageDescription, 'kind' | 'bitsAllocated' | 'bitsStored' | 'highBit' | 'signed'>;

function bitsOf(dataSet: DataSet, pixelDataTag: Tag): Bits {
  if (pixelDataTag !== TAGS.PixelData) {
    const bitsAllocated = pixelDataTag === TAGS.FloatPixelData ? 32 : 64;
    const kind = bitsAllocated === 32 ? 'float' : 'double';
    return { kind, bitsAllocated, bitsStored: bitsAllocated, highBit: bitsAllocated - 1, signed: true };
  }
  const bitsAllocated = positive(dataSet, TAGS.BitsAllocated, 'BitsAllocated');
  if (![1, 8, 16, 32].includes(bitsAllocated)) throw invalid('BitsAllocated', 'not 1, 8, 16 or 32');
  // Tolerance: Bits Stored and High Bit missing mean that every bit is used.
  const bitsStored = dataSet.number(TAGS.BitsStored) ?? bitsAllocated;
  const highBit = dataSet.number(TAGS.HighBit) ?? bitsStored - 1;
  if (!(bitsStored >= 1 && bitsStored <= bitsAllocated)) throw invalid('BitsStored', 'not within BitsAllocated');
  if (!(highBit >= bitsStored - 1 && highBit < bitsAllocated)) throw invalid('HighBit', 'not within BitsAllocated');
  const signed = dataSet.number(TAGS.PixelRepresentation) === 1;
  return { kind: 'integer', bitsAllocated, bitsStored, highBit, signed };
}

function positive(dataSet: DataSet, tag: Tag, attribute: string): number {
  const value = dataSet.number(tag);
  if (value === undefined || !Number.isInteger(value) || value < 1) throw invalid(attribute, 'missing or not positive');
  return value;
}

function invalid(attribute: string, what: string): LetheError {
  return new LetheError('IMAGING_DESCRIPTION_INVALID', { attribute, what });
}
