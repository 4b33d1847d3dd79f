import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chosenFrames } from '../../src/imaging/chosen-frames.ts';
import { type Attributes, imageFile } from './image-files.ts';

function byRate(attributes: Attributes, frameCount: number, perSecond: number): readonly number[] {
  return chosenFrames(imageFile(attributes).dataSet, frameCount, { perSecond });
}

test('all frames, or the ones named in the order named', () => {
  const { dataSet } = imageFile({});
  assert.deepEqual(chosenFrames(dataSet, 3, 'all'), [1, 2, 3]);
  assert.deepEqual(chosenFrames(dataSet, 3, [3, 1]), [3, 1]);
  assert.throws(() => chosenFrames(dataSet, 3, [4]), { code: 'IMAGING_PIXEL_DATA_MISSING' });
});

test('the first, the middle one, and those of a list that are there', () => {
  const { dataSet } = imageFile({});
  assert.deepEqual(chosenFrames(dataSet, 9, 'first'), [1]);
  assert.deepEqual(
    [1, 2, 3, 4].map((count) => chosenFrames(dataSet, count, 'middle')),
    [[1], [2], [2], [3]],
  );
  assert.deepEqual(chosenFrames(dataSet, 5, { numbers: [9, 5, 2, 5] }), [2, 5]);
  assert.deepEqual(chosenFrames(dataSet, 5, { numbers: [6] }), [1]);
});

test('a rate takes one frame in so many, by frame time, cine rate or display rate', () => {
  assert.deepEqual(byRate({ FrameTime: '100' }, 10, 5), [1, 3, 5, 7, 9]);
  assert.deepEqual(byRate({ CineRate: '30' }, 30, 2), [1, 16]);
  assert.deepEqual(byRate({ RecommendedDisplayFrameRate: '15' }, 15, 4), [1, 4, 8, 12]);
});

test('nothing is left out where frames come slower than asked for, or at no known rate', () => {
  assert.deepEqual(byRate({ FrameTime: '1000' }, 3, 5), [1, 2, 3]);
  assert.deepEqual(byRate({}, 3, 1), [1, 2, 3]);
});
