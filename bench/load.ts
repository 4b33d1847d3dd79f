/** A whole gateway under load: `lethe serve` in a process of its own, a backend and senders in this one, and what can be seen of it from outside. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StorageScu } from '../src/dimse/storage-scu.ts';
import { CT_IMAGE_STORAGE, ctSlice } from '../test/build/ct-slice.ts';
import { buildDataSet } from '../test/build/data-set.ts';
import { phantom } from './phantom.ts';
import { freePort, listening } from './ports.ts';

const EXPLICIT_LITTLE = '1.2.840.10008.1.2.1';
const STUDY_INSTANCES = 60;
const SERIES_INSTANCES = 30;
const TABLES = ['instance', 'delivery', 'audit', 'ledger', 'study_patient'] as const;
const MEGABYTE = 1024 * 1024;

export interface LoadedGateway {
  readonly port: number;
  readonly http: number;
  readonly pid: number;
  readonly dataDir: string;
  end(): Promise<void>;
}

export interface LoadOptions {
  /** So long a settled instance is known; the site's default otherwise. */
  readonly historyDays?: number;
}

export async function startGateway(
  folder: string,
  backend: { readonly port: number },
  { historyDays }: LoadOptions = {},
): Promise<LoadedGateway> {
  const [port, http] = [await freePort(), await freePort()];
  const [config, dataDir] = [join(folder, 'lethe.yaml'), join(folder, 'data')];
  const url = `http://127.0.0.1:${backend.port}`;
  const configuration = {
    dataDir,
    dicom: { port, ...(historyDays === undefined ? {} : { commitmentHours: Math.max(0.01, historyDays * 24) }) },
    http: { port: http },
    logLevel: 'warn',
    batching: { idleSeconds: 0.5 },
    limits: { minFreeDiskBytes: '200MiB', retryBaseSeconds: 0.5, retryMaxSeconds: 5 },
    retention: {
      ...{ receivedMinutes: 0, preparedMinutes: 0 },
      ...(historyDays === undefined ? {} : { historyDays, ledgerDays: historyDays }),
    },
    destinations: [{ name: 'cloud', type: 'image-api', url, timeoutSeconds: 5 }],
  };
  writeFileSync(config, JSON.stringify(configuration));
  const child: ChildProcess = spawn('bin/lethe', ['serve', '--config', config], { stdio: 'ignore' });
  await listening(http);
  await listening(port);
  return {
    port,
    http,
    pid: child.pid ?? 0,
    dataDir,
    end: async () => {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** CT instances 512 x 512 under numbers: the same number is the same instance, sixty are a study of one patient. */
export class Instances {
  readonly #pixels = new Uint8Array(phantom({ rows: 512, columns: 512, bits: 12 }).buffer);

  dataSet(number: number): Uint8Array {
    const study = Math.floor(number / STUDY_INSTANCES);
    return buildDataSet(
      ctSlice({
        sopInstanceUid: uidOf(number),
        studyInstanceUid: `2.25.88${study}`,
        seriesInstanceUid: `2.25.99${Math.floor(number / SERIES_INSTANCES)}`,
        patientName: `Phantom^${study}`,
        patientId: `PHANTOM-${study}`,
        size: 512,
        pixels: this.#pixels,
      }),
    );
  }
}

function uidOf(number: number): string {
  return `2.25.77${number}`;
}

export function connect(port: number): Promise<StorageScu> {
  return StorageScu.connect({
    host: '127.0.0.1',
    port,
    callingAeTitle: 'LOAD',
    calledAeTitle: 'LETHE',
    contexts: [{ abstractSyntax: CT_IMAGE_STORAGE, transferSyntaxes: [EXPLICIT_LITTLE] }],
  });
}

/** Milliseconds until the answer. */
export async function store(scu: StorageScu, instances: Instances, number: number): Promise<number> {
  const dataSet = [instances.dataSet(number)];
  const startMs = performance.now();
  const { status } = await scu.store({
    sopClassUid: CT_IMAGE_STORAGE,
    sopInstanceUid: uidOf(number),
    transferSyntaxUid: EXPLICIT_LITTLE,
    dataSet,
  });
  if (status !== 0) throw new Error(`answered ${status.toString(16)}`);
  return performance.now() - startMs;
}

export interface Flow {
  readonly received: number;
  readonly prepared: number;
  readonly held: number;
  readonly deliveries: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export async function flowOf({ http }: LoadedGateway): Promise<Flow> {
  const answer = await fetch(`http://127.0.0.1:${http}/api/v1/status`);
  return ((await answer.json()) as { counts: Flow }).counts;
}

/** Not delivered yet: to be processed, or owed. */
export function owedIn({ received, deliveries }: Flow): number {
  const states = deliveries['cloud'] ?? {};
  return received + ['queued', 'claimed', 'inflight', 'deferred'].reduce((sum, state) => sum + (states[state] ?? 0), 0);
}

export function deliveredIn({ deliveries }: Flow): number {
  return deliveries['cloud']?.['delivered'] ?? 0;
}

export interface Seen {
  readonly residentMegabytes: number;
  readonly files: number;
  readonly handles: number;
  readonly spoolMegabytes: number;
  readonly databaseMegabytes: number;
  readonly owed: number;
}

export async function look(gateway: LoadedGateway): Promise<Seen> {
  const metrics = await (await fetch(`http://127.0.0.1:${gateway.http}/metrics`)).text();
  const status = readFileSync(`/proc/${gateway.pid}/status`, 'latin1');
  return {
    residentMegabytes: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024,
    files: readdirSync(`/proc/${gateway.pid}/fd`).length,
    handles: Number(/^nodejs_active_resources_total (\d+)/m.exec(metrics)?.[1] ?? 0),
    spoolMegabytes:
      (bytesUnder(join(gateway.dataDir, 'received')) + bytesUnder(join(gateway.dataDir, 'prepared'))) / MEGABYTE,
    databaseMegabytes:
      ['', '-wal'].reduce((sum, end) => sum + sizeOf(join(gateway.dataDir, `lethe.db${end}`)), 0) / MEGABYTE,
    owed: owedIn(await flowOf(gateway)),
  };
}

/** Rows by table, without the counters that have one row a state. */
export function rowsOf({ dataDir }: LoadedGateway): Record<string, number> {
  const database = new DatabaseSync(join(dataDir, 'lethe.db'), { readOnly: true });
  try {
    return Object.fromEntries(
      TABLES.map((table) => [table, Number(database.prepare(`SELECT count(*) AS rows FROM ${table}`).get()?.['rows'])]),
    );
  } finally {
    database.close();
  }
}

/** Bytes of the audit that was moved out of the database. */
export function archiveMegabytes({ dataDir }: LoadedGateway): number {
  const folder = join(dataDir, 'audit', 'archive');
  return existsSync(folder) ? bytesUnder(folder) / MEGABYTE : 0;
}

function bytesUnder(folder: string): number {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.reduce((sum, name) => sum + sizeOf(join(folder, name)), 0);
}

/** Zero for what went away meanwhile. */
function sizeOf(path: string): number {
  const facts = statSync(path, { throwIfNoEntry: false });
  return facts?.isFile() === true ? facts.size : 0;
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
