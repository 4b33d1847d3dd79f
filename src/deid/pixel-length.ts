/** How long native Pixel Data must be, PS3.5 §8.1.1 and PS3.3 §C.7.6.3: what is beyond is no pixel. */
import type { DataSet } from '../dicom/data-set.ts';
import type { Instance } from './instance.ts';

const SAMPLES_PER_PIXEL = 0x00280002;
const PHOTOMETRIC_INTERPRETATION = 0x00280004;
const NUMBER_OF_FRAMES = 0x00280008;
const ROWS = 0x00280010;
const COLUMNS = 0x00280011;
const BITS_ALLOCATED = 0x00280100;

/** As much of its pixels as an instance keeps; undefined where that is all of them. */
export function keptPixelBytes({ profile, dataSet }: Instance): number | undefined {
  return profile.base === 'none' ? undefined : dataSet.derive(nativePixelBytes);
}

/** Bytes, even; undefined where the attributes do not say. */
export function nativePixelBytes(dataSet: DataSet): number | undefined {
  const rows = dataSet.number(ROWS);
  const columns = dataSet.number(COLUMNS);
  const bits = dataSet.number(BITS_ALLOCATED);
  if (rows === undefined || columns === undefined || bits === undefined || rows * columns * bits === 0)
    return undefined;
  const frames = Math.max(1, dataSet.number(NUMBER_OF_FRAMES) ?? 1);
  const bytes = Math.ceil((rows * columns * frames * samples(dataSet) * bits) / 8);
  return bytes + (bytes % 2);
}

/** Of the chroma of YBR_FULL_422 every other sample is there (PS3.3 §C.7.6.3.1.2). */
function samples(dataSet: DataSet): number {
  const declared = dataSet.number(SAMPLES_PER_PIXEL) ?? 1;
  return declared === 3 && /_422$/.test(dataSet.string(PHOTOMETRIC_INTERPRETATION) ?? '') ? 2 : declared;
}
