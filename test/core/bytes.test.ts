import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesSource, GatheringSink, MemorySink } from '../../src/core/bytes.ts';
import { borrowScratch, giveBackScratch, inMemory, SCRATCH_BYTES_MAX } from '../../src/core/scratch.ts';

test('gathered writes arrive in order, whatever their sizes, and few', () => {
  const written: number[] = [];
  const memory = new MemorySink();
  const sink = new GatheringSink(
    {
      write: (bytes) => {
        written.push(bytes.length);
        memory.write(bytes);
      },
    },
    16,
  );
  const sizes = [3, 5, 9, 40, 16, 1, 15, 1, 2];
  const expected: number[] = [];
  let next = 0;
  for (const size of sizes) {
    const bytes = Uint8Array.from({ length: size }, () => next++ & 0xff);
    expected.push(...bytes);
    sink.write(bytes);
    bytes.fill(0xee); // the sink must not have kept a reference
  }
  sink.flush();
  assert.deepEqual([...memory.bytes()], expected);
  assert.deepEqual(written, [8, 9, 40, 16, 16, 3]);
});

test('a gathering sink leaves for later what its sink leaves for later, behind what was gathered', () => {
  const seen: string[] = [];
  const sink = new GatheringSink({
    write: (bytes) => seen.push(`${bytes.length} bytes`),
    later: (length) => seen.push(`${length} later`),
  });
  sink.write(new Uint8Array(3));
  sink.later?.(1000, () => []);
  sink.write(new Uint8Array(4));
  sink.flush();
  assert.deepEqual(seen, ['3 bytes', '1000 later', '4 bytes']);
  assert.equal(new GatheringSink(new MemorySink()).later, undefined);
});

test('scratch memory in hand is never handed out twice', () => {
  const first = borrowScratch(10);
  const second = borrowScratch(10);
  assert.notEqual(first.buffer, second.buffer);
  giveBackScratch(first);
  assert.equal(borrowScratch(5_000_000).length >= 5_000_000, true);
  assert.notEqual(borrowScratch(10).buffer, second.buffer);
});

test('a source in memory reads the same, is closed once, and is left as it is where it is large', () => {
  let closed = 0;
  const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index & 0xff);
  const { read, size } = bytesSource(bytes);
  const file = { size, read, close: () => closed++ };
  const held = inMemory(file);
  assert.equal(closed, 1);
  assert.deepEqual(held.read(990, 100), bytes.subarray(990));
  held.close();
  assert.equal(closed, 1);
  const large = { ...file, size: SCRATCH_BYTES_MAX + 1 };
  assert.equal(inMemory(large), large);
});
