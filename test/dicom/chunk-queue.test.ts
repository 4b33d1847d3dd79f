/** Bytes in chunks: taken, looked at and dropped alike however they were cut. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ChunkQueue } from '../../src/dicom/chunk-queue.ts';

function queueOf(...chunks: readonly (readonly number[])[]): ChunkQueue {
  const queue = new ChunkQueue();
  for (const chunk of chunks) queue.push(Uint8Array.from(chunk));
  return queue;
}

describe('ChunkQueue', () => {
  test('takes a view of one chunk and a copy across two', () => {
    const first = Uint8Array.of(1, 2, 3);
    const queue = new ChunkQueue();
    queue.push(first);
    queue.push(Uint8Array.of(4, 5));
    assert.equal(queue.take(2).buffer, first.buffer);
    const joined = queue.take(2);
    assert.deepEqual(joined, Uint8Array.of(3, 4));
    assert.notEqual(joined.buffer, first.buffer);
    assert.equal(queue.available, 1);
  });

  test('looks ahead without consuming', () => {
    const queue = queueOf([1], [2, 3], [4]);
    const into = new Uint8Array(4);
    queue.peek(3, into);
    assert.deepEqual(into, Uint8Array.of(1, 2, 3, 0));
    assert.equal(queue.available, 4);
    assert.deepEqual(queue.take(4), Uint8Array.of(1, 2, 3, 4));
  });

  test('takeSome answers what one chunk has, at most as much as asked for', () => {
    const queue = queueOf([1, 2, 3], [4]);
    assert.deepEqual(queue.takeSome(2), Uint8Array.of(1, 2));
    assert.deepEqual(queue.takeSome(10), Uint8Array.of(3));
    assert.deepEqual(queue.takeSome(10), Uint8Array.of(4));
  });

  test('empty chunks change nothing, taking nothing neither', () => {
    const queue = queueOf([], [1], []);
    assert.equal(queue.take(0).length, 0);
    assert.deepEqual(queue.take(1), Uint8Array.of(1));
    assert.equal(queue.take(0).length, 0);
    assert.equal(queue.available, 0);
  });

  test('five thousand chunks of a byte are read in order, over the point where used ones are released', () => {
    const queue = new ChunkQueue();
    for (let value = 0; value < 5000; value++) queue.push(Uint8Array.of(value & 0xff));
    for (let value = 0; value < 5000; value += 2) {
      assert.deepEqual(queue.take(2), Uint8Array.of(value & 0xff, (value + 1) & 0xff));
    }
    assert.equal(queue.available, 0);
  });

  test('any mixture of pushes, takes and drops is the plain byte sequence', () => {
    const actions = fc.array(fc.tuple(fc.constantFrom('push', 'take', 'drop', 'peek', 'some'), fc.nat(9)), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(actions, (list) => {
        const queue = new ChunkQueue();
        const plain: number[] = [];
        let next = 0;
        for (const [action, count] of list) {
          const length = Math.min(count, plain.length);
          if (action === 'push') {
            const bytes = Uint8Array.from({ length: count }, () => next++ & 0xff);
            queue.push(bytes);
            plain.push(...bytes);
          } else if (action === 'take') assert.deepEqual([...queue.take(length)], plain.splice(0, length));
          else if (action === 'drop') {
            queue.drop(length);
            plain.splice(0, length);
          } else if (action === 'peek') {
            const into = new Uint8Array(length);
            queue.peek(length, into);
            assert.deepEqual([...into], plain.slice(0, length));
          } else if (plain.length > 0 && count > 0) {
            const some = queue.takeSome(count);
            assert.ok(some.length >= 1 && some.length <= count);
            assert.deepEqual([...some], plain.splice(0, some.length));
          }
          assert.equal(queue.available, plain.length);
        }
      }),
    );
  });
});
