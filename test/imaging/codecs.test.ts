/**
 * One suite for every codec of the registry: right pixels, and a typed error for everything that is not right. The
 * streams are made by encoders that are not ours: dcmjs-codecs (OpenJPEG, CharLS, libjpeg-turbo, OpenJPH) and DCMTK.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import fc from 'fast-check';
import { LetheError } from '../../src/core/errors.ts';
import { codecFor, type FrameDecoder, loadDecoder } from '../../src/imaging/codec.ts';
import { encodeJpeg2000Lossless } from '../../src/imaging/codecs/jpeg-2000.ts';
import { encodeJpegLsLossless } from '../../src/imaging/codecs/jpeg-ls.ts';
import type { ImageDescription } from '../../src/imaging/image-description.ts';
import { encodeForeign, type ForeignFormat, loadForeignEncoder } from './foreign-encoder.ts';
import { describedAs, syntax } from './image-files.ts';

const ROWS = 37;
const COLUMNS = 53;
const SIZE = { rows: ROWS, columns: COLUMNS };

/** A gradient with texture: compresses a little, and no two lines are alike. */
function textured(count: number, bits: number): Uint16Array {
  return Uint16Array.from(
    { length: count },
    (_, index) => ((index * 31) ^ (index >>> 3) ^ (index * index)) & (2 ** bits - 1),
  );
}

interface Case {
  readonly format: ForeignFormat;
  readonly uid: string;
  readonly description: ImageDescription;
}

const GREY8 = describedAs(SIZE);
const GREY16 = describedAs({ ...SIZE, bitsAllocated: 16 });
const GREY12 = describedAs({ ...SIZE, bitsAllocated: 16, bitsStored: 12 });
const RGB = describedAs({ ...SIZE, samplesPerPixel: 3, photometric: 'RGB' });

const LOSSLESS: readonly (readonly [format: ForeignFormat, uid: string])[] = [
  ['rle', '1.2.840.10008.1.2.5'],
  ['jpeg-lossless', '1.2.840.10008.1.2.4.70'],
  ['jpeg-ls', '1.2.840.10008.1.2.4.80'],
  ['jpeg-2000', '1.2.840.10008.1.2.4.90'],
  ['htj2k', '1.2.840.10008.1.2.4.201'],
];
const CASES: readonly Case[] = LOSSLESS.flatMap(([format, uid]) =>
  [GREY8, GREY12, GREY16, RGB].map((description) => ({ format, uid, description })),
);

function samplesFor({ samplesPerPixel, bitsAllocated, bitsStored }: ImageDescription): Uint8Array | Uint16Array {
  const samples = textured(ROWS * COLUMNS * samplesPerPixel, bitsStored);
  return bitsAllocated === 8 ? Uint8Array.from(samples) : samples;
}

before(loadForeignEncoder);

for (const { format, uid, description } of CASES) {
  const what = `${format}, ${description.photometric} of ${description.bitsStored} bits`;
  test(`${what}: lossless samples come back to the last bit`, async () => {
    const samples = samplesFor(description);
    const decode = await loadDecoder(syntax(uid));
    const frame = decode(encodeForeign(format, samples, description), description);
    assert.deepEqual([...frame.samples], [...samples]);
  });
}

test('8-bit JPEG of grey and colour is near its source, colour as RGB', async () => {
  const smooth = Uint8Array.from({ length: ROWS * COLUMNS * 3 }, (_, index) => 40 + ((index / 3) % COLUMNS) * 3);
  const decode = await loadDecoder(syntax('1.2.840.10008.1.2.4.50'));
  const description = { ...RGB, photometric: 'YBR_FULL_422' } as const;
  const frame = decode(encodeForeign('jpeg-baseline', smooth, RGB), description);
  assert.equal(frame.photometric, 'RGB');
  assert.ok([...frame.samples].every((value, index) => Math.abs(value - (smooth[index] ?? 0)) <= 8));
});

const ENCODERS = [
  ['JPEG 2000', '1.2.840.10008.1.2.4.90', encodeJpeg2000Lossless],
  ['JPEG-LS', '1.2.840.10008.1.2.4.80', encodeJpegLsLossless],
] as const;
for (const [name, uid, encode] of ENCODERS) {
  test(`our ${name} encoder is lossless for grey, signed and colour`, async () => {
    const decode = await loadDecoder(syntax(uid));
    for (const description of [GREY8, GREY12, { ...GREY12, signed: true }, RGB]) {
      const samples = samplesFor(description);
      // Signed samples are written with their sign extended, as modalities do.
      const words = description.signed ? samples.map((value) => (value << 20) >> 20) : samples;
      const frame = decode(await encode(words, description), description);
      assert.deepEqual(
        [...frame.samples].map((value) => value & (2 ** description.bitsStored - 1)),
        [...samples],
      );
    }
  });
}

/** Decodes, and says how it failed; a failure that is not typed fails the test. */
async function outcome(uid: string, bytes: Uint8Array, description: ImageDescription): Promise<string> {
  const decode: FrameDecoder = await loadDecoder(syntax(uid));
  try {
    const frame = decode(bytes, description);
    assert.equal(frame.samples.length, description.rows * description.columns * description.samplesPerPixel);
    return 'decoded';
  } catch (error) {
    assert.ok(error instanceof LetheError, String(error));
    return error.code;
  }
}

const JPEG_LOSSLESS: readonly [ForeignFormat, string] = ['jpeg-lossless', '1.2.840.10008.1.2.4.70'];
const JPEG_BASELINE: readonly [ForeignFormat, string] = ['jpeg-baseline', '1.2.840.10008.1.2.4.50'];
for (const [format, uid] of [...LOSSLESS, JPEG_BASELINE]) {
  describe(`damage to ${format}`, () => {
    const description = format === 'jpeg-baseline' ? GREY8 : GREY12;
    let stream = new Uint8Array();
    before(async () => {
      await loadForeignEncoder();
      stream = new Uint8Array(encodeForeign(format, samplesFor(description), description));
    });

    test('cut anywhere, it is refused at once', async () => {
      for (const share of [0, 0.01, 0.3, 0.6, 0.9]) {
        const cut = stream.slice(0, Math.floor(stream.length * share));
        assert.equal(await outcome(uid, cut, description), 'IMAGING_CODESTREAM_INVALID', `${share} of the stream`);
      }
    });

    test('of another size or number of samples than the data set says, it is refused', async () => {
      for (const other of [{ rows: ROWS + 1 }, { columns: COLUMNS * 2 }]) {
        assert.equal(await outcome(uid, stream, { ...description, ...other }), 'IMAGING_CODESTREAM_INVALID');
      }
      const colour = { ...description, samplesPerPixel: 3, photometric: 'RGB' } as const;
      assert.equal(await outcome(uid, stream, colour), 'IMAGING_CODESTREAM_INVALID');
    });

    test('padding behind its end changes nothing', async () => {
      const padded = new Uint8Array(stream.length + 3);
      padded.set(stream);
      assert.equal(await outcome(uid, padded, description), 'decoded');
    });

    test('property: with bytes changed at random it decodes to the right size or fails with a typed error', async () => {
      const change = fc.tuple(fc.nat(stream.length - 1), fc.nat(255));
      await fc.assert(
        fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
          const damaged = stream.slice();
          for (const [at, value] of changes) damaged[at] = value;
          assert.match(await outcome(uid, damaged, description), /^(decoded|IMAGING_CODESTREAM_INVALID)$/);
        }),
        { numRuns: format === 'jpeg-ls' ? 10 : 40, seed: 7 },
      );
    });
  });
}

test('JPEG without its end marker decodes when all of its data are there', async () => {
  for (const [format, uid] of [JPEG_LOSSLESS, JPEG_BASELINE]) {
    const description = format === 'jpeg-baseline' ? GREY8 : GREY12;
    const stream = encodeForeign(format, samplesFor(description), description);
    const end = Buffer.from(stream).lastIndexOf(Buffer.of(0xff, 0xd9));
    assert.equal(await outcome(uid, stream.slice(0, end), description), 'decoded', format);
    assert.equal(await outcome(uid, stream.slice(0, end - 40), description), 'IMAGING_CODESTREAM_INVALID', format);
  }
});

test('after a failure the next stream decodes as if nothing had been', async () => {
  const samples = samplesFor(GREY12);
  for (const [format, uid] of LOSSLESS) {
    const stream = encodeForeign(format, samples, GREY12);
    await outcome(uid, stream.slice(0, stream.length >> 1), GREY12);
    assert.equal(await outcome(uid, stream, GREY12), 'decoded', format);
  }
});

test('codestreams with values beyond bits stored contradict the data set', async () => {
  const description = { ...GREY16, bitsStored: 10, highBit: 9 };
  const stream = encodeForeign('jpeg-2000', samplesFor(GREY12), GREY12);
  assert.equal(await outcome('1.2.840.10008.1.2.4.90', stream, description), 'IMAGING_CODESTREAM_INVALID');
});

test('precision beyond bits allocated contradicts the data set', async () => {
  const stream = encodeForeign('jpeg-ls', samplesFor(GREY12), GREY12);
  assert.equal(await outcome('1.2.840.10008.1.2.4.80', stream, GREY8), 'IMAGING_CODESTREAM_INVALID');
});

test('a frame deflated into more than it holds is a bomb and refused', async () => {
  const { deflateRawSync } = await import('node:zlib');
  const uid = '1.2.840.10008.1.2.8.1';
  assert.equal(await outcome(uid, deflateRawSync(new Uint8Array(50_000_000)), GREY8), 'IMAGING_CODESTREAM_INVALID');
  assert.equal(await outcome(uid, deflateRawSync(new Uint8Array(ROWS * COLUMNS)), GREY8), 'decoded');
});

const HELD = [
  '1.2.840.10008.1.2.4.100',
  '1.2.840.10008.1.2.4.102',
  '1.2.840.10008.1.2.4.107',
  '1.2.840.10008.1.2.4.94',
];
for (const uid of HELD) {
  test(`${syntax(uid).name}: held, and the error says why`, () => {
    assert.throws(
      () => codecFor(syntax(uid)),
      (error) =>
        error instanceof LetheError &&
        error.code === 'IMAGING_SYNTAX_UNSUPPORTED' &&
        error.detail['reason'] !== undefined,
    );
  });
}
