/** Builds what destinations are given: prepared, de-identified instances, here with their files in memory. */
import { createHash } from 'node:crypto';
import sharp from 'sharp';
import { bytesSource } from '../../src/core/bytes.ts';
import type { DeliverableInstance, PreparedImage, PreparedManifest } from '../../src/delivery/destination.ts';

export interface DeliverableFields extends Partial<Omit<PreparedManifest, 'images'>> {
  readonly id?: string;
  /** One image file a frame; by default a single small JPEG. */
  readonly frames?: readonly Buffer[];
  readonly dicom?: Buffer;
  /** Changes of every image description. */
  readonly image?: Partial<PreparedImage>;
}

/** 64 x 48 pixels of one colour, as JPEG. */
export const PICTURE: Buffer = await jpeg('#456');

export function jpeg(background: string): Promise<Buffer> {
  return sharp({ create: { width: 64, height: 48, channels: 3, background } })
    .jpeg()
    .toBuffer();
}

let count = 0;

export function deliverable(fields: DeliverableFields = {}): DeliverableInstance {
  count += 1;
  const sopInstanceUid = fields.sopInstanceUid ?? `1.2.3.4.${count}`;
  const frames = fields.frames ?? [PICTURE];
  const dicom = fields.dicom ?? Buffer.from(`DICOM ${sopInstanceUid}`);
  const { id, frames: _frames, dicom: _dicom, image, ...rest } = fields;
  const manifest: PreparedManifest = {
    studyInstanceUid: '1.2.3',
    seriesInstanceUid: '1.2.3.4',
    sopInstanceUid,
    sopClassUid: '1.2.840.10008.5.1.4.1.1.7',
    transferSyntaxUid: '1.2.840.10008.1.2.1',
    accessionNumber: 'A7F3',
    patientId: 'P19C',
    modality: 'OT',
    dicomFile: 'instance.dcm',
    digest: createHash('sha256').update(dicom).digest('hex'),
    images: frames.map((bytes, index) => imageOf(sopInstanceUid, bytes, index, image)),
    ...rest,
  };
  const files = new Map<string, Buffer>([
    ['instance.dcm', dicom],
    ...frames.map((b, i) => [`${i + 1}.jpg`, b] as const),
  ]);
  // The brand is the gateway's to give; these instances never were anybody's.
  return {
    id: id ?? `01${String(count).padStart(24, '0')}`,
    manifest,
    open(file: string) {
      const bytes = files.get(file);
      if (bytes === undefined) throw new Error(`no file ${file}`);
      return { ...bytesSource(bytes), close: () => undefined };
    },
  } as DeliverableInstance;
}

function imageOf(uid: string, bytes: Buffer, index: number, changes: Partial<PreparedImage> = {}): PreparedImage {
  return {
    file: `${index + 1}.jpg`,
    mediaType: 'image/jpeg',
    imageInstanceUid: index === 0 ? uid : `${uid}.${index + 1}`,
    frame: index + 1,
    bytes: bytes.length,
    height: 48,
    width: 64,
    rescaleSlope: 1,
    rescaleIntercept: 0,
    photometricInterpretation: 'RGB',
    samplesPerPixel: 3,
    bitsAllocated: 8,
    bitsStored: 8,
    highBit: 7,
    ...changes,
  };
}
