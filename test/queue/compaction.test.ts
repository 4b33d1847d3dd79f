/**
 * Erased bytes really go, although live instances share their segment; what lives stays readable through every step, and a
 * crash between any two of them costs nothing. The disk is searched for the bytes, not the spool asked.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock, systemRandom } from '../../src/core/clock.ts';
import { newInstanceId } from '../../src/core/identifier.ts';
import { silentLogger } from '../../src/core/log.ts';
import { recover } from '../../src/gateway/recover.ts';
import { Retention } from '../../src/gateway/retention.ts';
import { LocalSpool } from '../../src/queue/local-spool.ts';
import type { SpooledInstance, SpoolWriter } from '../../src/queue/spool.ts';
import { SqliteStore } from '../../src/queue/sqlite-store.ts';
import { receivedRecord } from '../build/record.ts';
import { everythingUnder } from '../support/gateway-process.ts';

const DEPS = { clock: systemClock, random: systemRandom };
const GONE = 'Zzyzxgone';
const KEPT = 'Zzyzxkept';

async function open(t: TestContext, dataDir: string) {
  const spool = await LocalSpool.open({ dataDir, minFreeDiskBytes: 0, sparseMs: 0, leavingMs: 0 }, DEPS);
  const store = new SqliteStore(join(dataDir, 'lethe.db'), systemClock);
  t.after(async () => {
    await spool.close();
    await store.close();
  });
  const retention = new Retention(
    { receivedMs: 0, preparedMs: 0, pollMs: 1000 },
    { spool, store, clock: systemClock, logger: silentLogger },
  );
  return { spool, store, retention };
}

function folder(t: TestContext): string {
  const dataDir = mkdtempSync(join(tmpdir(), 'lethe-compaction-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  return dataDir;
}

let uid = 0;

async function receive(writer: SpoolWriter, store: SqliteStore, text: string): Promise<SpooledInstance> {
  const record = receivedRecord({ sopInstanceUid: `2.25.${++uid}`, facts: { text } });
  const incoming = writer.begin(record, Buffer.alloc(132));
  incoming.write(contentOf(text));
  const spooled = await incoming.commit();
  await store.accept(spooled, undefined);
  return spooled;
}

function contentOf(text: string): Buffer {
  return Buffer.from(`${text}^`.repeat(20_000));
}

function onDisk(dataDir: string, text: string): boolean {
  return everythingUnder(join(dataDir, 'received')).includes(text);
}

async function isReadable(spool: LocalSpool, store: SqliteStore, { record }: SpooledInstance): Promise<boolean> {
  const row = await store.instance(record.id);
  const source = spool.openReceived(row?.location ?? '');
  try {
    return Buffer.from(source.read(132, source.size)).equals(contentOf(KEPT));
  } finally {
    source.close();
  }
}

test('erased bytes go although a held instance lives in the same segment, and the disk gets its room back', async (t) => {
  const dataDir = folder(t);
  const { spool, store, retention } = await open(t, dataDir);
  const writer = spool.writer();
  const gone = [await receive(writer, store, GONE), await receive(writer, store, GONE)];
  const kept = await receive(writer, store, KEPT);
  gone.push(await receive(writer, store, GONE));
  await writer.close();
  await store.hold(kept.record.id, 'INSTANCE_HELD_BY_RULE', undefined);
  for (const { record } of gone) await store.discard(record.id, 'rule');
  assert.ok(onDisk(dataDir, GONE));
  await retention.pass(); // erases and copies
  assert.ok(await isReadable(spool, store, kept));
  await retention.pass(); // lets the old file go
  assert.equal(onDisk(dataDir, GONE), false);
  assert.ok(await isReadable(spool, store, kept));
  const names = readdirSync(join(dataDir, 'received'));
  const bytes = names.reduce((sum, name) => sum + statSync(join(dataDir, 'received', name)).size, 0);
  assert.ok(bytes < contentOf(KEPT).length * 1.2, `${bytes} bytes in ${names.length} files`);
});

test('an association that stays open keeps no erased bytes, and goes on', async (t) => {
  const dataDir = folder(t);
  const { spool, store, retention } = await open(t, dataDir);
  const writer = spool.writer();
  const gone = await receive(writer, store, GONE);
  const kept = await receive(writer, store, KEPT);
  await store.discard(gone.record.id, 'rule');
  await retention.pass();
  await retention.pass();
  assert.equal(onDisk(dataDir, GONE), false);
  const next = await receive(writer, store, KEPT);
  for (const one of [kept, next]) assert.ok(await isReadable(spool, store, one));
  await writer.close();
});

test('an instance that has no row yet is not moved away under the one who makes it', async (t) => {
  const dataDir = folder(t);
  const { spool, store, retention } = await open(t, dataDir);
  const writer = spool.writer();
  const gone = await receive(writer, store, GONE);
  const incoming = writer.begin(
    { ...gone.record, id: newInstanceId(systemClock, systemRandom), sopInstanceUid: '2.25.9', facts: {} },
    Buffer.alloc(132),
  );
  incoming.write(contentOf(KEPT));
  const pending = await incoming.commit();
  await writer.close();
  await store.discard(gone.record.id, 'rule');
  await retention.pass();
  await store.accept(pending, undefined);
  assert.ok(await isReadable(spool, store, pending));
  await retention.pass();
  await retention.pass();
  assert.ok(await isReadable(spool, store, pending));
  assert.equal(onDisk(dataDir, GONE), false);
});

for (const crash of ['before the rows point to the copy', 'before the old file goes'] as const)
  test(`a crash ${crash} leaves every live instance once, and the erased ones gone`, async (t) => {
    const dataDir = folder(t);
    const { spool, store, retention } = await open(t, dataDir);
    const writer = spool.writer();
    const gone = await receive(writer, store, GONE);
    const kept = [await receive(writer, store, KEPT), await receive(writer, store, KEPT)];
    await writer.close();
    await store.discard(gone.record.id, 'rule');
    const after = folder(t);
    const snapshot = () => cpSync(dataDir, after, { recursive: true, filter: (path) => !path.endsWith('-shm') });
    if (crash === 'before the old file goes') await retention.pass();
    else {
      await store.markErased([gone.record.id], 'received');
      await spool.eraseReceived([gone.location]);
      await spool.reclaim(async () => {
        snapshot();
        return false;
      });
    }
    if (crash === 'before the old file goes') snapshot();

    const next = await open(t, after);
    const recovery = await recover({
      ...next,
      logger: silentLogger,
      idempotent: () => true,
      wantsObject: () => false,
      otherContent: 'hold',
    });
    assert.deepEqual([recovery.found, recovery.lost], [2, 0]);
    for (const one of kept) assert.ok(await isReadable(next.spool, next.store, one));
    for (let pass = 0; pass < 3; pass++) await next.retention.pass();
    assert.equal(onDisk(after, GONE), false);
    for (const one of kept) assert.ok(await isReadable(next.spool, next.store, one));
    const copies = everythingUnder(join(after, 'received')).toString('latin1').split('"facts"').length - 1;
    assert.equal(copies, 2, 'each live instance is there once');
  });
