/**
 * What one upload says, without its pixels. Pure: from the manifests of a batch to the requests that carry it. The
 * contract allows one study and one series a request, so a batch that mixes them is split; so is one that is larger
 * than the limits, down to the frames of a single instance.
 */
import { createHash } from 'node:crypto';
import type { PreparedImage, PreparedManifest } from '../destination.ts';
import type { Image, Series, Study } from './contract.generated.ts';

/** The contract's image, its enumeration still a plain string: the check against the document proves it. */
export type UploadImage = Omit<Image, 'photometricInterpretation'> & { readonly photometricInterpretation: string };

export interface UploadPayload {
  readonly study: Study;
  readonly series: Series;
  readonly images: readonly UploadImage[];
}

/** One image of a request and whose it is. */
export interface UploadPart {
  /** Index into the batch. */
  readonly member: number;
  readonly manifest: PreparedManifest;
  readonly image: PreparedImage;
}

/** One request to be: never empty, all parts of one study and series. */
export interface UploadPlan {
  readonly study: Study;
  readonly series: Series;
  readonly parts: readonly UploadPart[];
}

export interface UploadLimits {
  readonly imagesMax: number;
  /** Bytes of image files, before base64. A single larger image still goes, alone. */
  readonly bytesMax: number;
}

/** The requests that carry a batch, in the batch's order. Members without an image appear in none. */
export function planUploads(manifests: readonly PreparedManifest[], limits: UploadLimits): UploadPlan[] {
  const groups = new Map<string, { study: Study; series: Series; parts: UploadPart[] }>();
  manifests.forEach((manifest, member) => {
    const study = studyOf(manifest);
    const series = { seriesInstanceUid: manifest.seriesInstanceUid };
    const key = JSON.stringify([study, series]);
    const group = groups.get(key) ?? { study, series, parts: [] };
    groups.set(key, group);
    for (const image of manifest.images) group.parts.push({ member, manifest, image });
  });
  return [...groups.values()].flatMap(({ study, series, parts }) =>
    chunk(parts, limits).map((some) => ({ study, series, parts: some })),
  );
}

export function membersOf(plan: UploadPlan): number[] {
  return [...new Set(plan.parts.map((part) => part.member))];
}

/** One plan a member: how a refused request finds out whose fault it was. */
export function splitByMember(plan: UploadPlan): UploadPlan[] {
  const byMember = Map.groupBy(plan.parts, (part) => part.member);
  return [...byMember.values()].map((parts) => ({ ...plan, parts }));
}

/** The payload with `dataOf` each part as its data: a placeholder for the check, or nothing for the skeleton. */
export function payloadOf(plan: UploadPlan, dataOf: (part: UploadPart) => string): UploadPayload {
  return { study: plan.study, series: plan.series, images: plan.parts.map((part) => imageOf(part, dataOf(part))) };
}

/**
 * The same for equal content and for nothing else: over everything that the request says, the digest of each
 * de-identified instance and the length of each image file.
 */
export function idempotencyKey(plan: UploadPlan): string {
  const content = plan.parts.map(({ manifest, image }) => [manifest.digest, image.frame, image.mediaType, image.bytes]);
  const text = JSON.stringify([payloadOf(plan, () => ''), content]);
  return createHash('sha256').update(text).digest('hex');
}

function studyOf(manifest: PreparedManifest): Study {
  const { studyInstanceUid, accessionNumber, patientId, patientAge } = manifest;
  return { studyInstanceUid, accessionNumber, patientId, ...(patientAge === undefined ? {} : { patientAge }) };
}

function imageOf({ manifest, image }: UploadPart, data: string): UploadImage {
  return {
    imageInstanceUid: image.imageInstanceUid,
    sopClassUid: manifest.sopClassUid,
    height: image.height,
    width: image.width,
    rescaleSlope: image.rescaleSlope,
    rescaleIntercept: image.rescaleIntercept,
    photometricInterpretation: image.photometricInterpretation,
    samplesPerPixel: image.samplesPerPixel,
    bitsAllocated: image.bitsAllocated,
    bitsStored: image.bitsStored,
    highBit: image.highBit,
    data,
  };
}

function chunk(parts: readonly UploadPart[], limits: UploadLimits): UploadPart[][] {
  const chunks: UploadPart[][] = [];
  let current: UploadPart[] = [];
  let bytes = 0;
  for (const part of parts) {
    const full = current.length >= limits.imagesMax || bytes + part.image.bytes > limits.bytesMax;
    if (full && current.length > 0) {
      chunks.push(current);
      current = [];
      bytes = 0;
    }
    current.push(part);
    bytes += part.image.bytes;
  }
  if (current.length > 0) chunks.push(current);
  return chunks;
}
