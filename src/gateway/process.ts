/**
 * The road of one instance, read from top to bottom: inspect, clean the pixels, de-identify, verify, render, seal. It
 * runs in a worker, one instance at a time, with the spool's bytes in and a prepared pack out.
 *
 * Fail closed: whatever throws ends in *held* (or, when nothing is wrong with the instance, in *retry*), and nothing that
 * was not verified is ever sealed. Arrows never turn back: a stage that dislikes an instance holds it.
 */

import type { ByteSource } from '../core/bytes.ts';
import { LetheError, toLetheError } from '../core/errors.ts';
import { cleanPixels, type PixelPolicy } from '../deid/burned-in/clean-pixels.ts';
import { type Deidentification, deidentify } from '../deid/deidentify.ts';
import { leakCheck, leakCheckText } from '../deid/leak-check.ts';
import type { CompiledProfile } from '../deid/profile.ts';
import { derivedUid, type PseudonymKey } from '../deid/pseudonym.ts';
import type { PreparedImage, PreparedManifest } from '../delivery/destination.ts';
import { type Part10File, readPart10 } from '../dicom/part10.ts';
import { hasImage } from '../imaging/image-description.ts';
import { type RenderOptions, renderFrames } from '../imaging/render.ts';
import type { PreparedPack } from '../queue/local-prepared.ts';
import { type CompiledRule, inspect } from './inspect.ts';
import type { ProcessJob, ProcessOutcome } from './process-job.ts';
import { verifyCustody } from './verify-custody.ts';

export interface ProcessOptions {
  /** By the name that a source picks; undefined names the site's own. @throws CONFIG_INVALID for a name that is none */
  profileOf(name: string | undefined): CompiledProfile;
  readonly rules: readonly CompiledRule[];
  readonly rendering: RenderOptions;
  readonly pixels: PixelPolicy;
}

export interface ProcessDeps {
  openReceived(location: string): ByteSource & { close(): void };
  prepared(job: ProcessJob): PreparedPack;
  keyOf(customer: string): PseudonymKey;
  /** Encrypts what leads back from pseudonyms to originals; absent: no crosswalk is kept. */
  readonly crosswalk?: {
    readonly publicKeyPem: string;
    random(bytes: number): Uint8Array;
    keep(sopInstanceUid: string, record: Uint8Array): void;
  };
  /** Called before work that may take long on damaged input. */
  onProgress(): void;
}

const DICOM_FILE = 'instance.dcm';

export async function processInstance(
  job: ProcessJob,
  options: ProcessOptions,
  deps: ProcessDeps,
): Promise<ProcessOutcome> {
  let pack: PreparedPack | undefined;
  try {
    const received = deps.openReceived(job.location);
    try {
      const part10 = readPart10(received, { endAfterPixelData: true }); // what stands behind the pixels goes anyway
      verifyCustody(part10, job);
      const decision = inspect(part10.dataSet, job, options.rules);
      if (decision.kind === 'discard') return { kind: 'discarded', rule: decision.rule };
      if (decision.kind === 'hold') throw new LetheError('INSTANCE_HELD_BY_RULE', { rule: decision.rule });
      const key = deps.keyOf(job.customer);
      deps.onProgress();
      pack = deps.prepared(job);
      const deidentified = await deidentifyInto(pack, received, part10, {
        ...options,
        key,
        profile: options.profileOf(job.profile),
        source: job.sourceName,
        crosswalk: deps.crosswalk,
      });
      const output = pack.source(DICOM_FILE);
      verifyObject(output, deidentified);
      const images = await renderInto(pack, output, {
        rendering: options.rendering,
        key,
        deidentified,
        onProgress: deps.onProgress,
      });
      const manifest = manifestOf(deidentified, images);
      verifyPayload(manifest, deidentified);
      if (deidentified.crosswalk !== undefined) deps.crosswalk?.keep(manifest.sopInstanceUid, deidentified.crosswalk);
      return seal(pack, manifest, deidentified, decision);
    } finally {
      received.close();
    }
  } catch (error) {
    pack?.abort();
    return outcomeOf(toLetheError(error));
  }
}

interface KeyedOptions extends ProcessOptions {
  readonly key: PseudonymKey;
  readonly profile: CompiledProfile;
  /** For profile rules that look at where an instance came from. */
  readonly source: string;
  readonly crosswalk?: ProcessDeps['crosswalk'] | undefined;
}

/** Pixels first: what replaces them is applied while the data set streams through. */
async function deidentifyInto(
  pack: PreparedPack,
  received: ByteSource,
  part10: Part10File,
  options: KeyedOptions,
): Promise<Deidentification & { readonly pixels: string }> {
  const cleaned = await cleanPixels(part10, options.pixels);
  if (cleaned.held !== undefined) throw new LetheError(cleaned.held, { reason: cleaned.reason });
  const file = pack.file(DICOM_FILE);
  const { profile, key, source } = options;
  const result = deidentify(received, file, {
    profile,
    key,
    source,
    ...(options.crosswalk === undefined ? {} : { crosswalk: options.crosswalk }),
    ...(cleaned.replacements === undefined ? {} : { replacements: cleaned.replacements }),
  });
  file.end();
  return { ...result, pixels: `${cleaned.decision}: ${cleaned.reason}` };
}

/** The identifiers of this instance are searched for in everything about to leave; one hit holds it. */
function verifyObject(output: ByteSource, { identity }: Deidentification): void {
  const [leak] = leakCheck(output, identity);
  if (leak !== undefined) throw new LetheError('DEID_LEAK_SUSPECTED', { path: leak.path });
}

function verifyPayload(manifest: PreparedManifest, { identity }: Deidentification): void {
  const [leak] = leakCheckText(JSON.stringify(manifest), identity);
  if (leak !== undefined) throw new LetheError('DEID_LEAK_SUSPECTED', { path: `payload ${leak.path}` });
}

/** Always from the de-identified object: what is sent as an image went through the same cleaning. */
async function renderInto(
  pack: PreparedPack,
  output: ByteSource,
  options: Pick<KeyedOptions, 'key' | 'rendering'> & { deidentified: Deidentification; onProgress: () => void },
): Promise<PreparedImage[]> {
  const part10 = readPart10(output);
  const images: PreparedImage[] = [];
  if (!hasImage(part10.dataSet)) return images;
  const { sopInstanceUid } = options.deidentified.pseudonyms;
  for await (const frame of renderFrames(part10, { ...options.rendering, onFrameStart: options.onProgress })) {
    const name = `frame-${frame.frame}.${frame.extension}`;
    const file = pack.file(name);
    file.write(frame.bytes);
    file.end();
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

function manifestOf(
  deidentified: Deidentification & { readonly pixels: string },
  images: readonly PreparedImage[],
): PreparedManifest {
  const { pseudonyms, sopClassUid, transferSyntaxUid, modality, digest, pixels } = deidentified;
  return {
    ...pseudonyms,
    sopClassUid,
    transferSyntaxUid,
    ...(modality === undefined ? {} : { modality }),
    dicomFile: DICOM_FILE,
    digest,
    images,
    pixels,
  };
}

function seal(
  pack: PreparedPack,
  manifest: PreparedManifest,
  deidentified: Deidentification,
  decision: { destinations: readonly string[] | undefined; urgent: boolean },
): ProcessOutcome {
  const bytes = pack.bytes;
  const location = pack.commit();
  return {
    kind: 'prepared',
    output: {
      location,
      manifest: JSON.stringify(manifest),
      studyKey: manifest.studyInstanceUid,
      seriesKey: manifest.seriesInstanceUid,
      bytes,
    },
    destinations: decision.destinations,
    hasImages: manifest.images.length > 0,
    urgent: decision.urgent,
    studyKey: deidentified.studyKey,
    patientKey: deidentified.patientKey,
    images: manifest.images.length,
  };
}

/** Retry only where the row says that nothing is wrong with the instance; every other failure needs a person. */
function outcomeOf(error: LetheError): ProcessOutcome {
  if (error.row.disposition === 'retry') return { kind: 'retry', code: error.code };
  const detail = Object.entries(error.detail)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
  return { kind: 'held', code: error.code, detail: detail === '' ? undefined : detail };
}
