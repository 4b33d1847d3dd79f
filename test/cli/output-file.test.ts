/** Where the bytes of an output are before, while and after it is checked. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Blocks, BlockWriter } from '../../src/cli/block-writer.ts';
import { OutputFile } from '../../src/cli/output-file.ts';
import type { Pieces } from '../../src/core/bytes.ts';
import { LetheError } from '../../src/core/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'lethe-output-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const newPath = (): string => join(folder, `${count++}.dcm`);

const HEADER = bytesFrom(1, 6001);
const TAIL = Uint8Array.of(7, 8, 9);
const PIXELS = bytesFrom(2, 5 * 1024 * 1024 + 3);
const WHOLE = Buffer.concat([HEADER, PIXELS, TAIL]);
const blocks = new Blocks();
const OPTIONS = { expectedBytes: HEADER.length, isReadAgain: false, blocks };

function bytesFrom(seed: number, length: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

/** Into the memory that is given, as much as fits, or up to `most`. */
function inRoom(bytes: Uint8Array, most = Number.POSITIVE_INFINITY): Pieces {
  return function* (room) {
    for (let at = 0; at < bytes.length; ) {
      const space = room?.() ?? new Uint8Array(1000);
      const piece = space.subarray(0, Math.min(most, bytes.length - at));
      piece.set(bytes.subarray(at, at + piece.length));
      at += piece.length;
      yield piece;
    }
  };
}

/** In memory of its own, which it uses again for the next piece. */
function inOwnMemory(bytes: Uint8Array, pieceBytes: number): Pieces {
  return function* () {
    const space = new Uint8Array(pieceBytes);
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const piece = bytes.subarray(at, at + pieceBytes);
      space.set(piece);
      yield space.subarray(0, piece.length);
      space.fill(0xee);
    }
  };
}

function outputWith(pieces: Pieces, path: string): OutputFile {
  const output = new OutputFile(path, OPTIONS);
  output.write(HEADER);
  output.later?.(PIXELS.length, pieces);
  output.write(TAIL);
  return output;
}

describe('bytes that are left for later', () => {
  const ways: Readonly<Record<string, Pieces>> = {
    'in the memory that is given': inRoom(PIXELS),
    'in pieces of odd lengths there': inRoom(PIXELS, 99_991),
    'in memory of their own': inOwnMemory(PIXELS, 250_001),
    'in one piece longer than a block': inOwnMemory(PIXELS, PIXELS.length),
  };
  for (const [name, pieces] of Object.entries(ways)) {
    test(`stand where they were announced: ${name}`, async () => {
      const path = newPath();
      const output = outputWith(pieces, path);
      await output.fill();
      await output.save();
      assert.ok(readFileSync(path).equals(WHOLE));
    });
  }

  test('are zeros to whoever reads the output before, and no file is there yet', async () => {
    const path = newPath();
    const output = outputWith(() => assert.fail('asked for too early'), path);
    const expected = Buffer.concat([HEADER, new Uint8Array(PIXELS.length), TAIL]);
    const source = output.sourceWithoutLater();
    assert.equal(source.size, expected.length);
    const border = HEADER.length;
    const end = border + PIXELS.length;
    for (const at of [0, 5, border - 1, border, border + 1, 3_000_000, end - 1, end, end + 1, end + 3, end + 4])
      for (const length of [0, 1, 2, 100, 65_536, expected.length])
        assert.ok(Buffer.from(source.read(at, length)).equals(expected.subarray(at, at + length)), `${at} ${length}`);
    assert.throws(() => output.source(), LetheError);
    assert.equal(existsSync(path), false);
    await output.discard();
    assert.equal(existsSync(path), false);
  });

  test('leave no file when they fail in the middle', async () => {
    const path = newPath();
    const output = outputWith(function* (room) {
      yield* inRoom(PIXELS.subarray(0, 3_000_000))(room);
      throw new LetheError('DICOM_TRUNCATED');
    }, path);
    await assert.rejects(output.save(), { code: 'DICOM_TRUNCATED' });
    assert.equal(existsSync(path), false);
  });

  test('leave no file when they are not as many as announced', async () => {
    for (const length of [PIXELS.length - 1, 0]) {
      const path = newPath();
      const output = outputWith(inRoom(PIXELS.subarray(0, length)), path);
      await assert.rejects(output.save(), { code: 'INVARIANT' });
      assert.equal(existsSync(path), false);
    }
  });

  test('are written at once where the output is read again, or has outgrown memory', async () => {
    const again = new OutputFile(newPath(), { ...OPTIONS, isReadAgain: true });
    assert.equal(again.later, undefined);
    await again.discard();
    const path = newPath();
    const large = new OutputFile(path, { ...OPTIONS, expectedBytes: 20 * 1024 * 1024 });
    large.write(HEADER);
    large.later?.(PIXELS.length, inRoom(PIXELS));
    large.write(TAIL);
    assert.ok(Buffer.from(large.sourceWithoutLater().read(0, WHOLE.length)).equals(WHOLE));
    await large.save();
    assert.ok(readFileSync(path).equals(WHOLE));
  });
});

test('an output without anything for later is in memory until it is saved, however long it grows', async () => {
  for (const length of [1000, 1_500_000, 40_000_000]) {
    const path = newPath();
    const bytes = bytesFrom(3, length);
    const output = new OutputFile(path, OPTIONS);
    for (let at = 0; at < length; at += 300_000) output.write(bytes.subarray(at, at + 300_000));
    assert.equal(existsSync(path), length > 1_048_576); // the memory of a short one
    assert.ok(Buffer.from(output.source().read(0, length)).equals(bytes));
    await output.save();
    assert.ok(readFileSync(path).equals(bytes));
    const discarded = new OutputFile(newPath(), OPTIONS);
    discarded.write(bytes);
    await discarded.discard();
  }
});

test('a write that fails is told when the file is closed, or before', { skip: !existsSync('/dev/full') }, async () => {
  for (const megabytes of [0.5, 1, 8, 30]) {
    const writer = new BlockWriter('/dev/full', blocks);
    const reasons: unknown[] = [];
    const told = (error: NodeJS.ErrnoException): unknown => reasons.push(error.code);
    await writer
      .take(new Uint8Array(megabytes * 1024 * 1024))
      .then(() => writer.flush())
      .catch(told);
    await writer.close().catch(told);
    assert.ok(reasons.includes('ENOSPC'), `${megabytes}`);
  }
  // Whoever failed gave back what it had in hand.
  const path = newPath();
  const output = outputWith(inRoom(PIXELS), path);
  await output.save();
  assert.ok(readFileSync(path).equals(WHOLE));
});

test('many files at once share their memory, and all get through', async () => {
  const paths = Array.from({ length: 30 }, newPath);
  const saved = paths.map((path) => outputWith(inRoom(PIXELS), path).save());
  await Promise.all(saved);
  for (const path of paths) assert.ok(readFileSync(path).equals(WHOLE));
});
