/** The listener with the real spool and store: what a sender was told is durable, is there, byte for byte. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { systemClock, systemRandom } from '../../src/core/clock.ts';
import { silentLogger } from '../../src/core/log.ts';
import { readPart10 } from '../../src/dicom/part10.ts';
import { StorageScp } from '../../src/dimse/storage-scp.ts';
import { StorageScu } from '../../src/dimse/storage-scu.ts';
import { Receiver } from '../../src/gateway/receive.ts';
import { storageHandler } from '../../src/gateway/storage-handler.ts';
import { openVerified } from '../../src/queue/local-received.ts';
import { LocalSpool } from '../../src/queue/local-spool.ts';
import { SqliteStore } from '../../src/queue/sqlite-store.ts';
import { buildDataSet, buildPart10 } from '../build/data-set.ts';
import { CT_IMAGE_STORAGE, EXPLICIT_LITTLE } from '../build/pdu.ts';
import { NEGOTIATION } from '../dimse/listener.ts';

const INSTANCE_BYTES_MAX = 10_000_000;

async function start(context: TestContext, duplicates: 'refuse' | 'keep' | 'replace' = 'refuse') {
  const dataDir = mkdtempSync(join(tmpdir(), 'lethe-custody-'));
  const clock = systemClock;
  const spool = await LocalSpool.open({ dataDir, minFreeDiskBytes: 0 }, { clock, random: systemRandom });
  const store = new SqliteStore(join(dataDir, 'store.db'), clock);
  const accepted: string[] = [];
  const receiver = new Receiver(
    { duplicates, instanceBytesMax: INSTANCE_BYTES_MAX, onAccepted: ({ id }) => void accepted.push(id) },
    { spool, store, clock, random: systemRandom, logger: silentLogger },
  );
  const scp = await StorageScp.listen(
    {
      host: '127.0.0.1',
      port: 0,
      aeTitles: [{ aeTitle: 'LETHE' }],
      peers: 'any',
      maxAssociations: 10,
      maxAssociationsPerPeer: 10,
      negotiation: NEGOTIATION,
    },
    { handler: storageHandler(receiver, INSTANCE_BYTES_MAX), logger: silentLogger },
  );
  const scu = await StorageScu.connect({
    host: '127.0.0.1',
    port: scp.ports.plain,
    callingAeTitle: 'MODALITY',
    calledAeTitle: 'LETHE',
    contexts: [{ abstractSyntax: CT_IMAGE_STORAGE, transferSyntaxes: [EXPLICIT_LITTLE] }],
    operationsInvoked: 4,
  });
  context.after(async () => {
    await scu.release();
    await scp.close(0);
    await store.close();
    await spool.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  return { dataDir, spool, store, accepted, scu, receiver };
}

function instance(sopInstanceUid: string, pixelBytes: number, fill = 1) {
  const dataSet = Buffer.from(
    buildDataSet([
      ['SOPClassUID', CT_IMAGE_STORAGE],
      ['SOPInstanceUID', sopInstanceUid],
      [0x00091001, 'UN', Uint8Array.of(1, 2, 3, 4)],
      ['StudyInstanceUID', '1.2.3'],
      ['SeriesInstanceUID', '1.2.3.4'],
      ['PixelData', 'OW', new Uint8Array(pixelBytes).fill(fill)],
    ]),
  );
  const operation = { sopClassUid: CT_IMAGE_STORAGE, sopInstanceUid, transferSyntaxUid: EXPLICIT_LITTLE };
  return { dataSet, operation: { ...operation, dataSet: [dataSet] } };
}

describe('custody', { timeout: 10_000 }, () => {
  test('F22: what is stored is the data set as it came behind file meta information of the association', async (context) => {
    const { dataDir, spool, store, scu } = await start(context);
    const sizes = [2, 500_000, 3_000_000, 100];
    const sent = sizes.map((pixelBytes, index) => instance(`1.2.${index + 1}`, pixelBytes, index));
    const answers = await Promise.all(sent.map(({ operation }) => scu.store(operation)));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [0, 0, 0, 0],
    );
    for (const { dataSet, operation } of sent) {
      const row = await store.findBySopInstanceUid('default', operation.sopInstanceUid);
      assert.ok(row?.location !== undefined);
      assert.equal(await spool.digestOf(row.location), createHash('sha256').update(dataSet).digest('hex'));
      const source = spool.openReceived(row.location);
      const bytes = Buffer.from(source.read(0, source.size));
      source.close();
      const verified = await openVerified(dataDir, row.location);
      assert.equal(verified.contentDigest, await spool.digestOf(row.location));
      assert.deepEqual(Buffer.from(verified.read(0, verified.size)), bytes);
      verified.close();
      assert.deepEqual(bytes.subarray(-dataSet.length), dataSet);
      const { fileMeta } = readPart10({ size: bytes.length, read: (at, length) => bytes.subarray(at, at + length) });
      assert.equal(fileMeta.string(0x00020002), CT_IMAGE_STORAGE);
      assert.equal(fileMeta.string(0x00020003), operation.sopInstanceUid);
      assert.equal(fileMeta.string(0x00020010), EXPLICIT_LITTLE);
      assert.equal(fileMeta.string(0x00020016), 'MODALITY');
    }
  });

  test('S8, F23: the same instance again is Success and nothing new; other content under its UID is 0111', async (context) => {
    const { accepted, scu, store } = await start(context);
    assert.equal((await scu.store(instance('1.2.1', 1000).operation)).status, 0);
    assert.equal((await scu.store(instance('1.2.1', 1000).operation)).status, 0);
    assert.equal(accepted.length, 1);
    const other = await scu.store(instance('1.2.1', 1000, 9).operation);
    assert.equal(other.status, 0x0111);
    assert.match(other.errorComment ?? '', /other content/);
    assert.equal((await store.counts()).received, 1);
  });

  test('F23: kept as another version where the policy says so', async (context) => {
    const { accepted, scu } = await start(context, 'keep');
    assert.equal((await scu.store(instance('1.2.1', 1000).operation)).status, 0);
    assert.equal((await scu.store(instance('1.2.1', 1000, 9).operation)).status, 0);
    assert.equal(accepted.length, 2);
  });

  test('F23: where the policy says so it takes the place of what was not delivered yet', async (context) => {
    const { accepted, scu, store } = await start(context, 'replace');
    assert.equal((await scu.store(instance('1.2.1', 1000).operation)).status, 0);
    assert.equal((await scu.store(instance('1.2.1', 1000, 9).operation)).status, 0);
    const [first = '', second = ''] = accepted;
    assert.equal((await store.instance(first))?.state, 'discarded');
    assert.equal((await store.instance(second))?.state, 'received');
    assert.equal((await scu.store(instance('1.2.1', 1000, 9).operation)).status, 0, 'a repetition is no other content');
    assert.equal(accepted.length, 2);
  });

  for (const [policy, word] of [
    ['refuse', 'refused'],
    ['replace', 'replaced'],
  ] as const)
    test(`F23: both digests are on record where other content is ${word}`, async (context) => {
      const { accepted, scu, store } = await start(context, policy);
      const sent = [instance('1.2.1', 1000), instance('1.2.1', 1000, 9)];
      for (const { operation } of sent) await scu.store(operation);
      const [stored, offered] = sent.map(({ dataSet }) => createHash('sha256').update(dataSet).digest('hex'));
      const history = await store.history(accepted[0] ?? '');
      const note = history.find(({ event }) => event === 'instance.duplicate');
      assert.equal(note?.detail, `other content ${word}: stored sha256:${stored} offered sha256:${offered}`);
    });

  test('F25: an instance beyond the limit is refused and the association goes on', async (context) => {
    const { accepted, scu } = await start(context);
    const { status } = await scu.store(instance('1.2.1', INSTANCE_BYTES_MAX).operation);
    assert.equal(status & 0xf000, 0xc000);
    assert.equal((await scu.store(instance('1.2.2', 10).operation)).status, 0);
    assert.equal(accepted.length, 1);
  });

  test('an instance that came to the path of another study is refused and not kept', async (context) => {
    const { receiver, accepted, store } = await start(context);
    const part10 = async function* () {
      yield buildPart10([
        ['SOPClassUID', CT_IMAGE_STORAGE],
        ['SOPInstanceUID', '1.2.9'],
        ['StudyInstanceUID', '1.2.3'],
        ['PixelData', 'OW', new Uint8Array(1000)],
      ]);
    };
    const origin = { kind: 'stow', name: 'sender', customer: 'default' } as const;
    const refused = await receiver.receive(part10(), { ...origin, studyInstanceUid: '1.2.33' });
    assert.equal(refused.status === 'refused' && refused.code, 'HTTP_STUDY_MISMATCH');
    assert.equal(await store.findBySopInstanceUid('default', '1.2.9'), undefined);
    assert.equal((await receiver.receive(part10(), { ...origin, studyInstanceUid: '1.2.3' })).status, 'accepted');
    assert.equal(accepted.length, 1);
  });
});
