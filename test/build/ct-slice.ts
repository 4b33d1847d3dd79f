/** The data set of a CT slice, for whoever sends thousands of them: what identifies it is given, all else is the same. */
import type { BuildElement } from './data-set.ts';

export const CT_IMAGE_STORAGE = '1.2.840.10008.5.1.4.1.1.2';

export interface CtSlice {
  readonly sopInstanceUid: string;
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  readonly patientName: string;
  readonly patientId: string;
  /** Rows and columns. */
  readonly size: number;
  /** size x size 16-bit words, little-endian, 12 bits stored. */
  readonly pixels: Uint8Array;
}

export function ctSlice(slice: CtSlice): BuildElement[] {
  return [
    ['SOPClassUID', CT_IMAGE_STORAGE],
    ['SOPInstanceUID', slice.sopInstanceUid],
    ['StudyDate', '20260101'],
    ['Modality', 'CT'],
    ['PatientName', slice.patientName],
    ['PatientID', slice.patientId],
    ['StudyInstanceUID', slice.studyInstanceUid],
    ['SeriesInstanceUID', slice.seriesInstanceUid],
    ['SamplesPerPixel', [1]],
    ['PhotometricInterpretation', 'MONOCHROME2'],
    ['Rows', [slice.size]],
    ['Columns', [slice.size]],
    ['BitsAllocated', [16]],
    ['BitsStored', [12]],
    ['HighBit', [11]],
    ['PixelRepresentation', [0]],
    ['RescaleIntercept', '0'],
    ['RescaleSlope', '1'],
    ['PixelData', 'OW', slice.pixels],
  ];
}
