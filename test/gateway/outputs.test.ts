import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mainManifest, manifestFor, writeManifests } from '../../src/gateway/manifests.ts';
import { type DestinationTaker, planOutputs, takersOf } from '../../src/gateway/outputs.ts';
import { deliverable } from '../delivery/deliverable.ts';

const SITE = { format: 'jpeg', quality: 90, onUnrepresentable: 'hold' } as const;
const CT = { sopClassUid: '1.2.840.10008.5.1.4.1.1.2', modality: 'CT', hasImages: true };

function taker(name: string, more: Partial<DestinationTaker> = {}): DestinationTaker {
  return { name, accepts: 'all', wantsImages: true, wantsObject: true, ...more };
}

test('who takes an instance is what rule, kind and filter leave', () => {
  const all = [
    taker('images', { accepts: 'images' }),
    taker('objects', { accepts: 'non-images' }),
    taker('mr', { filter: { modalities: ['MR'] } }),
    taker('ct', { filter: { modalities: ['CT'] } }),
  ];
  const names = (facts: typeof CT, routed?: string[]) => takersOf(facts, all, routed).map(({ name }) => name);
  assert.deepEqual(names(CT), ['images', 'ct']);
  assert.deepEqual(names({ ...CT, hasImages: false }), ['objects', 'ct']);
  assert.deepEqual(names(CT, ['ct', 'mr']), ['ct']);
  assert.deepEqual(names(CT, []), []);
});

test('destinations that ask for the same share one output', () => {
  const plans = planOutputs(
    [taker('a'), taker('b', { rendering: { quality: 90 } }), taker('c', { wantsImages: false })],
    SITE,
  );
  assert.deepEqual(plans, [
    {
      profile: undefined,
      keepsObject: true,
      images: [{ rendering: SITE, destinations: ['a', 'b', 'c'], wanted: true }],
    },
  ]);
});

test('the object is kept where anybody of its profile wants it', () => {
  const lean = { wantsObject: false };
  const kept = (...takers: DestinationTaker[]) => planOutputs(takers, SITE).map(({ keepsObject }) => keepsObject);
  assert.deepEqual(kept(taker('a', lean), taker('b', lean)), [false]);
  assert.deepEqual(kept(taker('a', lean), taker('b')), [true]);
  assert.deepEqual(kept(taker('a', lean), taker('b', { profile: 'research' })), [false, true]);
});

test('another format is other images of the same object; another profile is another object', () => {
  const plans = planOutputs(
    [
      taker('a'),
      taker('b', { rendering: { format: 'png16' } }),
      taker('c', { profile: 'research' }),
      taker('d', { profile: 'research', rendering: { quality: 50 } }),
    ],
    SITE,
  );
  assert.deepEqual(
    plans.map(({ profile, images }) => [
      profile,
      images.map(({ rendering, destinations }) => [rendering.format, rendering.quality, ...destinations]),
    ]),
    [
      [
        undefined,
        [
          ['jpeg', 90, 'a'],
          ['png16', 90, 'b'],
        ],
      ],
      [
        'research',
        [
          ['jpeg', 90, 'c'],
          ['jpeg', 50, 'd'],
        ],
      ],
    ],
  );
});

test('whoever wants no images has none made for it alone, and takes part in no question of format', () => {
  const pacs = taker('pacs', { wantsImages: false, rendering: { format: 'png' } });
  const plans = planOutputs([pacs, taker('cloud', { rendering: { format: 'png16' } })], SITE);
  assert.deepEqual(
    plans.map(({ images }) => images.map(({ destinations }) => destinations)),
    [[['pacs', 'cloud']]],
  );
  const [alone] = planOutputs([taker('pacs', { wantsImages: false, profile: 'basic' })], SITE);
  assert.equal(alone?.images[0]?.wanted, false);
});

test('each destination gets the manifest that was made for it; one that nothing was made for gets none', () => {
  const [first, second] = [deliverable().manifest, deliverable({ patientId: 'PX' }).manifest];
  const text = writeManifests([
    { destinations: ['a', 'b'], manifest: first },
    { destinations: ['c'], manifest: second },
  ]);
  assert.deepEqual(manifestFor(text, 'a'), first);
  assert.deepEqual(manifestFor(text, 'c'), second);
  assert.deepEqual(mainManifest(text), first);
  assert.throws(() => manifestFor(text, 'd'), /SPOOL_CORRUPT/);
  assert.throws(() => manifestFor('{', 'a'), /SPOOL_CORRUPT/);
  assert.deepEqual(manifestFor(JSON.stringify(first), 'a'), first, 'as an earlier version wrote it');
});
