/** What every store remembers: the ledger, the audit, and what of both stays when rows go. */
import assert from 'node:assert/strict';
import { CHAIN_START, chainHash } from '../../src/core/chain.ts';
import {
  CLAIM,
  type Contract,
  finished,
  KEEP_ALL,
  ofPatient,
  output,
  preparedInstance as prepared,
  spooled,
} from './store-rig.ts';

export function historyContract(contract: Contract): void {
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
