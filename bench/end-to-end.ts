/**
 * End to end: from the sender to "accepted by the backend", instances a second and CPU an instance. Ours: C-STORE over a real
 * association, durable, de-identified with the leak check, rendered to JPEG, delivered by the contract in batches. The peers:
 * HTTP in, three tags, JPEG, HTTP out, once as the first seed is described (bench/peers/seed-pipeline.py; ratios are of it)
 * and once without what its description calls waste (flask-pipeline.py). Each round runs one after the other on fresh
 * folders; the backend is the same and runs in this process. Medians over the rounds and their ratio.
 *
 *   node bench/end-to-end.ts [--rounds N] [--json]
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { type Backend, startBackend } from '../src/backend/backend.ts';
import { makeSampleStudies } from '../src/samples/studies.ts';
import { findProgram } from '../test/support/peers.ts';
import { freePort, listening } from './ports.ts';

const run = promisify(execFile);
const CT_COPIES = 8; // of 40 slices
const DX_COPIES = 40;
/** Sent first and not counted: both programs load and compile on their first instances. */
const WARM_UP = 8;
const SENDERS = 4;
const SETTLE_MS_MAX = 120_000;

interface Measure {
  readonly perSecond: number;
  readonly cpuMsPerInstance: number;
}

type Pipeline = (files: readonly string[], folder: string, backend: Backend) => Promise<Measure>;

/** Radiographs are read for text by default, which no peer does: they are measured without it as well. */
const lethe =
  (textDetection: 'auto' | 'off'): Pipeline =>
  (files, folder, backend) =>
    gateway({ files, folder, backend, textDetection });

async function gateway(of: {
  files: readonly string[];
  folder: string;
  backend: Backend;
  textDetection: 'auto' | 'off';
}): Promise<Measure> {
  const { files, folder, backend, textDetection } = of;
  const config = join(folder, 'lethe.yaml');
  const port = await freePort();
  const http = await freePort();
  const url = `http://127.0.0.1:${backend.port}`;
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
      destinations: [{ name: 'cloud', type: 'image-api', url }],
    }),
  );
  const child = spawn(process.execPath, ['src/cli/main.ts', 'serve', '--config', config], { stdio: 'ignore' });
  try {
    await listening(http);
    const send = (share: readonly string[]) =>
      run('storescu', ['-aec', 'LETHE', '127.0.0.1', String(port), ...share], {
        env: { ...process.env, TCP_NODELAY: '1' },
      });
    return await timed(files, { child, backend, send });
  } finally {
    await end(child);
  }
}

async function flask(script: string, files: readonly string[], backend: Backend): Promise<Measure> {
  const port = await freePort();
  const child = spawn(
    '/usr/bin/python3',
    [join(import.meta.dirname, 'peers', script), String(port), `http://127.0.0.1:${backend.port}`],
    { stdio: 'ignore' },
  );
  try {
    await listening(port);
    const send = async (share: readonly string[]) => {
      for (const file of share) {
        const answer = await fetch(`http://127.0.0.1:${port}/receive_dicom`, {
          method: 'POST',
          body: readFileSync(file),
        });
        if (!answer.ok) throw new Error(`the peer answered ${answer.status}`);
      }
    };
    return await timed(files, { child, backend, send });
  } finally {
    await end(child);
  }
}

/** Warm-up first; then from the first byte sent to the last image accepted. */
async function timed(
  files: readonly string[],
  by: { child: ChildProcess; backend: Backend; send: (share: readonly string[]) => Promise<unknown> },
): Promise<Measure> {
  await by.send(files.slice(0, WARM_UP));
  await accepted(by.backend, WARM_UP);
  const rest = files.slice(WARM_UP);
  const before = cpuMs(by.child);
  const started = performance.now();
  await Promise.all(shares(rest).map(by.send));
  await accepted(by.backend, files.length);
  const seconds = (performance.now() - started) / 1000;
  return { perSecond: rest.length / seconds, cpuMsPerInstance: (cpuMs(by.child) - before) / rest.length };
}

function shares(files: readonly string[]): string[][] {
  return Array.from({ length: SENDERS }, (_, lane) => files.filter((_file, index) => index % SENDERS === lane));
}

/** User and system time of a process so far (Linux). */
function cpuMs(child: ChildProcess): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10; // clock ticks of 10 ms
}

async function accepted(backend: Backend, count: number): Promise<void> {
  for (const endMs = performance.now() + SETTLE_MS_MAX; performance.now() < endMs; ) {
    const { studies } = (await (await fetch(`http://127.0.0.1:${backend.port}/v1/studies`)).json()) as {
      studies: { series: { images: unknown[] }[] }[];
    };
    const images = studies.reduce(
      (sum, study) => sum + study.series.reduce((part, series) => part + series.images.length, 0),
      0,
    );
    if (images >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('the backend did not get everything');
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

/** Copies with UIDs of their own: nothing may be a duplicate. UIDs keep their length, so the bytes stay valid. */
async function workloads(folder: string): Promise<{ name: string; files: string[] }[]> {
  const sets: { name: string; files: string[] }[] = [];
  for await (const study of makeSampleStudies()) {
    if (sets.length === 2) break;
    const isChest = study.files.length === 1;
    const copies = isChest ? DX_COPIES : CT_COPIES;
    const name = isChest ? 'DX 2500x2048' : 'CT 512x512';
    const dir = join(folder, isChest ? 'dx' : 'ct');
    mkdirSync(dir);
    const files: string[] = [];
    for (let copy = 0; copy < copies; copy++) {
      for (const file of study.files) {
        const path = join(dir, `${copy}-${file.name}`);
        writeFileSync(path, renumbered(file.bytes, copy));
        files.push(path);
      }
    }
    sets.push({ name, files });
  }
  return sets;
}

function renumbered(bytes: Uint8Array, copy: number): Buffer {
  const text = Buffer.from(bytes);
  const from = Buffer.from('2.25.3190157', 'latin1');
  const to = Buffer.from(`2.25.319${String(1000 + copy)}`, 'latin1');
  const headerEnd = Math.min(text.length, 64 * 1024);
  for (let at = text.indexOf(from); at >= 0 && at < headerEnd; at = text.indexOf(from, at + to.length))
    to.copy(text, at);
  return text;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' }, json: { type: 'boolean' } } });
const rounds = Number(values.rounds);
const folder = mkdtempSync(join(tmpdir(), 'lethe-bench-'));
try {
  const pipelines: [string, Pipeline][] = [
    ['lethe', lethe('auto')],
    ['lethe, unread', lethe('off')],
  ];
  if (findProgram('/usr/bin/python3') ?? findProgram('python3')) {
    // The first is what ratios are of; the lean one does less than the description it is named after asks for.
    for (const name of ['seed-pipeline', 'flask-pipeline'])
      pipelines.push([name, (files, _folder, backend) => flask(`${name}.py`, files, backend)]);
  }
  const result: Record<string, unknown>[] = [];
  for (const { name, files } of await workloads(folder)) {
    const measured = new Map<string, Measure[]>(pipelines.map(([pipeline]) => [pipeline, []]));
    for (let round = 0; round < rounds; round++) {
      for (const [pipeline, work] of pipelines) {
        const dir = mkdtempSync(join(folder, 'round-'));
        const backend = await startBackend({ host: '127.0.0.1', port: 0, dir: join(dir, 'backend') });
        measured.get(pipeline)?.push(await work(files, dir, backend));
        await backend.close();
        rmSync(dir, { recursive: true });
      }
    }
    const rows = [...measured].map(([pipeline, list]) => ({
      pipeline,
      perSecond: median(list.map((one) => one.perSecond)),
      cpuMs: median(list.map((one) => one.cpuMsPerInstance)),
    }));
    const peer = rows.find(({ pipeline }) => !pipeline.startsWith('lethe'));
    for (const row of rows) {
      const line = {
        workload: name,
        instances: files.length,
        ...row,
        ofPeer: peer && row.perSecond / peer.perSecond,
        cpuOfPeer: peer && row.cpuMs / peer.cpuMs,
      };
      result.push(line);
      if (values.json !== true)
        console.log(
          `${name}  ${row.pipeline.padEnd(15)} ${row.perSecond.toFixed(1).padStart(7)}/s  ${row.cpuMs.toFixed(1).padStart(6)} ms CPU  x${(line.ofPeer ?? 1).toFixed(2)} rate, x${(line.cpuOfPeer ?? 1).toFixed(2)} CPU of the peer`,
        );
    }
  }
  if (values.json === true) console.log(JSON.stringify({ bench: 'end-to-end', rounds, result }));
} finally {
  rmSync(folder, { recursive: true });
}
