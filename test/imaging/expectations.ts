/**
 * Files of the corpus whose outcome is not the plain one: every entry says why, so that the list stays short and none is
 * a failure in disguise. Files without pixel data are found by their headers, not here.
 */
import type { ErrorCode } from '../../src/core/errors.ts';

export interface Expectation {
  readonly code: ErrorCode;
  readonly why: string;
}

const VIDEO = 'video: no decoder for it in the registry has a licence that fits, so it is held with that reason';

export const EXPECTATIONS: Readonly<Record<string, Expectation>> = {
  'files/synthetic/video-h264-hp41.dcm': { code: 'IMAGING_SYNTAX_UNSUPPORTED', why: VIDEO },
  'files/synthetic/video-hevc-mp51.dcm': { code: 'IMAGING_SYNTAX_UNSUPPORTED', why: VIDEO },
  'files/synthetic/video-mpeg2-mpml.dcm': { code: 'IMAGING_SYNTAX_UNSUPPORTED', why: VIDEO },
  'files/synthetic/jpip-referenced.dcm': {
    code: 'IMAGING_SYNTAX_UNSUPPORTED',
    why: 'the pixels are at a provider, not in the instance (PS3.5 §A.6)',
  },
  'files/synthetic/hostile-nesting-400.dcm': {
    code: 'DICOM_TOO_DEEP',
    why: 'the corpus allows a depth limit with a clean refusal',
  },
  'files/pydicom/MR_truncated.dcm': {
    code: 'DICOM_TRUNCATED',
    why: 'the file ends inside of Pixel Data; DCMTK and pydicom refuse it too, only GDCM fills up with zeros',
  },
  'files/pydicom-data/emri_small_jpeg_2k_lossless_too_short.dcm': {
    code: 'DICOM_TRUNCATED',
    why: 'the file ends inside of a fragment; no decoder gave an oracle for it',
  },
};
