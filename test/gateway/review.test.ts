/** The review queue: what a person sees of a held instance, decides, and what stays on record. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock, systemRandom } from '../../src/core/clock.ts';
import { newInstanceId } from '../../src/core/identifier.ts';
import { decideReview, readReview } from '../../src/gateway/review.ts';
import { LocalReviews } from '../../src/queue/local-review.ts';
import { LocalSpool } from '../../src/queue/local-spool.ts';
import { SqliteStore } from '../../src/queue/sqlite-store.ts';
import { buildPart10 } from '../build/data-set.ts';

const CAPTURE = '1.2.840.10008.5.1.4.1.1.7';

async function held(t: TestContext, device: readonly (readonly [string, string])[] = []) {
  const dataDir = mkdtempSync(join(tmpdir(), 'lethe-review-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const spool = await LocalSpool.open({ dataDir, minFreeDiskBytes: 0 }, { clock: systemClock, random: systemRandom });
  t.after(() => spool.close());
  const store = new SqliteStore(join(dataDir, 'lethe.db'), systemClock);
  t.after(() => store.close());
  const writer = spool.writer();
  const id = newInstanceId(systemClock, systemRandom);
  const incoming = writer.begin(
    {
      id,
      customer: 'default',
      sourceKind: 'dicom',
      sourceName: 'MODALITY',
      sopClassUid: CAPTURE,
      sopInstanceUid: '2.25.1',
      transferSyntaxUid: '1.2.840.10008.1.2.1',
      receivedAtMs: 1,
      priority: 'normal',
    },
    new Uint8Array(0),
  );
  incoming.write(
    buildPart10([
      ['SOPClassUID', CAPTURE],
      ['SOPInstanceUID', '2.25.1'],
      ...device,
      ['Rows', 480],
      ['Columns', 640],
    ] as Parameters<typeof buildPart10>[0]),
  );
  const spooled = await incoming.commit();
  await writer.close();
  await store.accept(spooled, undefined);
  await store.hold(id, 'DEID_TEXT_DOUBTFUL', 'reason=doubtful boxes=10,20,300,40;5,6,7,8');
  return { id, deps: { store, spool, reviews: new LocalReviews(dataDir) }, dataDir };
}

const DEVICE = [
  ['Manufacturer', 'ACME'],
  ['ManufacturerModelName', 'Scan 3'],
] as const;

test('a held instance shows its boxes and its size', async (t) => {
  const { id, deps } = await held(t, DEVICE);
  assert.deepEqual(await readReview(deps, id), {
    boxes: [
      { x: 10, y: 20, width: 300, height: 40 },
      { x: 5, y: 6, width: 7, height: 8 },
    ],
    rows: 480,
    columns: 640,
    frames: 1,
    canBeRule: true,
  });
});

test('a decision is kept, releases the instance, and is in the audit with who made it', async (t) => {
  const { id, deps, dataDir } = await held(t);
  await decideReview(deps, id, { boxes: [{ x: 1, y: 2, width: 3, height: 4 }], saveRule: false }, 'Ida');
  assert.equal((await deps.store.instance(id))?.state, 'received');
  assert.deepEqual(new LocalReviews(dataDir).decisionOf(id), [{ x: 1, y: 2, width: 3, height: 4 }]);
  const decided = (await deps.store.history(id)).find(({ event }) => event === 'review.decided');
  assert.equal(decided?.detail, 'by Ida: 1 boxes 1,2,3,4');
  assert.deepEqual(deps.reviews.rules(), []);
});

test('saved as a rule it is there for the next instance, and replaces an earlier one for the same equipment', async (t) => {
  const { id, deps, dataDir } = await held(t, DEVICE);
  const others = new LocalReviews(dataDir);
  others.addRule({ manufacturer: 'ACME', model: 'Scan 3', rows: 480, columns: 640, boxes: [] });
  assert.equal(others.rules().length, 1);
  await decideReview(deps, id, { boxes: [{ x: 1, y: 2, width: 3, height: 4 }], saveRule: true }, 'Ida');
  assert.deepEqual(new LocalReviews(dataDir).rules(), [
    { manufacturer: 'ACME', model: 'Scan 3', rows: 480, columns: 640, boxes: [{ x: 1, y: 2, width: 3, height: 4 }] },
  ]);
});

test('no rule is saved for equipment without a name, and nothing is decided then', async (t) => {
  const { id, deps } = await held(t);
  const decision = { boxes: [{ x: 1, y: 2, width: 3, height: 4 }], saveRule: true };
  await assert.rejects(decideReview(deps, id, decision, 'Ida'), { code: 'HTTP_REQUEST_INVALID' });
  assert.equal((await deps.store.instance(id))?.state, 'held');
  assert.equal(deps.reviews.decisionOf(id), undefined);
});

test('boxes of no size and instances that are not held are refused', async (t) => {
  const { id, deps } = await held(t);
  const none = { boxes: [{ x: 1, y: 2, width: 0, height: 4 }], saveRule: false };
  await assert.rejects(decideReview(deps, id, none, 'Ida'), { code: 'HTTP_REQUEST_INVALID' });
  await decideReview(deps, id, { boxes: [], saveRule: false }, 'Ida');
  await assert.rejects(readReview(deps, id), { code: 'INSTANCE_UNKNOWN' });
});
