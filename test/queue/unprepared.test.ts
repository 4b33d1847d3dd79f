/** Deliveries for which nothing could be prepared although it could for others; and packs that forget what failed. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { LocalPreparedArea } from '../../src/queue/local-prepared.ts';
import type { PreparedLocation } from '../../src/queue/spool.ts';
import { SqliteStore } from '../../src/queue/sqlite-store.ts';
import { testClock } from './store-rig.ts';

const ID = '01J00000000000000000000000';

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'lethe-unprepared-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function received(t: TestContext): Promise<SqliteStore> {
  const store = new SqliteStore(join(temporaryFolder(t), 'lethe.db'), testClock());
  t.after(() => store.close());
  const record = {
    id: ID,
    customer: 'default',
    sourceKind: 'dicom',
    sourceName: 'CT',
    sopClassUid: '1.2',
    sopInstanceUid: '2.25.1',
    transferSyntaxUid: '1.2.840.10008.1.2.1',
    receivedAtMs: 1,
    priority: 'normal',
  } as const;
  await store.accept({ record, location: `${ID}:0`, bytes: 10, digest: 'd' }, undefined);
  return store;
}

function output(location: string, bytesFor: Record<string, number> = {}) {
  const common = { manifest: '{}', studyKey: 's', seriesKey: 'e', bytes: 300, bytesFor };
  return { ...common, location: location as PreparedLocation };
}

const UNPREPARED = [{ destinations: ['research'], reason: 'IMAGING_UNREPRESENTABLE', detail: 'slope' }];
const CLAIM = { nowMs: Number.MAX_SAFE_INTEGER, by: 'instance', maxInstances: 10, maxBytes: 1e9, idleMs: 0 } as const;

test('what could not be prepared for one destination is held for it alone; the other is delivered', async (t) => {
  const store = await received(t);
  await store.markPrepared(ID, output('a', { cloud: 120 }), ['cloud'], { unprepared: UNPREPARED });
  const states = (await store.deliveriesOf(ID)).map(({ destination, state, reason }) => [destination, state, reason]);
  assert.deepEqual(states, [
    ['cloud', 'queued', undefined],
    ['research', 'held', 'IMAGING_UNREPRESENTABLE'],
  ]);
  const [claimed] = await store.claim('cloud', CLAIM);
  await store.settle([claimed?.delivery.id ?? 0], 'ok');
  assert.deepEqual(await store.claim('research', CLAIM), []);
  const [line] = await store.ledger({ limit: 10 });
  assert.deepEqual([line?.received, line?.held, line?.delivered], [1, 1, 0]);
  assert.equal((await store.instance(ID))?.settledAtMs, undefined, 'the identified bytes are still needed');
});

test('released it is processed anew, and what was delivered is not owed again', async (t) => {
  const store = await received(t);
  await store.markPrepared(ID, output('a'), ['cloud'], { unprepared: UNPREPARED });
  const [claimed] = await store.claim('cloud', CLAIM);
  await store.settle([claimed?.delivery.id ?? 0], 'ok');
  await store.release(ID, 'somebody');
  assert.equal((await store.takeReceived(1))[0]?.id, ID);
  await store.markPrepared(ID, output('b'), ['cloud', 'research']);
  assert.deepEqual(
    (await store.deliveriesOf(ID)).map(({ destination, state }) => [destination, state]),
    [
      ['cloud', 'delivered'],
      ['research', 'queued'],
    ],
  );
  const [again] = await store.claim('research', CLAIM);
  assert.equal(again?.prepared.location, 'b');
  await store.settle([again?.delivery.id ?? 0], 'ok');
  assert.notEqual((await store.instance(ID))?.settledAtMs, undefined);
});

test('a pack that is rewound holds nothing of what was written since the mark', (t) => {
  const folder = temporaryFolder(t);
  const area = new LocalPreparedArea(folder);
  const pack = area.prepared(ID, 'try');
  const write = (name: string, text: string) => {
    const file = pack.file(name);
    file.write(Buffer.from(text));
    return file;
  };
  write('first', 'one').end();
  const mark = pack.mark();
  write('second', 'CANARY-WHOLE-MEMBER').end();
  write('third', 'CANARY-HALF-WRITTEN-MEMBER-LONGER-THAN-WHAT-FOLLOWS'.repeat(20));
  pack.rewind(mark);
  write('fourth', 'four').end();
  const location = pack.commit();
  const bytes = readFileSync(join(folder, 'prepared', location));
  assert.ok(!bytes.includes('CANARY'));
  const text = (name: string) => {
    const source = area.open(location, name);
    const found = Buffer.from(source.read(0, 100)).toString();
    source.close();
    return found;
  };
  assert.deepEqual([text('first'), text('fourth')], ['one', 'four']);
  assert.throws(() => text('second'), /SPOOL_CORRUPT/);
});
