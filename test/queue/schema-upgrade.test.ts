/**
 * A database of every earlier schema is brought up to date with all that is in it. The rows are written with SQL of their
 * time, and what is expected of them afterwards is counted here, not taken from the store.
 */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { SqliteDatabase } from '../../src/queue/sqlite-database.ts';
import { SqliteStore } from '../../src/queue/sqlite-store.ts';
import { dumpOf } from './schema-dump.ts';
import { testClock } from './store-rig.ts';

const MIGRATIONS = join(import.meta.dirname, '../../src/queue/migrations');
const files = readdirSync(MIGRATIONS).toSorted();

/** state, settled, states of its deliveries: one instance of each fate, two sources, two studies. */
const ROWS = [
  { id: 'A', source: 'CT1', study: '2.25.1', state: 'received', settled: null, deliveries: [], fate: 'onTheWay' },
  {
    id: 'B',
    source: 'CT1',
    study: '2.25.1',
    state: 'prepared',
    settled: 5,
    deliveries: ['delivered'],
    fate: 'delivered',
  },
  {
    id: 'C',
    source: 'CT1',
    study: '2.25.1',
    state: 'prepared',
    settled: null,
    deliveries: ['deferred', 'delivered'],
    fate: 'onTheWay',
  },
  { id: 'D', source: 'CT1', study: null, state: 'held', settled: null, deliveries: [], fate: 'held' },
  { id: 'E', source: 'CT1', study: null, state: 'prepared', settled: null, deliveries: ['held'], fate: 'held' },
  {
    id: 'F',
    source: 'MR1',
    study: '2.25.2',
    state: 'discarded',
    settled: 7,
    deliveries: ['rejected'],
    fate: 'discarded',
  },
  {
    id: 'G',
    source: 'MR1',
    study: '2.25.2',
    state: 'prepared',
    settled: null,
    deliveries: ['inflight'],
    fate: 'onTheWay',
  },
] as const;

function oldDatabase(t: TestContext, version: number): string {
  const dir = mkdtempSync(join(tmpdir(), 'lethe-schema-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const migrations = join(dir, 'migrations');
  mkdirSync(migrations);
  for (const file of files.slice(0, version)) copyFileSync(join(MIGRATIONS, file), join(migrations, file));
  const path = join(dir, 'lethe.db');
  void new SqliteDatabase(path, { migrations }).close();
  const database = new DatabaseSync(path);
  for (const row of ROWS) insert(database, row);
  database.exec(`INSERT INTO study_patient VALUES ('default', 's', 'p');
    INSERT INTO audit VALUES (1, 1, 'instance.received', 'A', 'dicom', 'hash');`);
  if (version >= 2) database.exec("INSERT INTO commitment VALUES ('PACS', '2.25.9', 'request', 1, NULL)");
  if (version >= 3) database.exec("UPDATE instance SET profile = 'basic' WHERE id = 'A'");
  database.close();
  return path;
}

function insert(
  database: DatabaseSync,
  { id, source, study, state, settled, deliveries }: (typeof ROWS)[number],
): void {
  database
    .prepare(
      `INSERT INTO instance (id, customer, source_kind, source_name, sop_class_uid, sop_instance_uid, study_instance_uid,
         transfer_syntax_uid, bytes, digest, received_at_ms, urgent, state, location, prepared_location, manifest, study_key,
         series_key, prepared_bytes, settled_at_ms)
       VALUES (?, 'default', 'dicom', ?, '1.2.3', ?, ?, '1.2.840.10008.1.2.1', 10, 'd', 1, 0, ?, 'S:0', ?, '{}', 's', 'q', 5, ?)`,
    )
    .run(id, source, `2.25.7${id.charCodeAt(0)}`, study, state, deliveries.length === 0 ? null : `0/${id}`, settled);
  for (const [index, delivery] of deliveries.entries())
    database
      .prepare(
        `INSERT INTO delivery (instance, destination, state, attempts, created_at_ms, due_at_ms, urgent, study_key, series_key, bytes)
         VALUES (?, ?, ?, 3, 1, 1, 0, 's', 'q', 5)`,
      )
      .run(id, ['cloud', 'pacs'][index] ?? '', delivery);
}

function tableOf(path: string, table: string): Record<string, unknown>[] {
  const database = new DatabaseSync(path);
  try {
    return database
      .prepare(`SELECT * FROM ${table} ORDER BY 1, 2`)
      .all()
      .map((row) => ({ ...row }));
  } finally {
    database.close();
  }
}

test('migrations are numbered from one without a gap', () => {
  assert.deepEqual(
    files.map((file) => Number(file.slice(0, 4))),
    files.map((_file, index) => index + 1),
  );
});

for (let version = 1; version < files.length; version++) {
  test(`a database of schema ${version} is upgraded with all that is in it`, async (t) => {
    const path = oldDatabase(t, version);
    const tables = ['instance', 'delivery', 'study_patient', 'audit', 'instance_count', 'delivery_count'];
    const before = tables.map((table) => tableOf(path, table));

    const store = new SqliteStore(path, testClock());
    t.after(() => store.close());

    assert.equal(dumpOf(path), readFileSync(join(import.meta.dirname, 'schema.sql'), 'utf8'));
    for (const [index, table] of tables.entries()) {
      const after = tableOf(path, table);
      assert.equal(after.length, before[index]?.length, table);
      for (const [at, row] of (before[index] ?? []).entries())
        assert.deepEqual({ ...after[at], ...row }, after[at], `${table} row ${at}`);
    }
    const ledger = await store.ledger({ limit: 10 });
    for (const [source, study] of [
      ['CT1', '2.25.1'],
      ['CT1', null],
      ['MR1', '2.25.2'],
    ] as const) {
      const rows = ROWS.filter((row) => row.source === source && row.study === study);
      const line = ledger.find((one) => one.sourceName === source && (one.studyInstanceUid ?? null) === study);
      assert.equal(line?.received, rows.length);
      for (const fate of ['delivered', 'held', 'discarded', 'onTheWay'] as const)
        assert.equal(line?.[fate], rows.filter((row) => row.fate === fate).length, `${source} ${study} ${fate}`);
    }
    assert.equal(ledger.length, 3);
    assert.deepEqual(await store.requeueAfterRestart(() => true), { requeued: 1, held: 0 });
    await store.release('E', 'test');
    assert.equal(
      (await store.ledger({ limit: 10 })).reduce((sum, { held }) => sum + held, 0),
      1,
    );
  });
}
