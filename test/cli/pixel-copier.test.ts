/** Pixels on their way from file to file in two threads. */
import assert from 'node:assert/strict';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Blocks } from '../../src/cli/block-writer.ts';
import { fileSource } from '../../src/cli/file-source.ts';
import { OutputFile } from '../../src/cli/output-file.ts';
import { PixelCopier } from '../../src/cli/pixel-copier.ts';
import type { Cells, Pieces } from '../../src/core/bytes.ts';

const folder = mkdtempSync(join(tmpdir(), 'lethe-copier-'));
const copier = new PixelCopier();
after(async () => {
  await copier.close();
  rmSync(folder, { recursive: true, force: true });
});
let count = 0;
const newPath = (): string => join(folder, `${count++}`);

const LENGTH = 5 * 1024 * 1024 + 4;
const NOISE = Buffer.from(
  Uint32Array.from({ length: LENGTH / 4 }, (_, index) => Math.imul(index + 1, 2654435761) ^ (index >>> 3)).buffer,
);

/** PS3.5 §8.1.1, cell by cell as numbers: what is stored stays, and its sign where it is extended; the rest is zero. */
function cleared(bytes: Buffer, { bitsAllocated, bitsStored, highBit, signed, padding }: Cells): Buffer {
  const answer = Buffer.from(bytes);
  const cellBytes = bitsAllocated / 8;
  for (let at = 0; at + cellBytes <= bytes.length; at += cellBytes) {
    const cell = bytes.readUIntLE(at, cellBytes);
    if (cell === padding) continue;
    const lowest = highBit + 1 - bitsStored;
    const stored = Math.floor((cell % 2 ** (highBit + 1)) / 2 ** lowest) * 2 ** lowest;
    const isExtended = signed && stored >= 2 ** highBit && cell !== stored;
    answer.writeUIntLE(isExtended ? stored + 2 ** bitsAllocated - 2 ** (highBit + 1) : stored, at, cellBytes);
  }
  return answer;
}

interface Opened {
  readonly from: number;
  readonly to: number;
  readonly path: string;
}

async function withFiles(bytes: Uint8Array, work: (opened: Opened) => Promise<void>): Promise<void> {
  const [input, path] = [newPath(), newPath()];
  writeFileSync(input, bytes);
  const [from, to] = [openSync(input, 'r'), openSync(path, 'w')];
  try {
    await work({ from, to, path });
  } finally {
    closeSync(from);
    closeSync(to);
  }
}

describe('a range that is copied', () => {
  const grey = { bitsAllocated: 16, bitsStored: 12, highBit: 11, signed: false } as const;
  const kinds: Readonly<Record<string, Cells | undefined>> = {
    'bytes of any kind': undefined,
    '12 of 16 bits': grey,
    '12 of 16 bits with a sign': { ...grey, signed: true },
    '12 bits in the middle of 16': { ...grey, highBit: 13 },
    '12 of 16 bits, and a padding value': { ...grey, padding: NOISE.readUInt16LE(600_000) },
    '7 of 8 bits': { ...grey, bitsAllocated: 8, bitsStored: 7, highBit: 6 },
    '20 of 32 bits': { ...grey, bitsAllocated: 32, bitsStored: 20, highBit: 19 },
  };
  for (const [name, cells] of Object.entries(kinds)) {
    test(`stands where it should, with nothing hidden in it: ${name}`, async () => {
      const places = [
        [0, 0],
        [1, 6002],
        [8000, 262_143],
        [333_333, 1_000_001],
      ] as const;
      for (const [readAt, writeAt] of places) {
        await withFiles(NOISE, async ({ from, to, path }) => {
          const length = LENGTH - 333_334;
          const copied = copier.copy({ from, to, readAt, writeAt, length, cells });
          if (readAt > 0) copier.help(); // else the other thread does it all
          await copied;
          const source = NOISE.subarray(readAt, readAt + length);
          const expected = cells === undefined ? source : cleared(source, cells);
          const found = readFileSync(path);
          assert.equal(found.length, writeAt + length);
          assert.ok(found.subarray(writeAt).equals(expected), `${readAt} ${writeAt}`);
        });
      }
    });
  }

  test('is refused where the file ends too early, whichever thread comes upon it', async () => {
    for (const isHelped of [false, true])
      await withFiles(NOISE, async ({ from, to }) => {
        const copied = copier.copy({ from, to, readAt: 1000, writeAt: 0, length: LENGTH });
        if (isHelped) copier.help();
        await assert.rejects(copied, { code: 'DICOM_TRUNCATED' });
      });
  });

  test('is refused where it cannot be written', { skip: !existsSync('/dev/full') }, async () => {
    await withFiles(NOISE, async ({ from }) => {
      const to = openSync('/dev/full', 'w');
      for (const isHelped of [false, true]) {
        const copied = copier.copy({ from, to, readAt: 0, writeAt: 0, length: LENGTH });
        if (isHelped) copier.help();
        await assert.rejects(copied, { code: 'ENOSPC' });
      }
      closeSync(to);
    });
  });

  test('is whole although the other thread ends, before and after', async () => {
    const lonely = new PixelCopier();
    await withFiles(NOISE, async ({ from, to, path }) => {
      const copied = lonely.copy({ from, to, readAt: 0, writeAt: 0, length: LENGTH });
      await lonely.close();
      await copied;
      assert.ok(readFileSync(path).equals(NOISE));
      await lonely.copy({ from, to, readAt: 0, writeAt: LENGTH, length: LENGTH });
      assert.ok(readFileSync(path).equals(Buffer.concat([NOISE, NOISE])));
    });
  });

  test('many at once are each whole', async () => {
    const paths = Array.from({ length: 12 }, newPath);
    const input = newPath();
    writeFileSync(input, NOISE);
    const from = openSync(input, 'r');
    const copies = paths.map(async (path) => {
      const to = openSync(path, 'w');
      await copier.copy({ from, to, readAt: 0, writeAt: 0, length: LENGTH, cells: grey });
      closeSync(to);
    });
    copier.help();
    await Promise.all(copies);
    closeSync(from);
    const expected = cleared(NOISE, grey);
    for (const path of paths) assert.ok(readFileSync(path).equals(expected));
  });
});

describe('an output with a long range of its input', () => {
  const HEADER = Buffer.alloc(6002, 1);
  const TAIL = Buffer.from([7, 8]);
  const blocks = new Blocks();

  function outputOf(input: string, path: string, length = LENGTH) {
    const source = fileSource(input);
    const options = { expectedBytes: HEADER.length, isReadAgain: false, blocks, copier: { by: copier, input: source } };
    const output = new OutputFile(path, options);
    const pieces: Pieces = () => assert.fail('made in pieces');
    output.write(HEADER);
    output.later?.(length, Object.assign(pieces, { range: { source, offset: 0, length } }));
    output.write(TAIL);
    return { output, source };
  }

  test('is what it is without a copier', async () => {
    const [input, path] = [newPath(), newPath()];
    writeFileSync(input, NOISE);
    const { output, source } = outputOf(input, path);
    assert.equal(existsSync(path), false);
    await output.fill();
    await output.save();
    source.close();
    assert.ok(readFileSync(path).equals(Buffer.concat([HEADER, NOISE, TAIL])));
  });

  test('leaves nothing behind when it is discarded, or the input ends too early', async () => {
    const [input, path] = [newPath(), newPath()];
    writeFileSync(input, NOISE);
    const discarded = outputOf(input, path);
    await discarded.output.fill();
    await discarded.output.discard();
    discarded.source.close();
    const short = outputOf(input, path, LENGTH + 2_000_000);
    await short.output.fill();
    await assert.rejects(short.output.save(), { code: 'DICOM_TRUNCATED' });
    short.source.close();
    assert.equal(existsSync(path), false);
  });
});
