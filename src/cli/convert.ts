/** `lethe convert`: renders frames without de-identifying. */
import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { isAbsolute, join, normalize, resolve } from 'node:path';
import { readPart10 } from '../dicom/part10.ts';
import { describeImage } from '../imaging/image-description.ts';
import {
  type Command,
  EXIT,
  integerOption,
  JSON_OPTION,
  requiredOption,
  type Terminal,
  textOption,
  UsageError,
} from './command.ts';
import type { FileJob, FileOutcome } from './file-job.ts';
import { runFileJobs } from './file-pool.ts';
import { fileSource } from './file-source.ts';
import { parseFormats, parseFrames, parseWindow } from './image-options.ts';
import { inputFiles } from './input-files.ts';
import { Progress } from './progress.ts';

export const command: Command = {
  summary: 'Renders frames to JPEG or PNG without de-identifying.',
  usage: 'IN... --out DIR --format jpeg,png,png16 [--frames all,1,3-5] [--window auto,C/W]',
  options: {
    out: { type: 'string', value: 'DIR', help: 'Folder for the images; made when missing.' },
    format: { type: 'string', value: 'LIST', help: 'jpeg, png, png16; several by comma (default jpeg).' },
    frames: { type: 'string', value: 'LIST', help: 'all, or numbers from 1 such as 1,3-5 (default all).' },
    window: { type: 'string', value: 'C/W', help: "auto (the instance's own), or centre/width in rescaled units." },
    quality: { type: 'string', value: 'N', help: 'JPEG quality, 1 to 100 (default 90).' },
    json: JSON_OPTION,
  },
  details: 'The images still show whatever the pixels show: this verb hides nothing.',
  async run({ options, positionals, cwd, terminal }) {
    if (positionals.length === 0) throw new UsageError('name at least one file or folder');
    const dir = resolve(cwd, requiredOption(options, 'out'));
    const { images } = parseFormats(textOption(options, 'format') ?? 'jpeg', false);
    if (images.includes('png') && images.includes('png16'))
      throw new UsageError('--format: png and png16 would have the same names; ask for one of them at a time');
    const shared = {
      dir,
      formats: images,
      dicom: false,
      quality: integerOption(options, 'quality', { minimum: 1, maximum: 100, fallback: 90 }),
      frames: parseFrames(textOption(options, 'frames')),
      window: parseWindow(textOption(options, 'window')),
      base64: false,
    };
    const jobs = positionals.flatMap((name) =>
      inputFiles([name], cwd).flatMap((file): Part[] => {
        const input = file.name === name ? name : join(name, file.name);
        const parts = partsOf(file.path, shared.frames);
        return parts.map((frames, index) => ({
          ...shared,
          path: file.path,
          stem: below(input),
          number: 0,
          frames,
          input,
          last: index === parts.length - 1,
        }));
      }),
    );
    const files = jobs.filter(({ last }) => last).length;
    const unit = files === jobs.length ? 'files' : 'parts of files';
    const progress = new Progress(terminal, { label: 'Converting', unit, total: jobs.length });
    let failed = 0;
    let failure: Failure | undefined;
    for await (const { job, outcome } of runFileJobs(jobs, { deid: undefined })) {
      progress.step();
      const { input, last } = job as Part;
      reportImages(outcome, input, terminal);
      if (outcome.kind === 'failed') failure ??= outcome;
      if (!last) continue;
      if (failure !== undefined) reportFailure(failure, input, terminal);
      if (failure !== undefined) failed++;
      failure = undefined;
    }
    progress.finish();
    return failed === 0 ? EXIT.success : EXIT.failure;
  },
};

/** A file, or some frames of one: its parts come one after the other, so that what is said of a file is said once. */
interface Part extends FileJob {
  readonly input: string;
  readonly last: boolean;
}

type Failure = Extract<FileOutcome, { kind: 'failed' }>;

/** Fewer frames are not worth another thread's reading of the file. */
const PART_FRAMES_MIN = 8;
/** Files below are done before they could be divided. */
const PARTED_BYTES_MIN = 4 * 1024 * 1024;
const PARTS_A_CORE = 4;

/** The frames of a multi-frame file in as many lists as keep all cores busy; one list where that does not pay. */
function partsOf(path: string, chosen: FileJob['frames']): FileJob['frames'][] {
  const frames = chosen === 'all' ? everyFrame(path) : chosen;
  const length = Math.max(PART_FRAMES_MIN, Math.ceil(frames.length / (availableParallelism() * PARTS_A_CORE)));
  if (frames.length <= length) return [chosen];
  return Array.from({ length: Math.ceil(frames.length / length) }, (_, index) =>
    frames.slice(index * length, (index + 1) * length),
  );
}

/** Nothing where it is small or cannot be read: its worker says why. */
function everyFrame(path: string): readonly number[] {
  if (statSync(path).size < PARTED_BYTES_MIN) return [];
  const source = fileSource(path);
  try {
    const { dataSet, transferSyntax } = readPart10(source, { endAfterPixelData: true });
    return Array.from({ length: describeImage(dataSet, transferSyntax).frames }, (_, index) => index + 1);
  } catch {
    return [];
  } finally {
    source.close();
  }
}

/** The input's path below the output folder: never outside of it. */
function below(input: string): string {
  const parts = normalize(isAbsolute(input) ? input.replace(/^([A-Za-z]:)?[\\/]+/, '') : input).split(/[\\/]/);
  return parts.filter((part) => part !== '..' && part !== '.' && part !== '').join('/');
}

type Told = Pick<Terminal, 'json' | 'out' | 'note'>;

function reportImages(outcome: FileOutcome, input: string, terminal: Told): void {
  for (const image of outcome.images) {
    const {
      frame,
      path: output,
      rescaleSlope: slope,
      rescaleIntercept: intercept,
      extension: _extension,
      ...facts
    } = image;
    terminal.out(
      terminal.json
        ? JSON.stringify({
            input,
            frame,
            output,
            ...facts,
            bits: facts.bitsStored,
            slope,
            intercept,
            window: facts.window ?? null,
          })
        : output,
    );
  }
}

function reportFailure({ code, message, held }: Failure, input: string, terminal: Told): void {
  if (terminal.json) terminal.out(JSON.stringify({ input, status: held ? 'held' : 'error', code, message }));
  else terminal.note(`${input}: ${message}`);
}
