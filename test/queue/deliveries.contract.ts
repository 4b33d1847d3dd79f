/** What every store does with what is owed: claiming in batches, deferring, holding, releasing, and what a restart owes again. */
import assert from 'node:assert/strict';
import { CLAIM, type Contract, output, preparedInstance as prepared, spooled } from './store-rig.ts';

export function deliveriesContract(contract: Contract): void {
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
}
