/** `lethe bench NAME`: the benchmarks that performance claims rest on, each beside its peers where they are installed. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Command, EXIT, flag, integerOption, JSON_OPTION, UsageError } from './command.ts';

const BENCHES: Readonly<Record<string, string>> = {
  receive: 'receiving durably, beside DCMTK storescp and Orthanc',
  listener: 'memory, leaks and answering times of the listener under load',
  deidentify: 'de-identifying files, beside pydicom, dcmodify and cp',
  decode: 'decoding frames, beside native decoders',
  render: 'rendering, beside dcm2pnm',
  store: 'what is asked of the store all the time, with a million rows beside a thousand',
  outage: 'a backend that is down and comes back: receiving meanwhile, the drain, its order',
  soak: 'half the whole rate for minutes with failures: what should stay flat (--minutes)',
  'text-detection': 'text found of text there is, alarms on clean images, time a megapixel',
  'end-to-end': 'from C-STORE to accepted by the backend, beside the first seed and Orthanc with a Lua script',
};
/** Of a seed: a date fits in. */
const MAXIMUM = 2_147_483_647;
const ROOT = resolve(import.meta.dirname, '../..');

export const command: Command = {
  summary: 'Runs a benchmark beside its peers: interleaved rounds, medians and ratios.',
  usage: `${Object.keys(BENCHES).join('|')} [--rounds N] [--minutes N] [--pictures N] [--radiographs N] [--seed N] [-- OPTION...]`,
  options: {
    rounds: { type: 'string', value: 'N', help: 'Rounds (default: as the benchmark says).' },
    minutes: { type: 'string', value: 'N', help: 'Minutes of `soak` (default: 30).' },
    pictures: { type: 'string', value: 'N', help: 'Generated pictures of `text-detection` (default: 500).' },
    radiographs: { type: 'string', value: 'N', help: 'Generated radiographs of `text-detection` (default: 40).' },
    seed: { type: 'string', value: 'N', help: 'Seed of the pictures of `text-detection` (default: 1).' },
    json: JSON_OPTION,
  },
  details: Object.entries(BENCHES)
    .map(([name, what]) => `  ${name.padEnd(16)}${what}`)
    .concat('What stands behind -- goes to the benchmark as it is, e.g. `deidentify -- --large --workload one`.')
    .join('\n'),
  async run({ positionals, options }) {
    const [name = '', ...further] = positionals;
    const script = join(ROOT, 'bench', `${name}.ts`);
    if (BENCHES[name] === undefined) throw new UsageError(`name one of ${Object.keys(BENCHES).join(', ')}`);
    if (!existsSync(script) || !existsSync(join(ROOT, 'node_modules/dcmjs-codecs')))
      throw new UsageError('benchmarks run from a development checkout: run npm test once, it installs what they need');
    const numbers = (['rounds', 'minutes', 'pictures', 'radiographs', 'seed'] as const).flatMap((option) =>
      options[option] === undefined
        ? []
        : [`--${option}`, String(integerOption(options, option, { minimum: 1, maximum: MAXIMUM, fallback: 3 }))],
    );
    const child = spawn(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        script,
        ...numbers,
        ...(flag(options, 'json') ? ['--json'] : []),
        ...further,
      ],
      { stdio: 'inherit', cwd: ROOT },
    );
    return new Promise((done) => child.once('exit', (code) => done(code ?? EXIT.failure)));
  },
};
