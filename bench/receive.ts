/**
 * Receiving: instances a second that the listener takes into custody (every instance durable before its Success) beside
 * DCMTK `storescp +B --fork`, which flushes nothing, and Orthanc with its default settings. The sender is always DCMTK
 * `storescu`; everything runs with TCP_NODELAY=1, without which Debian's DCMTK waits 40 ms for each message.
 *
 * Each measurement has a receiver of its own, warmed up; the receivers take turns, forth and back, so that a ratio is one
 * of neighbours and nobody always follows the same one.
 * `run` answers medians and ratios of medians.
 *
 *   node bench/receive.ts [--rounds N] [--json]
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeSampleStudies } from '../src/samples/studies.ts';
import { findProgram } from '../test/support/peers.ts';
import { freePort, listening } from './ports.ts';

export interface ReceiveOptions {
  readonly rounds: number;
  log(line: string): void;
}

export interface ReceiveRow {
  readonly workload: string;
  readonly receiver: string;
  /** Medians over the rounds. */
  readonly instancesPerSecond: number;
  readonly megabytesPerSecond: number;
  /** Of the median of storescp and of Orthanc in the same rounds. */
  readonly ofStorescp: number | undefined;
  readonly ofOrthanc: number | undefined;
}

interface FileSet {
  /** One list for each sender. */
  readonly warmUp: readonly string[];
  readonly files: readonly string[];
  readonly bytes: number;
}

interface Workload {
  readonly name: string;
  readonly set: FileSet;
  readonly associations: number;
}

interface Receiver {
  readonly name: string;
  start(folder: string): Promise<{ port: number; child: ChildProcess }>;
}

/** Enough for about a second a measurement: the start of a sender (20 ms) and of an association count in all of them. */
const CT_COPIES = 30; // of 40 slices
const DX_COPIES = 48;
const WARM_UP_SHARE = 6;
const ENVIRONMENT = { ...process.env, TCP_NODELAY: '1' };

export async function run({ rounds, log }: ReceiveOptions): Promise<ReceiveRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'lethe-bench-'));
  try {
    const workloads = await makeWorkloads(folder);
    const receivers = [OURS, STORESCP, ORTHANC].filter(({ name }) => name === OURS.name || findProgram(name));
    const rows: ReceiveRow[] = [];
    for (const workload of workloads) {
      const seconds = new Map<string, number[]>(receivers.map(({ name }) => [name, []]));
      for (let round = 0; round < rounds; round++)
        for (const receiver of round % 2 === 0 ? receivers : receivers.toReversed())
          seconds.get(receiver.name)?.push(await measure(receiver, workload, folder));
      for (const row of rowsOf(workload, seconds)) {
        rows.push(row);
        log(lineOf(row));
      }
    }
    return rows;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const OURS: Receiver = {
  name: 'lethe',
  async start(folder) {
    const child = fork(join(import.meta.dirname, 'receive-server.ts'), [folder], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const [message] = await once(child, 'message');
    return { port: (message as { port: number }).port, child };
  },
};

const STORESCP: Receiver = {
  name: 'storescp',
  async start(folder) {
    const port = await freePort();
    // +B writes the data set as it comes (bit preserving), as a gateway does; --fork takes associations at once.
    const child = spawn('storescp', ['+B', '--fork', '-od', folder, String(port)], {
      stdio: 'ignore',
      env: ENVIRONMENT,
    });
    await listening(port);
    return { port, child };
  },
};

const ORTHANC: Receiver = {
  name: 'Orthanc',
  async start(folder) {
    const [port, httpPort] = [await freePort(), await freePort()];
    const configuration = {
      StorageDirectory: folder,
      IndexDirectory: folder,
      DicomPort: port,
      HttpPort: httpPort,
      DicomAlwaysAllowStore: true,
    };
    writeFileSync(join(folder, 'orthanc.json'), JSON.stringify(configuration));
    const program = findProgram('Orthanc') ?? 'Orthanc';
    const child = spawn(program, [join(folder, 'orthanc.json')], { stdio: 'ignore', env: ENVIRONMENT, cwd: folder });
    await listening(port);
    return { port, child };
  },
};

async function measure(receiver: Receiver, { set, associations }: Workload, root: string): Promise<number> {
  const folder = mkdtempSync(join(root, 'receiver-'));
  const { port, child } = await receiver.start(folder);
  try {
    await send(port, set.warmUp, 1);
    const startMs = performance.now();
    await send(port, set.files, associations);
    return (performance.now() - startMs) / 1000;
  } finally {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
}

async function send(port: number, files: readonly string[], associations: number): Promise<void> {
  const share = Math.ceil(files.length / associations);
  const senders = Array.from({ length: associations }, async (_value, index) => {
    const part = files.slice(index * share, (index + 1) * share);
    const args = ['--max-pdu', '131072', '-aec', 'BENCH', '127.0.0.1', String(port), ...part];
    const child = spawn('storescu', args, { stdio: 'ignore', env: ENVIRONMENT });
    const [code] = await once(child, 'exit');
    if (code !== 0) throw new Error(`storescu ended with ${code}`);
  });
  await Promise.all(senders);
}

async function makeWorkloads(folder: string): Promise<Workload[]> {
  const sets: FileSet[] = [];
  let study = 0;
  for await (const { files } of makeSampleStudies()) {
    if (study < 2)
      sets.push(
        fileSet(
          join(folder, String(study)),
          files.map(({ bytes }) => bytes),
          [DX_COPIES, CT_COPIES][study] ?? 1,
        ),
      );
    study++;
  }
  const [dx, ct] = sets;
  if (ct === undefined || dx === undefined) throw new Error('no sample studies');
  return [
    { name: 'CT 512x512 x1', set: ct, associations: 1 },
    { name: 'CT 512x512 x4', set: ct, associations: 4 },
    { name: 'DX 2500x2048 x1', set: dx, associations: 1 },
    { name: 'DX 2500x2048 x4', set: dx, associations: 4 },
  ];
}

/** Copies under SOP Instance UIDs of their own: the same instance twice would be no work for a receiver that notices. */
function fileSet(folder: string, originals: readonly Uint8Array[], copies: number): FileSet {
  mkdirSync(folder);
  const files: string[] = [];
  let bytes = 0;
  for (let copy = 0; copy < copies; copy++)
    for (const [index, original] of originals.entries()) {
      const file = underOtherUid(original, copy);
      const path = join(folder, `${copy}-${index}.dcm`);
      writeFileSync(path, file);
      files.push(path);
      bytes += file.length;
    }
  const warmUp = Math.ceil(files.length / WARM_UP_SHARE);
  return {
    warmUp: files.slice(0, warmUp),
    files: files.slice(warmUp),
    bytes: (bytes * (files.length - warmUp)) / files.length,
  };
}

/** The last two digits of the samples' UIDs are the same everywhere: room for the number of the copy. */
function underOtherUid(original: Uint8Array, copy: number): Uint8Array {
  const file = Buffer.from(original);
  const uid = /2\.25\.3190157\d+/.exec(file.toString('latin1', 0, 1024))?.[0];
  if (uid === undefined) throw new Error('no SOP Instance UID where it was expected');
  const digits = String(copy + 10);
  for (let at = file.indexOf(uid); at >= 0; at = file.indexOf(uid, at + 1))
    file.write(digits, at + uid.length - 2, 'latin1');
  return file;
}

function rowsOf({ name, set }: Workload, seconds: ReadonlyMap<string, readonly number[]>): ReceiveRow[] {
  const storescp = median(seconds.get(STORESCP.name) ?? []);
  const orthanc = median(seconds.get(ORTHANC.name) ?? []);
  return [...seconds].map(([receiver, times]) => {
    const time = median(times) ?? Number.NaN;
    return {
      workload: name,
      receiver,
      instancesPerSecond: set.files.length / time,
      megabytesPerSecond: set.bytes / 1e6 / time,
      ofStorescp: storescp === undefined ? undefined : storescp / time,
      ofOrthanc: orthanc === undefined ? undefined : orthanc / time,
    };
  });
}

function lineOf({ workload, receiver, instancesPerSecond, megabytesPerSecond, ...of }: ReceiveRow): string {
  const ratio = [of.ofStorescp === undefined ? '' : `${of.ofStorescp.toFixed(2)} of storescp`]
    .concat(of.ofOrthanc === undefined ? '' : `${of.ofOrthanc.toFixed(2)} of Orthanc`)
    .join(' ');
  const rate = `${instancesPerSecond.toFixed(0).padStart(5)} instances/s ${megabytesPerSecond.toFixed(0).padStart(5)} MB/s`;
  return `${workload.padEnd(16)} ${receiver.padEnd(9)} ${rate}  ${ratio}`;
}

function median(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' }, json: { type: 'boolean' } } });
  const rows = await run({ rounds: Number(values.rounds), log: (line) => process.stderr.write(`${line}\n`) });
  if (values.json === true) process.stdout.write(`${JSON.stringify({ bench: 'receive', rows })}\n`);
}
