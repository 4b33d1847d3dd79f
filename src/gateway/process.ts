/**
 * The road of one instance, read from top to bottom: check that it is what was received, inspect, clean the pixels, and
 * for each output that a destination asks for de-identify, verify, render; then seal. It runs in a worker, by turns with
 * others where they are small, with the spool's bytes in and a prepared pack out.
 *
 * Fail closed: whatever throws ends in *held* (or, when nothing is wrong with the instance, in *retry*), and nothing that
 * was not verified is ever sealed. An output that cannot be made is held for its destinations; the others go on. Arrows
 * never turn back: a stage that dislikes an instance holds it.
 */

import type { ByteSource } from '../core/bytes.ts';
import { type ErrorCode, LetheError, toLetheError } from '../core/errors.ts';
import { boxesText } from '../deid/burned-in/boxes-text.ts';
import { type CleanedPixels, cleanPixels, type Given, type PixelPolicy } from '../deid/burned-in/clean-pixels.ts';
import { eyesFor } from '../deid/burned-in/eyes.ts';
import { lookAgain } from '../deid/burned-in/second-look.ts';
import type { DeidentifyOptions } from '../deid/deidentify.ts';
import type { CompiledProfile } from '../deid/profile.ts';
import type { PseudonymKey } from '../deid/pseudonym.ts';
import { type ReadHeader, readHeader } from '../deid/read-header.ts';
import type { SiblingMemory } from '../deid/siblings.ts';
import type { PreparedManifest } from '../delivery/destination.ts';
import type { DataSet } from '../dicom/data-set.ts';
import { openPart10, readPart10 } from '../dicom/part10.ts';
import { hasImage } from '../imaging/image-description.ts';
import type { PreparedPack } from '../queue/local-prepared.ts';
import type { LocalReviews } from '../queue/local-review.ts';
import type { UnpreparedFor } from '../queue/store.ts';
import type { TextDetector } from '../text-detection/detector.ts';
import { type CompiledRule, type Inspection, inspect } from './inspect.ts';
import { type OutputOf, writeManifests } from './manifests.ts';
import { type DestinationTaker, type PlannedOutput, planOutputs, type Rendering, takersOf } from './outputs.ts';
import type { ProcessJob, ProcessOutcome } from './process-job.ts';
import { verifyCustody } from './verify-custody.ts';
import { type WrittenObject, writeImages, writeObject } from './write-output.ts';

export interface ProcessOptions {
  /** By the name that a source picks; undefined names the site's own. @throws CONFIG_INVALID for a name that is none */
  profileOf(name: string | undefined): CompiledProfile;
  readonly rules: readonly CompiledRule[];
  readonly rendering: Rendering;
  readonly pixels: PixelPolicy;
  readonly destinations: readonly DestinationTaker[];
}

/** What was received, and SHA-256 of its data: undefined where they are not what was received. */
export type Received = ByteSource & { readonly contentDigest: string | undefined; close(): void };

export interface ProcessDeps {
  /** `bytes`: how many there are. */
  openReceived(location: string, bytes: number): Promise<Received>;
  prepared(job: ProcessJob): PreparedPack;
  keyOf(customer: string): PseudonymKey;
  /** Of the record which patient a study belongs to; not rotated. */
  studiesKeyOf(customer: string): Uint8Array;
  /** Of the profile and the key alone; absent: each instance is the first. */
  memoryOf?(profile: CompiledProfile, key: PseudonymKey): SiblingMemory;
  /** Encrypts what leads back from pseudonyms to originals; absent: no crosswalk is kept. */
  readonly crosswalk?: NonNullable<DeidentifyOptions['crosswalk']> & {
    keep(sopInstanceUid: string, record: Uint8Array): void;
  };
  /** What people decided about pixels; absent: nobody did. */
  readonly reviews?: Pick<LocalReviews, 'decisionOf' | 'rules'>;
  /** Reads text in pixels; absent: nobody can look. */
  readonly detector?: TextDetector | undefined;
  /** Called before work that may take long on damaged input. */
  onProgress(): void;
}

export async function processInstance(
  job: ProcessJob,
  options: ProcessOptions,
  deps: ProcessDeps,
): Promise<ProcessOutcome> {
  try {
    const received = await deps.openReceived(job.location, job.bytes);
    try {
      const { contentDigest } = received;
      if (contentDigest === undefined) throw new LetheError('SPOOL_CORRUPT', { what: 'data' });
      deps.onProgress();
      return { ...(await processContent(job, received, { options, deps })), contentDigest };
    } finally {
      received.close();
    }
  } catch (error) {
    return outcomeOf(toLetheError(error));
  }
}

async function processContent(
  job: ProcessJob,
  received: ByteSource,
  { options, deps }: Environment,
): Promise<ProcessOutcome> {
  let pack: PreparedPack | undefined;
  try {
    const part10 = read(received, job, { options, deps });
    verifyCustody(part10, job);
    const decision = inspect(part10.dataSet, job, options.rules);
    if (decision.kind === 'discard') return { kind: 'discarded', rule: decision.rule };
    if (decision.kind === 'hold') throw new LetheError('INSTANCE_HELD_BY_RULE', { rule: decision.rule });
    const takers = takersFor(part10.dataSet, decision, options);
    deps.onProgress();
    const profile = decision.profile ?? job.profile;
    const given = {
      eyes: eyesFor(deps.detector, part10.dataSet, () => options.profileOf(profile), deps.onProgress),
      ...reviewed(job, deps),
    };
    const cleaned = await cleanPixels(part10, options.pixels, given);
    if (cleaned.held !== undefined) throw heldPixels(cleaned.held, cleaned);
    pack = deps.prepared(job);
    const work = { job, part10, received, cleaned, given, pack, profile };
    const made = await makeOutputs(planOutputs(takers, options.rendering), work, { options, deps });
    return seal(pack, made, decision);
  } catch (error) {
    pack?.abort();
    return outcomeOf(toLetheError(error));
  }
}

/** By the memory that will probably be asked to write it: which profile it will be, a rule may say that looks at the header. */
function read(received: ByteSource, { profile, customer }: ProcessJob, { options, deps }: Environment): ReadHeader {
  const memory = deps.memoryOf?.(options.profileOf(profile), deps.keyOf(customer));
  return memory?.read(received) ?? readHeader(openPart10(received));
}

function reviewed({ id }: ProcessJob, { reviews }: ProcessDeps): Pick<Given, 'decided' | 'rules'> {
  return { decided: reviews?.decisionOf(id), rules: reviews?.rules() };
}

function heldPixels(code: ErrorCode, { reason, boxes = [] }: CleanedPixels): LetheError {
  return new LetheError(code, { reason, ...(boxes.length === 0 ? {} : { boxes: boxesText(boxes) }) });
}

type Proceed = Inspection & { kind: 'proceed' };

/** @throws OBJECT_HAS_NO_IMAGE, INSTANCE_NO_DESTINATION */
function takersFor(dataSet: DataSet, decision: Proceed, { destinations }: ProcessOptions): DestinationTaker[] {
  const modality = dataSet.string(MODALITY);
  const facts = {
    sopClassUid: dataSet.string(SOP_CLASS_UID) ?? '',
    ...(modality === undefined ? {} : { modality }),
    hasImages: hasImage(dataSet),
  };
  const takers = takersOf(facts, destinations, decision.destinations);
  if (takers.length > 0) return takers;
  const onlyImages =
    !facts.hasImages && takersOf({ ...facts, hasImages: true }, destinations, decision.destinations).length > 0;
  throw new LetheError(onlyImages ? 'OBJECT_HAS_NO_IMAGE' : 'INSTANCE_NO_DESTINATION');
}

const SOP_CLASS_UID = 0x00080016;
const MODALITY = 0x00080060;

interface Work {
  readonly job: ProcessJob;
  readonly part10: ReadHeader;
  readonly received: ByteSource;
  readonly cleaned: CleanedPixels;
  readonly given: Given;
  readonly pack: PreparedPack;
  /** Picked by rule or source. */
  readonly profile: string | undefined;
}

interface Made {
  readonly outputs: readonly OutputOf<WrittenObject>[];
  readonly unprepared: readonly UnpreparedFor[];
}

interface Environment {
  readonly options: ProcessOptions;
  readonly deps: ProcessDeps;
}

/** One after the other; what fails is forgotten and told, unless it is all of them or only a matter of time. */
async function makeOutputs(plans: readonly PlannedOutput[], work: Work, environment: Environment): Promise<Made> {
  const outputs: OutputOf<WrittenObject>[] = [];
  const failures: { error: LetheError; destinations: readonly string[] }[] = [];
  const attempt = async (destinations: readonly string[], make: () => Promise<void>) => {
    const mark = work.pack.mark();
    try {
      await make();
    } catch (error) {
      const known = toLetheError(error);
      if (known.row.disposition === 'retry') throw known;
      work.pack.rewind(mark);
      failures.push({ error: known, destinations });
    }
  };
  for (const [index, plan] of plans.entries()) {
    const all = plan.images.flatMap(({ destinations }) => destinations);
    await attempt(all, async () => {
      const object = await makeObject(plan, index, work, environment);
      const before = outputs.length;
      try {
        for (const [number, { destinations, rendering, wanted }] of plan.images.entries()) {
          await attempt(destinations, async () => {
            const { key, onProgress } = keyAndProgress(work, environment);
            // The first are made in any case: people look at them before they decide about what is held.
            const needed = wanted || (index === 0 && number === 0);
            const prefix = `${prefixOf(index)}${number === 0 ? '' : `images-${number + 1}-`}`;
            const manifest = await writeImages(work.pack, object, {
              prefix,
              rendering: needed ? rendering : undefined,
              key,
              onProgress,
            });
            outputs.push({ destinations, manifest, object });
          });
        }
      } finally {
        if (!object.isKept) object.pack.abort();
      }
      if (outputs.length > before) keepCrosswalk(object, outputs, environment);
    });
  }
  const [first] = failures;
  if (outputs.length === 0) throw first?.error ?? new LetheError('INVARIANT', { what: 'no output was planned' });
  return {
    outputs,
    unprepared: failures.map(({ error, destinations }) => ({
      destinations,
      reason: error.code,
      detail: detailOf(error),
    })),
  };
}

function prefixOf(index: number): string {
  return index === 0 ? '' : `${index + 1}-`;
}

function keyAndProgress({ job }: Work, { deps }: Environment) {
  return { key: deps.keyOf(job.customer), onProgress: () => deps.onProgress() };
}

async function makeObject(
  plan: PlannedOutput,
  index: number,
  work: Work,
  { options, deps }: Environment,
): Promise<WrittenObject> {
  deps.onProgress();
  const { job } = work;
  const isKept = plan.keepsObject;
  // Never committed: what a crash leaves of it has a temporary name and goes at the next start.
  const pack = isKept ? work.pack : deps.prepared({ ...job, attempt: `${job.attempt}-object` });
  try {
    const profile = options.profileOf(plan.profile ?? work.profile);
    const key = deps.keyOf(job.customer);
    const object = writeObject({ pack, isKept }, work.received, {
      prefix: prefixOf(index),
      read: work.part10,
      profile,
      key,
      studiesKey: deps.studiesKeyOf(job.customer),
      memory: deps.memoryOf?.(profile, key),
      source: job.sourceName,
      cleaned: work.cleaned,
      crosswalk: deps.crosswalk,
    });
    if (work.cleaned.decision === 'redacted') await lookAgain(readPart10(object.source()), work.cleaned, work.given);
    return object;
  } catch (error) {
    if (!isKept) pack.abort();
    throw error;
  }
}

/** One record an instance and pseudonym: two profiles that give the same UID lead back to the same originals. */
function keepCrosswalk(
  object: WrittenObject,
  outputs: readonly OutputOf<WrittenObject>[],
  { deps }: Environment,
): void {
  const { crosswalk, pseudonyms } = object.deidentified;
  const kept = outputs.some(
    (one) => one.object !== object && one.manifest.sopInstanceUid === pseudonyms.sopInstanceUid,
  );
  if (crosswalk !== undefined && !kept) deps.crosswalk?.keep(pseudonyms.sopInstanceUid, crosswalk);
}

function seal(pack: PreparedPack, { outputs, unprepared }: Made, decision: Proceed): ProcessOutcome {
  const [main] = outputs;
  if (main === undefined) throw new LetheError('INVARIANT', { what: 'nothing to seal' });
  const bytes = pack.bytes;
  const sizes = outputs.flatMap(({ destinations, manifest, object }) =>
    destinations.map((name) => [name, bytesOf(manifest, object)] as const),
  );
  const location = pack.commit();
  return {
    kind: 'prepared',
    output: {
      location,
      manifest: writeManifests(outputs),
      studyKey: main.manifest.studyInstanceUid,
      seriesKey: main.manifest.seriesInstanceUid,
      bytes,
      ...(outputs.length > 1 ? { bytesFor: Object.fromEntries(sizes) } : {}),
    },
    destinations: outputs.flatMap(({ destinations }) => destinations),
    unprepared,
    urgent: decision.urgent,
    studies: main.object.deidentified.studies,
    images: main.manifest.images.length,
  };
}

function bytesOf(manifest: PreparedManifest, { isKept, bytes }: WrittenObject): number {
  return manifest.images.reduce((sum, image) => sum + image.bytes, isKept ? bytes : 0);
}

/** Retry only where the row says that nothing is wrong with the instance; every other failure needs a person. */
function outcomeOf(error: LetheError): ProcessOutcome {
  if (error.row.disposition === 'retry') return { kind: 'retry', code: error.code };
  return { kind: 'held', code: error.code, detail: detailOf(error) };
}

function detailOf(error: LetheError): string | undefined {
  const detail = Object.entries(error.detail)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
  return detail === '' ? undefined : detail;
}
