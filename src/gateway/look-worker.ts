/** The thread of `look.ts`: one frame of what was received, as PNG, no larger than a screen. */
import { parentPort, workerData } from 'node:worker_threads';
import { LetheError, toLetheError } from '../core/errors.ts';
import { readPart10 } from '../dicom/part10.ts';
import { renderFrames } from '../imaging/render.ts';
import { openReceived } from '../queue/local-received.ts';
import type { LookJob, LookOutcome, LookWorkerData } from './look.ts';

const EDGE_MAX = 2048;

async function look({ location, frame }: LookJob, { dataDir }: LookWorkerData): Promise<LookOutcome> {
  const source = openReceived(dataDir, location);
  try {
    const part10 = readPart10(source, { endAfterPixelData: true });
    for await (const { bytes } of renderFrames(part10, { format: 'png', frames: [frame], maxEdge: EDGE_MAX }))
      return { kind: 'png', bytes };
    throw new LetheError('IMAGING_PIXEL_DATA_MISSING', { frame });
  } catch (error) {
    return { kind: 'failed', code: toLetheError(error).code };
  } finally {
    source.close();
  }
}

const port = parentPort;
port?.on('message', ({ job, number }: { job: LookJob; number: number }) => {
  void look(job, workerData as LookWorkerData).then((outcome) => port.postMessage({ outcome, number }));
});
