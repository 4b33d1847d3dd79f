/**
 * Volumes from which a face could be reconstructed (PS3.15 §E.3.2): tomographic images of the head, thin enough. Decided
 * by the header; localizers and single projections show no face. Nothing is removed here: the profile's policy says
 * whether such an instance is held, or flagged by Recognizable Visual Features (0028,0302) YES.
 */
import type { DataSet } from '../dicom/data-set.ts';

const IMAGE_TYPE = 0x00080008;
const MODALITY = 0x00080060;
const CODE_VALUE = 0x00080100;
const STUDY_DESCRIPTION = 0x00081030;
const SERIES_DESCRIPTION = 0x0008103e;
const ANATOMIC_REGION_SEQUENCE = 0x00082218;
const BODY_PART_EXAMINED = 0x00180015;
const SLICE_THICKNESS = 0x00180050;
const PROTOCOL_NAME = 0x00181030;
const RECOGNIZABLE_VISUAL_FEATURES = 0x00280302;

const TOMOGRAPHIC = ['CT', 'MR', 'PT'];
/** Thicker slices leave no face to recognise. */
const SLICE_THICKNESS_MM_MAX = 6;
/** PS3.16 Annex L: body parts that reach the face. */
const BODY_PARTS =
  /^(?:HEAD.*|BRAIN.*|SKULL.*|FACE|FACIAL.*|ORBIT.*|EYE|SINUS.*|NOSE.*|NASAL.*|JAW|MANDIBLE|MAXILLA.*|TMJ(?:OINT)?|EAR|IAC|PITUITARY|WHOLEBODY|TOTALBODY|CRANI.*|NECK.*)$/;
/** SNOMED CT and SRT: head, brain, face, skull, orbit, head and neck. */
const REGIONS = [
  '69536005',
  '12738006',
  '89545001',
  '89546000',
  '363654007',
  '774007',
  'T-D1100',
  'T-A0100',
  'T-D1200',
  'T-11100',
  'T-D14AE',
  'T-D1000',
];
const WORDS =
  /(?:^|[^a-z])(?:head|brain|face|facial|skull|orbits?|sinus(?:es)?|cranio\w*|crani\w+|cerebr\w+|neuro\w*|pituitary|iac|kopf|sch[aä]del|hirn|t[eê]te|cr[aâ]ne|cabeza|cr[aá]neo|mprage|spgr|bravo)(?:[^a-z]|$)/i;

/** True where images like this one, together, may show the patient's face. */
export function mayShowFace(dataSet: DataSet): boolean {
  const features = dataSet.string(RECOGNIZABLE_VISUAL_FEATURES);
  if (features === 'YES' || features === 'NO') return features === 'YES';
  if (!TOMOGRAPHIC.includes(dataSet.string(MODALITY) ?? '')) return false;
  if (dataSet.strings(IMAGE_TYPE)[2] === 'LOCALIZER') return false;
  if ((dataSet.number(SLICE_THICKNESS) ?? 0) > SLICE_THICKNESS_MM_MAX) return false;
  return isOfTheHead(dataSet);
}

function isOfTheHead(dataSet: DataSet): boolean {
  const part = dataSet
    .string(BODY_PART_EXAMINED)
    ?.toUpperCase()
    .replace(/[^A-Z]/g, '');
  if (part !== undefined && BODY_PARTS.test(part)) return true;
  const regions = dataSet.items(ANATOMIC_REGION_SEQUENCE).map((item) => item.string(CODE_VALUE) ?? '');
  if (regions.some((code) => REGIONS.includes(code))) return true;
  return [STUDY_DESCRIPTION, SERIES_DESCRIPTION, PROTOCOL_NAME].some((tag) => WORDS.test(readable(dataSet, tag)));
}

/** In an unknown character set a description tells nothing. */
function readable(dataSet: DataSet, tag: number): string {
  const bytes = dataSet.bytes(tag);
  return bytes === undefined ? '' : Buffer.from(bytes).toString('latin1');
}
