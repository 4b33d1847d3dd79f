/** `lethe convert`: renders frames without de-identifying. */
import { isAbsolute, join, normalize, resolve } from 'node:path';
import { type Command, EXIT, integerOption, JSON_OPTION, requiredOption, textOption, UsageError } from './command.ts';
import type { FileJob } from './file-job.ts';
import { type FileResult, runFileJobs } from './file-pool.ts';
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
    const shared = {
      dir,
      formats: images,
      dicom: false,
      quality: integerOption(options, 'quality', { minimum: 1, maximum: 100, fallback: 90 }),
      frames: parseFrames(textOption(options, 'frames')),
      window: parseWindow(textOption(options, 'window')),
      base64: false,
    };
    const jobs: (FileJob & { input: string })[] = positionals.flatMap((name) =>
      inputFiles([name], cwd).map((file) => {
        const input = file.name === name ? name : join(name, file.name);
        return { ...shared, path: file.path, stem: below(input), number: 0, input };
      }),
    );
    const progress = new Progress(terminal, { label: 'Converting', unit: 'files', total: jobs.length });
    let failed = 0;
    for await (const result of runFileJobs(jobs, { deid: undefined })) {
      if (result.outcome.kind === 'failed') failed++;
      progress.step();
      report(result, (result.job as FileJob & { input: string }).input, terminal);
    }
    progress.finish();
    return failed === 0 ? EXIT.success : EXIT.failure;
  },
};

/** The input's path below the output folder: never outside of it. */
function below(input: string): string {
  const parts = normalize(isAbsolute(input) ? input.replace(/^([A-Za-z]:)?[\\/]+/, '') : input).split(/[\\/]/);
  return parts.filter((part) => part !== '..' && part !== '.' && part !== '').join('/');
}

function report(
  { outcome }: FileResult,
  input: string,
  terminal: { json: boolean; out(line: string): void; note(line: string): void },
): void {
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
  if (outcome.kind === 'ok') return;
  if (terminal.json)
    terminal.out(
      JSON.stringify({ input, status: outcome.held ? 'held' : 'error', code: outcome.code, message: outcome.message }),
    );
  else terminal.note(`${input}: ${outcome.message}`);
}
