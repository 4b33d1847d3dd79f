/** `lethe deid`: files or folders to de-identified files, without a gateway. */
import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { systemRandom } from '../core/clock.ts';
import { KEY_BYTES, readKeyFile } from '../gateway/keys.ts';
import { profilePath, profileText } from '../gateway/profile-text.ts';
import {
  type Command,
  EXIT,
  flag,
  GENERATION_OPTION,
  generationOf,
  type Invocation,
  integerOption,
  JSON_OPTION,
  requiredOption,
  textOption,
  UsageError,
} from './command.ts';
import type { FileJob, FileOutcome } from './file-job.ts';
import { runFileJobs } from './file-pool.ts';
import { fileSource } from './file-source.ts';
import { parseFormats, parseFrames, parseWindow } from './image-options.ts';
import { inputFiles } from './input-files.ts';
import { Progress } from './progress.ts';

const COMPARED_BYTES = 1024 * 1024;

export const command: Command = {
  summary: 'De-identifies files, or all files of folders, into a folder.',
  usage:
    'IN... --out DIR [--profile NAME|FILE] [--key FILE] [--generation N] [--report FILE] [--format dicom,jpeg,png,png16] [--base64]',
  options: {
    out: { type: 'string', value: 'DIR', help: 'Folder for the outputs, named by new SOP Instance UID.' },
    profile: { type: 'string', value: 'P', help: 'default, basic, research, seed, or a YAML profile.' },
    key: {
      type: 'string',
      value: 'FILE',
      help: '64 hexadecimal digits, owner-only. Without it a fresh key is made for this run.',
    },
    generation: GENERATION_OPTION,
    report: { type: 'string', value: 'FILE', help: 'One JSON line an input.' },
    format: { type: 'string', value: 'LIST', help: 'dicom, jpeg, png, png16; several by comma (default dicom).' },
    base64: { type: 'boolean', help: 'Leave <image>.txt with base64 beside each image.' },
    quality: { type: 'string', value: 'N', help: 'JPEG quality, 1 to 100 (default 90).' },
    unscanned: {
      type: 'string',
      value: 'hold|pass',
      help: 'What to do with images that may show text and cannot be scanned (default hold).',
    },
    'no-text-detection': { type: 'boolean', help: 'Do not read text in pixels, even where that is installed.' },
    json: JSON_OPTION,
  },
  details: `No output is ever written for an instance that could not be made safe: it is reported as held, with the reason.
Exits 0 when every input has an output.`,
  run,
};

/** The workers compile it again; a mistake in it is told here, once and with its place, before anything is written. */
async function checkedProfile(name: string, cwd: string): Promise<string> {
  if (profilePath(name, cwd) !== undefined) (await import('../gateway/read-profile.ts')).readProfile(name, cwd);
  return profileText(name, cwd);
}

async function run(invocation: Invocation): Promise<number> {
  const { options, positionals, cwd, terminal } = invocation;
  if (positionals.length === 0) throw new UsageError('name at least one file or folder');
  const dir = resolve(cwd, requiredOption(options, 'out'));
  const jobs = jobsOf(invocation, dir);
  const data = {
    deid: {
      profile: await checkedProfile(textOption(options, 'profile') ?? 'default', cwd),
      key: { bytes: keyOf(invocation), generation: generationOf(options) },
      pixels: { whenUnscanned: unscanned(invocation) },
      textDetection: flag(options, 'no-text-detection') ? ('off' as const) : ('auto' as const),
    },
  };
  const reportPath = textOption(options, 'report');
  const report = reportPath === undefined ? undefined : resolve(cwd, reportPath);
  mkdirSync(dir, { recursive: true });
  if (report !== undefined) writeFileSync(report, '');
  const progress = new Progress(terminal, { label: 'De-identifying', unit: 'files', total: jobs.length });
  const seen = new Map<string, string>();
  const counts = { ok: 0, held: 0, error: 0 };
  for await (const { job, outcome } of runFileJobs(jobs, data)) {
    const line = settle(job as InputJob, outcome, { dir, seen });
    counts[line.status]++;
    if (report !== undefined) appendFileSync(report, `${JSON.stringify(line)}\n`);
    if (terminal.json) terminal.out(JSON.stringify(line));
    else if (line.status !== 'ok') progress.note(`${line.input}: ${line.message ?? ''}`);
    progress.step();
  }
  progress.finish();
  if (!terminal.json) terminal.out(`${counts.ok} de-identified, ${counts.held} held, ${counts.error} failed`);
  return counts.held + counts.error === 0 ? EXIT.success : EXIT.failure;
}

interface InputJob extends FileJob {
  readonly input: string;
}

interface ReportLine {
  readonly input: string;
  readonly output?: string;
  readonly images?: readonly string[];
  readonly status: 'ok' | 'held' | 'error';
  readonly code?: string;
  readonly message?: string;
  readonly actions?: Readonly<Record<string, number>>;
  readonly pixels?: string | undefined;
}

function jobsOf({ options, positionals, cwd }: Invocation, dir: string): InputJob[] {
  const { images, dicom } = parseFormats(textOption(options, 'format') ?? 'dicom', true);
  const shared = {
    dir,
    stem: '',
    formats: images,
    dicom,
    quality: integerOption(options, 'quality', { minimum: 1, maximum: 100, fallback: 90 }),
    frames: parseFrames(undefined),
    window: parseWindow(undefined),
    base64: flag(options, 'base64'),
  };
  const files = positionals.flatMap((name) =>
    inputFiles([name], cwd).map((file) => ({
      path: file.path,
      input: file.name === name ? name : join(name, file.name),
    })),
  );
  return files.map((file, number) => ({ ...shared, ...file, number }));
}

function keyOf({ options, cwd, terminal }: Invocation): Uint8Array {
  const path = textOption(options, 'key');
  if (path !== undefined) return readKeyFile(resolve(cwd, path));
  terminal.note(
    'lethe deid: no --key: a fresh key was made for this run and is not kept; another run will give other pseudonyms',
  );
  return systemRandom.bytes(KEY_BYTES);
}

function unscanned({ options }: Invocation): 'hold' | 'pass' {
  const value = textOption(options, 'unscanned') ?? 'hold';
  if (value !== 'hold' && value !== 'pass') throw new UsageError('--unscanned takes hold or pass');
  return value;
}

/** Gives the outputs their names; another instance with the same new UID is refused instead of replacing the first. */
function settle(job: InputJob, outcome: FileOutcome, at: { dir: string; seen: Map<string, string> }): ReportLine {
  const { input } = job;
  if (outcome.kind === 'failed')
    return { input, status: outcome.held ? 'held' : 'error', code: outcome.code, message: outcome.message };
  const uid = outcome.sopInstanceUid ?? '';
  const temporary = [
    outcome.dicomPath,
    ...outcome.images.flatMap(({ path }) => (job.base64 ? [path, `${path}.txt`] : [path])),
  ].filter((path) => path !== undefined);
  const earlier = at.seen.get(uid);
  const output = outcome.dicomPath === undefined ? undefined : join(at.dir, `${uid}.dcm`);
  if (earlier !== undefined && (earlier !== outcome.digest || !isSameFile(outcome.dicomPath, output))) {
    for (const path of temporary) rmSync(path, { force: true });
    return {
      input,
      status: 'error',
      code: 'INSTANCE_DUPLICATE',
      message: 'another input of this run has the same SOP Instance UID and other content',
    };
  }
  at.seen.set(uid, outcome.digest);
  const images = outcome.images.map(({ path, frame, extension, format }) => {
    // Two PNG formats in one run would share a name.
    const mark = format === 'png16' && job.formats.includes('png') ? '.16' : '';
    const name = join(at.dir, `${uid}-${frame}${mark}.${extension}`);
    renameSync(path, name);
    if (job.base64) renameSync(`${path}.txt`, `${name}.txt`);
    return name;
  });
  if (outcome.dicomPath !== undefined && output !== undefined) renameSync(outcome.dicomPath, output);
  const first = output ?? images[0];
  return {
    input,
    ...(first === undefined ? {} : { output: first }),
    ...(images.length === 0 ? {} : { images }),
    status: 'ok',
    actions: outcome.actions,
    pixels: outcome.pixels,
  };
}

function isSameFile(one: string | undefined, other: string | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  const [first, second] = [fileSource(one), fileSource(other)];
  try {
    let at = 0;
    const isSame = () => Buffer.compare(first.read(at, COMPARED_BYTES), second.read(at, COMPARED_BYTES)) === 0;
    if (first.size !== second.size) return false;
    while (at < first.size && isSame()) at += COMPARED_BYTES;
    return at >= first.size;
  } finally {
    first.close();
    second.close();
  }
}
