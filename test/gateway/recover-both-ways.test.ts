/** A start that finds journal and index apart in other ways than a torn record: each side is believed where it can be. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock, systemRandom } from '../../src/core/clock.ts';
import { silentLogger } from '../../src/core/log.ts';
import { recover } from '../../src/gateway/recover.ts';
import { LocalSpool } from '../../src/queue/local-spool.ts';
import type { SpooledInstance } from '../../src/queue/spool.ts';
import { SqliteStore } from '../../src/queue/sqlite-store.ts';
import { receivedRecord } from '../build/record.ts';

async function open(t: TestContext) {
  const dataDir = mkdtempSync(join(tmpdir(), 'lethe-recover-'));
  const spool = await LocalSpool.open({ dataDir, minFreeDiskBytes: 0 }, { clock: systemClock, random: systemRandom });
  const store = new SqliteStore(join(dataDir, 'lethe.db'), systemClock);
  t.after(async () => {
    await store.close();
    await spool.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  const start = (wantsObject = (_name: string) => false) =>
    recover({ spool, store, logger: silentLogger, idempotent: () => true, wantsObject, otherContent: 'hold' });
  return { spool, store, start };
}

async function receive(spool: LocalSpool, sopInstanceUid: string, fill: number): Promise<SpooledInstance> {
  const writer = spool.writer();
  const incoming = writer.begin(receivedRecord({ sopInstanceUid }), Buffer.alloc(132));
  incoming.write(Buffer.alloc(10_000, fill));
  const spooled = await incoming.commit();
  await writer.close();
  return spooled;
}

async function prepare(spool: LocalSpool, store: SqliteStore, id: string, manifest = '{}') {
  const pack = spool.prepared(id, 'a-1');
  const file = pack.file('instance.dcm');
  file.write(Buffer.alloc(100));
  file.end();
  const location = pack.commit();
  await store.markPrepared(id, { location, manifest, studyKey: 's', seriesKey: 'q', bytes: 100 }, ['cloud']);
  return location;
}

test('other content under a known UID without a row is kept and held: nobody can say whether it was refused', async (t) => {
  const { spool, store, start } = await open(t);
  const first = await receive(spool, '2.25.1', 1);
  await store.accept(first, undefined);
  const other = await receive(spool, '2.25.1', 2);
  await start();
  const row = await store.instance(other.record.id);
  assert.deepEqual([row?.state, row?.reason], ['held', 'INSTANCE_DUPLICATE']);
  assert.equal((await store.instance(first.record.id))?.state, 'received');
});

test('the same content without a row is erased: it was a repetition', async (t) => {
  const { spool, store, start } = await open(t);
  const first = await receive(spool, '2.25.1', 1);
  await store.accept(first, undefined);
  const again = await receive(spool, '2.25.1', 1);
  assert.deepEqual(await start(), { found: 1, repaired: 0, removed: 1, lost: 0, requeued: 0 });
  assert.throws(() => spool.openReceived(again.location), { code: 'SPOOL_CORRUPT' });
});

test('prepared output that is gone is made again from the received bytes; without them the instance is held', async (t) => {
  const { spool, store, start } = await open(t);
  const [kept, again, lost] = [
    await receive(spool, '2.25.1', 1),
    await receive(spool, '2.25.2', 2),
    await receive(spool, '2.25.3', 3),
  ];
  for (const one of [kept, again, lost]) await store.accept(one, undefined);
  await prepare(spool, store, kept.record.id);
  for (const one of [again, lost]) await spool.erasePrepared(await prepare(spool, store, one.record.id));
  await spool.eraseReceived([lost.location]);
  assert.deepEqual(await start(), { found: 2, repaired: 1, removed: 0, lost: 1, requeued: 0 });
  const states = await Promise.all(
    [kept, again, lost].map(async ({ record }) => (await store.instance(record.id))?.state),
  );
  assert.deepEqual(states, ['prepared', 'received', 'held']);
});

test('received bytes that are gone: prepared output is delivered all the same, an instance without it is held, once', async (t) => {
  const { spool, store, start } = await open(t);
  const [prepared, received] = [await receive(spool, '2.25.1', 1), await receive(spool, '2.25.2', 2)];
  for (const one of [prepared, received]) await store.accept(one, undefined);
  await prepare(spool, store, prepared.record.id);
  for (const one of [prepared, received]) await spool.eraseReceived([one.location]);
  assert.equal((await start()).lost, 1);
  assert.equal((await store.instance(prepared.record.id))?.state, 'prepared');
  assert.equal((await store.instance(received.record.id))?.reason, 'SPOOL_CORRUPT');
  assert.equal((await start()).lost, 0);
});

test('images only, for a destination that wants the object now: prepared again, without received bytes held', async (t) => {
  const { spool, store, start } = await open(t);
  const manifests = [
    '{"destinations":["cloud"],"images":[]}',
    '{"destinations":["cloud"],"images":[]}',
    '{"destinations":["cloud"],"images":[],"dicomFile":"instance.dcm"}',
    '{"destinations":["other"],"images":[]}',
    '{"images":[]}', // of an earlier version
  ];
  const all: { one: Awaited<ReturnType<typeof receive>>; location: Awaited<ReturnType<typeof prepare>> }[] = [];
  for (const [index, manifest] of manifests.entries()) {
    const one = await receive(spool, `2.25.${index + 1}`, index + 1);
    await store.accept(one, undefined);
    all.push({ one, location: await prepare(spool, store, one.record.id, manifest) });
  }
  const [again, lost, kept] = all;
  assert.ok(again !== undefined && lost !== undefined && kept !== undefined);
  await spool.eraseReceived([lost.one.location]);
  const states = () => Promise.all(all.map(async ({ one }) => (await store.instance(one.record.id))?.state));
  await start();
  assert.deepEqual(await states(), ['prepared', 'prepared', 'prepared', 'prepared', 'prepared']);
  const { repaired, lost: gone } = await start((name) => name === 'cloud');
  assert.deepEqual([repaired, gone], [1, 1]);
  assert.deepEqual(await states(), ['received', 'held', 'prepared', 'prepared', 'prepared']);
  assert.throws(() => spool.openPrepared(again.location, 'instance.dcm'), { code: 'SPOOL_IO' });
  spool.openPrepared(kept.location, 'instance.dcm').close();
});
