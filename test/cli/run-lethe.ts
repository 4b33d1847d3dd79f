/** The command line as a child process, in a folder of its own. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestContext } from 'node:test';

const ROOT = resolve(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'src/cli/main.ts');
const LAUNCHER = join(ROOT, 'bin/lethe');

export interface LetheRun {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export function lethe(cwd: string, ...args: string[]): LetheRun {
  return run(cwd, [process.execPath, '--disable-warning=ExperimentalWarning', MAIN, ...args], 120_000);
}

/** By the launcher, as users start it, with the most memory that was resident at once, all threads together, in bytes. */
export function measuredLethe(cwd: string, timeout: number, ...args: string[]): LetheRun & { residentBytes: number } {
  const file = join(cwd, 'resident');
  const hook = `
    import { writeFileSync } from 'node:fs';
    import { isMainThread } from 'node:worker_threads';
    if (isMainThread)
      process.on('exit', () => writeFileSync(${JSON.stringify(file)}, String(process.resourceUsage().maxRSS * 1024)));`;
  const options = `--import data:text/javascript,${encodeURIComponent(hook)}`;
  const ran = run(cwd, [LAUNCHER, ...args], timeout, { ...process.env, NODE_OPTIONS: options });
  return { ...ran, residentBytes: Number(readFileSync(file, 'utf8')) };
}

function run(cwd: string, command: readonly string[], timeout: number, env = process.env): LetheRun {
  const [program = '', ...args] = command;
  const result = spawnSync(program, args, { cwd, env, encoding: 'utf8', timeout, maxBuffer: 2 ** 28 });
  return { code: result.status, out: result.stdout, err: result.stderr };
}

export function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'lethe-cli-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
