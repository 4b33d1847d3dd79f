/** Blanking of sequential JPEG as DCMTK decodes it: blocks that were not touched keep every sample. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import sharp from 'sharp';
import { LetheError } from '../../../src/core/errors.ts';
import { blankDctBlocks, isSequentialDct } from '../../../src/imaging/redact/jpeg-dct.ts';
import type { Rect } from '../../../src/imaging/redact/rect.ts';
import { redactPixels } from '../../../src/imaging/redact/redact-pixels.ts';
import { buildPart10 } from '../../build/data-set.ts';
import { skipWithoutProgram } from '../../support/peers.ts';
import {
  Bench,
  elementsOf,
  nativeFile,
  nativeWords,
  opened,
  type TestImage,
  valuesOf,
  withReplacements,
} from './redacted-files.ts';

const GREY: TestImage = {
  rows: 77,
  columns: 101,
  samplesPerPixel: 1,
  bitsAllocated: 8,
  bitsStored: 8,
  photometric: 'MONOCHROME2',
  frames: 2,
};
const COLOUR: TestImage = { ...GREY, samplesPerPixel: 3, photometric: 'RGB' };
const BOX: Rect = { x: 21, y: 18, width: 30, height: 21 };

interface Case {
  readonly image: TestImage;
  readonly options: readonly string[];
  /** Size of an MCU, and how far a decoder lets the chrominance of a block reach into its neighbour. */
  readonly mcu: readonly [width: number, height: number];
  readonly reach: number;
  readonly black: number;
}

const CASES: Readonly<Record<string, Case>> = {
  'baseline, grey': { image: GREY, options: ['+eb', '+q', '85'], mcu: [8, 8], reach: 0, black: 0 },
  'baseline, MONOCHROME1': {
    image: { ...GREY, photometric: 'MONOCHROME1' },
    options: ['+eb', '+q', '85'],
    mcu: [8, 8],
    reach: 0,
    black: 255,
  },
  'baseline, colour 4:4:4': { image: COLOUR, options: ['+eb', '+q', '90', '+s4'], mcu: [8, 8], reach: 0, black: 0 },
  'baseline, colour 4:2:2': { image: COLOUR, options: ['+eb', '+q', '90', '+s2'], mcu: [16, 8], reach: 1, black: 0 },
  'extended, 12 bits': {
    image: { ...GREY, bitsAllocated: 16, bitsStored: 12 },
    options: ['+ee', '+q', '80'],
    mcu: [8, 8],
    reach: 0,
    black: 0,
  },
  'low quality': { image: GREY, options: ['+eb', '+q', '10'], mcu: [8, 8], reach: 0, black: 0 },
};

/** 0 outside, 1 within reach of the blanked MCUs, 2 in the rectangle, 1 in the rest of its MCUs. */
function zone({ image, mcu: [width, height], reach }: Case, index: number): 0 | 1 | 2 {
  const pixel = Math.floor(index / image.samplesPerPixel);
  const x = pixel % image.columns;
  const y = Math.floor(pixel / image.columns) % image.rows;
  if (x >= BOX.x && x < BOX.x + BOX.width && y >= BOX.y && y < BOX.y + BOX.height) return 2;
  const left = Math.floor(BOX.x / width) * width - reach;
  const top = Math.floor(BOX.y / height) * height - reach;
  const right = Math.ceil((BOX.x + BOX.width) / width) * width + reach;
  const bottom = Math.ceil((BOX.y + BOX.height) / height) * height + reach;
  return x >= left && x < right && y >= top && y < bottom ? 1 : 0;
}

describe('blocks of sequential JPEG', { skip: skipWithoutProgram('dcmcjpeg', 'dcmdjpeg') }, () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'lethe-dct-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const [name, case_] of Object.entries(CASES)) {
    test(`${name}: flat and black in the rectangle, unchanged outside of its blocks`, async () => {
      const bench = new Bench(folder);
      const original = bench.run('dcmcjpeg', [...case_.options, '+un'], nativeFile(case_.image));
      const file = opened(original);
      const redaction = await redactPixels(file, [BOX]);
      assert.ok(redaction);
      assert.equal(redaction.transferSyntaxUid, undefined);
      const [was, is] = [original, withReplacements(file, redaction)].map((bytes) =>
        nativeWords(bench.run('dcmdjpeg', ['+px'], bytes)),
      );
      assert.ok(was && is);
      assert.equal(is.length, was.length);
      for (let index = 0; index < is.length; index++) {
        const where = zone(case_, index);
        if (where === 0) assert.equal(is[index], was[index], `sample ${index}`);
        // The quantizer of DC decides how near to black a block can be: within two of its steps of an eighth.
        if (where === 2) assert.ok(Math.abs((is[index] ?? 0) - case_.black) <= 24, `sample ${index}: ${is[index]}`);
      }
    });
  }

  test('colour 4:2:0 by libjpeg-turbo: unchanged outside of its blocks', async () => {
    const bench = new Bench(folder);
    const image: TestImage = { ...COLOUR, frames: 1, photometric: 'YBR_FULL_422' };
    const frame = await sharp(Uint8Array.from(valuesOf({ ...COLOUR, frames: 1 })), {
      raw: { width: image.columns, height: image.rows, channels: 3 },
    })
      .jpeg({ quality: 85, chromaSubsampling: '4:2:0' })
      .toBuffer();
    const [was, is] = [new Uint8Array(frame), blankDctBlocks(new Uint8Array(frame), [BOX], 'dark')].map((stream) => {
      const pixels = ['PixelData', 'OB', { fragments: [new Uint8Array(0), stream] }] as const;
      const file = buildPart10(elementsOf(image, pixels), { transferSyntax: '1.2.840.10008.1.2.4.50' });
      return nativeWords(bench.run('dcmdjpeg', ['+px'], file));
    });
    assert.ok(was && is);
    const case_: Case = { image, options: [], mcu: [16, 16], reach: 1, black: 0 };
    for (let index = 0; index < was.length; index++) {
      const where = zone(case_, index);
      if (where === 0) assert.equal(is[index], was[index], `sample ${index}`);
      if (where === 2) assert.ok((is[index] ?? 255) <= 4, `sample ${index}: ${is[index]}`);
    }
  });

  test('nothing but entropy coding changes where no block is touched', async () => {
    const bench = new Bench(folder);
    const original = bench.run('dcmcjpeg', ['+eb', '+q', '85', '+un'], nativeFile(COLOUR));
    const file = opened(original);
    const redaction = await redactPixels(file, [{ ...BOX, frames: [1] } as Rect]);
    assert.ok(redaction);
    const [was, is] = [original, withReplacements(file, redaction)].map((bytes) =>
      nativeWords(bench.run('dcmdjpeg', ['+px'], bytes)),
    );
    const frame = COLOUR.rows * COLOUR.columns * 3;
    assert.deepEqual(is?.slice(0, frame), was?.slice(0, frame));
    assert.notDeepEqual(is?.slice(frame), was?.slice(frame));
  });

  test('restart intervals stay where they are', () => {
    const bench = new Bench(folder);
    const image: TestImage = { ...GREY, rows: 24, columns: 40, frames: 1 };
    const levels = Array.from({ length: 15 }, (_, block) => (block * 11) % 40);
    const stream = restartingJpeg(image, levels, 2);
    const blanked = blankDctBlocks(stream, [{ x: 9, y: 9, width: 3, height: 3 }], 'dark');
    assert.deepEqual(restartMarkers(blanked), [0, 1, 2, 3, 4, 5, 6]);
    const [was, is] = [stream, blanked].map((frame) => {
      const file = buildPart10(elementsOf(image, ['PixelData', 'OB', { fragments: [new Uint8Array(0), frame] }]), {
        transferSyntax: '1.2.840.10008.1.2.4.50',
      });
      return nativeWords(bench.run('dcmdjpeg', [], file));
    });
    for (let index = 0; index < 24 * 40; index++) {
      const isTouched = index % 40 >= 8 && index % 40 < 16 && index >= 8 * 40 && index < 16 * 40;
      // DC is a whole eighth of the sample: 128 + level.
      const level = levels[Math.floor(index / 320) * 5 + Math.floor((index % 40) / 8)] ?? 0;
      assert.equal(was?.[index], 128 + level);
      assert.equal(is?.[index], isTouched ? 0 : 128 + level);
    }
  });

  test('comments and application segments of the frame go', async () => {
    const bench = new Bench(folder);
    const file = opened(bench.run('dcmcjpeg', ['+eb', '+un'], nativeFile({ ...GREY, frames: 1 })));
    const pixels = file.dataSet.element(0x7fe00010)?.fragments?.[1];
    assert.ok(pixels);
    const stream = Buffer.from(file.source.read(pixels.offset, pixels.length));
    const comment = Buffer.concat([Buffer.from([0xff, 0xfe, 0, 12]), Buffer.from('DOE JOHN 7')]);
    const frame = Buffer.concat([stream.subarray(0, 2), comment, stream.subarray(2)]);
    const commented = opened(
      buildPart10(elementsOf({ ...GREY, frames: 1 }, ['PixelData', 'OB', { fragments: [new Uint8Array(0), frame] }]), {
        transferSyntax: '1.2.840.10008.1.2.4.50',
      }),
    );
    const redaction = await redactPixels(commented, [BOX]);
    const replacement = redaction?.replace.get(0x7fe00010);
    assert.ok(replacement?.kind === 'fragments');
    for (const fragment of replacement.fragments()) assert.ok(!Buffer.from(fragment).includes('DOE JOHN'));
  });

  test('a stream of another size than the image is refused', async () => {
    const bench = new Bench(folder);
    const image: TestImage = { ...GREY, frames: 1 };
    const file = opened(bench.run('dcmcjpeg', ['+eb', '+un'], nativeFile(image)));
    const pixels = file.dataSet.element(0x7fe00010)?.fragments?.[1];
    assert.ok(pixels);
    const stream = new Uint8Array(file.source.read(pixels.offset, pixels.length));
    const elements = elementsOf({ ...image, rows: 60 }, [
      'PixelData',
      'OB',
      { fragments: [new Uint8Array(0), stream] },
    ]);
    const redaction = await redactPixels(opened(buildPart10(elements, { transferSyntax: file.transferSyntax.uid })), [
      BOX,
    ]);
    const replacement = redaction?.replace.get(0x7fe00010);
    assert.ok(replacement?.kind === 'fragments');
    assert.throws(() => [...replacement.fragments()], { code: 'IMAGING_CODESTREAM_INVALID' });
  });

  test('progressive streams are not taken for sequential ones, and damage is an error', () => {
    const bench = new Bench(folder);
    const file = opened(bench.run('dcmcjpeg', ['+ep', '+un'], nativeFile({ ...GREY, frames: 1 })));
    const pixels = file.dataSet.element(0x7fe00010)?.fragments?.[1];
    assert.ok(pixels);
    assert.equal(isSequentialDct(file.source.read(pixels.offset, pixels.length)), false);
    const stream = restartingJpeg({ ...GREY, rows: 24, columns: 40 }, new Array<number>(15).fill(3), 2);
    for (let length = 2; length < stream.length - 2; length++) {
      const cut = Uint8Array.from([...stream.subarray(0, length), 0xff, 0xd9]);
      assert.throws(() => blankDctBlocks(cut, [BOX], 'dark'), { code: 'IMAGING_CODESTREAM_INVALID' }, `${length}`);
    }
  });
});

test('any damage of a stream is a typed error or another stream, never a crash', async () => {
  const image: TestImage = { ...COLOUR, rows: 40, columns: 56, frames: 1 };
  const colour = await sharp(Uint8Array.from(valuesOf(image)), {
    raw: { width: image.columns, height: image.rows, channels: 3 },
  })
    .jpeg({ quality: 70, chromaSubsampling: '4:2:0' })
    .toBuffer();
  const streams = [new Uint8Array(colour), restartingJpeg({ ...GREY, rows: 24, columns: 40 }, [5, 9, 1], 1)];
  const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.constantFrom(...streams), damage, (stream, changes) => {
      const damaged = stream.slice();
      for (const [position, value] of changes) damaged[position % damaged.length] = value;
      try {
        assert.ok(blankDctBlocks(damaged, [BOX], 'dark').length > 0);
      } catch (error) {
        assert.ok(error instanceof LetheError, String(error));
      }
    }),
    { numRuns: 400 },
  );
});

/** Restart markers of the stream, by number. */
function restartMarkers(stream: Uint8Array): number[] {
  const numbers: number[] = [];
  for (let at = stream.length - 2, start = stream.lastIndexOf(0xda); at > start; at--) {
    const code = stream[at + 1] ?? 0;
    if (stream[at] === 0xff && code >= 0xd0 && code <= 0xd7) numbers.unshift(code & 7);
  }
  return numbers;
}

/**
 * A baseline stream of flat blocks by hand: quantizer 8 for DC, so that a step of DC is one of the samples; DC sizes 0 to 7
 * as codes of 4 bits, and one AC code, EOB, of 1 bit. A restart marker every `interval` blocks.
 */
function restartingJpeg({ rows, columns }: TestImage, levels: readonly number[], interval: number): Uint8Array {
  const data: number[] = [];
  let bits = '';
  const flush = (): void => {
    while (bits.length % 8 !== 0) bits += '1';
    for (const byte of bits.match(/.{8}/g) ?? []) {
      data.push(Number.parseInt(byte, 2));
      if (data.at(-1) === 0xff) data.push(0);
    }
    bits = '';
  };
  let before_ = 0;
  for (const [block, level] of levels.entries()) {
    if (block > 0 && block % interval === 0) {
      flush();
      data.push(0xff, 0xd0 + ((block / interval - 1) & 7));
      before_ = 0;
    }
    const difference = level - before_;
    before_ = level;
    const size = difference === 0 ? 0 : Math.abs(difference).toString(2).length;
    const extra = difference < 0 ? difference + 2 ** size - 1 : difference;
    bits += size.toString(2).padStart(4, '0');
    if (size > 0) bits += extra.toString(2).padStart(size, '0');
    bits += '0';
  }
  flush();
  const word = (value: number): number[] => [value >> 8, value & 0xff];
  return Uint8Array.from([
    ...[0xff, 0xd8],
    ...[0xff, 0xdb, 0, 67, 0, ...new Array<number>(64).fill(8)],
    ...[0xff, 0xc0, 0, 11, 8, ...word(rows), ...word(columns), 1, 1, 0x11, 0],
    ...[0xff, 0xc4, 0, 27, 0x00, 0, 0, 0, 8, ...new Array<number>(12).fill(0), 0, 1, 2, 3, 4, 5, 6, 7],
    ...[0xff, 0xc4, 0, 20, 0x10, 1, ...new Array<number>(15).fill(0), 0],
    ...[0xff, 0xdd, 0, 4, ...word(interval)],
    ...[0xff, 0xda, 0, 8, 1, 1, 0x00, 0, 63, 0],
    ...data,
    ...[0xff, 0xd9],
  ]);
}
