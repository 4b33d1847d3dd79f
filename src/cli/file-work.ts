/**
 * The work of the file verbs: one file in, files out. `deid` writes under temporary names, so that nothing of an
 * instance that could not be made safe is ever there under its real name; what fails removes what it wrote.
 *
 *   const work = new FileWork(data, onProgress); await work.run(job); work.runLight(job)
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ByteSource } from '../core/bytes.ts';
import { LetheError, toLetheError } from '../core/errors.ts';
import { inMemory } from '../core/scratch.ts';
import { cleanPixels, type PixelPolicy } from '../deid/burned-in/clean-pixels.ts';
import { eyesFor } from '../deid/burned-in/eyes.ts';
import { type Triage, triage } from '../deid/burned-in/triage.ts';
import { deidentify } from '../deid/deidentify.ts';
import type { KnownIdentity } from '../deid/identity.ts';
import { leakCheck } from '../deid/leak-check.ts';
import { type CompiledProfile, compileProfile } from '../deid/profile.ts';
import type { PseudonymKey } from '../deid/pseudonym.ts';
import type { ReadHeader } from '../deid/read-header.ts';
import { SiblingMemory } from '../deid/siblings.ts';
import { type Part10File, readPart10 } from '../dicom/part10.ts';
import { hasImage } from '../imaging/image-description.ts';
import type { RenderedFrame } from '../imaging/render.ts';
import type { TextDetector } from '../text-detection/detector.ts';
import { Blocks } from './block-writer.ts';
import type { FileJob, FileOutcome, FileWorkerData, WrittenImage } from './file-job.ts';
import { type FileSource, fileSource } from './file-source.ts';
import { OutputFile, type OutputFileOptions } from './output-file.ts';
import type { PixelCopier } from './pixel-copier.ts';

const PIXEL_DATA = 0x7fe00010;

/** What both ways share: the options of the run, made ready. */
interface Deid {
  readonly key: PseudonymKey;
  readonly pixels: PixelPolicy;
  readonly compiled: CompiledProfile;
  /** Files of one run are mostly of a few series. */
  readonly memory: SiblingMemory;
  readonly textDetection: 'auto' | 'off';
  readonly blocks: Blocks;
}

export class FileWork {
  readonly #deid: Deid | undefined;
  readonly #onProgress: () => void;
  readonly #copier: PixelCopier | undefined;
  #detector: Promise<TextDetector | undefined> | undefined;
  readonly #writing = new Set<Promise<unknown>>();

  /** `onProgress` is called before work that may take long on damaged input; `copier` copies the pixels of light jobs. */
  constructor({ deid }: FileWorkerData, onProgress: () => void, copier?: PixelCopier) {
    this.#deid = deid && madeReady(deid);
    this.#onProgress = onProgress;
    this.#copier = copier;
  }

  async run(job: FileJob): Promise<FileOutcome> {
    const images: WrittenImage[] = [];
    try {
      return this.#deid === undefined
        ? await convert(job, { images, onProgress: this.#onProgress })
        : await deid(job, this.#deid, {
            images,
            onProgress: this.#onProgress,
            detector: await this.#openDetector(this.#deid),
          });
    } catch (error) {
      if (this.#deid !== undefined) for (const { path } of images) rmSync(path, { force: true });
      return failed(error, this.#deid === undefined ? images : []);
    }
  }

  #openDetector({ textDetection }: Deid): Promise<TextDetector | undefined> {
    this.#detector ??= (async () => {
      if (textDetection === 'off') return undefined;
      return (await import('../text-detection/detector-process.ts')).openDetector(this.#onProgress);
    })();
    return this.#detector;
  }

  /**
   * As `run` where the job needs no codec: no image is asked for, and the instance has none or one whose native pixels
   * stay. Undefined for every other, of which nothing was written. Foreign code never runs here, so nothing can hang.
   * Answers when the work is done and the last of the file is being written; few at once wait for that.
   */
  async runLight(job: FileJob): Promise<{ readonly written: Promise<FileOutcome> } | undefined> {
    if (this.#deid === undefined || job.formats.length > 0) return undefined;
    let source: FileSource | undefined;
    let made: Made | undefined;
    try {
      source = fileSource(job.path, { headBytes: HEAD_BYTES });
      const read = this.#deid.memory.read(source);
      const found = hasImage(read.dataSet) ? read.dataSet.derive(triage) : undefined;
      if (!isLight(read, found, this.#deid.textDetection !== 'off')) return undefined;
      const copier = this.#copier && { by: this.#copier, input: source };
      made = await deidOpened(job, { source, part10: read, read, triage: found, copier }, this.#deid);
      while (this.#writing.size >= WRITING_MAX) await Promise.race(this.#writing);
      return { written: this.#save(made, source) };
    } catch (error) {
      return { written: Promise.resolve(failed(error, [])) };
    } finally {
      if (made === undefined) source?.close();
    }
  }

  /** Of the pixels of light jobs: for whoever has nothing else to do. */
  help(): void {
    this.#copier?.help();
  }

  #save(made: Made, source: FileSource): Promise<FileOutcome> {
    const written = saved(made)
      .catch((error: unknown) => failed(error, []))
      .finally(() => {
        source.close();
        this.#writing.delete(written);
      });
    this.#writing.add(written);
    return written;
  }
}

function madeReady(deid: NonNullable<FileWorkerData['deid']>): Deid {
  const compiled = compileProfile(deid.profile);
  return { ...deid, compiled, memory: new SiblingMemory({ profile: compiled, key: deid.key }), blocks: new Blocks() };
}

/** Files whose last blocks are on their way. */
const WRITING_MAX = 4;
/** Read at once: most headers are shorter. */
const HEAD_BYTES = 64 * 1024;

/** `isRead`: whether somebody looks at pixels that once in a while show text. */
function isLight({ transferSyntax }: Part10File, found: Triage | undefined, isRead: boolean): boolean {
  if (found === undefined) return true;
  if (transferSyntax.encapsulated) return false;
  return found.kind === 'clean' || (!isRead && found.kind === 'scan' && found.evidence === 'possible');
}

function failed(error: unknown, images: readonly WrittenImage[]): FileOutcome {
  const { code, message, row } = toLetheError(error);
  return { kind: 'failed', code, message, held: row.disposition === 'hold', images };
}

interface Output {
  readonly images: WrittenImage[];
  /** Absent where nobody looks for text in the pixels. */
  readonly detector?: TextDetector | undefined;
  onProgress(): void;
}

async function convert(job: FileJob, output: Output): Promise<FileOutcome> {
  const source = fileSource(job.path);
  try {
    const part10 = readPart10(source);
    if (!hasImage(part10.dataSet))
      throw new LetheError('IMAGING_PIXEL_DATA_MISSING', { what: 'no pixel data element' });
    const name = (frame: RenderedFrame) => join(job.dir, `${job.stem}-${frame.frame}.${frame.extension}`);
    await renderAll(part10, job, { ...output, name });
    return {
      kind: 'ok',
      images: output.images,
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

async function deid(job: FileJob, options: Deid, output: Output): Promise<FileOutcome> {
  const source = inMemory(fileSource(job.path));
  try {
    const part10 = readPart10(source, { endAfterPixelData: true });
    return await saved(await deidOpened(job, { source, part10 }, options, output));
  } finally {
    source.close();
  }
}

/** What is safe, and not yet in its file. */
interface Made {
  readonly file: OutputFile;
  readonly outcome: FileOutcome;
  /** Whether the Part 10 file is asked for. */
  readonly isWanted: boolean;
}

async function saved({ file, outcome, isWanted }: Made): Promise<FileOutcome> {
  if (isWanted) await file.save();
  else await file.discard();
  return outcome;
}

interface Opened {
  readonly source: ByteSource;
  readonly part10: Part10File;
  /** The same, where it was read as de-identification reads it. */
  readonly read?: ReadHeader;
  readonly triage?: Triage | undefined;
  readonly copier?: OutputFileOptions['copier'];
}

async function deidOpened(
  job: FileJob,
  { source, part10, read, triage, copier }: Opened,
  options: Deid,
  output?: Output,
): Promise<Made> {
  const temporary = join(job.dir, `.lethe-${process.pid}-${job.number}`);
  const dicomPath = `${temporary}.dcm`;
  // What is light shows nothing that anybody would look for (`isLight`).
  const eyes = eyesFor(output?.detector, part10.dataSet, () => options.compiled, output?.onProgress);
  const given = { eyes, triage };
  const cleaned = await cleanPixels(part10, options.pixels, given);
  if (cleaned.held !== undefined) throw new LetheError(cleaned.held, { reason: cleaned.reason });
  const isReadAgain = cleaned.decision === 'redacted' || (output !== undefined && job.formats.length > 0);
  const expectedBytes = source.size - (isReadAgain ? 0 : pixelBytesLeft(part10));
  const file = new OutputFile(dicomPath, { expectedBytes, isReadAgain, blocks: options.blocks, copier });
  try {
    const result = deidentify(source, file, {
      profile: options.compiled,
      key: options.key,
      memory: options.memory,
      digest: !job.dicom, // two files are compared themselves
      ...(cleaned.replacements === undefined ? {} : { replacements: cleaned.replacements }),
      ...(read === undefined ? {} : { read }),
    });
    if (cleaned.decision === 'redacted') {
      const { lookAgain } = await import('../deid/burned-in/second-look.ts');
      await lookAgain(readPart10(file.source()), cleaned, given);
    }
    verify(file.sourceWithoutLater(), result.identity, options.memory);
    if (output !== undefined && job.formats.length > 0) await render(file.source(), { job, temporary, output });
    if (job.dicom) await file.fill();
    const outcome = {
      kind: 'ok',
      images: output?.images ?? [],
      sopInstanceUid: result.pseudonyms.sopInstanceUid,
      dicomPath: job.dicom ? dicomPath : undefined,
      digest: result.digest,
      actions: result.actions as Readonly<Record<string, number>>,
      pixels: `${cleaned.decision}: ${cleaned.reason}`,
    } as const;
    return { file, outcome, isWanted: job.dicom };
  } catch (error) {
    await file.discard();
    throw error;
  }
}

/** Bytes of the native pixels that pass as they are, at the end (`OutputFile.later`). */
function pixelBytesLeft({ dataSet }: Part10File): number {
  const element = dataSet.element(PIXEL_DATA);
  return element === undefined || element.value !== undefined || element.fragments !== undefined ? 0 : element.length;
}

function verify(source: ByteSource, identity: KnownIdentity, memory: SiblingMemory): void {
  const [leak] = leakCheck(source, identity, memory.outputs);
  if (leak !== undefined) throw new LetheError('DEID_LEAK_SUSPECTED', { path: leak.path });
}

async function render(source: ByteSource, to: { job: FileJob; temporary: string; output: Output }): Promise<void> {
  const part10 = readPart10(source);
  const name = (frame: RenderedFrame, format: string) => `${to.temporary}-${frame.frame}-${format}.${frame.extension}`;
  if (hasImage(part10.dataSet)) await renderAll(part10, to.job, { ...to.output, name });
}

async function renderAll(
  part10: Part10File,
  job: FileJob,
  to: Output & { name: (frame: RenderedFrame, format: string) => string },
): Promise<void> {
  const { renderFrames } = await import('../imaging/render.ts'); // it starts the encoder, which few runs need
  for (const format of job.formats) {
    const options = {
      format,
      quality: job.quality,
      frames: job.frames,
      window: job.window,
      onFrameStart: to.onProgress,
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
