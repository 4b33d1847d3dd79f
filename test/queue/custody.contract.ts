/** What every store does with what was received: one row an instance, lost bytes that come back, studies and commitments. */
import assert from 'node:assert/strict';
import type { SpooledInstance } from '../../src/queue/spool.ts';
import { type Contract, ofPatient, spooled } from './store-rig.ts';

export function custodyContract(contract: Contract): void {
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
}
