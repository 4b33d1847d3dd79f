/**
 * What the listener costs and promises under load, measured on the whole gateway (`lethe serve` in a process of its own,
 * with its worker and a backend beside it) and not on a part of it:
 *
 *   memory        8 associations at once, each sending an object of 400 MB by DCMTK storescu: peak resident memory
 *   associations  10,000 short associations one after another (A-ASSOCIATE, C-ECHO, A-RELEASE): what has grown beside
 *                 those of a warm-up: resident memory, open files, timers, sockets
 *   echo          round trips of a C-ECHO every few milliseconds beside storescu sending CT instances at full speed
 *
 * Each figure stands beside its limit; the exit code is 1 when one is over it.
 *
 *   node bench/listener.ts [--only memory,associations,echo] [--associations 10000] [--json]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startBackend } from '../src/backend/backend.ts';
import { VERIFICATION } from '../src/dimse/negotiation.ts';
import { StorageScu } from '../src/dimse/storage-scu.ts';
import { makeSampleStudies } from '../src/samples/studies.ts';
import { buildPart10 } from '../test/build/data-set.ts';
import { findProgram } from '../test/support/peers.ts';
import { freePort, listening } from './ports.ts';

interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly limit?: number;
}

interface Gateway {
  readonly port: number;
  readonly http: number;
  readonly pid: number;
}

const MEGABYTE = 1024 * 1024;
const SENDERS = 8;
const FRAMES = 800; // of 512 x 512 x 16 bits: 400 MB
const RESIDENT_MEGABYTES_MAX = 256;
const ECHO_MS_P99_MAX = 20;
const ECHO_SECONDS = 15;
const ECHO_PAUSE_MS = 5;
/** Until V8 has given its heap the size that it keeps. */
const WARM_UP_ASSOCIATIONS = 10_000;
/** What V8 and the allocator keep or give back at their own time; a leak of one kilobyte an association is 9 MB. */
const GROWTH_MEGABYTES_MAX = 8;
const ENVIRONMENT = { ...process.env, TCP_NODELAY: '1' };

const MEASURES: Readonly<Record<string, (gateway: Gateway, folder: string) => Promise<Figure[]>>> = {
  memory,
  associations,
  echo,
};

async function memory({ port, pid }: Gateway, folder: string): Promise<Figure[]> {
  const file = join(folder, 'large.dcm');
  writeFileSync(file, largeInstance());
  const before = statusOf(pid, 'VmRSS');
  const startMs = performance.now();
  const args = ['--max-pdu', '131072', '+II', '-aec', 'LETHE', '127.0.0.1', String(port), file];
  await Promise.all(Array.from({ length: SENDERS }, () => succeed('storescu', args)));
  const seconds = (performance.now() - startMs) / 1000;
  rmSync(file);
  return [
    { name: 'resident before', value: before, unit: 'MB' },
    {
      name: 'peak resident, 8 x 400 MB at once',
      value: statusOf(pid, 'VmHWM'),
      unit: 'MB',
      limit: RESIDENT_MEGABYTES_MAX,
    },
    { name: 'rate meanwhile', value: (SENDERS * FRAMES * 0.5) / seconds, unit: 'MB/s' },
  ];
}

async function associations(gateway: Gateway): Promise<Figure[]> {
  await echoes(gateway.port, WARM_UP_ASSOCIATIONS);
  const before = await resourcesOf(gateway);
  const startMs = performance.now();
  await echoes(gateway.port, associationCount);
  const seconds = (performance.now() - startMs) / 1000;
  const after = await resourcesOf(gateway);
  const grown = (name: keyof typeof before) => after[name] - before[name];
  return [
    { name: 'associations a second', value: associationCount / seconds, unit: '1/s' },
    { name: 'resident memory grown', value: grown('residentMegabytes'), unit: 'MB', limit: GROWTH_MEGABYTES_MAX },
    { name: 'heap grown', value: grown('heapMegabytes'), unit: 'MB', limit: GROWTH_MEGABYTES_MAX },
    { name: 'open files grown', value: grown('openFiles'), unit: '', limit: 0 },
    { name: 'timers grown', value: grown('timers'), unit: '', limit: 0 },
    { name: 'sockets grown', value: grown('sockets'), unit: '', limit: 0 },
  ];
}

async function echo({ port }: Gateway, folder: string): Promise<Figure[]> {
  const files: string[] = [];
  for await (const study of makeSampleStudies()) {
    if (study.files.length < 10) continue; // the CT study
    for (const { name, bytes } of study.files) {
      const path = join(folder, name);
      writeFileSync(path, bytes);
      files.push(path);
    }
    break;
  }
  const state = { running: true, stored: 0 };
  const sending = storeUntilStopped(port, files, state);
  const scu = await StorageScu.connect(peer(port));
  const times: number[] = [];
  for (const endMs = performance.now() + ECHO_SECONDS * 1000; performance.now() < endMs; ) {
    const startMs = performance.now();
    await scu.echo();
    times.push(performance.now() - startMs);
    await new Promise((resolve) => setTimeout(resolve, ECHO_PAUSE_MS));
  }
  state.running = false;
  await Promise.all([sending, scu.release()]);
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  return [
    { name: 'C-STORE beside it', value: state.stored / ECHO_SECONDS, unit: '1/s' },
    { name: 'C-ECHO median', value: at(0.5), unit: 'ms' },
    { name: 'C-ECHO p99', value: at(0.99), unit: 'ms', limit: ECHO_MS_P99_MAX },
    { name: 'C-ECHO longest', value: sorted.at(-1) ?? Number.NaN, unit: 'ms' },
  ];
}

async function storeUntilStopped(port: number, files: readonly string[], state: { running: boolean; stored: number }) {
  while (state.running) {
    await succeed('storescu', ['--max-pdu', '131072', '+II', '-aec', 'LETHE', '127.0.0.1', String(port), ...files]);
    state.stored += files.length;
  }
}

function peer(port: number) {
  return {
    host: '127.0.0.1',
    port,
    callingAeTitle: 'BENCH',
    calledAeTitle: 'LETHE',
    contexts: [{ abstractSyntax: VERIFICATION, transferSyntaxes: ['1.2.840.10008.1.2'] }],
  };
}

async function echoes(port: number, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const scu = await StorageScu.connect(peer(port));
    const { status } = await scu.echo();
    if (status !== 0) throw new Error(`C-ECHO answered ${status}`);
    await scu.release();
  }
}

/** Multi-frame CT with 400 MB of pixels that are no constant. */
function largeInstance(): Uint8Array {
  const pixels = Buffer.alloc(FRAMES * 512 * 512 * 2);
  for (let at = 0; at < pixels.length; at += 2) pixels.writeUInt16LE((at * 2654435761) & 0x0fff, at);
  return buildPart10([
    ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.2.1'],
    ['SOPInstanceUID', '2.25.1001'],
    ['Modality', 'CT'],
    ['PatientName', 'Nobody^Invented'],
    ['PatientID', 'BENCH'],
    ['StudyInstanceUID', '2.25.1002'],
    ['SeriesInstanceUID', '2.25.1003'],
    ['SamplesPerPixel', 1],
    ['PhotometricInterpretation', 'MONOCHROME2'],
    ['NumberOfFrames', String(FRAMES)],
    ['Rows', 512],
    ['Columns', 512],
    ['BitsAllocated', 16],
    ['BitsStored', 12],
    ['HighBit', 11],
    ['PixelRepresentation', 0],
    ['PixelData', 'OW', pixels],
  ]);
}

/** What the kernel says of a process, in MB. */
function statusOf(pid: number, field: string): number {
  const line = readFileSync(`/proc/${pid}/status`, 'latin1').match(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm'));
  return Number(line?.[1]) / 1024;
}

/** From the gateway's own metrics, which also count what its event loop holds. */
async function resourcesOf({ http, pid }: Gateway) {
  await new Promise((resolve) => setTimeout(resolve, 1000)); // sockets in their last close
  process.kill(pid, 'SIGUSR2');
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const text = await (await fetch(`http://127.0.0.1:${http}/metrics`)).text();
  const value = (pattern: string) => Number(new RegExp(`^${pattern} ([0-9.e+-]+)$`, 'm').exec(text)?.[1] ?? 0);
  return {
    residentMegabytes: value('process_resident_memory_bytes') / MEGABYTE,
    heapMegabytes: value('nodejs_heap_size_used_bytes') / MEGABYTE,
    openFiles: value('process_open_fds'),
    timers: value('nodejs_active_resources\\{type="Timeout"\\}'),
    sockets: value('nodejs_active_resources\\{type="TCPSocketWrap"\\}'),
  };
}

async function succeed(program: string, args: readonly string[]): Promise<void> {
  const child = spawn(program, args, { stdio: 'ignore', env: ENVIRONMENT });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${program} ended with ${code}`);
}

async function withGateway<Result>(work: (gateway: Gateway, folder: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'lethe-bench-'));
  const backend = await startBackend({ host: '127.0.0.1', port: 0, dir: join(folder, 'backend') });
  const [port, http] = [await freePort(), await freePort()];
  const config = join(folder, 'lethe.yaml');
  const configuration = {
    dataDir: join(folder, 'data'),
    dicom: { port },
    http: { port: http },
    logLevel: 'warn',
    limits: { minFreeDiskBytes: '50MiB' },
    destinations: [{ name: 'cloud', type: 'image-api', url: `http://127.0.0.1:${backend.port}` }],
  };
  writeFileSync(config, JSON.stringify(configuration));
  // As an operator starts it: bin/lethe also sets what the allocator keeps.
  const child = spawn('bin/lethe', ['serve', '--config', config], {
    stdio: 'ignore',
    env: { ...process.env, NODE_OPTIONS: '--expose-gc --import ./bench/collect-on-signal.ts' },
  });
  try {
    await listening(http);
    return await work({ port, http, pid: child.pid ?? 0 }, folder);
  } finally {
    await end(child);
    await backend.close();
    rmSync(folder, { recursive: true });
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

function lineOf(measure: string, { name, value, unit, limit }: Figure): string {
  const verdict = limit === undefined ? '' : `  limit ${limit}${value > limit ? '  OVER' : ''}`;
  return `${measure.padEnd(13)} ${name.padEnd(34)} ${value.toFixed(1).padStart(9)} ${unit.padEnd(5)}${verdict}`;
}

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(MEASURES).join(',') },
    associations: { type: 'string', default: '10000' },
    rounds: { type: 'string' }, // one: what is measured is a bound, not a ratio
    json: { type: 'boolean' },
  },
});
const associationCount = Number(values.associations);
if (findProgram('storescu') === undefined) throw new Error('storescu is not installed (Debian package dcmtk)');
const result: (Figure & { measure: string })[] = [];
for (const measure of values.only.split(',')) {
  const work = MEASURES[measure];
  if (work === undefined) throw new Error(`no such measure: ${measure}`);
  for (const figure of await withGateway(work)) {
    result.push({ measure, ...figure });
    if (values.json !== true) console.log(lineOf(measure, figure));
  }
}
if (values.json === true) console.log(JSON.stringify({ bench: 'listener', result }));
process.exit(result.some(({ value, limit }) => limit !== undefined && value > limit) ? 1 : 0);
