/** Small images for tests, as opened Part 10 files, and frames as the codecs get them. Invented, no person in them. */
import { bytesSource } from '../../src/core/bytes.ts';
import { tagOfKeyword } from '../../src/dicom/dictionary.ts';
import { type Part10File, readPart10 } from '../../src/dicom/part10.ts';
import { transferSyntaxOf } from '../../src/dicom/transfer-syntax.ts';
import type { DecodedFrame } from '../../src/imaging/decoded-frame.ts';
import type { ImageDescription } from '../../src/imaging/image-description.ts';
import { TAGS } from '../../src/imaging/tags.ts';
import { type BuildElement, type BuildValue, buildPart10 } from '../build/data-set.ts';

export const EXPLICIT_LITTLE = '1.2.840.10008.1.2.1';
export const EXPLICIT_BIG = '1.2.840.10008.1.2.2';

/** A value, or VR and value where the dictionary leaves the VR open. */
type Attribute = BuildValue | readonly [vr: 'US' | 'SS' | 'OB' | 'OW', value: BuildValue];

/** Attributes by keyword; undefined leaves one out. */
export type Attributes = Readonly<Record<string, Attribute | undefined>>;

/** 2 rows of 3 pixels, MONOCHROME2, 8 bits: what a test does not say. */
const PLAIN: Attributes = {
  SOPClassUID: '1.2.840.10008.5.1.4.1.1.7',
  SOPInstanceUID: '2.25.7',
  SamplesPerPixel: 1,
  PhotometricInterpretation: 'MONOCHROME2',
  Rows: 2,
  Columns: 3,
  BitsAllocated: 8,
  BitsStored: 8,
  HighBit: 7,
  PixelRepresentation: 0,
};

const WITH_VR = new Set(['US', 'SS', 'OB', 'OW']);

export function imageFile(attributes: Attributes, transferSyntax = EXPLICIT_LITTLE): Part10File {
  const elements = Object.entries({ ...PLAIN, ...attributes }).flatMap(([keyword, value]): BuildElement[] => {
    if (value === undefined) return [];
    const [vr, inner] = Array.isArray(value) ? value : [];
    const tag = tagOfKeyword(keyword) ?? 0;
    if (typeof vr === 'string' && WITH_VR.has(vr)) return [[tag, vr, inner as BuildValue]];
    return [[tag, value as BuildValue]];
  });
  const tagIn = ([tag]: BuildElement): number => (typeof tag === 'number' ? tag : 0);
  return readPart10(
    bytesSource(
      buildPart10(
        elements.toSorted((a, b) => tagIn(a) - tagIn(b)),
        { transferSyntax },
      ),
    ),
  );
}

export function syntax(uid: string) {
  const found = transferSyntaxOf(uid);
  if (found === undefined) throw new Error(`no transfer syntax ${uid}`);
  return found;
}

export function describedAs(changes: Partial<ImageDescription> = {}): ImageDescription {
  const bitsAllocated = changes.bitsAllocated ?? 8;
  return {
    pixelDataTag: TAGS.PixelData,
    kind: 'integer',
    rows: 2,
    columns: 3,
    frames: 1,
    samplesPerPixel: 1,
    photometric: 'MONOCHROME2',
    bitsAllocated,
    bitsStored: bitsAllocated,
    highBit: (changes.bitsStored ?? bitsAllocated) - 1,
    signed: false,
    planar: 0,
    ...changes,
  };
}

export function frameOf(samples: DecodedFrame['samples'], changes: Partial<DecodedFrame> = {}): DecodedFrame {
  const columns = changes.columns ?? samples.length / (changes.samplesPerPixel ?? 1);
  const bitsStored = samples.BYTES_PER_ELEMENT * 8;
  return {
    rows: 1,
    columns,
    samplesPerPixel: 1,
    samples,
    bitsStored,
    shift: 0,
    signed: false,
    photometric: 'MONOCHROME2',
    ...changes,
  };
}

/** 16-bit words as little-endian bytes. */
export function wordBytes(words: readonly number[]): Uint8Array {
  return new Uint8Array(Uint16Array.from(words).buffer);
}
