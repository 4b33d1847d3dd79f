/**
 * Soak: half the rate that the whole way takes (C-STORE to accepted by the backend), for minutes, with a backend that fails
 * in every way, and a look from outside every few seconds. What should be flat is compared between the thirds of
 * the run: memory, open files, timers and sockets, the disk, what is owed, the rows of each table, and how long senders wait.
 * History is kept for a fifth of the run (a site keeps 30 days), so that the last third shows whether the tables and the
 * file of the database have stopped growing. The audit moves to files, which are kept: by so many bytes an instance.
 *
 *   node bench/soak.ts [--minutes 30] [--json]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Backend, startBackend } from '../src/backend/backend.ts';
import {
  archiveMegabytes,
  connect,
  deliveredIn,
  flowOf,
  Instances,
  type LoadedGateway,
  look,
  owedIn,
  quantile,
  rowsOf,
  type Seen,
  startGateway,
  store,
} from './load.ts';

const CALIBRATION = 300;
const SENDERS = 3;
const LOOK_MS = 5000;
/** Senders come and go: an association ends after so many instances. */
const ASSOCIATION_INSTANCES = 50;
const FAILURES = [
  { failure: { kind: 'status', status: 500 }, share: 0.04 },
  { failure: { kind: 'status', status: 503, retryAfterSeconds: 1 }, share: 0.02 },
  { failure: { kind: 'status', status: 429, retryAfterSeconds: 1 }, share: 0.02 },
  { failure: { kind: 'hang' }, share: 0.01 },
  { failure: { kind: 'reset' }, share: 0.03 },
  { failure: { kind: 'accept-then-reset' }, share: 0.03 },
] as const;

/** Of the run's length: what is settled is known for so long. */
const HISTORY_SHARE = 0.2;
const HISTORY_DAYS_MIN = 0.0005; // the least that a configuration may say
const MINUTES_A_DAY = 24 * 60;

interface Sample extends Seen {
  readonly instanceRows: number;
  readonly deliveryRows: number;
  readonly auditRows: number;
  readonly ledgerRows: number;
  readonly studyRows: number;
  readonly archiveMegabytes: number;
  readonly waitMsP50: number;
  readonly waitMsP99: number;
}

class Soak {
  readonly #gateway: LoadedGateway;
  readonly #instances = new Instances();
  #next = 0;
  #waits: number[] = [];

  constructor(gateway: LoadedGateway) {
    this.#gateway = gateway;
  }

  get sent(): number {
    return this.#next;
  }

  /** Instances a second from the first sent to the last accepted, as fast as it goes. */
  async calibrate(): Promise<number> {
    const startMs = performance.now();
    await this.#send(CALIBRATION, Number.POSITIVE_INFINITY);
    while (owedIn(await flowOf(this.#gateway)) > 0) await sleep(50);
    return CALIBRATION / ((performance.now() - startMs) / 1000);
  }

  async run(minutes: number, perSecond: number, onSample: (sample: Sample) => void): Promise<void> {
    const count = Math.ceil(minutes * 60 * perSecond);
    const sending = this.#send(count, perSecond);
    let over = false;
    void sending.finally(() => {
      over = true;
    });
    while (!over) {
      await Promise.race([sleep(LOOK_MS), sending]);
      const waits = this.#waits;
      this.#waits = [];
      const rows = rowsOf(this.#gateway);
      onSample({
        ...(await look(this.#gateway)),
        instanceRows: rows['instance'] ?? 0,
        deliveryRows: rows['delivery'] ?? 0,
        auditRows: rows['audit'] ?? 0,
        ledgerRows: rows['ledger'] ?? 0,
        studyRows: rows['study_patient'] ?? 0,
        archiveMegabytes: archiveMegabytes(this.#gateway),
        waitMsP50: quantile(waits, 0.5),
        waitMsP99: quantile(waits, 0.99),
      });
    }
    await sending;
  }

  /** `perSecond` over all senders; each sends at its appointed time, however late the one before was. */
  async #send(count: number, perSecond: number): Promise<void> {
    const [first, startMs] = [this.#next, performance.now()];
    const end = first + count;
    const sender = async () => {
      while (this.#next < end) {
        const scu = await connect(this.#gateway.port);
        for (let sent = 0; sent < ASSOCIATION_INSTANCES && this.#next < end; sent++) {
          const number = this.#next++;
          const dueMs = startMs + ((number - first) / perSecond) * 1000;
          await sleep(Math.max(0, dueMs - performance.now()));
          this.#waits.push(await store(scu, this.#instances, number));
        }
        await scu.release();
      }
    };
    await Promise.all(Array.from({ length: SENDERS }, sender));
  }
}

export async function run({ minutes, log }: { minutes: number; log(line: string): void }) {
  const folder = mkdtempSync(join(tmpdir(), 'lethe-soak-'));
  const backend: Backend = await startBackend({ host: '127.0.0.1', port: 0, dir: join(folder, 'backend') });
  const gateway = await startGateway(folder, backend, {
    historyDays: Math.max(HISTORY_DAYS_MIN, (minutes * HISTORY_SHARE) / MINUTES_A_DAY),
  });
  const soak = new Soak(gateway);
  const samples: Sample[] = [];
  try {
    const perSecond = (await soak.calibrate()) / 2;
    log(`half the rate: ${perSecond.toFixed(1)} instances/s for ${minutes} minutes, with failures`);
    for (const order of FAILURES) backend.failures.add(order);
    await soak.run(minutes, perSecond, (sample) => {
      samples.push(sample);
      log(lineOf(sample));
    });
    backend.failures.clear();
    const startMs = performance.now();
    while (owedIn(await flowOf(gateway)) > 0 && performance.now() - startMs < 120_000) await sleep(200);
    const flow = await flowOf(gateway);
    const figures = { perSecond, sent: soak.sent, delivered: deliveredIn(flow), held: flow.held, ...compared(samples) };
    log(`sent ${figures.sent}, delivered ${figures.delivered}, held ${figures.held}`);
    for (const [name, thirds] of Object.entries(compared(samples)))
      log(
        `${name.padEnd(18)} thirds ${[thirds.first, thirds.middle, thirds.last].map((value) => value.toFixed(1).padStart(9)).join('')}`,
      );
    return figures;
  } finally {
    await gateway.end();
    await backend.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Medians of each third; history fills up in the first. */
function compared(samples: readonly Sample[]): Record<keyof Sample, { first: number; middle: number; last: number }> {
  const third = Math.max(1, Math.floor(samples.length / 3));
  const of = (name: keyof Sample) => ({
    first: quantile(
      samples.slice(0, third).map((sample) => sample[name]),
      0.5,
    ),
    middle: quantile(
      samples.slice(third, -third).map((sample) => sample[name]),
      0.5,
    ),
    last: quantile(
      samples.slice(-third).map((sample) => sample[name]),
      0.5,
    ),
  });
  return {
    residentMegabytes: of('residentMegabytes'),
    files: of('files'),
    handles: of('handles'),
    spoolMegabytes: of('spoolMegabytes'),
    databaseMegabytes: of('databaseMegabytes'),
    instanceRows: of('instanceRows'),
    deliveryRows: of('deliveryRows'),
    auditRows: of('auditRows'),
    ledgerRows: of('ledgerRows'),
    studyRows: of('studyRows'),
    archiveMegabytes: of('archiveMegabytes'),
    owed: of('owed'),
    waitMsP50: of('waitMsP50'),
    waitMsP99: of('waitMsP99'),
  };
}

function lineOf(sample: Sample): string {
  return Object.entries(sample)
    .map(([name, value]) => `${name} ${Number(value).toFixed(1)}`)
    .join('  ');
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { minutes: { type: 'string', default: '30' }, json: { type: 'boolean' } } });
  const figures = await run({ minutes: Number(values.minutes), log: (line) => process.stderr.write(`${line}\n`) });
  if (values.json === true) process.stdout.write(`${JSON.stringify({ bench: 'soak', figures })}\n`);
}
