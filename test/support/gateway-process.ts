/** A real gateway as a child process with a reference backend in this one: for tests that signal, kill and restart it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestContext } from 'node:test';
import { type Backend, startBackend } from '../../src/backend/backend.ts';
import type { OrderedFailure } from '../../src/backend/failures.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const START_TIMEOUT_MS = 60_000;
const WAIT_TIMEOUT_MS = 240_000;

export interface RigOptions {
  /** Merged over the rig's own configuration, section by section. */
  readonly configuration?: Readonly<Record<string, unknown>>;
  readonly failures?: readonly OrderedFailure[];
  /** Merged into the destination of images. */
  readonly destination?: Readonly<Record<string, unknown>>;
  /** Merged into the gateway's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Rig {
  readonly dir: string;
  readonly backendDir: string;
  /** The gateway's. */
  readonly dataDir: string;
  readonly backend: Backend;
  dicomPort: number;
  httpPort: number;
  log(): string;
  /** Of the gateway that runs or ran last. */
  readonly pid: number;
  start(): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<number | null>;
  /** GET on the gateway's HTTP port. */
  get<Answer>(path: string): Promise<Answer>;
  /** POST without a body. */
  post(path: string): Promise<void>;
  /** Resolves when nothing is received-and-waiting or owed any more, to these destinations or to any. */
  quiet(destinations?: readonly string[]): Promise<Flow>;
}

export interface Flow {
  readonly received: number;
  readonly prepared: number;
  readonly held: number;
  readonly discarded: number;
  readonly deliveries: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export async function startRig(t: TestContext, options: RigOptions = {}): Promise<Rig> {
  const dir = mkdtempSync(join(tmpdir(), 'lethe-rig-'));
  const backendDir = join(dir, 'backend');
  const backend = await startBackend({
    host: '127.0.0.1',
    port: 0,
    dir: backendDir,
    ...(options.failures === undefined ? {} : { failures: options.failures }),
  });
  const rig = new ProcessRig(dir, backendDir, backend, options);
  t.after(async () => {
    await rig.kill('SIGKILL');
    await backend.close();
    rmSync(dir, { recursive: true, force: true });
  });
  await rig.start();
  return rig;
}

class ProcessRig implements Rig {
  readonly dir: string;
  readonly backendDir: string;
  readonly dataDir: string;
  readonly backend: Backend;
  readonly #options: RigOptions;
  #child: ChildProcess | undefined;
  #log = '';
  dicomPort = 0;
  httpPort = 0;

  constructor(dir: string, backendDir: string, backend: Backend, options: RigOptions) {
    this.dir = dir;
    this.backendDir = backendDir;
    this.backend = backend;
    this.#options = options;
    const own = options.configuration?.['dataDir'];
    this.dataDir = typeof own === 'string' ? own : join(dir, 'data');
    writeFileSync(join(dir, 'lethe.yaml'), JSON.stringify(this.#configuration()));
  }

  #configuration() {
    const url = `http://127.0.0.1:${this.backend.port}`;
    const own: Record<string, unknown> = {
      dataDir: this.dataDir,
      dicom: { port: 0 },
      http: { port: 0 },
      batching: { idleSeconds: 0.3 },
      limits: { minFreeDiskBytes: '50MiB', retryBaseSeconds: 0.1, retryMaxSeconds: 1 },
      destinations: [
        { name: 'cloud', type: 'image-api', url, ...this.#options.destination },
        { name: 'objects', type: 'stow-rs', url: `${url}/dicom-web`, accepts: 'non-images' },
      ],
    };
    for (const [section, value] of Object.entries(this.#options.configuration ?? {})) {
      const base = own[section];
      own[section] = isRecord(base) && isRecord(value) ? { ...base, ...value } : value;
    }
    return own;
  }

  async start(): Promise<void> {
    const child = spawn(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        join(ROOT, 'src/cli/main.ts'),
        'serve',
        '--config',
        join(this.dir, 'lethe.yaml'),
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...this.#options.env } },
    );
    this.#child = child;
    let said = '';
    const ready = Promise.withResolvers<void>();
    const timer = setTimeout(
      () => ready.reject(new Error(`the gateway did not start: ${said.slice(-2000)}`)),
      START_TIMEOUT_MS,
    );
    child.stdout?.on('data', (bytes: Buffer) => {
      this.#log += bytes.toString('utf8');
      said += bytes.toString('utf8');
    });
    child.stderr?.on('data', (bytes: Buffer) => {
      said += bytes.toString('utf8');
      const match = /listening for DICOM on [^:]+:(\d+), console http:\/\/[^:]+:(\d+)/.exec(said);
      if (match === null) return;
      this.dicomPort = Number(match[1]);
      this.httpPort = Number(match[2]);
      ready.resolve();
    });
    child.once('exit', (code) => ready.reject(new Error(`the gateway ended with ${code}: ${said.slice(-2000)}`)));
    await ready.promise.finally(() => clearTimeout(timer));
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async kill(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const exited = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
    child.kill(signal);
    return exited;
  }

  log(): string {
    return this.#log;
  }

  async get<Answer>(path: string): Promise<Answer> {
    const response = await fetch(`http://127.0.0.1:${this.httpPort}${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return (await response.json()) as Answer;
  }

  async post(path: string): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${this.httpPort}${path}`, { method: 'POST' });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
  }

  async quiet(destinations?: readonly string[]): Promise<Flow> {
    let last: Flow | undefined;
    const look = async () => {
      const { counts } = await this.get<{ counts: Flow }>('/api/v1/status');
      const looked = Object.entries(counts.deliveries).filter(([name]) => destinations?.includes(name) ?? true);
      const owed = looked.reduce(
        (sum, [, states]) => sum + OWED.reduce((part, state) => part + (states[state] ?? 0), 0),
        0,
      );
      last = counts;
      return counts.received === 0 && owed === 0 ? counts : undefined;
    };
    return waitFor(look, () => `quiet, but ${JSON.stringify(last)}`);
  }
}

/** What `look` gives once it is not undefined. It fails, and says of what, where that never comes. */
export async function waitFor<Value>(
  look: () => Value | undefined | Promise<Value | undefined>,
  what: () => string,
): Promise<Value> {
  const deadline = performance.now() + WAIT_TIMEOUT_MS;
  for (;;) {
    const value = await look();
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw new Error(`it never came to be: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const OWED = ['queued', 'claimed', 'inflight', 'deferred'];

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** All bytes below a folder, file names included, for searching what must not be there. */
export function everythingUnder(dir: string): Buffer {
  const parts: Buffer[] = [];
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    parts.push(Buffer.from(`${path}\n`));
    if (entry.isFile()) parts.push(readFileSync(path));
  }
  return Buffer.concat(parts);
}

export function sum(states: Readonly<Record<string, Readonly<Record<string, number>>>>, state: string): number {
  return Object.values(states).reduce((total, counts) => total + (counts[state] ?? 0), 0);
}
