/** What goes while the gateway runs: the output that an instance had before it was prepared anew, and nothing in use. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock, systemRandom } from '../../src/core/clock.ts';
import { newInstanceId } from '../../src/core/identifier.ts';
import { silentLogger } from '../../src/core/log.ts';
import { Retention } from '../../src/gateway/retention.ts';
import { LocalPreparedArea } from '../../src/queue/local-prepared.ts';
import { LocalSpool } from '../../src/queue/local-spool.ts';
import { SqliteStore } from '../../src/queue/sqlite-store.ts';
import type { PreparedOutput } from '../../src/queue/store.ts';
import { spooled } from '../queue/store-rig.ts';

const DEPS = { clock: systemClock, random: systemRandom };
const HOUR_MS = 3_600_000;

/** Delivered to `cloud` by a claim that is still in hand, held for `pacs`, released, and prepared anew. */
async function preparedAnew(t: TestContext) {
  const dataDir = mkdtempSync(join(tmpdir(), 'lethe-retention-'));
  const spool = await LocalSpool.open({ dataDir, minFreeDiskBytes: 0 }, DEPS);
  const store = new SqliteStore(join(dataDir, 'lethe.db'), systemClock);
  t.after(async () => {
    await spool.close();
    await store.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  const deps = { spool, store, clock: systemClock, logger: silentLogger };
  const retention = new Retention({ receivedMs: HOUR_MS, preparedMs: HOUR_MS, pollMs: 1000 }, deps);
  const area = new LocalPreparedArea(dataDir);
  const id = newInstanceId(systemClock, systemRandom);
  const instance = spooled();
  await store.accept({ ...instance, record: { ...instance.record, id } }, undefined);
  const pack = (attempt: string): PreparedOutput => {
    const location = area.prepared(id, attempt).commit();
    return { location, manifest: '{}', studyKey: 's', seriesKey: 'q', bytes: 1 };
  };
  const [first, second] = [pack('1'), pack('2')];
  const pacs = { destinations: ['pacs'], reason: 'IMAGING_SYNTAX_UNSUPPORTED', detail: undefined };
  await store.markPrepared(id, first, ['cloud'], { unprepared: [pacs] });
  const options = { by: 'instance', maxInstances: 1, maxBytes: 10, idleMs: 0, nowMs: Number.MAX_SAFE_INTEGER } as const;
  const [claimed] = await store.claim('cloud', options);
  await store.release(id, 'somebody');
  return { store, retention, area, id, first, second, delivery: claimed?.delivery.id ?? 0 };
}

test('the output of before goes as soon as nothing that was begun with it is on its way', async (t) => {
  const { store, retention, area, id, first, second, delivery } = await preparedAnew(t);
  await store.markPrepared(id, second, ['cloud', 'pacs']);
  retention.supersede(id, [first.location, second.location]);
  const there = () => [first, second].map(({ location }) => area.exists(location));
  await retention.pass();
  assert.deepEqual(there(), [true, true], 'a delivery still reads it');
  await store.settle([delivery], 'ok');
  await retention.pass();
  assert.deepEqual(there(), [false, true]);
});

test('where a person decided otherwise meanwhile, it is the new output that goes', async (t) => {
  const { store, retention, area, id, first, second, delivery } = await preparedAnew(t);
  await store.hold(id, 'INSTANCE_HELD_BY_RULE', undefined);
  await store.markPrepared(id, second, ['cloud', 'pacs']);
  retention.supersede(id, [first.location, second.location]);
  await store.settle([delivery], 'ok');
  await retention.pass();
  assert.deepEqual(
    [first, second].map(({ location }) => area.exists(location)),
    [true, false],
  );
});
