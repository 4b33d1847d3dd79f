/** The review queue: what a person sees of a held instance, decides, and what stays on record. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideReview, readReview } from '../../src/gateway/review.ts';
import { LocalReviews } from '../../src/queue/local-review.ts';
import { heldInstance } from '../support/held-instance.ts';

const DEVICE = [
  ['Manufacturer', 'ACME'],
  ['ManufacturerModelName', 'Scan 3'],
] as const;

test('a held instance shows its boxes and its size', async (t) => {
  const { id, deps } = await heldInstance(t, { device: DEVICE });
  assert.deepEqual(await readReview(deps, id), {
    boxes: [
      { x: 10, y: 20, width: 300, height: 40 },
      { x: 5, y: 6, width: 7, height: 8 },
    ],
    complete: true,
    rows: 480,
    columns: 640,
    frames: 1,
    canBeRule: true,
  });
});

test('a list of a hundred boxes says that there may be more of them', async (t) => {
  const list = (length: number) => Array.from({ length }, (_, index) => `${index},1,2,3`).join(';');
  for (const [length, complete] of [
    [99, true],
    [100, false],
  ] as const) {
    const { id, deps } = await heldInstance(t, { detail: `reason=doubtful boxes=${list(length)}` });
    const review = await readReview(deps, id);
    assert.deepEqual([review.boxes.length, review.complete], [length, complete]);
  }
});

test('of an object of several compressed frames the frames are counted, whatever stands behind its pixels', async (t) => {
  const frame = Uint8Array.of(1, 2);
  const { id, deps } = await heldInstance(t, {
    transferSyntax: '1.2.840.10008.1.2.5',
    more: [
      ['NumberOfFrames', '3'],
      ['PixelData', 'OB', { fragments: [new Uint8Array(0), frame, frame, frame] }],
      ['DataSetTrailingPadding', 'OB', new Uint8Array(2)],
    ],
  });
  const { rows, columns, frames, canBeRule } = await readReview(deps, id);
  assert.deepEqual({ rows, columns, frames, canBeRule }, { rows: 480, columns: 640, frames: 3, canBeRule: false });
});

test('a decision is kept, releases the instance, and is in the audit with who made it', async (t) => {
  const { id, deps, dataDir } = await heldInstance(t);
  await decideReview(deps, id, { boxes: [{ x: 1, y: 2, width: 3, height: 4 }], saveRule: false }, 'Ida');
  assert.equal((await deps.store.instance(id))?.state, 'received');
  assert.deepEqual(new LocalReviews(dataDir).decisionOf(id), [{ x: 1, y: 2, width: 3, height: 4 }]);
  const decided = (await deps.store.history(id)).find(({ event }) => event === 'review.decided');
  assert.equal(decided?.detail, 'by Ida: 1 boxes 1,2,3,4');
  assert.deepEqual(deps.reviews.rules(), []);
});

test('saved as a rule it is there for the next instance, and replaces an earlier one for the same equipment', async (t) => {
  const { id, deps, dataDir } = await heldInstance(t, { device: DEVICE });
  const others = new LocalReviews(dataDir);
  others.addRule({ manufacturer: 'ACME', model: 'Scan 3', rows: 480, columns: 640, boxes: [] });
  assert.equal(others.rules().length, 1);
  await decideReview(deps, id, { boxes: [{ x: 1, y: 2, width: 3, height: 4 }], saveRule: true }, 'Ida');
  assert.deepEqual(new LocalReviews(dataDir).rules(), [
    { manufacturer: 'ACME', model: 'Scan 3', rows: 480, columns: 640, boxes: [{ x: 1, y: 2, width: 3, height: 4 }] },
  ]);
});

test('no rule is saved for equipment without a name, and nothing is decided then', async (t) => {
  const { id, deps } = await heldInstance(t);
  const decision = { boxes: [{ x: 1, y: 2, width: 3, height: 4 }], saveRule: true };
  await assert.rejects(decideReview(deps, id, decision, 'Ida'), { code: 'HTTP_REQUEST_INVALID' });
  assert.equal((await deps.store.instance(id))?.state, 'held');
  assert.equal(deps.reviews.decisionOf(id), undefined);
});

test('boxes of no size and instances that are not held are refused', async (t) => {
  const { id, deps } = await heldInstance(t);
  const none = { boxes: [{ x: 1, y: 2, width: 0, height: 4 }], saveRule: false };
  await assert.rejects(decideReview(deps, id, none, 'Ida'), { code: 'HTTP_REQUEST_INVALID' });
  await decideReview(deps, id, { boxes: [], saveRule: false }, 'Ida');
  await assert.rejects(readReview(deps, id), { code: 'INSTANCE_UNKNOWN' });
});
