/** A start with records that no row names: the whole one is owed again, the one with a hole was never answered. */
import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock, systemRandom } from '../../src/core/clock.ts';
import { silentLogger } from '../../src/core/log.ts';
import { recover } from '../../src/gateway/recover.ts';
import { LocalSpool } from '../../src/queue/local-spool.ts';
import { SqliteStore } from '../../src/queue/sqlite-store.ts';
import { receivedRecord } from '../build/record.ts';

test('a record without a row is owed again if its data are whole, and erased if a power cut left a hole', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'lethe-recover-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const openSpool = () =>
    LocalSpool.open({ dataDir, minFreeDiskBytes: 0 }, { clock: systemClock, random: systemRandom });
  const first = await openSpool();
  const writer = first.writer();
  const commit = (sopInstanceUid: string) => {
    const incoming = writer.begin(receivedRecord({ sopInstanceUid }), Buffer.alloc(132));
    incoming.write(Buffer.alloc(50_000, 7));
    return incoming.commit();
  };
  const whole = await commit('2.25.1');
  const torn = await commit('2.25.2');
  await writer.close();
  await first.close();
  const [segment = ''] = readdirSync(join(dataDir, 'received'));
  const path = join(dataDir, 'received', segment);
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(4096), 0, 4096, statSync(path).size - 8192);
  closeSync(file);

  const spool = await openSpool();
  t.after(() => spool.close());
  const store = new SqliteStore(join(dataDir, 'store.db'), systemClock);
  t.after(() => store.close());
  const recovery = await recover({
    spool,
    store,
    logger: silentLogger,
    idempotent: () => true,
    wantsObject: () => false,
    otherContent: 'hold',
  });
  assert.deepEqual(recovery, { found: 1, repaired: 1, removed: 1, lost: 0, requeued: 0 });
  assert.equal((await store.instance(whole.record.id))?.location, whole.location);
  assert.equal(await store.instance(torn.record.id), undefined);
  assert.throws(() => spool.openReceived(torn.location), { code: 'SPOOL_CORRUPT' });
});
