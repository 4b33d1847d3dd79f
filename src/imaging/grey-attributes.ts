/**
 * Where the numbers of the grey pipeline stand: at the top level, or for enhanced objects in the functional groups,
 * per frame first, then shared (PS3.3 §C.7.6.16): Pixel Value Transformation (§C.7.6.16.2.9) and Frame VOI LUT
 * (§C.7.6.16.2.10).
 */
import type { ByteSource } from '../core/bytes.ts';
import type { DataSet } from '../dicom/data-set.ts';
import type { Tag } from '../dicom/tag.ts';
import type { ImageDescription } from './image-description.ts';
import { type LookUpTable, readDescriptor, readEntries } from './lut.ts';
import { TAGS } from './tags.ts';
import { isValidWindow, type Window, type WindowFunction } from './voi.ts';

/** Stored value to modality value (PS3.3 §C.11.1). */
export type ModalityTransform =
  | Rescale
  | (Omit<Rescale, 'kind'> & { readonly kind: 'lut'; readonly table: LookUpTable });

export interface Rescale {
  readonly kind: 'linear';
  /** As the data set says; beside a look-up table too, where they are not applied. */
  readonly slope: number;
  readonly intercept: number;
}

export interface VoiChoices {
  /** In the order of the data set; the first is the one to show unless somebody chooses (PS3.3 §C.11.2.1.2). */
  readonly windows: readonly Window[];
  readonly tables: readonly (() => LookUpTable)[];
}

/** Stored values that mean "no image here" (PS3.3 §C.7.5.1.1.2), inclusive. */
export interface PaddingRange {
  readonly low: number;
  readonly high: number;
}

export function modalityTransformOf(
  source: ByteSource,
  dataSet: DataSet,
  description: ImageDescription,
  frameIndex: number,
): ModalityTransform {
  const group = functionalGroup(dataSet, TAGS.PixelValueTransformationSequence, frameIndex) ?? dataSet;
  const slope = group.number(TAGS.RescaleSlope);
  const intercept = group.number(TAGS.RescaleIntercept);
  // Tolerance: a slope of 0 would make every image black; it is read as absent (test: grey).
  const rescale: Rescale = { kind: 'linear', slope: finite(slope) || 1, intercept: finite(intercept) ?? 0 };
  const [lut] = dataSet.items(TAGS.ModalityLutSequence);
  if (lut === undefined) return rescale;
  // Tolerance: both are sent although §C.11.1 forbids it; the table then says more than the rescale (test: corpus).
  const descriptor = readDescriptor(lut, TAGS.LutDescriptor, description.signed);
  return { ...rescale, kind: 'lut', table: readEntries(source, lut, TAGS.LutData, descriptor) };
}

/** @param input what the VOI stage gets: whether it can be negative, and whether it comes from floating samples */
export function voiChoicesOf(
  source: ByteSource,
  dataSet: DataSet,
  frameIndex: number,
  input: { readonly signed: boolean; readonly floating: boolean },
): VoiChoices {
  const group = functionalGroup(dataSet, TAGS.FrameVoiLutSequence, frameIndex) ?? dataSet;
  const centers = group.numbers(TAGS.WindowCenter);
  const widths = group.numbers(TAGS.WindowWidth);
  const shape = windowFunctionOf(group.string(TAGS.VoiLutFunction), input.floating);
  const windows = centers.map(
    (center, index): Window => ({ center, width: widths[index] ?? Number.NaN, function: shape }),
  );
  const tables = dataSet.items(TAGS.VoiLutSequence).map((item) => () => {
    const descriptor = readDescriptor(item, TAGS.LutDescriptor, input.signed);
    return readEntries(source, item, TAGS.LutData, descriptor);
  });
  return { windows: windows.filter(isValidWindow), tables };
}

export function paddingRangeOf(dataSet: DataSet, description: ImageDescription): PaddingRange | undefined {
  const value = paddingNumber(dataSet, TAGS.PixelPaddingValue, description);
  if (value === undefined) return undefined;
  const limit = paddingNumber(dataSet, TAGS.PixelPaddingRangeLimit, description) ?? value;
  return { low: Math.min(value, limit), high: Math.max(value, limit) };
}

/**
 * Whether white is the lowest value. A Presentation LUT Shape decides where there is one (PS3.3 §C.11.6: what enters it
 * are values, what leaves it is brightness), else MONOCHROME1 does.
 */
export function isInverted(dataSet: DataSet, description: ImageDescription): boolean {
  const shape = dataSet.string(TAGS.PresentationLutShape);
  if (shape === 'INVERSE' || shape === 'IDENTITY') return shape === 'INVERSE';
  return description.photometric === 'MONOCHROME1';
}

/** The first item of a functional group for a frame, per-frame before shared. */
function functionalGroup(dataSet: DataSet, group: Tag, frameIndex: number): DataSet | undefined {
  const perFrame = dataSet.items(TAGS.PerFrameFunctionalGroupsSequence)[frameIndex]?.items(group)[0];
  return perFrame ?? dataSet.items(TAGS.SharedFunctionalGroupsSequence)[0]?.items(group)[0];
}

/**
 * LINEAR counts whole steps (the 1 and the 0.5 in its formula), which floating samples do not have: a window of width 1
 * over values from 0 to 1 would be a threshold. Their LINEAR is read as LINEAR_EXACT.
 */
function windowFunctionOf(text: string | undefined, floating: boolean): WindowFunction {
  if (text === 'SIGMOID' || text === 'LINEAR_EXACT') return text;
  return floating ? 'LINEAR_EXACT' : 'LINEAR';
}

/** Padding is compared with stored values, so it gets their sign, whatever VR it was written with. */
function paddingNumber(
  dataSet: DataSet,
  tag: Tag,
  { signed, bitsStored, bitsAllocated }: ImageDescription,
): number | undefined {
  const value = finite(dataSet.number(tag));
  if (value === undefined || bitsAllocated > 16) return value;
  const stored = value & (2 ** bitsStored - 1);
  return signed && stored >= 2 ** (bitsStored - 1) ? stored - 2 ** bitsStored : stored;
}

function finite(value: number | undefined): number | undefined {
  return value !== undefined && Number.isFinite(value) ? value : undefined;
}
