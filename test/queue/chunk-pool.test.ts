/** Memory for direct writes: every chunk can be written from, none overlaps another, whatever the C library does. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { BLOCK_BYTES, CHUNK_BYTES, ChunkPool } from '../../src/queue/chunk-pool.ts';
import { canWriteDirectly } from '../../src/queue/disk.ts';

const folder = mkdtempSync(join(tmpdir(), 'lethe-chunks-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const aligned = new Uint8Array(new WebAssembly.Memory({ initial: 1, maximum: 1 }).buffer, 0, BLOCK_BYTES);
const skip = canWriteDirectly(folder, aligned) ? false : 'this file system has no direct writes';
/** Of more than one slab. */
const MANY = 600;

for (const [what, suits] of [
  ['of the C library', (chunk: Uint8Array) => canWriteDirectly(folder, chunk)],
  ['of WebAssembly, where the C library has none that suits', () => false],
] as const)
  test(`a file can be written directly from every chunk ${what}`, { skip }, () => {
    const pool = new ChunkPool(suits);
    const chunks = Array.from({ length: MANY }, () => pool.take());
    assert.ok(new Set(chunks.map(({ buffer }) => buffer)).size > 1);
    for (const chunk of chunks.filter((_, index) => index % 50 === 0 || index === MANY - 1))
      assert.ok(canWriteDirectly(folder, chunk));
  });

test('chunks do not overlap, and the one given last is taken first', () => {
  const pool = new ChunkPool(() => true);
  const chunks = Array.from({ length: MANY }, () => pool.take());
  for (const [index, chunk] of chunks.entries()) chunk.fill(index & 0xff, 0, 1).fill(index >> 8, CHUNK_BYTES - 1);
  for (const [index, chunk] of chunks.entries())
    assert.deepEqual([chunk.length, chunk[0], chunk[CHUNK_BYTES - 1]], [CHUNK_BYTES, index & 0xff, index >> 8]);
  for (const chunk of chunks.slice(0, 2)) pool.give(chunk);
  assert.equal(pool.take(), chunks[1]);
});
