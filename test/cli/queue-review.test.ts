/** `lethe queue review`: what it accepts, what it refuses because something would pass unseen, and what it leaves behind. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { LocalReviews } from '../../src/queue/local-review.ts';
import { type HeldOptions, heldInstance } from '../support/held-instance.ts';
import { lethe } from './run-lethe.ts';

const FOUND = [
  { x: 10, y: 20, width: 300, height: 40 },
  { x: 5, y: 6, width: 7, height: 8 },
];
const DEVICE = [
  ['Manufacturer', 'ACME'],
  ['ManufacturerModelName', 'Scan 3'],
] as const;

async function held(t: TestContext, options: HeldOptions = {}) {
  const { id, deps, dataDir } = await heldInstance(t, { device: DEVICE, ...options });
  writeFileSync(join(dataDir, 'lethe.yaml'), '{ dataDir: . }');
  const review = (...args: string[]) => lethe(dataDir, 'queue', 'review', id, '--json', ...args);
  const state = async () => (await deps.store.instance(id))?.state;
  const decision = () => new LocalReviews(dataDir).decisionOf(id);
  const rules = () => new LocalReviews(dataDir).rules();
  const events = async () => (await deps.store.history(id)).map(({ event }) => event);
  return { review, state, decision, rules, events };
}

test('without a decision it shows the boxes and changes nothing', async (t) => {
  const { review, state, decision } = await held(t);
  const { code, out } = review();
  assert.equal(code, 0);
  const { boxes, decided } = JSON.parse(out);
  assert.deepEqual({ boxes, decided }, { boxes: FOUND, decided: false });
  assert.deepEqual([await state(), decision()], ['held', undefined]);
});

test('--accept blanks the boxes that were found, and makes no rule', async (t) => {
  const { review, state, decision, rules, events } = await held(t);
  const { code, out } = review('--accept');
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(out).boxes, FOUND);
  assert.equal(await state(), 'received');
  assert.deepEqual(decision(), FOUND);
  assert.deepEqual(rules(), []);
  assert.ok((await events()).includes('review.decided'));
});

test('--save-rule does the same to every image of this model and size', async (t) => {
  const { review, state, rules, events } = await held(t);
  assert.equal(review('--accept', '--save-rule').code, 0);
  assert.equal(await state(), 'received');
  assert.deepEqual(rules(), [{ manufacturer: 'ACME', model: 'Scan 3', rows: 480, columns: 640, boxes: FOUND }]);
  assert.ok((await events()).includes('review.rule-saved'));
});

test('--boxes with --save-rule makes a rule of what was drawn', async (t) => {
  const { review, decision, rules } = await held(t);
  assert.equal(review('--boxes', '1,2,3,4', '--save-rule').code, 0);
  const drawn = [{ x: 1, y: 2, width: 3, height: 4 }];
  assert.deepEqual(decision(), drawn);
  assert.deepEqual(
    rules().map(({ boxes }) => boxes),
    [drawn],
  );
});

test('what would let something pass unseen, or says two things, is refused and decides nothing', async (t) => {
  const none = await held(t, { detail: 'reason=said' });
  assert.equal(none.review('--accept').code, 2, 'nothing was found: accepting it would blank nothing');

  const many = Array.from({ length: 100 }, (_, index) => `${index},1,2,3`).join(';');
  const cut = await held(t, { detail: `reason=doubtful boxes=${many}` });
  assert.equal(cut.review('--accept').code, 2, 'a list of a hundred may not be the whole');

  const both = await held(t);
  assert.equal(both.review('--accept', '--boxes', '1,2,3,4').code, 2);
  assert.equal(both.review('--save-rule').code, 2, 'a rule of no decision');
  for (const { state, decision, rules } of [none, cut, both])
    assert.deepEqual([await state(), decision(), rules()], ['held', undefined, []]);

  const nameless = await held(t, { device: [] });
  assert.equal(nameless.review('--accept', '--save-rule').code, 1, 'a rule of no equipment');
  assert.deepEqual([await nameless.state(), nameless.decision()], ['held', undefined]);
});

test('an image that a person found clean passes with no boxes', async (t) => {
  const { review, state, decision } = await held(t, { detail: 'reason=said' });
  assert.equal(review('--boxes', '').code, 0);
  assert.equal(await state(), 'received');
  assert.deepEqual(decision(), []);
});
