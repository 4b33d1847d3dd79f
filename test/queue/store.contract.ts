/**
 * What every store must do, whatever it stands on: custody rows, the two legs, claiming, restart, erasing, the ledger and
 * the audit. Run by `sqlite-store.test.ts`; another implementation adds its own caller.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { CHAIN_START, chainHash } from '../../src/core/chain.ts';
import type { PreparedLocation, SpooledInstance } from '../../src/queue/spool.ts';
import type { ClaimOptions, HistoryLimits, PreparedOutput, Store, StudyOfPatient } from '../../src/queue/store.ts';

export interface TestClock {
  nowMs(): number;
  monotonicMs(): number;
  advance(ms: number): void;
}

export function testClock(startMs = 1_750_000_000_000): TestClock {
  let nowMs = startMs;
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    advance: (ms) => {
      nowMs += ms;
    },
  };
}

export type OpenStore = (t: TestContext, clock: TestClock) => Promise<{ store: Store; reopen: () => Promise<Store> }>;

let counter = 0;

export function spooled(
  overrides: { customer?: string; uid?: string; digest?: string; priority?: 'high' | 'normal'; source?: string } = {},
): SpooledInstance {
  counter++;
  const id = `01J${String(counter).padStart(23, '0')}`;
  return {
    record: {
      id,
      customer: overrides.customer ?? 'default',
      sourceKind: 'dicom',
      sourceName: overrides.source ?? 'MODALITY',
      sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
      sopInstanceUid: overrides.uid ?? `2.25.${counter}`,
      transferSyntaxUid: '1.2.840.10008.1.2.1',
      receivedAtMs: 1,
      priority: overrides.priority ?? 'normal',
    },
    location: `01J00000000000000000000000:${counter}`,
    bytes: 1000,
    digest: overrides.digest ?? String(counter).padStart(64, 'a'),
  };
}

export function output(series: string, bytes = 100): PreparedOutput {
  return {
    location: `00/${series}-${counter}` as PreparedLocation,
    manifest: '{}',
    studyKey: `study of ${series}`,
    seriesKey: series,
    bytes,
  };
}

function ofPatient(studyKey: string, patientKey: string): StudyOfPatient {
  return { studyKey, patientKey };
}

const CLAIM: Omit<ClaimOptions, 'nowMs'> = { by: 'series', maxInstances: 10, maxBytes: 1_000_000, idleMs: 1000 };

/** One instance that is prepared and owed to `destinations`. */
export async function preparedInstance(store: Store, series: string, destinations = ['cloud'], bytes = 100) {
  const instance = spooled();
  await store.accept(instance, '2.25.99');
  await store.markPrepared(instance.record.id, output(series, bytes), destinations);
  return instance.record.id;
}

const KEEP_ALL: HistoryLimits = {
  settledBeforeMs: 0,
  settledBeforeMsAtLeast: 0,
  instancesMax: 1000,
  linesBeforeMs: 0,
  rowsMax: 100,
};

/** Delivered, and its bytes erased. */
async function finished(store: Store, clock: TestClock, study = '2.25.99'): Promise<string> {
  const instance = spooled();
  const { id } = instance.record;
  await store.accept(instance, study);
  await store.markPrepared(id, output(id), ['cloud']);
  clock.advance(1000);
  for (const { delivery } of await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() }))
    await store.settle([delivery.id], 'ok');
  for (const what of ['received', 'prepared'] as const) await store.markErased([id], what);
  return id;
}

export function storeContract(name: string, open: OpenStore): void {
  const contract = (
    what: string,
    body: (store: Store, clock: TestClock, reopen: () => Promise<Store>) => Promise<void>,
  ) =>
    test(`${name}: ${what}`, async (t) => {
      const clock = testClock();
      const { store, reopen } = await open(t, clock);
      await body(store, clock, reopen);
    });

  const prepared = preparedInstance;

  contract(
    'the same customer, UID and content is one instance; other content or another customer is another',
    async (store) => {
      const first = spooled({ uid: '2.25.1', digest: 'd1' });
      assert.deepEqual(await store.accept(first, undefined), { kind: 'accepted' });
      assert.deepEqual(await store.accept(first, undefined), { kind: 'accepted' }, 'recovery may repeat it');
      assert.deepEqual(await store.accept(spooled({ uid: '2.25.1', digest: 'd1' }), undefined), {
        kind: 'duplicate',
        of: first.record.id,
      });
      assert.deepEqual(await store.accept(spooled({ uid: '2.25.1', digest: 'd2' }), undefined), { kind: 'accepted' });
      assert.deepEqual(await store.accept(spooled({ uid: '2.25.1', digest: 'd1', customer: 'other' }), undefined), {
        kind: 'accepted',
      });
      assert.equal((await store.findBySopInstanceUid('default', '2.25.1'))?.id, first.record.id);
      assert.equal((await store.counts()).received, 3);
    },
  );

  contract(
    'content whose digest is not known is accepted where its UID is new, and asked for where it is not',
    async (store) => {
      const open = (uid: string): SpooledInstance => ({ ...spooled({ uid }), digest: undefined });
      const first = open('2.25.5');
      assert.deepEqual(await store.accept(first, undefined), { kind: 'accepted' });
      assert.deepEqual(await store.accept(first, undefined), { kind: 'accepted' }, 'recovery may repeat it');
      assert.equal((await store.instance(first.record.id))?.digest, undefined);
      const again = open('2.25.5');
      const earlier = [{ id: first.record.id, location: first.location }];
      assert.deepEqual(await store.accept(again, undefined), { kind: 'undetermined', earlier });
      assert.deepEqual(await store.accept({ ...again, digest: 'd1' }, undefined), { kind: 'undetermined', earlier });
      await store.noteDigest(first.record.id, 'd1');
      await store.noteDigest(first.record.id, 'd2');
      assert.equal((await store.instance(first.record.id))?.digest, 'd1', 'once is enough');
      assert.deepEqual(await store.accept(again, undefined), { kind: 'undetermined', earlier: [] });
      assert.deepEqual(await store.accept({ ...again, digest: 'd1' }, undefined), {
        kind: 'duplicate',
        of: first.record.id,
      });
      assert.deepEqual(await store.accept({ ...again, digest: 'd3' }, undefined), { kind: 'accepted' });
      assert.deepEqual(
        (await store.history(first.record.id)).map(({ event, detail }) => `${event} ${detail}`),
        ['instance.received dicom', 'instance.digest sha256:d1', 'instance.duplicate '],
      );
    },
  );

  contract('what was lost before its digest was known comes back with whatever comes under its UID', async (store) => {
    const lost = { ...spooled({ uid: '2.25.6' }), digest: undefined };
    await store.accept(lost, undefined);
    await store.hold(lost.record.id, 'SPOOL_CORRUPT', 'bytes are missing');
    const again = { ...spooled({ uid: '2.25.6' }), digest: undefined };
    assert.deepEqual(await store.accept(again, undefined, 'refuse'), { kind: 'undetermined', earlier: [] });
    assert.deepEqual(await store.accept({ ...again, digest: 'd6' }, undefined, 'refuse'), {
      kind: 'restored',
      of: lost.record.id,
    });
    const row = await store.instance(lost.record.id);
    assert.deepEqual([row?.state, row?.digest, row?.location], ['received', 'd6', again.location]);
  });

  contract('received instances are taken urgent first, then oldest', async (store) => {
    const ids = [];
    for (const priority of ['normal', 'normal', 'high'] as const) {
      const one = spooled({ priority });
      ids.push(one.record.id);
      await store.accept(one, undefined);
    }
    assert.deepEqual(
      (await store.takeReceived(2)).map(({ id }) => id),
      [ids[2], ids[0]],
    );
  });

  contract('a series is claimed when it is full or has been quiet, not before', async (store, clock) => {
    await prepared(store, 'a');
    assert.deepEqual(await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() }), []);
    clock.advance(1000);
    assert.equal((await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() })).length, 1);
    for (let count = 0; count < 12; count++) await prepared(store, 'b');
    const full = await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() });
    assert.equal(full.length, 10);
    assert.deepEqual([...new Set(full.map(({ prepared: { seriesKey } }) => seriesKey))], ['b']);
  });

  contract(
    'a batch holds one series and no more bytes than allowed, but at least one instance',
    async (store, clock) => {
      await prepared(store, 'a', ['cloud'], 900_000);
      await prepared(store, 'a', ['cloud'], 900_000);
      await prepared(store, 'b', ['cloud'], 5_000_000);
      clock.advance(1000);
      const batches = [];
      for (
        let batch = await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() });
        batch.length > 0;
        batch = await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() })
      ) {
        batches.push(batch.map(({ prepared: { seriesKey } }) => seriesKey).join(''));
      }
      assert.deepEqual(batches, ['a', 'a', 'b']);
    },
  );

  contract('an urgent delivery overtakes and waits for no one', async (store, clock) => {
    await prepared(store, 'a');
    const urgent = spooled();
    await store.accept(urgent, undefined);
    await store.markPrepared(urgent.record.id, output('z'), ['cloud'], { urgent: true });
    const [first] = await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() });
    assert.equal(first?.instance.id, urgent.record.id);
  });

  contract('what is claimed is claimed once; what is deferred comes back when it is due', async (store, clock) => {
    await prepared(store, 'a');
    clock.advance(1000);
    const [claimed] = await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() });
    assert.deepEqual(await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() }), []);
    const id = claimed?.delivery.id ?? 0;
    await store.markInflight([id]);
    await store.defer([id], clock.nowMs() + 5000, 'DELIVERY_BUSY', 'status=503');
    assert.equal(await store.nextDueAtMs('cloud'), clock.nowMs() + 5000);
    assert.deepEqual(await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() + 4999 }), []);
    const [again] = await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() + 5000 });
    assert.equal(again?.delivery.id, id);
    assert.equal(again?.delivery.attempts, 1);
    await store.unclaim([id]);
    assert.equal((await store.deliveriesOf(claimed?.instance.id ?? ''))[0]?.state, 'queued');
  });

  contract(
    'after a restart claimed is owed again; inflight only where the destination recognises a repetition',
    async (store, clock, reopen) => {
      for (const destination of ['safe', 'unsafe'])
        for (const series of ['a', 'b']) await prepared(store, `${destination} ${series}`, [destination]);
      clock.advance(1000);
      for (const destination of ['safe', 'unsafe']) {
        const [inflight] = await store.claim(destination, { ...CLAIM, nowMs: clock.nowMs() });
        await store.markInflight([inflight?.delivery.id ?? 0]);
        await store.claim(destination, { ...CLAIM, nowMs: clock.nowMs() });
      }
      await store.close();
      const again = await reopen();
      assert.deepEqual(await again.requeueAfterRestart((destination) => destination === 'safe'), {
        requeued: 3,
        held: 1,
      });
      const { deliveries } = await again.counts();
      assert.equal(deliveries['safe']?.queued, 2);
      assert.equal(deliveries['unsafe']?.queued, 1);
      assert.equal(deliveries['unsafe']?.held, 1);
    },
  );

  contract('bytes may go only when every destination has taken the instance', async (store, clock) => {
    const id = await prepared(store, 'a', ['one', 'two']);
    clock.advance(1000);
    const settle = async (destination: string) => {
      const [claimed] = await store.claim(destination, { ...CLAIM, nowMs: clock.nowMs() });
      await store.settle([claimed?.delivery.id ?? 0], 'ok');
    };
    await settle('one');
    assert.deepEqual(await store.erasable('received', clock.nowMs() + 1e9, 10), []);
    await settle('two');
    assert.deepEqual(await store.erasable('received', clock.nowMs() - 1, 10), []);
    assert.deepEqual(
      (await store.erasable('received', clock.nowMs(), 10)).map((row) => row.id),
      [id],
    );
    await store.markErased([id], 'received');
    assert.deepEqual(await store.erasable('received', clock.nowMs(), 10), []);
    assert.equal((await store.erasable('prepared', clock.nowMs(), 10)).length, 1);
    assert.equal((await store.instance(id))?.location, undefined);
  });

  contract('a held instance is released to where it was: anew, or to its destinations', async (store, clock) => {
    const raw = spooled();
    await store.accept(raw, undefined);
    await store.hold(raw.record.id, 'DEID_LEAK_SUSPECTED', 'path=(0010,4000)');
    assert.equal((await store.takeReceived(10)).length, 0);
    await store.release(raw.record.id, 'somebody');
    assert.equal((await store.instance(raw.record.id))?.state, 'received');
    const id = await prepared(store, 'a');
    clock.advance(1000);
    const [claimed] = await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() });
    await store.holdDeliveries([claimed?.delivery.id ?? 0], 'DELIVERY_REJECTED', 'status=400');
    assert.deepEqual(await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() + 1e9 }), []);
    await store.release(id, 'somebody');
    clock.advance(1000);
    assert.equal((await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() })).length, 1);
  });

  contract('what a person discarded meanwhile is not brought back by a worker that finishes late', async (store) => {
    const one = spooled();
    await store.accept(one, undefined);
    await store.discard(one.record.id, 'operator');
    await store.markPrepared(one.record.id, output('a'), ['cloud']);
    assert.equal((await store.instance(one.record.id))?.state, 'discarded');
    assert.deepEqual(await store.deliveriesOf(one.record.id), []);
  });

  contract('a study belongs to one patient', async (store) => {
    assert.equal(await store.bindStudyToPatient('default', [ofPatient('s1', 'p1')]), true);
    assert.equal(await store.bindStudyToPatient('default', [ofPatient('s1', 'p1')]), true);
    assert.equal(await store.bindStudyToPatient('default', [ofPatient('s1', 'p2')]), false);
    assert.equal(await store.bindStudyToPatient('other', [ofPatient('s1', 'p2')]), true);
  });

  contract('a study that was recorded under a key of before is known under the one of now', async (store) => {
    const before = [ofPatient('old s1', 'old p1')];
    assert.equal(await store.bindStudyToPatient('default', before), true);
    const now = (patient: string) => [ofPatient('s1', patient), ofPatient('old s1', `old ${patient}`)];
    assert.equal(await store.bindStudyToPatient('default', now('p2')), false);
    assert.equal(await store.bindStudyToPatient('default', now('p1')), true, 'nothing was recorded of the other one');
    const rotated = (patient: string) => [ofPatient('s1', patient), ofPatient('new s1', `new ${patient}`)];
    assert.equal(await store.bindStudyToPatient('default', rotated('p2')), false);
    assert.equal(await store.bindStudyToPatient('default', rotated('p1')), true);
  });

  contract('the ledger adds up: received = delivered + held + discarded + on the way', async (store, clock) => {
    for (let number = 0; number < 20; number++) {
      const one = spooled({ source: number % 2 === 0 ? 'A' : 'B' });
      const { id } = one.record;
      await store.accept(one, '2.25.7');
      if (number % 5 === 1) await store.hold(id, 'DEID_LEAK_SUSPECTED', undefined);
      if (number % 5 === 2) await store.discard(id, 'rule');
      if (number % 5 >= 3) await store.markPrepared(id, output(`s${number}`), ['cloud']);
      if (number % 5 !== 4) continue;
      clock.advance(2000);
      for (const { delivery } of await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() }))
        await store.settle([delivery.id], 'ok');
    }
    const lines = await store.ledger({ limit: 10 });
    assert.equal(lines.length, 2);
    for (const line of lines) assert.equal(line.received, line.delivered + line.held + line.discarded + line.onTheWay);
    assert.equal(
      lines.reduce((sum, line) => sum + line.received, 0),
      20,
    );
    assert.ok(lines.some(({ delivered }) => delivered > 0));
  });

  contract('every change is in the audit, and the chain holds over a restart', async (store, _clock, reopen) => {
    const id = await prepared(store, 'a');
    await store.hold(id, 'DEID_LEAK_SUSPECTED', 'path=(0010,4000)');
    await store.close();
    const again = await reopen();
    await again.release(id, 'somebody');
    await again.note('gateway.started', 'test');
    assert.deepEqual(
      (await again.history(id)).map(({ event }) => event),
      ['instance.received', 'instance.prepared', 'instance.held', 'instance.released'],
    );
    let previous = CHAIN_START;
    let entries = 0;
    for await (const { hash, ...entry } of again.auditEntries()) {
      assert.equal(entry.sequence, ++entries);
      assert.equal(hash, chainHash(previous, entry));
      previous = hash;
    }
    assert.equal(entries, 5);
  });

  contract(
    'a commitment request is kept over a restart until it is settled, and once',
    async (store, _clock, reopen) => {
      assert.equal(await store.rememberCommitment('PACS', '2.25.1', 'one'), undefined);
      assert.equal(await store.rememberCommitment('PACS', '2.25.1', 'again'), 'one');
      await store.rememberCommitment('OTHER', '2.25.1', 'two');
      await store.close();
      const again = await reopen();
      assert.deepEqual((await again.owedCommitments()).toSorted(), ['one', 'two']);
      await again.settleCommitment('PACS', '2.25.1', 'reported');
      assert.deepEqual(await again.owedCommitments(), ['two']);
    },
  );

  contract('many writers at once are committed together and none is lost', async (store) => {
    const all = Array.from({ length: 1200 }, () => spooled());
    const outcomes = await Promise.all(all.map((one) => store.accept(one, undefined)));
    assert.equal(outcomes.filter(({ kind }) => kind === 'accepted').length, 1200);
    assert.equal((await store.counts()).received, 1200);
  });

  contract('other content under a known UID: no row, a version, or a held version, by policy', async (store) => {
    const first = spooled({ uid: '2.25.1', digest: 'd1' });
    await store.accept(first, undefined, 'refuse');
    const refused = spooled({ uid: '2.25.1', digest: 'd2' });
    assert.deepEqual(await store.accept(refused, undefined, 'refuse'), {
      kind: 'conflict',
      of: first.record.id,
      digest: 'd1',
    });
    assert.equal(await store.instance(refused.record.id), undefined);
    assert.match((await store.history(first.record.id)).at(-1)?.detail ?? '', /sha256:d1 offered sha256:d2/);
    const doubtful = spooled({ uid: '2.25.1', digest: 'd3' });
    assert.deepEqual(await store.accept(doubtful, undefined, 'hold'), { kind: 'accepted' });
    const { state, reason } = (await store.instance(doubtful.record.id)) ?? {};
    assert.deepEqual([state, reason], ['held', 'INSTANCE_DUPLICATE']);
  });

  contract('an instance whose bytes were lost lives again when its sender sends it again', async (store) => {
    const first = spooled({ uid: '2.25.1', digest: 'd1' });
    await store.accept(first, undefined);
    await store.hold(first.record.id, 'SPOOL_CORRUPT', 'bytes are missing');
    const again = spooled({ uid: '2.25.1', digest: 'd1' });
    assert.deepEqual(await store.accept(again, undefined), { kind: 'restored', of: first.record.id });
    const row = await store.instance(first.record.id);
    assert.deepEqual([row?.state, row?.location, row?.reason], ['received', again.location, undefined]);
    assert.equal(
      (await store.ledger({ limit: 10 })).reduce((sum, { received }) => sum + received, 0),
      1,
    );
  });

  contract('what arrived while its instance was held is settled by the release', async (store, clock) => {
    const id = await prepared(store, 'a');
    clock.advance(1000);
    const [claimed] = await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() });
    await store.markInflight([claimed?.delivery.id ?? 0]);
    await store.hold(id, 'INSTANCE_HELD_BY_RULE', undefined);
    await store.settle([claimed?.delivery.id ?? 0], 'ok');
    assert.equal((await store.ledger({ limit: 1 }))[0]?.held, 1);
    await store.release(id, 'somebody');
    assert.equal((await store.ledger({ limit: 1 }))[0]?.delivered, 1);
    assert.equal((await store.erasable('received', clock.nowMs(), 10)).length, 1);
  });

  contract('a held instance is not sent again when what was on its way comes back', async (store, clock) => {
    const id = await prepared(store, 'a');
    clock.advance(1000);
    const [claimed] = await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() });
    const delivery = claimed?.delivery.id ?? 0;
    await store.markInflight([delivery]);
    await store.hold(id, 'INSTANCE_HELD_BY_RULE', undefined);
    await store.defer([delivery], clock.nowMs(), 'DELIVERY_BUSY', undefined);
    assert.deepEqual(await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() + 1e9 }), []);
    assert.equal((await store.deliveriesOf(id))[0]?.state, 'held');
    await store.release(id, 'somebody');
    assert.equal((await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() + 1e9 })).length, 1);
  });

  contract('what is delivered everywhere cannot be held', async (store, clock) => {
    const id = await prepared(store, 'a');
    clock.advance(1000);
    for (const { delivery } of await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() }))
      await store.settle([delivery.id], 'ok');
    await store.hold(id, 'INSTANCE_HELD_BY_RULE', undefined);
    assert.equal((await store.instance(id))?.state, 'prepared');
    assert.equal((await store.ledger({ limit: 1 }))[0]?.delivered, 1);
  });

  contract('a lost output is prepared again and delivered once', async (store, clock) => {
    const id = await prepared(store, 'a');
    await store.prepareAgain(id);
    assert.equal((await store.takeReceived(1))[0]?.id, id);
    clock.advance(1000);
    assert.deepEqual(await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() }), []);
    await store.markPrepared(id, output('a'), ['cloud']);
    clock.advance(1000);
    assert.equal((await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() })).length, 1);
    assert.equal((await store.deliveriesOf(id)).length, 1);
  });

  contract('bytes move under their rows all together or not at all', async (store) => {
    const [one, two] = [spooled(), spooled()];
    await store.accept(one, undefined);
    const moves = [one, two].map(({ record, location }) => ({ id: record.id, from: location, to: `to ${record.id}` }));
    await assert.rejects(store.relocate(moves), { code: 'SPOOL_CORRUPT' });
    assert.equal((await store.instance(one.record.id))?.location, one.location);
    await store.accept(two, undefined);
    await store.relocate(moves);
    assert.equal((await store.instance(two.record.id))?.location, `to ${two.record.id}`);
  });

  contract('a clock that was set back before a start delays nothing', async (store, clock, reopen) => {
    const ids = [await prepared(store, 'a'), await prepared(store, 'b')];
    clock.advance(1000);
    const claimed = await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() });
    await store.defer([claimed[0]?.delivery.id ?? 0], clock.nowMs() + 60_000, 'DELIVERY_BUSY', undefined);
    const [inflight] = await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() });
    await store.markInflight([inflight?.delivery.id ?? 0]);
    await store.close();
    clock.advance(-30 * 24 * 3_600_000);
    const again = await reopen();
    await again.requeueAfterRestart(() => true);
    clock.advance(1000);
    const due = [];
    for (const _series of ids) due.push(...(await again.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() })));
    assert.deepEqual(due.map(({ instance }) => instance.id).toSorted(), ids.toSorted());
  });

  contract('what was put off is due again in its order when the destination is well', async (store, clock) => {
    const ids = [];
    for (const series of ['a', 'b', 'c']) ids.push(await prepared(store, series));
    clock.advance(1000);
    for (const delayMs of [50_000, 20_000, 90_000]) {
      const [one] = await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() });
      await store.defer([one?.delivery.id ?? 0], clock.nowMs() + delayMs, 'DELIVERY_BUSY', undefined);
    }
    await store.hasten('cloud');
    const order = [];
    for (const _id of ids) order.push(...(await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() })));
    assert.deepEqual(
      order.map(({ instance }) => instance.id),
      ids,
    );
  });

  contract('an instance that is prepared again after its delivery arrived is settled', async (store, clock) => {
    const id = await prepared(store, 'a');
    clock.advance(1000);
    const [claimed] = await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() });
    await store.prepareAgain(id);
    await store.settle([claimed?.delivery.id ?? 0], 'ok');
    await store.markPrepared(id, output('a'), ['cloud']);
    const [line] = await store.ledger({ limit: 1 });
    assert.deepEqual([line?.delivered, line?.onTheWay], [1, 0]);
    assert.equal((await store.erasable('received', clock.nowMs(), 10)).length, 1);
  });

  contract(
    'what is settled and erased is forgotten after its time; counts, ledger and audit keep it',
    async (store, clock) => {
      const [old, unerased, held] = [await finished(store, clock), spooled(), spooled()];
      await store.accept(unerased, '2.25.99');
      await store.discard(unerased.record.id, 'rule');
      await store.accept(held, '2.25.99');
      await store.hold(held.record.id, 'DEID_LEAK_SUSPECTED', undefined);
      const discarded = spooled();
      await store.accept(discarded, '2.25.99');
      await store.discard(discarded.record.id, 'rule');
      await store.markErased([discarded.record.id], 'received');
      const owed = await prepared(store, 'owed');
      clock.advance(60_000);
      const young = await finished(store, clock);
      const before = [await store.ledger({ limit: 10 }), await store.counts()];
      const limits = { ...KEEP_ALL, settledBeforeMs: clock.nowMs() - 30_000 };

      assert.deepEqual(await store.prune({ ...limits, settledBeforeMs: 1 }), { instances: 0, studies: 0, lines: 0 });
      assert.equal((await store.prune({ ...limits, rowsMax: 1 })).instances, 1);
      assert.equal((await store.prune(limits)).instances, 1);
      assert.equal((await store.prune(limits)).instances, 0);

      for (const gone of [old, discarded.record.id]) {
        assert.equal(await store.instance(gone), undefined);
        assert.deepEqual(await store.deliveriesOf(gone), []);
        assert.equal((await store.history(gone))[0]?.event, 'instance.received');
      }
      for (const id of [unerased.record.id, held.record.id, owed, young])
        assert.equal((await store.instance(id))?.id, id);
      assert.deepEqual([await store.ledger({ limit: 10 }), await store.counts()], before);
    },
  );

  contract('too many are forgotten oldest first, but none before its least time', async (store, clock) => {
    const ids: string[] = [];
    for (let number = 0; number < 5; number++) ids.push(await finished(store, clock));
    const known = async () => {
      const rows = await Promise.all(ids.map((id) => store.instance(id)));
      return rows.map((row) => row !== undefined);
    };
    const limits = { ...KEEP_ALL, instancesMax: 2 };
    await store.prune(limits);
    assert.deepEqual(await known(), [true, true, true, true, true]);
    await store.prune({ ...limits, settledBeforeMsAtLeast: clock.nowMs() - 3500 });
    assert.deepEqual(await known(), [false, true, true, true, true]);
    await store.prune({ ...limits, settledBeforeMsAtLeast: clock.nowMs() });
    assert.deepEqual(await known(), [false, false, false, true, true]);
  });

  contract('the number of a delivery that was forgotten is never given to another', async (store, clock) => {
    const id = await finished(store, clock);
    const [delivery] = await store.deliveriesOf(id);
    await store.prune({ ...KEEP_ALL, settledBeforeMs: clock.nowMs() });
    const next = await prepared(store, 'next');
    assert.ok(((await store.deliveriesOf(next))[0]?.id ?? 0) > (delivery?.id ?? 0));
    assert.equal((await store.prune({ ...KEEP_ALL, settledBeforeMs: clock.nowMs() })).instances, 1);
  });

  contract('what comes again after it was forgotten is new, and counted', async (store, clock) => {
    const first = spooled({ uid: '2.25.1', digest: 'd1' });
    await store.accept(first, '2.25.5');
    await store.discard(first.record.id, 'rule');
    await store.markErased([first.record.id], 'received');
    const again = () => store.accept(spooled({ uid: '2.25.1', digest: 'd1' }), '2.25.5');
    assert.equal((await again()).kind, 'duplicate');
    await store.prune({ ...KEEP_ALL, settledBeforeMs: clock.nowMs() });
    assert.equal((await again()).kind, 'accepted');
    const [line] = await store.ledger({ limit: 1 });
    assert.deepEqual([line?.received, line?.discarded, line?.onTheWay], [2, 1, 1]);
  });

  contract('studies of earlier years are one line, and the ledger still adds up', async (store, clock) => {
    for (const study of ['2.25.1', '2.25.2', '2.25.2']) await finished(store, clock, study);
    const open = await prepared(store, 'open');
    const far = { linesBeforeMs: 8_000_000_000_000, settledBeforeMs: clock.nowMs() };
    assert.equal((await store.prune({ ...KEEP_ALL, ...far, settledBeforeMs: 0 })).lines, 0, 'rows stand behind them');
    assert.deepEqual(await store.prune({ ...KEEP_ALL, ...far }), { instances: 3, studies: 0, lines: 2 });
    const lines = await store.ledger({ limit: 10 });
    assert.deepEqual(
      lines.map(({ studyInstanceUid, received, delivered, onTheWay, earlierStudies }) => [
        ...[studyInstanceUid, received, delivered, onTheWay, earlierStudies],
      ]),
      [
        ['2.25.99', 1, 0, 1, undefined],
        [undefined, 3, 3, 0, 2],
      ],
    );
    assert.deepEqual(await store.ledger({ customer: 'other', limit: 10 }), []);
    await store.discard(open, 'rule');
    assert.equal((await store.ledger({ limit: 1 }))[0]?.discarded, 1);
  });

  contract('one instance that is held keeps its own study in the ledger, and no other', async (store, clock) => {
    const held = await prepared(store, 'held');
    await store.hold(held, 'DEID_LEAK_SUSPECTED', undefined);
    for (const study of ['2.25.1', '2.25.2', '2.25.3']) await finished(store, clock, study);
    await prepared(store, 'newest');
    const far = { linesBeforeMs: 8_000_000_000_000, settledBeforeMs: clock.nowMs() };
    assert.deepEqual(await store.prune({ ...KEEP_ALL, ...far }), { instances: 3, studies: 0, lines: 3 });
    const lines = await store.ledger({ limit: 10 });
    assert.deepEqual(
      lines.map(({ studyInstanceUid, received, held: number }) => [studyInstanceUid, received, number]),
      [
        ['2.25.99', 2, 1],
        [undefined, 3, 0],
      ],
    );
  });

  contract('a study belongs to one patient as long as it is seen, and for the time after', async (store, clock) => {
    const forget = (afterMs: number) => store.prune({ ...KEEP_ALL, settledBeforeMs: clock.nowMs() - afterMs });
    await store.bindStudyToPatient('default', [ofPatient('s1', 'p1')]);
    clock.advance(500_000);
    await store.bindStudyToPatient('default', [ofPatient('s1', 'p1')]);
    clock.advance(500_000);
    assert.equal((await forget(600_000)).studies, 0);
    assert.equal(await store.bindStudyToPatient('default', [ofPatient('s1', 'p2')]), false);
    clock.advance(1_000_000);
    assert.equal((await forget(600_000)).studies, 1);
    assert.equal(await store.bindStudyToPatient('default', [ofPatient('s1', 'p2')]), true);
  });

  contract('only what was archived leaves the audit, and the chain goes on from it', async (store, _clock, reopen) => {
    for (const number of [1, 2, 3, 4]) await store.note('gateway.started', `${number}`);
    const all = [];
    for await (const entry of store.auditEntries()) all.push(entry);
    const [, second] = all;
    const head = await store.auditHead();
    assert.ok(second !== undefined && head !== undefined);
    assert.equal(await store.dropArchived(10), 0);
    await store.noteArchived({ sequence: 2, hash: 'another' });
    await store.noteArchived(head);
    assert.deepEqual(await store.archivedAudit(), { sequence: 0, hash: CHAIN_START });
    await store.noteArchived(second);
    await store.noteArchived(all[0] ?? second);
    assert.deepEqual(await store.archivedAudit(), { sequence: 2, hash: second.hash });
    assert.equal(await store.dropArchived(1), 1);
    await store.close();
    const again = await reopen();
    assert.equal(await again.dropArchived(10), 1);
    await again.note('gateway.started', '5');
    const left = [];
    for await (const entry of again.auditEntries()) left.push(entry);
    assert.deepEqual(
      left.map(({ sequence }) => sequence),
      [3, 4, 5],
    );
    assert.equal(left[0]?.hash, chainHash(second.hash, left[0] ?? second));
  });
}
