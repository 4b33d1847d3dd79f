/**
 * End to end: from the sender to "accepted by the backend", instances a second and CPU an instance. Ours: C-STORE over a
 * real association, durable, de-identified with the leak check, rendered to JPEG, delivered by the contract in batches, once
 * with default settings and once without reading radiographs for text, which no peer does. The peers:
 *
 * - the first seed's own steps (bench/peers/seed-pipeline.py): HTTP in, three tags, JPEG, HTTP out;
 * - Orthanc with a Lua script that anonymizes, forwards to DCMTK storescp and deletes (bench/peers/orthanc-forward.lua):
 *   DICOM in, DICOM out, and no image is made.
 *
 * All get the same files from four senders at once (DCMTK storescu, curl). What is sent over HTTP goes to one lean sink in
 * a process of its own, whose CPU is told as well; what Orthanc sends is counted in storescp's folder. Everything of DCMTK
 * runs with TCP_NODELAY=1. The pipelines take turns within a round, forth and back, on fresh folders; medians over the
 * rounds and their ratios. Before the rounds ours delivers to the reference backend, which validates.
 *
 *   node bench/end-to-end.ts [--rounds N] [--workload CT|DX] [--pipeline NAME]... [--json]
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { startBackend } from '../src/backend/backend.ts';
import { findProgram } from '../test/support/peers.ts';
import { type Kind, writeInstances } from './instances.ts';
import { freePort, listening } from './ports.ts';

const run = promisify(execFile);
const ENVIRONMENT = { ...process.env, TCP_NODELAY: '1' };
const WORKLOADS: readonly { kind: Kind; name: string; count: number }[] = [
  { kind: 'CT', name: 'CT 512x512', count: 1800 },
  { kind: 'DX', name: 'DX 2500x2048', count: 200 },
];
/** Sent first and not counted: every program loads and compiles on its first instances, and a gateway runs for months. */
const WARM_UP: Readonly<Record<Kind, number>> = { CT: 600, DX: 60 };
const LETHE = join(import.meta.dirname, '../bin/lethe');
const SENDERS = 4;
const POLL_MS = 25;
const SETTLE_MS_MAX = 240_000;
/** How many of each kind the reference backend checks. */
const CHECKED = 4;

/** Where a pipeline delivers to. */
interface Sink {
  readonly child: ChildProcess;
  count(): Promise<number>;
}

/** A pipeline that runs. */
interface Running {
  readonly child: ChildProcess;
  readonly sink: Sink;
  send(files: readonly string[]): Promise<unknown>;
}

type Pipeline = (folder: string) => Promise<Running>;

interface Measure {
  readonly perSecond: number;
  readonly cpuMs: number;
  /** Of that the process's first thread: ours receives, delivers and keeps the store on it. */
  readonly mainMs: number;
  readonly sinkMs: number;
}

/** `checked`: the port of a backend in place of the sink. */
function lethe(textDetection: 'auto' | 'off', checked?: number): Pipeline {
  return async (folder) => {
    const sink = await httpSink();
    const [port, http] = [await freePort(), await freePort()];
    const config = join(folder, 'lethe.yaml');
    writeFileSync(
      config,
      JSON.stringify({
        dataDir: join(folder, 'data'),
        dicom: { port },
        http: { port: http },
        logLevel: 'warn',
        batching: { idleSeconds: 0.2 },
        limits: { minFreeDiskBytes: '50MiB' },
        deidentification: { pixels: { textDetection } },
        destinations: [{ name: 'cloud', type: 'image-api', url: `http://127.0.0.1:${checked ?? sink.port}` }],
      }),
    );
    // As it is started by whoever uses it, with the settings that `bin/lethe` gives the runtime.
    const child = spawn(LETHE, ['serve', '--config', config], { stdio: 'ignore' });
    await listening(http);
    return { child, sink, send: (files) => storescu(port, 'LETHE', files) };
  };
}

/** Its log goes to a file, as a service manager would keep it. */
async function seed(folder: string): Promise<Running> {
  const sink = await httpSink();
  const port = await freePort();
  const log = openSync(join(folder, 'seed.log'), 'a');
  const script = join(import.meta.dirname, 'peers/seed-pipeline.py');
  const child = spawn('/usr/bin/python3', [script, String(port), `http://127.0.0.1:${sink.port}`], {
    stdio: ['ignore', log, log],
  });
  await listening(port);
  const url = `http://127.0.0.1:${port}/receive_dicom`;
  return { child, sink, send: (files) => curl(url, files, folder) };
}

async function orthanc(folder: string): Promise<Running> {
  const [port, httpPort, sinkPort] = [await freePort(), await freePort(), await freePort()];
  const received = join(folder, 'received');
  mkdirSync(received);
  const storescp = spawn('storescp', ['+B', '--max-pdu', '131072', '-od', received, String(sinkPort)], {
    stdio: 'ignore',
    env: ENVIRONMENT,
  });
  await listening(sinkPort);
  const configuration = {
    StorageDirectory: folder,
    IndexDirectory: folder,
    DicomPort: port,
    HttpPort: httpPort,
    DicomAlwaysAllowStore: true,
    DicomModalities: { sink: ['SINK', '127.0.0.1', sinkPort] },
    LuaScripts: [join(import.meta.dirname, 'peers/orthanc-forward.lua')],
  };
  writeFileSync(join(folder, 'orthanc.json'), JSON.stringify(configuration));
  const child = spawn(findProgram('Orthanc') ?? 'Orthanc', [join(folder, 'orthanc.json')], {
    stdio: 'ignore',
    env: ENVIRONMENT,
    cwd: folder,
  });
  await listening(port);
  const sink = { child: storescp, count: async () => readdirSync(received).length };
  return { child, sink, send: (files) => storescu(port, 'ORTHANC', files) };
}

async function httpSink(): Promise<Sink & { port: number }> {
  const port = await freePort();
  const child = spawn(process.execPath, [join(import.meta.dirname, 'end-to-end-sink.ts'), String(port)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await listening(port);
  const count = async () => Number(await (await fetch(`http://127.0.0.1:${port}/count`)).text());
  return { child, port, count };
}

function storescu(port: number, title: string, files: readonly string[]): Promise<unknown> {
  const args = ['--max-pdu', '131072', '-aec', title, '127.0.0.1', String(port)];
  return Promise.all(shares(files).map((share) => run('storescu', [...args, ...share], { env: ENVIRONMENT })));
}

/** One curl a sender; without `Expect`, which Flask's server does not answer. */
function curl(url: string, files: readonly string[], folder: string): Promise<unknown> {
  return Promise.all(
    shares(files).map((share, lane) => {
      const requests = share.map((file) =>
        [`url = "${url}"`, `data-binary = "@${file}"`, 'header = "Expect:"', 'output = "/dev/null"', 'fail'].join('\n'),
      );
      const config = join(folder, `curl-${lane}`);
      writeFileSync(config, requests.join('\nnext\n'));
      return run('curl', ['--silent', '--config', config]);
    }),
  );
}

function shares(files: readonly string[]): string[][] {
  const lanes = Array.from({ length: SENDERS }, (_, lane) => files.filter((_file, at) => at % SENDERS === lane));
  return lanes.filter((lane) => lane.length > 0);
}

/** Warm-up first; then from the first byte sent to the last image accepted. */
async function measure(pipeline: Pipeline, files: readonly string[], of: { warmUp: number; root: string }) {
  const folder = mkdtempSync(join(of.root, 'round-'));
  const { child, sink, send } = await pipeline(folder);
  try {
    await send(files.slice(0, of.warmUp));
    await accepted(sink, of.warmUp);
    const rest = files.slice(of.warmUp);
    const before = [cpuMs(child), firstThreadMs(child), cpuMs(sink.child)] as const;
    const started = performance.now();
    await send(rest);
    await accepted(sink, files.length);
    const seconds = (performance.now() - started) / 1000;
    return {
      perSecond: rest.length / seconds,
      cpuMs: (cpuMs(child) - before[0]) / rest.length,
      mainMs: (firstThreadMs(child) - before[1]) / rest.length,
      sinkMs: (cpuMs(sink.child) - before[2]) / rest.length,
    };
  } finally {
    await end(child);
    await end(sink.child);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** User and system time so far, of a process and those it started (the reader of text is one), Linux. */
function cpuMs({ pid }: ChildProcess): number {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => statOf(`/proc/${name}/stat`) ?? []);
  const counted = new Set([pid]);
  for (let before = 0; before < counted.size; ) {
    before = counted.size;
    for (const { process, parent } of all) if (counted.has(parent)) counted.add(process);
  }
  return all.reduce((sum, { process, ms }) => (counted.has(process) ? sum + ms : sum), 0);
}

/** Of the process's first thread alone. */
function firstThreadMs({ pid }: ChildProcess): number {
  return statOf(`/proc/${pid}/task/${pid}/stat`)?.ms ?? Number.NaN;
}

function statOf(path: string): { process: number; parent: number; ms: number } | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'latin1');
  } catch {
    return undefined; // it ended meanwhile
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { process: Number.parseInt(text, 10), parent: Number(fields[1]), ms: ticks * 10 }; // clock ticks of 10 ms
}

async function accepted(sink: Sink, count: number): Promise<void> {
  for (const endMs = performance.now() + SETTLE_MS_MAX; performance.now() < endMs; ) {
    if ((await sink.count()) >= count) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error('the sink did not get everything');
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

/** What is measured is what a backend that validates accepts. */
async function check(files: readonly string[], root: string): Promise<void> {
  const folder = mkdtempSync(join(root, 'check-'));
  const backend = await startBackend({ host: '127.0.0.1', port: 0, dir: join(folder, 'backend') });
  const { child, sink, send } = await lethe('off', backend.port)(folder);
  try {
    await send(files);
    const count = async () => {
      const answer = await fetch(`http://127.0.0.1:${backend.port}/v1/studies`);
      const { studies } = (await answer.json()) as { studies: { series: { images: unknown[] }[] }[] };
      return studies.flatMap(({ series }) => series.flatMap(({ images }) => images)).length;
    };
    await accepted({ child, count }, files.length);
  } finally {
    await end(child);
    await end(sink.child);
    await backend.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

const SEED = 'seed';
const ORTHANC = 'Orthanc + Lua';

function pipelines(chosen: readonly string[]): [string, Pipeline][] {
  const all: [string, Pipeline][] = [
    ['lethe', lethe('auto')],
    ['lethe, unread', lethe('off')],
  ];
  if (findProgram('python3') && findProgram('curl')) all.push([SEED, seed]);
  if (findProgram('Orthanc')) all.push([ORTHANC, orthanc]);
  return chosen.length === 0 ? all : all.filter(([name]) => chosen.includes(name));
}

function rowsOf(workload: string, instances: number, measured: ReadonlyMap<string, readonly Measure[]>) {
  const medians = new Map(
    [...measured].map(([name, list]) => [
      name,
      {
        perSecond: median(list.map((one) => one.perSecond)),
        cpuMs: median(list.map((one) => one.cpuMs)),
        mainMs: median(list.map((one) => one.mainMs)),
        sinkMs: median(list.map((one) => one.sinkMs)),
      },
    ]),
  );
  const [ofSeed, ofOrthanc] = [medians.get(SEED), medians.get(ORTHANC)];
  return [...medians].map(([pipeline, row]) => ({
    workload,
    instances,
    pipeline,
    ...row,
    ofSeed: ofSeed && row.perSecond / ofSeed.perSecond,
    cpuOfSeed: ofSeed && row.cpuMs / ofSeed.cpuMs,
    ofOrthanc: ofOrthanc && row.perSecond / ofOrthanc.perSecond,
    cpuOfOrthanc: ofOrthanc && row.cpuMs / ofOrthanc.cpuMs,
  }));
}

function lineOf(row: ReturnType<typeof rowsOf>[number]): string {
  const ratio = (value: number | undefined) => (value === undefined ? '-' : value.toFixed(2)).padStart(5);
  const ms = (value: number) => value.toFixed(1).padStart(6);
  return [
    row.workload.padEnd(12),
    row.pipeline.padEnd(14),
    `${row.perSecond.toFixed(1).padStart(6)}/s`,
    `CPU${ms(row.cpuMs)} ms (first thread${ms(row.mainMs)}, sink${ms(row.sinkMs)})`,
    `of the seed: rate${ratio(row.ofSeed)} CPU${ratio(row.cpuOfSeed)}`,
    `of Orthanc: rate${ratio(row.ofOrthanc)} CPU${ratio(row.cpuOfOrthanc)}`,
  ].join('  ');
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    workload: { type: 'string' },
    pipeline: { type: 'string', multiple: true, default: [] },
    json: { type: 'boolean' },
  },
});
const rounds = Number(values.rounds);
const root = mkdtempSync(join(tmpdir(), 'lethe-bench-'));
try {
  const chosen = pipelines(values.pipeline);
  const result: ReturnType<typeof rowsOf> = [];
  for (const { kind, name, count } of WORKLOADS.filter(({ kind }) => values.workload?.includes(kind) ?? true)) {
    const files = writeInstances(join(root, kind), kind, WARM_UP[kind] + count);
    await check(files.slice(0, CHECKED), root);
    const measured = new Map<string, Measure[]>(chosen.map(([pipeline]) => [pipeline, []]));
    for (let round = 0; round < rounds; round++)
      for (const [pipeline, start] of round % 2 === 0 ? chosen : chosen.toReversed())
        measured.get(pipeline)?.push(await measure(start, files, { warmUp: WARM_UP[kind], root }));
    const rows = rowsOf(name, count, measured);
    result.push(...rows);
    if (values.json !== true) for (const row of rows) console.log(lineOf(row));
    rmSync(join(root, kind), { recursive: true });
  }
  if (values.json === true) console.log(JSON.stringify({ bench: 'end-to-end', rounds, result }));
} finally {
  rmSync(root, { recursive: true });
}
