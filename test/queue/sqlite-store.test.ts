import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { SqliteStore } from '../../src/queue/sqlite-store.ts';
import { dumpOf } from './schema-dump.ts';
import { storeContract } from './store.contract.ts';
import { testClock } from './store-rig.ts';

function databasePath(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'lethe-store-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return join(dir, 'lethe.db');
}

storeContract('SQLite', async (t, clock) => {
  const path = databasePath(t);
  const opened: SqliteStore[] = [];
  const reopen = async () => {
    const store = new SqliteStore(path, clock);
    opened.push(store);
    return store;
  };
  t.after(() => Promise.all(opened.map((store) => store.close())));
  return { store: await reopen(), reopen };
});

test('the schema is the one that was reviewed', (t) => {
  const path = databasePath(t);
  new SqliteStore(path, testClock()).close();
  const dump = dumpOf(path);
  const reviewed = join(import.meta.dirname, 'schema.sql');
  if (process.env['LETHE_UPDATE_SNAPSHOTS'] === '1') writeFileSync(reviewed, dump);
  assert.equal(dump, readFileSync(reviewed, 'utf8'));
});

test('a database of a newer version is refused, not touched', (t) => {
  const path = databasePath(t);
  new SqliteStore(path, testClock()).close();
  const database = new DatabaseSync(path);
  database.exec('PRAGMA user_version = 999');
  database.close();
  assert.throws(() => new SqliteStore(path, testClock()), { code: 'STORE_SCHEMA_NEWER' });
});

test('the audit cannot be changed or shortened through the database', (t) => {
  const path = databasePath(t);
  const store = new SqliteStore(path, testClock());
  t.after(() => store.close());
  return store.note('gateway.started', 'test').then(() => {
    const database = new DatabaseSync(path);
    t.after(() => database.close());
    assert.throws(() => database.exec("UPDATE audit SET detail = 'other'"), /append-only/);
    assert.throws(() => database.exec('DELETE FROM audit'), /append-only/);
  });
});

test('a file that is no database is a typed error', (t) => {
  const path = databasePath(t);
  writeFileSync(path, Buffer.alloc(5000, 3));
  assert.throws(() => new SqliteStore(path, testClock()), { code: 'STORE_UNAVAILABLE' });
});
