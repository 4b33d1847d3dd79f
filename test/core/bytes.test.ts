import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesSource, GatheringSink, joinedSource, MemorySink } from '../../src/core/bytes.ts';
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

test('scratch memory that fits is lent again, and not for much less than it holds', () => {
  const large = borrowScratch(12_000_000);
  giveBackScratch(large);
  assert.notEqual(borrowScratch(1_000_000).buffer, large.buffer);
  assert.equal(borrowScratch(11_000_000).buffer, large.buffer);
});

test('of scratch memory that is kept, what nobody asked for longest goes first', () => {
  const [first, second, third, fourth] = [1, 2, 3, 4].map(() => borrowScratch(SCRATCH_BYTES_MAX));
  assert.ok(first && second && third && fourth);
  for (const buffer of [first, second, third, fourth]) giveBackScratch(buffer);
  const again = [1, 2, 3, 4].map(() => borrowScratch(SCRATCH_BYTES_MAX).buffer);
  assert.ok([second, third, fourth].every(({ buffer }) => again.includes(buffer)));
  assert.ok(!again.includes(first.buffer));
});

test('joined sources read as one, across their borders and into memory that is given', () => {
  const all = Uint8Array.from({ length: 100 }, (_, index) => index);
  const joined = joinedSource(
    [all.subarray(0, 10), all.subarray(10, 10), all.subarray(10, 60), all.subarray(60)].map(bytesSource),
  );
  assert.equal(joined.size, 100);
  for (let at = 0; at <= 101; at++)
    for (const length of [0, 1, 49, 50, 51, 200])
      assert.deepEqual([...joined.read(at, length)], [...all.subarray(at, at + length)]);
  const into = new Uint8Array(60);
  assert.equal(joined.read(5, 60, into).buffer, into.buffer);
  assert.equal(joined.read(20, 30).buffer, all.buffer, 'within one nothing is copied');
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
