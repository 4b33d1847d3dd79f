/** The header of an instance as de-identification reads it. */
import type { DataSet } from '../dicom/data-set.ts';
import { readDataSet } from '../dicom/data-set-reader.ts';
import type { OpenPart10 } from '../dicom/part10.ts';

/** A Part 10 file with its header. */
export interface ReadHeader extends OpenPart10 {
  readonly dataSet: DataSet;
}

/** Most text and every table of colours is read with the header; pixels are not. */
export const READING = { wholeValueBytesMax: 256 * 1024, endAfterPixelData: true } as const;

/** The header with Pixel Data as a reference, and nothing of what follows them. */
export function readHeader(open: OpenPart10): ReadHeader {
  const dataSet = readDataSet(open.source, { ...READING, ...open.encoding, offset: open.dataSetOffset });
  return { ...open, dataSet };
}
