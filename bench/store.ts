/**
 * The store with a million rows beside the store with a thousand: what is asked all the time must not become slower with
 * history. Both hold the same work (a hundred series that are owed to one destination) on top of instances that are
 * delivered; the two take turns, so that a ratio is one of neighbours. Medians over the rounds.
 *
 *   node bench/store.ts [--rounds N] [--json]
 */
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseArgs } from 'node:util';
import { systemClock } from '../src/core/clock.ts';
import { SqliteStore } from '../src/queue/sqlite-store.ts';
import type { ClaimOptions } from '../src/queue/store.ts';

const FEW = 1_000;
const MANY = 1_000_000;
const OWED_SERIES = 100;
const SERIES_INSTANCES = 10;
const CLAIM: ClaimOptions = { nowMs: 10, by: 'series', maxInstances: 32, maxBytes: 1e9, idleMs: 0 };
const REPEATS = 50;

export interface StoreRow {
  readonly operation: string;
  /** Medians over the rounds. */
  readonly fewMs: number;
  readonly manyMs: number;
  readonly ratio: number;
}

const OPERATIONS: Readonly<Record<string, (store: SqliteStore) => Promise<unknown>>> = {
  claim: async (store) => {
    const claimed = await store.claim('cloud', CLAIM);
    if (claimed.length !== SERIES_INSTANCES) throw new Error(`claimed ${claimed.length}`);
    await store.unclaim(claimed.map(({ delivery }) => delivery.id));
  },
  'received, to be processed': (store) => store.takeReceived(4),
  'when is something due': (store) => store.nextDueAtMs('cloud'),
  'since when is something owed': (store) => store.oldestOwedAtMs('cloud'),
  'what may be erased': (store) => store.erasable('received', 10, 200),
  ledger: (store) => store.ledger({ limit: 20 }),
  counts: (store) => store.counts(),
  'list of held': (store) => store.list({ state: 'held', limit: 50 }),
  'list, newest first': (store) => store.list({ limit: 50 }),
};

export async function run({ rounds, log }: { rounds: number; log(line: string): void }): Promise<StoreRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'lethe-bench-'));
  try {
    const paths = { few: join(folder, 'few.db'), many: join(folder, 'many.db') };
    await fill(paths.few, FEW);
    await fill(paths.many, MANY);
    const stores = { few: new SqliteStore(paths.few, systemClock), many: new SqliteStore(paths.many, systemClock) };
    const rows: StoreRow[] = [];
    for (const [operation, work] of Object.entries(OPERATIONS)) {
      const times = { few: [] as number[], many: [] as number[] };
      for (let round = 0; round < rounds; round++)
        for (const size of ['few', 'many'] as const) times[size].push(await timed(() => work(stores[size])));
      const [fewMs, manyMs] = [median(times.few), median(times.many)];
      rows.push({ operation, fewMs, manyMs, ratio: manyMs / fewMs });
      log(`${operation.padEnd(30)} ${fewMs.toFixed(3)} ms  ${manyMs.toFixed(3)} ms  ${(manyMs / fewMs).toFixed(2)}`);
    }
    await Promise.all([stores.few.close(), stores.many.close()]);
    return rows;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Delivered instances, written as the store leaves them, and what is owed on top. */
async function fill(path: string, count: number): Promise<void> {
  await new SqliteStore(path, systemClock).close();
  const database = new DatabaseSync(path);
  database.exec('PRAGMA synchronous = OFF; BEGIN');
  const instance = database.prepare(
    `INSERT INTO instance (id, customer, source_kind, source_name, sop_class_uid, sop_instance_uid, study_instance_uid, transfer_syntax_uid,
       bytes, digest, received_at_ms, urgent, state, prepared_location, manifest, study_key, series_key, prepared_bytes, settled_at_ms)
     VALUES (?, 'default', 'dicom', ?, '1.2.840.10008.5.1.4.1.1.2', ?, ?, '1.2.840.10008.1.2.1', 526000, ?, 1, 0, 'prepared', ?, '{}', ?, ?, 50000, ?)`,
  );
  const delivery = database.prepare(
    `INSERT INTO delivery (instance, destination, state, created_at_ms, due_at_ms, urgent, study_key, series_key, bytes)
     VALUES (?, 'cloud', ?, 1, 1, 0, ?, ?, 50000)`,
  );
  const owed = OWED_SERIES * SERIES_INSTANCES;
  for (let number = 0; number < count + owed; number++) {
    const isOwed = number >= count;
    const id = `01${String(number).padStart(24, '0')}`;
    const study = `2.25.8${Math.floor(number / 200)}`;
    const series = `2.25.9${Math.floor(number / SERIES_INSTANCES)}`;
    const values = [id, `CT${number % 5}`, `2.25.7${number}`, study, String(number).padStart(64, 'a'), `0/${id}-a`];
    instance.run(...values, study, series, isOwed ? null : 5);
    delivery.run(id, isOwed ? 'queued' : 'delivered', study, series);
  }
  // Bytes that retention erased already, all but the last few.
  database.exec(`UPDATE instance SET prepared_location = NULL WHERE settled_at_ms IS NOT NULL; COMMIT`);
  database.close();
  // Or the first checkpoint of what is measured would write all of it to the disk.
  const file = openSync(path, 'r+');
  fsyncSync(file);
  closeSync(file);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  await work();
  const startMs = performance.now();
  for (let repeat = 0; repeat < REPEATS; repeat++) await work();
  return (performance.now() - startMs) / REPEATS;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' }, json: { type: 'boolean' } } });
  const rows = await run({ rounds: Number(values.rounds), log: (line) => process.stderr.write(`${line}\n`) });
  if (values.json === true) process.stdout.write(`${JSON.stringify({ bench: 'store', rows })}\n`);
}
