/**
 * What the reference backend demands of an upload, written by hand from the contract's field table and sharing nothing
 * with the sending side: if both have the same misunderstanding it is at least not the same code. Pure.
 *
 * Findings name fields by path and never repeat a value. Beyond the contract's types the picture itself is looked at:
 * a whole JPEG or PNG file, as large as `width` and `height` say, no image twice in one request.
 */
import { type ImageFile, readImageFile } from './image-file.ts';

export interface UploadedStudy {
  readonly studyInstanceUid: string;
  readonly accessionNumber: string;
  readonly patientId: string;
  readonly patientAge?: string;
}

/** The numbers of one image; `data` is decoded apart. */
export type ImageDescription = Readonly<Record<string, string | number>>;

export interface UploadedImage {
  readonly imageInstanceUid: string;
  readonly description: ImageDescription;
  readonly file: ImageFile;
  readonly bytes: Buffer;
}

export interface Upload {
  readonly study: UploadedStudy;
  readonly seriesInstanceUid: string;
  readonly images: readonly UploadedImage[];
}

export type Validation = { readonly upload: Upload } | { readonly findings: readonly string[] };

type Fields = Readonly<Record<string, unknown>>;
type Rule = (value: unknown) => string | undefined;

const PHOTOMETRIC_INTERPRETATIONS: ReadonlySet<unknown> = new Set([
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
]);

const IMAGE_RULES: Readonly<Record<string, Rule>> = {
  imageInstanceUid: text,
  sopClassUid: text,
  height: integerFrom(1),
  width: integerFrom(1),
  rescaleSlope: integerFrom(1),
  rescaleIntercept: (value) => (Number.isFinite(value) ? undefined : 'must be a number'),
  photometricInterpretation: (value) =>
    PHOTOMETRIC_INTERPRETATIONS.has(value) ? undefined : 'must be one of the listed interpretations',
  samplesPerPixel: integerFrom(Number.MIN_SAFE_INTEGER),
  bitsAllocated: integerFrom(8),
  bitsStored: integerFrom(1),
  highBit: integerFrom(1),
};

/** More findings than anybody reads. */
const FINDINGS_MAX = 20;

export function validateUpload(body: unknown): Validation {
  const findings: string[] = [];
  const root = fieldsOf(body, 'body', findings);
  const study = fieldsOf(root['study'], 'study', findings);
  for (const name of ['studyInstanceUid', 'accessionNumber', 'patientId'])
    note(findings, `study.${name}`, text(study[name]));
  if ('patientAge' in study) note(findings, 'study.patientAge', age(study['patientAge']));
  const series = fieldsOf(root['series'], 'series', findings);
  note(findings, 'series.seriesInstanceUid', text(series['seriesInstanceUid']));
  const images = imagesOf(root['images'], findings);
  if (findings.length > 0) return { findings: findings.slice(0, FINDINGS_MAX) };
  return { upload: { study: studyOf(study), seriesInstanceUid: String(series['seriesInstanceUid']), images } };
}

function imagesOf(value: unknown, findings: string[]): UploadedImage[] {
  if (!Array.isArray(value) || value.length === 0) {
    findings.push('images must be an array with at least one image');
    return [];
  }
  const seen = new Set<string>();
  const images: UploadedImage[] = [];
  for (const [index, item] of value.entries()) {
    if (findings.length >= FINDINGS_MAX) break;
    const image = imageOf(item, `images[${index}]`, findings);
    if (image === undefined) continue;
    if (seen.has(image.imageInstanceUid)) findings.push(`images[${index}].imageInstanceUid is in the request twice`);
    seen.add(image.imageInstanceUid);
    images.push(image);
  }
  return images;
}

function imageOf(value: unknown, path: string, findings: string[]): UploadedImage | undefined {
  const before = findings.length;
  const fields = fieldsOf(value, path, findings);
  for (const [name, rule] of Object.entries(IMAGE_RULES)) note(findings, `${path}.${name}`, rule(fields[name]));
  const bytes = decodeBase64(fields['data']);
  if (bytes === undefined) findings.push(`${path}.data must be base64 with padding`);
  const file = bytes === undefined ? undefined : readImageFile(bytes);
  if (bytes !== undefined && file === undefined) findings.push(`${path}.data must be a whole JPEG or PNG file`);
  if (findings.length > before || bytes === undefined || file === undefined) return undefined;
  if (file.width !== fields['width'] || file.height !== fields['height']) {
    findings.push(`${path} width and height must be those of the picture in data`);
    return undefined;
  }
  return { imageInstanceUid: String(fields['imageInstanceUid']), description: descriptionOf(fields), file, bytes };
}

/** Undefined unless the text is exactly what RFC 4648 §4 gives for some bytes. */
function decodeBase64(value: unknown): Buffer | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  const bytes = Buffer.from(value, 'base64');
  return bytes.toString('base64') === value ? bytes : undefined;
}

function studyOf(fields: Fields): UploadedStudy {
  const patientAge = fields['patientAge'];
  return {
    studyInstanceUid: String(fields['studyInstanceUid']),
    accessionNumber: String(fields['accessionNumber']),
    patientId: String(fields['patientId']),
    ...(typeof patientAge === 'string' ? { patientAge } : {}),
  };
}

function descriptionOf(fields: Fields): ImageDescription {
  const entries = Object.keys(IMAGE_RULES).map((name) => [name, fields[name]] as const);
  return Object.fromEntries(entries.flatMap(([name, value]) => (isScalar(value) ? [[name, value]] : [])));
}

function isScalar(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}

function fieldsOf(value: unknown, path: string, findings: string[]): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  findings.push(`${path} must be an object`);
  return {};
}

function note(findings: string[], path: string, finding: string | undefined): void {
  if (finding !== undefined) findings.push(`${path} ${finding}`);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? undefined : 'must be a text that is not empty';
}

function age(value: unknown): string | undefined {
  return typeof value === 'string' && /^\d+Y$/.test(value) ? undefined : 'must be whole years such as 045Y';
}

function integerFrom(minimum: number): Rule {
  const least = minimum === Number.MIN_SAFE_INTEGER ? '' : ` of at least ${minimum}`;
  return (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= minimum ? undefined : `must be an integer${least}`;
}
