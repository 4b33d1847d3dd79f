/** The worker thread's side of `worker-pool.ts`: opens what it needs once, then processes job after job. */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock, systemRandom } from '../core/clock.ts';
import { LetheError } from '../core/errors.ts';
import type { PixelPolicy } from '../deid/burned-in/clean-pixels.ts';
import type { CrosswalkForm } from '../deid/deidentify.ts';
import { type CompiledProfile, compileProfile } from '../deid/profile.ts';
import type { PseudonymKey } from '../deid/pseudonym.ts';
import { keepCrosswalk } from '../queue/local-crosswalk.ts';
import { LocalPreparedArea } from '../queue/local-prepared.ts';
import { openVerified } from '../queue/local-received.ts';
import { LocalReviews } from '../queue/local-review.ts';
import { openDetector } from '../text-detection/detector-process.ts';
import { compileRules, type Rule } from './inspect.ts';
import { customerKey } from './keys.ts';
import type { DestinationTaker, Rendering } from './outputs.ts';
import { processInstance } from './process.ts';
import type { ProcessJob } from './process-job.ts';
import { SiblingMemories } from './sibling-memories.ts';
import { Turns } from './turns.ts';

/** Plain data: it is cloned into the thread. */
export interface ProcessWorkerData {
  readonly dataDir: string;
  readonly key: Uint8Array;
  readonly keyGeneration: number;
  readonly studiesKey: Uint8Array;
  /** The site's own profile: a built-in one's name, or the text of one. */
  readonly profile: string;
  /** Those that called AE titles, rules and destinations pick, by the name in the configuration. */
  readonly profiles: Readonly<Record<string, string>>;
  readonly rules: readonly Rule[];
  readonly rendering: Rendering;
  readonly pixels: PixelPolicy & { readonly textDetection: 'auto' | 'off' };
  readonly destinations: readonly DestinationTaker[];
  /** PEM text; undefined: no crosswalk is kept. */
  readonly crosswalkPublicKey: string | undefined;
  readonly crosswalkForm: CrosswalkForm | undefined;
}

/** All are compiled at start-up: a mistake in one must not show at the thousandth instance. */
function profiles(data: ProcessWorkerData): (name: string | undefined) => CompiledProfile {
  const own = compileProfile(data.profile);
  const picked = new Map(Object.entries(data.profiles).map(([name, text]) => [name, compileProfile(text)]));
  return (name) => {
    const profile = name === undefined ? own : picked.get(name);
    if (profile === undefined)
      throw new LetheError('DEID_PROFILE_INVALID', {
        problem: 'the profile that the source picked is no longer configured',
      });
    return profile;
  };
}

function crosswalkTo(dataDir: string, publicKeyPem: string, form: CrosswalkForm = 'records') {
  const keep = (sopInstanceUid: string, record: Uint8Array) => keepCrosswalk(dataDir, sopInstanceUid, record);
  return { publicKeyPem, random: systemRandom.bytes, form, keep };
}

/** Short against every deadline: a message for each step of a small instance costs more than most steps. */
const PROGRESS_MS = 100;

function progressTo(port: NonNullable<typeof parentPort>): () => void {
  let toldMs = Number.NEGATIVE_INFINITY;
  return () => {
    const nowMs = systemClock.monotonicMs();
    if (nowMs - toldMs < PROGRESS_MS) return;
    toldMs = nowMs;
    port.postMessage({ progress: true });
  };
}

const port = parentPort;
if (port !== null) {
  const onProgress = progressTo(port);
  const data = workerData as ProcessWorkerData;
  const area = new LocalPreparedArea(data.dataDir, { bundled: true });
  const memories = new SiblingMemories();
  const options = {
    profileOf: profiles(data),
    rules: compileRules(data.rules),
    rendering: data.rendering,
    pixels: data.pixels,
    destinations: data.destinations,
  };
  const deps = {
    openReceived: (location: string, bytes: number) => openVerified(data.dataDir, location, bytes),
    prepared: (job: ProcessJob) => area.prepared(job.id, job.attempt),
    keyOf: (customer: string) => ({ bytes: customerKey(data.key, customer), generation: data.keyGeneration }),
    studiesKeyOf: (customer: string) => customerKey(data.studiesKey, customer),
    memoryOf: (profile: CompiledProfile, key: PseudonymKey) => memories.of(profile, key),
    ...(data.crosswalkPublicKey === undefined
      ? {}
      : { crosswalk: crosswalkTo(data.dataDir, data.crosswalkPublicKey, data.crosswalkForm) }),
    reviews: new LocalReviews(data.dataDir),
    detector: data.pixels.textDetection === 'off' ? undefined : openDetector(onProgress),
    onProgress,
  };
  const turns = new Turns();
  port.on('message', ({ job, number }: { job: ProcessJob; number: number }) => {
    const run = async () => {
      const outcome = await processInstance(job, options, deps);
      port.postMessage({ outcome, number });
    };
    turns.add({ bytes: job.bytes, run });
  });
}
