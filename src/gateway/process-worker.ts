/** The worker thread's side of `worker-pool.ts`: opens what it needs once, then processes one job after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { systemRandom } from '../core/clock.ts';
import type { PixelPolicy } from '../deid/burned-in/clean-pixels.ts';
import { compileProfile } from '../deid/profile.ts';
import type { RenderOptions } from '../imaging/render.ts';
import { keepCrosswalk } from '../queue/local-crosswalk.ts';
import { LocalPreparedArea } from '../queue/local-prepared.ts';
import { openReceived } from '../queue/local-received.ts';
import { compileRules, type Rule } from './inspect.ts';
import { customerKey } from './keys.ts';
import { processInstance } from './process.ts';
import type { ProcessJob } from './process-job.ts';

/** Plain data: it is cloned into the thread. */
export interface ProcessWorkerData {
  readonly dataDir: string;
  readonly key: Uint8Array;
  readonly keyGeneration: number;
  /** A built-in profile's name, or the text of a profile. */
  readonly profile: string;
  readonly rules: readonly Rule[];
  readonly rendering: Omit<RenderOptions, 'onFrameStart'>;
  readonly pixels: PixelPolicy;
  /** PEM text; undefined: no crosswalk is kept. */
  readonly crosswalkPublicKey: string | undefined;
}

function crosswalkTo(dataDir: string, publicKeyPem: string) {
  const keep = (sopInstanceUid: string, record: Uint8Array) => keepCrosswalk(dataDir, sopInstanceUid, record);
  return { publicKeyPem, random: systemRandom.bytes, keep };
}

const port = parentPort;
if (port !== null) {
  const data = workerData as ProcessWorkerData;
  const area = new LocalPreparedArea(data.dataDir);
  const options = {
    profile: compileProfile(data.profile),
    rules: compileRules(data.rules),
    rendering: data.rendering,
    pixels: data.pixels,
  };
  const deps = {
    openReceived: (location: string) => openReceived(data.dataDir, location),
    prepared: (job: ProcessJob) => area.prepared(job.id, job.attempt),
    keyOf: (customer: string) => ({ bytes: customerKey(data.key, customer), generation: data.keyGeneration }),
    ...(data.crosswalkPublicKey === undefined ? {} : { crosswalk: crosswalkTo(data.dataDir, data.crosswalkPublicKey) }),
    onProgress: () => port.postMessage({ progress: true }),
  };
  port.on('message', ({ job }: { job: ProcessJob }) => {
    void processInstance(job, options, deps).then((outcome) => port.postMessage({ outcome }));
  });
}
