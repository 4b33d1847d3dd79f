import assert from 'node:assert/strict';
import { test } from 'node:test';
import { takes } from '../../src/delivery/filter.ts';

const CT = '1.2.840.10008.5.1.4.1.1.2';
const ct = { modality: 'CT', sopClassUid: CT, hasImages: true };
const report = { modality: 'SR', sopClassUid: '1.2.840.10008.5.1.4.1.1.88.11', hasImages: false };

test('a filter without conditions takes everything', () => {
  assert.ok(takes({}, ct) && takes({}, report));
});

test('by modality; an instance without one is not taken', () => {
  const { modality: _modality, ...without } = ct;
  assert.ok(takes({ modalities: ['CT'] }, ct));
  assert.ok(!takes({ modalities: ['CT'] }, report));
  assert.ok(!takes({ modalities: ['CT'] }, without));
});

test('by SOP class, and all but some', () => {
  assert.ok(takes({ sopClasses: [CT] }, ct) && !takes({ sopClasses: [CT] }, report));
  assert.ok(!takes({ exceptSopClasses: [CT] }, ct) && takes({ exceptSopClasses: [CT] }, report));
});

test('only what has an image', () => {
  assert.ok(takes({ imagesOnly: true }, ct) && !takes({ imagesOnly: true }, report));
});
