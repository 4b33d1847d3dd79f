/** What `npm test`, `npm run check`, `gen`, `format` and `fuzz` do. Run through bin/lethe-dev. */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';

const NODE = process.execPath;
const BIN = 'node_modules/.bin';

function run(program: string, args: readonly string[], env: Record<string, string> = {}): number {
  const result = spawnSync(program, args, { stdio: 'inherit', env: { ...process.env, ...env } });
  return result.status ?? 1;
}

/** Runs steps in order; the first that fails ends it with its exit code. */
function steps(...list: readonly (readonly [string, readonly string[]])[]): number {
  for (const [program, args] of list) {
    const status = run(program, args);
    if (status !== 0) return status;
  }
  return 0;
}

function test(args: readonly string[]): number {
  const files = args.filter((arg) => !arg.startsWith('-'));
  const flags = args.filter((arg) => arg.startsWith('-'));
  const chosen = files.length > 0 ? files : globSync('test/**/*.test.ts').toSorted();
  // A test that hangs must fail, not stop the suite: none takes longer than this on a slow machine.
  return run(NODE, [
    '--disable-warning=ExperimentalWarning',
    '--test',
    '--test-timeout=300000',
    '--test-concurrency=2',
    ...flags,
    ...chosen,
  ]);
}

const GENERATORS = globSync('scripts/gen-*.ts').toSorted();

const COMMANDS: Readonly<Record<string, (args: readonly string[]) => number>> = {
  test,
  check: () =>
    steps(
      [`${BIN}/tsc`, ['-p', '.']],
      [`${BIN}/tsc`, ['-p', 'src/console/web']],
      [`${BIN}/biome`, ['check', '.']],
      [`${BIN}/oxlint`, ['--type-aware', 'src', 'scripts']],
      [NODE, ['--test', 'test/architecture.test.ts']],
    ),
  format: () => run(`${BIN}/biome`, ['check', '--write', '.']),
  mutation: (args) => run(NODE, ['scripts/mutate.ts', ...args]),
  gen: () => steps(...GENERATORS.map((file) => [NODE, [file]] as const)),
  fuzz: (args) => {
    const [target, ...rest] = args;
    if (target !== undefined && existsSync(`fuzz/${target}.ts`)) return run(NODE, [`fuzz/${target}.ts`, ...rest]);
    return steps(
      ...globSync('fuzz/*.ts')
        .toSorted()
        .map((file) => [NODE, [file, '--seconds', '10']] as const),
    );
  },
};

const [name = '', ...rest] = process.argv.slice(2);
const command = COMMANDS[name];
if (command === undefined) {
  console.error(`usage: bin/lethe-dev ${Object.keys(COMMANDS).join('|')} [...]`);
  process.exit(2);
}
process.exit(command(rest));
