/**
 * The worker thread of the file verbs: one file in, files out. `deid` writes under temporary names, so that nothing of an
 * instance that could not be made safe is ever there under its real name; what fails removes what it wrote.
 */
import { closeSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { ByteSink, ByteSource } from '../core/bytes.ts';
import { LetheError, toLetheError } from '../core/errors.ts';
import { cleanPixels } from '../deid/burned-in/clean-pixels.ts';
import { eyesFor } from '../deid/burned-in/eyes.ts';
import { lookAgain } from '../deid/burned-in/second-look.ts';
import { deidentify } from '../deid/deidentify.ts';
import { leakCheck } from '../deid/leak-check.ts';
import { type CompiledProfile, compileProfile } from '../deid/profile.ts';
import { type Part10File, readPart10 } from '../dicom/part10.ts';
import { hasImage } from '../imaging/image-description.ts';
import { type RenderedFrame, renderFrames } from '../imaging/render.ts';
import { openDetector } from '../text-detection/detector-process.ts';
import type { FileJob, FileOutcome, FileWorkerData, WrittenImage } from './file-job.ts';
import { fileSource } from './store-files.ts';

const data = workerData as FileWorkerData;
const sayProgress = (): void => parentPort?.postMessage({ progress: true });
const detector = data.deid?.textDetection === 'off' ? undefined : openDetector(sayProgress);
const profile: CompiledProfile | undefined = data.deid === undefined ? undefined : compileProfile(data.deid.profile);

parentPort?.on('message', ({ job }: { job: FileJob }) => {
  void run(job).then((outcome) => parentPort?.postMessage({ outcome }));
});

async function run(job: FileJob): Promise<FileOutcome> {
  const images: WrittenImage[] = [];
  try {
    return data.deid === undefined || profile === undefined
      ? await convert(job, images)
      : await deid(job, { ...data.deid, compiled: profile }, images);
  } catch (error) {
    const known = toLetheError(error);
    if (data.deid !== undefined) for (const { path } of images) rmSync(path, { force: true });
    const held = known.row.disposition === 'hold';
    return {
      kind: 'failed',
      code: known.code,
      message: known.message,
      held,
      images: data.deid === undefined ? images : [],
    };
  }
}

async function convert(job: FileJob, images: WrittenImage[]): Promise<FileOutcome> {
  const source = fileSource(job.path);
  try {
    const part10 = readPart10(source);
    if (!hasImage(part10.dataSet))
      throw new LetheError('IMAGING_PIXEL_DATA_MISSING', { what: 'no pixel data element' });
    const name = (frame: RenderedFrame) => join(job.dir, `${job.stem}-${frame.frame}.${frame.extension}`);
    await renderAll(part10, job, { name, images });
    return {
      kind: 'ok',
      images,
      sopInstanceUid: undefined,
      dicomPath: undefined,
      digest: '',
      actions: {},
      pixels: undefined,
    };
  } finally {
    source.close();
  }
}

async function deid(
  job: FileJob,
  with_: NonNullable<FileWorkerData['deid']> & { compiled: CompiledProfile },
  images: WrittenImage[],
): Promise<FileOutcome> {
  const temporary = join(job.dir, `.lethe-${process.pid}-${job.number}`);
  const dicomPath = `${temporary}.dcm`;
  const source = fileSource(job.path);
  try {
    mkdirSync(job.dir, { recursive: true });
    const part10 = readPart10(source, { endAfterPixelData: true });
    const given = { eyes: eyesFor(detector, part10.dataSet, () => with_.compiled, sayProgress) };
    const cleaned = await cleanPixels(part10, with_.pixels, given);
    if (cleaned.held !== undefined) throw new LetheError(cleaned.held, { reason: cleaned.reason });
    const options = {
      profile: with_.compiled,
      key: { bytes: with_.key, generation: 1 },
      ...(cleaned.replacements === undefined ? {} : { replacements: cleaned.replacements }),
    };
    const result = withSink(dicomPath, (sink) => deidentify(source, sink, options));
    await withSource(dicomPath, (output) => lookAgain(readPart10(output), cleaned, given));
    await verifyAndRender(dicomPath, result.identity, { job, temporary, images });
    if (!job.dicom) rmSync(dicomPath);
    const actions = result.actions as Readonly<Record<string, number>>;
    return {
      kind: 'ok',
      images,
      sopInstanceUid: result.pseudonyms.sopInstanceUid,
      dicomPath: job.dicom ? dicomPath : undefined,
      digest: result.digest,
      actions,
      pixels: `${cleaned.decision}: ${cleaned.reason}`,
    };
  } catch (error) {
    rmSync(dicomPath, { force: true });
    throw error;
  } finally {
    source.close();
  }
}

async function verifyAndRender(
  dicomPath: string,
  identity: Parameters<typeof leakCheck>[1],
  to: { job: FileJob; temporary: string; images: WrittenImage[] },
): Promise<void> {
  const output = fileSource(dicomPath);
  try {
    const [leak] = leakCheck(output, identity);
    if (leak !== undefined) throw new LetheError('DEID_LEAK_SUSPECTED', { path: leak.path });
    const part10 = readPart10(output);
    const name = (frame: RenderedFrame, format: string) =>
      `${to.temporary}-${frame.frame}-${format}.${frame.extension}`;
    if (hasImage(part10.dataSet)) await renderAll(part10, to.job, { name, images: to.images });
  } finally {
    output.close();
  }
}

async function renderAll(
  part10: Part10File,
  job: FileJob,
  to: { name: (frame: RenderedFrame, format: string) => string; images: WrittenImage[] },
): Promise<void> {
  for (const format of job.formats) {
    const options = {
      format,
      quality: job.quality,
      frames: job.frames,
      window: job.window,
      onFrameStart: () => parentPort?.postMessage({ progress: true }),
    };
    for await (const frame of renderFrames(part10, options)) {
      const path = to.name(frame, format);
      mkdirSync(dirname(path), { recursive: true });
      writeWhole(path, frame.bytes);
      if (job.base64) writeWhole(`${path}.txt`, Buffer.from(Buffer.from(frame.bytes).toString('base64'), 'latin1'));
      const { bytes: _bytes, mediaType: _mediaType, window, ...facts } = frame;
      to.images.push({ ...facts, format, path, window });
    }
  }
}

/** Under its name only when whole: a reader never sees half an image. */
function writeWhole(path: string, bytes: Uint8Array): void {
  writeFileSync(`${path}.part`, bytes);
  renameSync(`${path}.part`, path);
}

async function withSource(path: string, work: (source: ByteSource) => Promise<void>): Promise<void> {
  const source = fileSource(path);
  try {
    await work(source);
  } finally {
    source.close();
  }
}

function withSink<Result>(path: string, work: (sink: ByteSink) => Result): Result {
  const fd = openSync(path, 'w', 0o600);
  try {
    return work({
      write: (bytes) => {
        for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done);
      },
    });
  } finally {
    closeSync(fd);
  }
}
