/**
 * What is asked all the time costs the same with a million rows: SQLite's own plan shows an index for each statement that
 * looks at instances or deliveries, and no sort of more than what the index yields. The statements are the ones that
 * the store really prepares, caught on their way into the engine.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { SqliteStore } from '../../src/queue/sqlite-store.ts';
import type { ClaimOptions, Store } from '../../src/queue/store.ts';
import { preparedInstance, testClock } from './store-rig.ts';

const CLAIM: ClaimOptions = {
  nowMs: Number.MAX_SAFE_INTEGER,
  by: 'series',
  maxInstances: 10,
  maxBytes: 1e6,
  idleMs: 0,
};

const OPERATIONS: Readonly<Record<string, (store: Store) => Promise<unknown>>> = {
  takeReceived: (store) => store.takeReceived(4),
  settle: (store) => store.settle([1], ''),
  markInflight: (store) => store.markInflight([1]),
  'claim by series': (store) => store.claim('cloud', CLAIM),
  'claim by study': (store) => store.claim('cloud', { ...CLAIM, by: 'study' }),
  'claim by instance': (store) => store.claim('cloud', { ...CLAIM, by: 'instance' }),
  nextDueAtMs: (store) => store.nextDueAtMs('cloud'),
  oldestOwedAtMs: (store) => store.oldestOwedAtMs('cloud'),
  'erasable received': (store) => store.erasable('received', 1, 100),
  'erasable prepared': (store) => store.erasable('prepared', 1, 100),
  ledger: (store) => store.ledger({ limit: 20 }),
  'ledger of a customer': (store) => store.ledger({ customer: 'default', limit: 20 }),
  counts: (store) => store.counts(),
  'list held': (store) => store.list({ state: 'held', limit: 20 }),
  'list received': (store) => store.list({ state: 'received', limit: 20 }),
  'list prepared': (store) => store.list({ state: 'prepared', limit: 20 }),
  'list discarded': (store) => store.list({ state: 'discarded', limit: 20 }),
  'list held deliveries': (store) => store.list({ deliveryState: 'held', limit: 20 }),
  'list deferred deliveries': (store) => store.list({ deliveryState: 'deferred', limit: 20 }),
  unsettled: (store) => store.unsettled('prepared', 100, '01'),
  requeueAfterRestart: (store) => store.requeueAfterRestart(() => true),
  prune: (store) =>
    store.prune({ settledBeforeMs: 1, settledBeforeMsAtLeast: 1, instancesMax: 0, linesBeforeMs: 1, rowsMax: 10 }),
  archivedAudit: (store) => store.archivedAudit(),
  dropArchived: (store) => store.dropArchived(10),
  hasten: (store) => store.hasten('cloud'),
  owedCommitments: (store) => store.owedCommitments(),
};

/** Scans that end early or see little: nearly every row is prepared, counters are few, an order is followed up to its limit. */
const BOUNDED: Readonly<Record<string, RegExp>> = {
  // A line a source.
  ledger: /^SCAN (ledger USING INDEX ledger_newest|ledger_earlier)$/,
  // One row, counters, and the end of a table.
  archivedAudit: /^SCAN history$/,
  dropArchived: /^SCAN history$/,
  prune: /^SCAN (history|instance_count|delivery|instance)$/,
  counts: /^SCAN (instance|delivery)_count$/,
  'list prepared': /^SCAN instance$/,
  takeReceived: /^SCAN instance USING COVERING INDEX instance_to_process$/,
  'list discarded': /^SCAN instance USING INDEX instance_discarded$/,
  owedCommitments: /^SCAN commitment USING INDEX commitment_owed$/,
  // Of what is owed only, and rarely: a person asks, a start corrects times.
  'list deferred deliveries': /^SCAN delivery USING INDEX delivery_age$/,
  requeueAfterRestart: /^SCAN delivery USING INDEX delivery_age$/,
};

test('no question of every moment reads a whole table', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'lethe-plan-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, 'lethe.db');
  const store = new SqliteStore(path, testClock());
  const prepared: string[] = [];
  const prepare = DatabaseSync.prototype.prepare;
  DatabaseSync.prototype.prepare = function caught(sql, ...rest) {
    prepared.push(sql);
    return prepare.call(this, sql, ...rest);
  };
  t.after(() => {
    DatabaseSync.prototype.prepare = prepare;
  });
  await preparedInstance(store, 'a');
  const questions = new Map<string, string[]>();
  for (const [name, operation] of Object.entries(OPERATIONS)) {
    prepared.length = 0;
    await operation(store);
    questions.set(name, [...prepared]);
  }
  await store.close();
  DatabaseSync.prototype.prepare = prepare;
  const database = new DatabaseSync(path);
  t.after(() => database.close());
  const faults: string[] = [];
  for (const [name, statements] of questions)
    for (const sql of statements) {
      for (const step of database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...placeholders(sql))) {
        const detail = String(step['detail']);
        if (/^SCAN json_each /.test(detail)) continue; // the ids that are asked for
        if (/^SCAN/.test(detail) && BOUNDED[name]?.test(detail) !== true) faults.push(`${name}: ${detail}`);
        if (/TEMP B-TREE/.test(detail)) faults.push(`${name}: ${detail}`);
      }
    }
  assert.deepEqual(faults, []);
  assert.ok([...questions.values()].flat().length >= 15, 'the statements were caught');
});

function placeholders(sql: string): number[] {
  return Array.from({ length: sql.split('?').length - 1 }, () => 1);
}
