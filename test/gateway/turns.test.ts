import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SCRATCH_BYTES_MAX } from '../../src/core/scratch.ts';
import { Turns } from '../../src/gateway/turns.ts';

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** What began, in order, and a way to end one. */
function begun(sizes: readonly number[]) {
  const turns = new Turns();
  const started: number[] = [];
  const ends: (() => void)[] = [];
  for (const [index, bytes] of sizes.entries()) {
    const run = () => {
      started.push(index);
      return new Promise<void>((resolve) => {
        ends[index] = resolve;
      });
    };
    turns.add({ bytes, run });
  }
  const end = async (index: number) => {
    ends[index]?.();
    await settled();
  };
  return { started, end };
}

test('three go on by turns; another begins when one has ended, in the order they came', async () => {
  const { started, end } = begun([1, 1, 1, 1, 1]);
  assert.deepEqual(started, [0, 1, 2]);
  await end(1);
  assert.deepEqual(started, [0, 1, 2, 3]);
  await end(3);
  assert.deepEqual(started, [0, 1, 2, 3, 4]);
});

test('together they take no more memory than two of the largest', async () => {
  const { started, end } = begun([SCRATCH_BYTES_MAX, SCRATCH_BYTES_MAX, SCRATCH_BYTES_MAX, 1]);
  assert.deepEqual(started, [0, 1]);
  await end(0);
  assert.deepEqual(started, [0, 1, 2]);
  await end(1);
  assert.deepEqual(started, [0, 1, 2, 3]);
});

test('what is larger than all of that goes on alone', async () => {
  const { started, end } = begun([1, 100 * SCRATCH_BYTES_MAX, 1]);
  assert.deepEqual(started, [0]);
  await end(0);
  assert.deepEqual(started, [0, 1]);
  await end(1);
  assert.deepEqual(started, [0, 1, 2]);
});
