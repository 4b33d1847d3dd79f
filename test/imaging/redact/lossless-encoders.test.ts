/** RLE and lossless JPEG encoders at their edges: what DCMTK decodes is what went in. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { loadDecoder } from '../../../src/imaging/codec.ts';
import type { EncoderShape } from '../../../src/imaging/codecs/encoder-shape.ts';
import { loadHtj2kEncoder } from '../../../src/imaging/codecs/htj2k.ts';
import { loadJpeg2000Encoder } from '../../../src/imaging/codecs/jpeg-2000.ts';
import { readJpegHeader } from '../../../src/imaging/codecs/jpeg-header.ts';
import { decodeJpegLossless } from '../../../src/imaging/codecs/jpeg-lossless.ts';
import { encodeJpegLossless } from '../../../src/imaging/codecs/jpeg-lossless-encode.ts';
import { loadJpegLsEncoder } from '../../../src/imaging/codecs/jpeg-ls.ts';
import { decodeRle } from '../../../src/imaging/codecs/rle.ts';
import { encodeRle } from '../../../src/imaging/codecs/rle-encode.ts';
import { buildPart10 } from '../../build/data-set.ts';
import { skipWithoutProgram } from '../../support/peers.ts';
import { describedAs, syntax } from '../image-files.ts';
import { Bench, elementsOf, nativeWords, type TestImage } from './redacted-files.ts';

type Samples = Uint8Array | Uint16Array;

/** Runs and noise: both arms of PackBits, and differences of every size. */
const IMAGES = fc
  .record({
    rows: fc.integer({ min: 1, max: 5 }),
    columns: fc.integer({ min: 1, max: 300 }),
    samplesPerPixel: fc.constantFrom(1 as const, 3 as const),
    wide: fc.boolean(),
    runs: fc.array(fc.tuple(fc.integer({ min: 1, max: 140 }), fc.integer({ min: 0, max: 65535 })), {
      minLength: 1,
      maxLength: 40,
    }),
  })
  .map(({ rows, columns, samplesPerPixel, wide, runs }) => {
    const count = rows * columns * samplesPerPixel;
    const values = runs.flatMap(([length, value]) => new Array<number>(length).fill(value));
    const filled = Array.from({ length: count }, (_, index) => values[index % values.length] ?? 0);
    const samples: Samples = wide ? Uint16Array.from(filled) : Uint8Array.from(filled);
    const shape: EncoderShape = { rows, columns, samplesPerPixel, bitsStored: wide ? 16 : 8, signed: false };
    return { samples, shape };
  });

function description({ rows, columns, samplesPerPixel, bitsStored }: EncoderShape) {
  const photometric = samplesPerPixel === 3 ? 'RGB' : 'MONOCHROME2';
  return describedAs({ rows, columns, samplesPerPixel, bitsAllocated: bitsStored, photometric });
}

describe('lossless encoders', () => {
  test('RLE gives back what went in, in segments of even length', () => {
    fc.assert(
      fc.property(IMAGES, ({ samples, shape }) => {
        const frame = encodeRle(samples, shape);
        assert.equal(frame.length % 2, 0);
        assert.deepEqual([...decodeRle(frame, description(shape)).samples], [...samples]);
      }),
      { numRuns: 150 },
    );
  });

  test('RLE does not cross rows and never grows by more than a byte in 128', () => {
    // Two rows of the same value: two runs, though it could be one (PS3.5 §G.3.1).
    const flat = encodeRle(new Uint8Array(8).fill(7), { rows: 2, columns: 4, samplesPerPixel: 1 });
    assert.deepEqual([...flat.subarray(64)], [253, 7, 253, 7]);
    const noise = Uint8Array.from({ length: 256 }, (_, index) => (index * 7) & 0xff);
    assert.equal(encodeRle(noise, { rows: 1, columns: 256, samplesPerPixel: 1 }).length, 64 + 256 + 2);
  });

  test('lossless JPEG gives back what went in', () => {
    fc.assert(
      fc.property(IMAGES, ({ samples, shape }) => {
        const header = readJpegHeader(encodeJpegLossless(samples, shape));
        assert.deepEqual([...decodeJpegLossless(header, description(shape)).samples], [...samples]);
      }),
      { numRuns: 150 },
    );
  });
});

describe('encoders by WebAssembly', () => {
  for (const [name, uid, load] of [
    ['JPEG 2000', '1.2.840.10008.1.2.4.90', loadJpeg2000Encoder],
    ['HTJ2K', '1.2.840.10008.1.2.4.201', () => loadHtj2kEncoder({ componentTransform: false })],
    ['JPEG-LS', '1.2.840.10008.1.2.4.80', loadJpegLsEncoder],
  ] as const) {
    test(`${name} takes images down to a single pixel, and long thin ones`, async () => {
      const encode = await load();
      const decode = await loadDecoder(syntax(uid));
      for (const [rows, columns] of [
        [1, 1],
        [1, 37],
        [2, 4],
        [31, 3],
        [33, 65],
      ] as const) {
        const samples = Uint16Array.from({ length: rows * columns }, (_, index) => (index * 977) & 0xfff);
        const shape: EncoderShape = { rows, columns, samplesPerPixel: 1, bitsStored: 12, signed: false };
        const decoded = decode(
          encode(samples, shape),
          describedAs({ rows, columns, bitsAllocated: 16, bitsStored: 12 }),
        );
        assert.deepEqual([...decoded.samples], [...samples], `${rows} × ${columns}`);
      }
    });
  }
});

describe('lossless encoders as DCMTK decodes them', { skip: skipWithoutProgram('dcmdjpeg', 'dcmdrle') }, () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'lethe-encoders-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  // Differences of every size, 2^15 among them, which lossless JPEG codes without further bits (T.81 Table H.2).
  const extremes = [0, 0x8000, 0, 0xffff, 0x7fff, 0xffff, 1, 0x4000, 0xc000, 2, 0x1234, 0x9234, 0, 0, 0, 0x8001];
  const image: TestImage = {
    rows: 2,
    columns: 8,
    samplesPerPixel: 1,
    bitsAllocated: 16,
    bitsStored: 16,
    photometric: 'MONOCHROME2',
  };
  for (const [name, uid, program, encode] of [
    ['lossless JPEG', '1.2.840.10008.1.2.4.70', 'dcmdjpeg', encodeJpegLossless],
    ['RLE', '1.2.840.10008.1.2.5', 'dcmdrle', encodeRle],
  ] as const) {
    test(`${name} of extreme differences`, () => {
      const frame = encode(Uint16Array.from(extremes), { ...image, signed: false });
      const pixels = ['PixelData', 'OB', { fragments: [new Uint8Array(0), frame] }] as const;
      const file = buildPart10(elementsOf(image, pixels), { transferSyntax: uid });
      assert.deepEqual([...nativeWords(new Bench(folder).run(program, [], file))], extremes);
    });
  }
});
