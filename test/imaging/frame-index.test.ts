/** PS3.5 §A.4: which fragments make which frame, with right, wrong and missing offset tables. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Fragment, type FragmentedPixelData, indexFrames } from '../../src/imaging/frame-index.ts';

/** Five fragments of 10 bytes, each after its 8-byte item header, the first item at 1000. */
const FRAGMENTS: readonly Fragment[] = [0, 1, 2, 3, 4].map((index) => ({ offset: 1008 + index * 18, length: 10 }));

/** Offsets of the items, counted from the first one. */
const ITEM = [0, 18, 36, 54, 72] as const;

function data(changes: Partial<FragmentedPixelData>): FragmentedPixelData {
  return {
    fragments: FRAGMENTS,
    basicOffsets: [],
    extendedOffsets: [],
    extendedLengths: [],
    beginsFrame: undefined,
    ...changes,
  };
}

/** Frames as lists of fragment numbers. */
function numbers(frames: readonly (readonly Fragment[])[]): number[][] {
  return frames.map((frame) => frame.map(({ offset }) => (offset - 1008) / 18));
}

/** Says that the numbered fragments begin a codestream. */
function begins(...starts: number[]) {
  return ({ offset }: Fragment) => starts.includes((offset - 1008) / 18);
}

test('one frame is all fragments, whatever the table says', () => {
  assert.deepEqual(numbers(indexFrames(data({ basicOffsets: [77] }), 1)), [[0, 1, 2, 3, 4]]);
});

test('as many fragments as frames are one each', () => {
  assert.deepEqual(numbers(indexFrames(data({}), 5)), [[0], [1], [2], [3], [4]]);
});

test('the basic offset table divides the fragments', () => {
  const basicOffsets = [ITEM[0], ITEM[2], ITEM[3]];
  assert.deepEqual(numbers(indexFrames(data({ basicOffsets }), 3)), [[0, 1], [2], [3, 4]]);
});

test('the extended offset table names fragment and true length', () => {
  const index = indexFrames(data({ extendedOffsets: [ITEM[0], ITEM[3]], extendedLengths: [9, 10] }), 2);
  assert.deepEqual(index, [[{ offset: 1008, length: 9 }], [{ offset: 1062, length: 10 }]]);
});

test('a table that points beside items, backwards or outside is as good as none', () => {
  const beginsFrame = begins(0, 2);
  for (const basicOffsets of [
    [0, 20],
    [0, 0],
    [ITEM[2], ITEM[0]],
    [0, 99999],
  ]) {
    assert.deepEqual(numbers(indexFrames(data({ basicOffsets, beginsFrame }), 2)), [
      [0, 1],
      [2, 3, 4],
    ]);
  }
});

test('a table that points into the middle of a frame gives way to the codestreams themselves', () => {
  const index = indexFrames(data({ basicOffsets: [0, ITEM[3]], beginsFrame: begins(0, 2) }), 2);
  assert.deepEqual(numbers(index), [
    [0, 1],
    [2, 3, 4],
  ]);
});

test('without a table, fragments that begin a codestream begin a frame', () => {
  assert.deepEqual(numbers(indexFrames(data({ beginsFrame: begins(0, 1, 4) }), 3)), [[0], [1, 2, 3], [4]]);
});

test('fewer fragments than frames: pixel data are missing', () => {
  assert.throws(() => indexFrames(data({}), 6), { code: 'IMAGING_PIXEL_DATA_MISSING' });
  assert.throws(() => indexFrames(data({ fragments: [] }), 1), { code: 'IMAGING_PIXEL_DATA_MISSING' });
});

test('fragments that nothing assigns are refused, not guessed', () => {
  assert.throws(() => indexFrames(data({}), 2), { code: 'IMAGING_CODESTREAM_INVALID' });
  assert.throws(() => indexFrames(data({ beginsFrame: begins(0) }), 2), { code: 'IMAGING_CODESTREAM_INVALID' });
});

test('one frame declared and a codestream in every fragment: the count is wrong, frames would be lost', () => {
  assert.throws(() => indexFrames(data({ beginsFrame: begins(0, 1, 2, 3, 4) }), 1), {
    code: 'IMAGING_DESCRIPTION_INVALID',
  });
});

test('frames of a known length are over when their bytes are there, a byte of padding aside', () => {
  assert.deepEqual(numbers(indexFrames(data({ frameLength: 20 }), 3)), [[0, 1], [2, 3], [4]]);
  assert.deepEqual(numbers(indexFrames(data({ frameLength: 9 }), 5)), [[0], [1], [2], [3], [4]]);
  const wide = FRAGMENTS.map((fragment, index) => (index === 1 ? { ...fragment, length: 11 } : fragment));
  assert.deepEqual(numbers(indexFrames(data({ fragments: wide.slice(0, 4), frameLength: 20 }), 2)), [
    [0, 1],
    [2, 3],
  ]);
});

test('fragments that do not keep to the length of a frame are refused', () => {
  for (const frameLength of [14, 25])
    assert.throws(() => indexFrames(data({ frameLength }), 2), { code: 'IMAGING_CODESTREAM_INVALID' });
});
