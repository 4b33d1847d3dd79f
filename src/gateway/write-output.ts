/**
 * One output of an instance, written into its pack: de-identified, verified, rendered, described. Whatever throws here
 * leaves members in the pack that nobody verified; the caller rewinds to before them.
 */
import { createHash, type Hash } from 'node:crypto';
import type { ByteSource } from '../core/bytes.ts';
import { LetheError } from '../core/errors.ts';
import type { CleanedPixels } from '../deid/burned-in/clean-pixels.ts';
import { type Deidentification, type DeidentifyOptions, deidentify } from '../deid/deidentify.ts';
import { leakCheck, leakCheckText } from '../deid/leak-check.ts';
import type { CompiledProfile } from '../deid/profile.ts';
import { derivedUid, type PseudonymKey } from '../deid/pseudonym.ts';
import type { ReadHeader } from '../deid/read-header.ts';
import type { SiblingMemory } from '../deid/siblings.ts';
import type { PreparedImage, PreparedManifest } from '../delivery/destination.ts';
import { readPart10 } from '../dicom/part10.ts';
import { hasImage } from '../imaging/image-description.ts';
import { renderFrames } from '../imaging/render.ts';
import type { PreparedPack } from '../queue/local-prepared.ts';
import type { Rendering } from './outputs.ts';
import { keptObject, passingObject } from './passing-object.ts';

export interface ObjectOptions {
  /** Names of its members in the pack begin with this. */
  readonly prefix: string;
  /** The received instance with its header. */
  readonly read: ReadHeader;
  readonly profile: CompiledProfile;
  readonly key: PseudonymKey;
  readonly studiesKey: Uint8Array;
  /** Of this profile and key. */
  readonly memory: SiblingMemory | undefined;
  /** For profile rules that look at where an instance came from. */
  readonly source: string;
  readonly cleaned: CleanedPixels;
  readonly crosswalk: DeidentifyOptions['crosswalk'];
}

export interface WrittenObject {
  readonly file: string;
  /** Where it is: of an object that is not kept, a pack of its own that is never committed. */
  readonly pack: PreparedPack;
  /** Its bytes, while the received ones are there. */
  source(): ByteSource;
  readonly bytes: number;
  readonly isKept: boolean;
  readonly deidentified: Deidentification;
  readonly pixels: string;
}

/** @throws DICOM_*, DEID_* */
export function writeObject(
  { pack, isKept }: Pick<WrittenObject, 'pack' | 'isKept'>,
  received: ByteSource,
  options: ObjectOptions,
): WrittenObject {
  const { read, profile, key, studiesKey, memory, source, cleaned, crosswalk, prefix } = options;
  const name = `${prefix}instance.dcm`;
  const object = isKept ? keptObject(pack, name) : passingObject(pack, name, received);
  const deidentified = deidentify(received, object.sink, {
    read,
    profile,
    key,
    studiesKey,
    source,
    ...(memory === undefined ? {} : { memory }),
    digest: isKept, // else the images' stands for it
    ...(crosswalk === undefined ? {} : { crosswalk }),
    ...(cleaned.replacements === undefined ? {} : { replacements: cleaned.replacements }),
  });
  object.sink.end();
  const output = object.source();
  verifyObject(output, deidentified, memory);
  const pixels = `${cleaned.decision}: ${cleaned.reason}`;
  return { file: name, pack, source: object.source, bytes: output.size, isKept, deidentified, pixels };
}

/** The identifiers of this instance are searched for in everything about to leave; one hit holds it. */
function verifyObject(output: ByteSource, { identity }: Deidentification, memory: SiblingMemory | undefined): void {
  const [leak] = leakCheck(output, identity, memory?.outputs);
  if (leak !== undefined) throw new LetheError('DEID_LEAK_SUSPECTED', { path: leak.path });
}

export interface ImagesOptions {
  readonly prefix: string;
  /** Undefined: none are made. */
  readonly rendering: Rendering | undefined;
  readonly key: PseudonymKey;
  onProgress(): void;
}

/** The object's images and what describes both. @throws IMAGING_*, DEID_LEAK_SUSPECTED */
export async function writeImages(
  pack: PreparedPack,
  object: WrittenObject,
  options: ImagesOptions,
): Promise<PreparedManifest> {
  const digest = createHash('sha256');
  const images = await renderInto({ pack, digest }, object, options);
  const manifest = manifestOf(object, images, object.isKept ? object.deidentified.digest : digest.digest('hex'));
  const [leak] = leakCheckText(textsOf(manifest), object.deidentified.identity);
  if (leak !== undefined) throw new LetheError('DEID_LEAK_SUSPECTED', { path: `payload ${leak.path}` });
  return manifest;
}

/** Its numbers are of the image alone: one of 512 rows does not name the patient whose identifier is 512. */
function textsOf(manifest: PreparedManifest): string {
  const texts: string[] = [];
  JSON.stringify(manifest, (_name, value: unknown) => {
    if (typeof value === 'string') texts.push(value);
    return value;
  });
  return texts.join('\n');
}

/** Always from the de-identified object: what is sent as an image went through the same cleaning. */
async function renderInto(
  { pack, digest }: { readonly pack: PreparedPack; readonly digest: Hash },
  object: WrittenObject,
  options: ImagesOptions,
): Promise<PreparedImage[]> {
  const images: PreparedImage[] = [];
  const part10 = readPart10(object.source());
  if (options.rendering === undefined || !hasImage(part10.dataSet)) return images;
  const { sopInstanceUid } = object.deidentified.pseudonyms;
  for await (const frame of renderFrames(part10, { ...options.rendering, onFrameStart: options.onProgress })) {
    const name = `${options.prefix}frame-${frame.frame}.${frame.extension}`;
    const file = pack.file(name);
    file.write(frame.bytes);
    file.end();
    if (!object.isKept) digest.update(frame.bytes);
    images.push({
      file: name,
      mediaType: frame.mediaType,
      imageInstanceUid: frame.frame === 1 ? sopInstanceUid : derivedUid(options.key, sopInstanceUid, frame.frame),
      frame: frame.frame,
      bytes: frame.bytes.length,
      height: frame.height,
      width: frame.width,
      rescaleSlope: frame.rescaleSlope,
      rescaleIntercept: frame.rescaleIntercept,
      photometricInterpretation: frame.photometricInterpretation,
      samplesPerPixel: frame.samplesPerPixel,
      bitsAllocated: frame.bitsAllocated,
      bitsStored: frame.bitsStored,
      highBit: frame.highBit,
    });
  }
  return images;
}

function manifestOf(object: WrittenObject, images: readonly PreparedImage[], digest: string): PreparedManifest {
  const { file, isKept, deidentified, pixels } = object;
  const { pseudonyms, sopClassUid, transferSyntaxUid, modality } = deidentified;
  return {
    ...pseudonyms,
    sopClassUid,
    transferSyntaxUid,
    ...(modality === undefined ? {} : { modality }),
    ...(isKept ? { dicomFile: file } : {}),
    digest,
    images,
    pixels,
  };
}
