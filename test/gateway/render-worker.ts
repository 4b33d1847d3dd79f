/** For tests: renders what it is given, as the gateway's workers do, and says how that ended. */
import { parentPort } from 'node:worker_threads';
import { bytesSource } from '../../src/core/bytes.ts';
import { toLetheError } from '../../src/core/errors.ts';
import { readPart10 } from '../../src/dicom/part10.ts';
import { renderFrames } from '../../src/imaging/render.ts';

async function render(bytes: Uint8Array): Promise<string> {
  try {
    const onFrameStart = () => parentPort?.postMessage({ progress: true });
    let frames = 0;
    for await (const { frame } of renderFrames(readPart10(bytesSource(bytes)), { format: 'png', onFrameStart }))
      frames = frame;
    return `${frames} rendered`;
  } catch (error) {
    return toLetheError(error).code;
  }
}

parentPort?.on('message', ({ job, number }: { job: Uint8Array; number: number }) => {
  void render(job).then((outcome) => parentPort?.postMessage({ outcome, number }));
});
