import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../src/core/clock.ts';
import { type CommitmentTransaction, FAILURE_REASON } from '../../src/dimse/commitment.ts';
import { commitmentLedger, reportAddresses } from '../../src/gateway/commitment-ledger.ts';
import type { PreparedLocation, SpooledInstance } from '../../src/queue/spool.ts';
import { SqliteStore } from '../../src/queue/sqlite-store.ts';

const CT = '1.2.840.10008.5.1.4.1.1.2';
const CLAIM = { by: 'instance', maxInstances: 10, maxBytes: 1e9, idleMs: 0 } as const;

function openStore(t: TestContext): SqliteStore {
  const dir = mkdtempSync(join(tmpdir(), 'lethe-ledger-'));
  const store = new SqliteStore(join(dir, 'lethe.db'), systemClock);
  t.after(async () => {
    await store.close();
    rmSync(dir, { recursive: true, force: true });
  });
  return store;
}

function received(number: number): SpooledInstance {
  const record = {
    id: `01J${String(number).padStart(23, '0')}`,
    customer: 'default',
    sourceKind: 'dicom',
    sourceName: 'PACS',
    sopClassUid: CT,
    sopInstanceUid: `2.25.${number}`,
    transferSyntaxUid: '1.2.840.10008.1.2.1',
    receivedAtMs: 1,
    priority: 'normal',
  } as const;
  return { record, location: `x:${number}`, bytes: 1, digest: `d${number}` };
}

async function deliver(store: SqliteStore, number: number): Promise<void> {
  const instance = received(number);
  await store.accept(instance, undefined);
  const output = {
    location: `0/${number}` as PreparedLocation,
    manifest: '{}',
    studyKey: 's',
    seriesKey: 's',
    bytes: 1,
  };
  await store.markPrepared(instance.record.id, output, ['cloud']);
  for (const { delivery } of await store.claim('cloud', { ...CLAIM, nowMs: systemClock.nowMs() }))
    await store.settle([delivery.id], 'ok');
}

function asked(...numbers: number[]): CommitmentTransaction {
  const references = numbers.map((number) => ({ sopClassUid: CT, sopInstanceUid: `2.25.${number}` }));
  return {
    transactionUid: '2.25.99',
    callingAeTitle: 'PACS',
    calledAeTitle: 'LETHE',
    customer: undefined,
    requestedAtMs: 5,
    references,
  };
}

test('on delivery the answer waits until every destination has taken every instance', async (t) => {
  const store = openStore(t);
  const ledger = commitmentLedger(store, 'delivery');
  await deliver(store, 1);
  await store.accept(received(2), undefined);
  assert.equal(await ledger.decide(asked(1, 2), false), undefined);
  assert.deepEqual(await ledger.decide(asked(1), false), { committed: asked(1).references, failed: [] });
});

test('on custody an instance in the spool is committed', async (t) => {
  const store = openStore(t);
  await store.accept(received(2), undefined);
  assert.deepEqual(await commitmentLedger(store, 'custody').decide(asked(2), false), {
    committed: asked(2).references,
    failed: [],
  });
});

test('what never came, came as another class or was discarded fails with the reason of PS3.3 C.14.1.1', async (t) => {
  const store = openStore(t);
  await deliver(store, 1);
  const discarded = received(3);
  await store.accept(discarded, undefined);
  await store.discard(discarded.record.id, 'rule');
  const request = {
    ...asked(1, 3, 4),
    references: [...asked(3, 4).references, { sopClassUid: '1.2.840.10008.5.1.4.1.1.4', sopInstanceUid: '2.25.1' }],
  };
  const result = await commitmentLedger(store, 'delivery').decide(request, false);
  assert.deepEqual(result?.committed, []);
  assert.deepEqual(
    result?.failed.map(({ reason }) => reason),
    [FAILURE_REASON.processingFailure, FAILURE_REASON.noSuchObjectInstance, FAILURE_REASON.classInstanceConflict],
  );
});

test('F24: what is open at the end of the time has failed, and what is delivered is committed', async (t) => {
  const store = openStore(t);
  await deliver(store, 1);
  await store.accept(received(2), undefined);
  const result = await commitmentLedger(store, 'delivery').decide(asked(1, 2), true);
  assert.deepEqual(result?.committed, asked(1).references);
  assert.deepEqual(
    result?.failed.map(({ reason }) => reason),
    [FAILURE_REASON.processingFailure],
  );
});

test('F24: a version that another one replaced does not count', async (t) => {
  const store = openStore(t);
  const old = received(1);
  await store.accept({ ...old, digest: 'old' }, undefined);
  await store.discard(old.record.id, 'replaced');
  const { record } = received(2);
  await store.accept({ ...received(2), record: { ...record, sopInstanceUid: '2.25.1' } }, undefined);
  const result = await commitmentLedger(store, 'custody').decide(asked(1), false);
  assert.deepEqual(result, { committed: asked(1).references, failed: [] });
});

test('F24: a transaction UID is known again, for the same references or for others', async (t) => {
  const ledger = commitmentLedger(openStore(t), 'custody');
  assert.equal(await ledger.remember(asked(1)), 'new');
  assert.equal(await ledger.remember({ ...asked(1), requestedAtMs: 9 }), 'same');
  assert.equal(await ledger.remember(asked(1, 2)), 'other');
});

test('a request is owed over a restart until it is settled', async (t) => {
  const store = openStore(t);
  const ledger = commitmentLedger(store, 'delivery');
  await ledger.remember(asked(1));
  assert.deepEqual(await ledger.owed(), [asked(1)]);
  await ledger.settle(asked(1), 'reported');
  assert.deepEqual(await ledger.owed(), []);
});

test('peers are told at the address and port of the configuration, and only there', () => {
  assert.deepEqual([...reportAddresses('any')], []);
  const addresses = reportAddresses([
    { aeTitle: 'PACS', host: '10.0.0.5', reportPort: 104 },
    { aeTitle: 'NET', host: '10.0.0.0/8', reportPort: 104 },
    { aeTitle: 'SILENT', host: '10.0.0.6' },
  ]);
  assert.deepEqual([...addresses], [['PACS', { host: '10.0.0.5', port: 104 }]]);
});
