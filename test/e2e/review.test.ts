/** Review from end to end: a person decides about text in the pixels of a held instance, and that is what the backend gets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawText } from '../../src/samples/glyphs.ts';
import { Seeded } from '../../src/samples/random.ts';
import { networksInstalled } from '../../src/text-detection/networks.ts';
import { lethe } from '../cli/run-lethe.ts';
import { sum } from '../support/gateway-process.ts';
import {
  COLUMNS,
  capture,
  DRAWN,
  DRAWN_BOXES,
  delivered,
  eventsOf,
  ROWS,
  send,
  startReviewRig,
  theHeldOne,
} from '../support/review-rig.ts';

const skip = networksInstalled() ? false : 'the optional packages for text detection are not installed';
/** Where the letters are. */
const WRITTEN = { x: 40, y: 30, width: 142, height: 14 };
/** Letters of a bad print, half of the dots missing: a person reads them, the networks are not sure. */
function doubtfulPixels(): Uint8Array {
  const random = new Seeded(6);
  const pixels = new Uint8Array(ROWS * COLUMNS).fill(100);
  drawText('QUENNELL IDA', { ...WRITTEN, scale: 2 }, (x, y) => {
    if (random.next() > 0.5) pixels[y * COLUMNS + x] = 160;
  });
  return pixels;
}

/** Black inside of the drawn boxes, what was sent everywhere else. */
function assertJustTheseBlanked(got: Uint8Array | undefined, sent: Uint8Array): void {
  assert.equal(got?.length, sent.length);
  for (const [index, value] of sent.entries()) {
    const x = index % COLUMNS;
    const y = Math.floor(index / COLUMNS);
    const isIn = DRAWN_BOXES.some((b) => x >= b.x && x < b.x + b.width && y >= b.y && y < b.y + b.height);
    assert.equal(got?.[index], isIn ? 0 : value, `pixel ${x}, ${y}`);
  }
}

test('doubtful text is held with its boxes; what a person draws is blanked and nothing else; the rule spares the next one', {
  skip,
}, async (t) => {
  const rig = await startReviewRig(t);
  const pixels = doubtfulPixels();
  await send(rig, capture(1, pixels));
  await rig.quiet();
  const { id, reason } = await theHeldOne(rig);
  assert.equal(reason, 'DEID_TEXT_DOUBTFUL');
  const path = `/api/v1/instances/${id}/review`;
  const review = await rig.get<{ boxes: (typeof WRITTEN)[]; rows: number; columns: number; canBeRule: boolean }>(path);
  assert.deepEqual([review.rows, review.columns, review.canBeRule], [ROWS, COLUMNS, true]);
  assert.ok(
    review.boxes.some(
      (box) => box.x < WRITTEN.x + WRITTEN.width && box.x + box.width > WRITTEN.x && box.y <= WRITTEN.y,
    ),
    `none of ${review.boxes.length} boxes is at the letters`,
  );
  assert.deepEqual(await delivered(rig), []);

  await rig.post(`${path}?boxes=${encodeURIComponent(DRAWN)}&saveRule=true`);
  const counts = await rig.quiet();
  assert.deepEqual([counts.held, sum(counts.deliveries, 'delivered')], [0, 1]);
  assertJustTheseBlanked((await delivered(rig))[0], pixels);
  const events = await eventsOf(rig, id);
  assert.match(events.get('review.decided') ?? '', new RegExp(`^by .+: 2 boxes ${DRAWN}$`));
  assert.match(events.get('review.rule-saved') ?? '', new RegExp(`^by .+: ${COLUMNS} × ${ROWS}, 2 boxes ${DRAWN}$`));

  await send(rig, capture(2, pixels));
  const after = await rig.quiet();
  assert.deepEqual([after.held, sum(after.deliveries, 'delivered')], [0, 2]);
  for (const got of await delivered(rig)) assertJustTheseBlanked(got, pixels);
});

test('text that is said to be there and found nowhere is held without boxes; a person rejects it, and nothing leaves', async (t) => {
  const rig = await startReviewRig(t);
  await send(rig, capture(3, new Uint8Array(ROWS * COLUMNS), { more: [['BurnedInAnnotation', 'YES']] }));
  await rig.quiet();
  const { id, reason } = await theHeldOne(rig);
  assert.equal(reason, 'DEID_BURNED_IN_SUSPECT');
  assert.deepEqual((await rig.get<{ boxes: unknown[] }>(`/api/v1/instances/${id}/review`)).boxes, []);
  await rig.post(`/api/v1/instances/${id}/discard`);
  const counts = await rig.quiet();
  assert.deepEqual([counts.held, counts.discarded, sum(counts.deliveries, 'delivered')], [0, 1, 0]);
  assert.deepEqual(await delivered(rig), []);
  assert.ok([...(await eventsOf(rig, id)).keys()].some((event) => event.endsWith('discarded')));
  await assert.rejects(rig.get(`/api/v1/instances/${id}/review`), /: 404/);
});

test('queue review shows a held instance and decides about it beside a running gateway', async (t) => {
  const rig = await startReviewRig(t);
  const pixels = new Uint8Array(ROWS * COLUMNS).fill(90);
  await send(rig, capture(4, pixels, { more: [['BurnedInAnnotation', 'YES']] }));
  await rig.quiet();
  const { id } = await theHeldOne(rig);
  const shown = lethe(rig.dir, 'queue', 'review', id, '--config', 'lethe.yaml', '--json');
  assert.equal(shown.code, 0, shown.err);
  const { boxes, rows, columns, decided } = JSON.parse(shown.out);
  assert.deepEqual({ boxes, rows, columns, decided }, { boxes: [], rows: ROWS, columns: COLUMNS, decided: false });
  assert.equal((await theHeldOne(rig)).id, id);
  const wrong = lethe(rig.dir, 'queue', 'review', id, '--config', 'lethe.yaml', '--boxes', '1,2,3');
  assert.notEqual(wrong.code, 0);
  assert.equal((await theHeldOne(rig)).id, id);

  const done = lethe(rig.dir, 'queue', 'review', id, '--config', 'lethe.yaml', '--boxes', DRAWN);
  assert.equal(done.code, 0, done.err);
  const counts = await rig.quiet();
  assert.deepEqual([counts.held, sum(counts.deliveries, 'delivered')], [0, 1]);
  assertJustTheseBlanked((await delivered(rig))[0], pixels);
  assert.match((await eventsOf(rig, id)).get('review.decided') ?? '', /\(command line\): 2 boxes/);
});
