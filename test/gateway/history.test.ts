/**
 * The store does not grow for ever: rows go, the ledger and the proof of the audit stay. Cut off at each step, the next
 * pass does the rest. The chain is proven by `lethe audit verify`, as an operator would.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { silentLogger } from '../../src/core/log.ts';
import { History, type HistoryDeps } from '../../src/gateway/history.ts';
import { SqliteStore } from '../../src/queue/sqlite-store.ts';
import { lethe } from '../cli/run-lethe.ts';
import { testClock } from '../queue/store-rig.ts';

const HOUR_MS = 3_600_000;
const OPTIONS = { knownMs: HOUR_MS, knownMsMin: HOUR_MS, instancesMax: 1_000_000, linesMs: HOUR_MS, pollMs: 1000 };
/** More than two archive files take. */
const ENTRIES = 10_500;

async function rig(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), 'lethe-history-'));
  const dataDir = join(dir, 'data');
  mkdirSync(dataDir);
  writeFileSync(join(dir, 'lethe.yaml'), `dataDir: ${dataDir}\n`);
  const clock = testClock();
  const store = new SqliteStore(join(dataDir, 'lethe.db'), clock);
  t.after(async () => {
    await store.close();
    rmSync(dir, { recursive: true, force: true });
  });
  await Promise.all(Array.from({ length: ENTRIES }, (_, number) => store.note('test.entry', `number ${number}`)));
  const history = (deps: Partial<HistoryDeps> = {}) =>
    new History(
      { ...OPTIONS, dataDir },
      { store, clock, logger: silentLogger, auditUnsent: async () => undefined, ...deps },
    );
  const archive = join(dataDir, 'audit', 'archive');
  const verify = () => JSON.parse(lethe(dir, 'audit', 'verify', '--json').out) as Record<string, unknown>;
  return { store, clock, history, archive, verify };
}

async function untilDone(history: History): Promise<void> {
  while (await history.pass());
}

async function inStore(store: SqliteStore): Promise<number[]> {
  const sequences = [];
  for await (const { sequence } of store.auditEntries(0)) sequences.push(sequence);
  return sequences;
}

test('the audit of an earlier time moves to files, and the whole chain is proven with them', async (t) => {
  const { store, clock, history, archive, verify } = await rig(t);
  await untilDone(history());
  assert.equal((await inStore(store)).length, ENTRIES, 'it is not old yet');
  clock.advance(2 * HOUR_MS);
  await store.note('test.entry', 'new');
  await untilDone(history());
  assert.deepEqual(readdirSync(archive), ['000000000000001.jsonl.gz', '000000000005001.jsonl.gz']);
  const left = await inStore(store);
  assert.deepEqual([left[0], left.length], [10_001, ENTRIES + 1 - 10_000]);
  const verdict = verify();
  assert.deepEqual([verdict['whole'], verdict['entries']], [true, ENTRIES + 1]);
});

test('a step that is cut off is done again, and nothing is there twice or missing', async (t) => {
  const { store, clock, history, verify } = await rig(t);
  clock.advance(2 * HOUR_MS);
  const cut = new Proxy(store, {
    get: (target, name) => {
      if (name === 'noteArchived') return () => Promise.reject(new Error('cut off'));
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  await assert.rejects(history({ store: cut }).pass());
  assert.equal(verify()['whole'], true, 'written, not noted');
  await history().pass();
  await store.dropArchived(7);
  assert.equal(verify()['whole'], true, 'noted, partly dropped');
  await untilDone(history());
  const verdict = verify();
  assert.deepEqual([verdict['whole'], verdict['entries']], [true, ENTRIES]);
});

test('what a repository was not told yet stays', async (t) => {
  const { store, clock, history } = await rig(t);
  clock.advance(2 * HOUR_MS);
  await untilDone(history({ auditUnsent: async () => ENTRIES - 7000 }));
  assert.equal((await inStore(store))[0], 5001);
});

test('an archive that was changed, cut or taken away is named by its first broken entry', async (t) => {
  const { clock, history, archive, verify } = await rig(t);
  clock.advance(2 * HOUR_MS);
  await untilDone(history());
  const [first = '', second = ''] = readdirSync(archive).map((name) => join(archive, name));
  const whole = readFileSync(first);
  const text = gunzipSync(whole).toString('utf8');
  const cases = [
    { bytes: gzipSync(text.replace('number 41"', 'number 14"')), broken: 42 },
    { bytes: gzipSync(text.split('\n').slice(0, 100).join('\n')), broken: 101 },
    { bytes: Buffer.from('no archive'), broken: 1 },
  ];
  for (const { bytes, broken } of cases) {
    writeFileSync(first, bytes);
    const verdict = verify();
    assert.deepEqual([verdict['whole'], verdict['firstBroken']], [false, broken]);
  }
  writeFileSync(first, whole);
  rmSync(second);
  assert.equal(verify()['firstBroken'], 5001);
});
