/** Native pixel data in every layout of PS3.5 §8: expected bytes are written by the tests' own rules for each layout. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { ByteSource } from '../../../src/core/bytes.ts';
import type { Part10File } from '../../../src/dicom/part10.ts';
import { loadDecoder } from '../../../src/imaging/codec.ts';
import { clearHiddenNativeBits } from '../../../src/imaging/redact/hidden-bits.ts';
import type { FrameRect } from '../../../src/imaging/redact/rect.ts';
import { clearHiddenBits, redactPixels } from '../../../src/imaging/redact/redact-pixels.ts';
import type { PixelReplacements } from '../../../src/imaging/redact/replacement.ts';
import { TAGS } from '../../../src/imaging/tags.ts';
import { encodeForeign, loadForeignEncoder } from '../foreign-encoder.ts';
import { describedAs, EXPLICIT_BIG, EXPLICIT_LITTLE, imageFile, syntax } from '../image-files.ts';
import { bytesOf } from './redacted-files.ts';

interface Layout {
  readonly rows: number;
  readonly columns: number;
  readonly frames: number;
  readonly samples: 1 | 3;
  readonly bytes: 1 | 2 | 4;
  readonly bitsStored: number;
  readonly highBit?: number;
  readonly signed?: boolean;
  readonly photometric: string;
  readonly planar?: 0 | 1;
  readonly vr: 'OB' | 'OW';
  readonly syntax?: string;
  /** The stored value of black, by sample. */
  readonly black: readonly number[];
}

const BOX: FrameRect = { x: 1, y: 1, width: 3, height: 2 };

function isIn(rect: FrameRect, x: number, y: number, frame: number): boolean {
  const inFrame = rect.frames?.includes(frame) ?? true;
  return inFrame && x >= rect.x && x < rect.x + rect.width && y >= rect.y && y < rect.y + rect.height;
}

/** Bytes of the image with the rectangle blanked, by PS3.5 §8.1 and §8.2. */
function pixelBytes(layout: Layout, rect?: FrameRect): Uint8Array {
  const { rows, columns, frames, samples, bytes, bitsStored, highBit = bitsStored - 1 } = layout;
  const pixels = rows * columns;
  const length = pixels * frames * samples * bytes;
  const output = Buffer.alloc(length + (length % 2));
  for (let frame = 0; frame < frames; frame++) {
    for (let pixel = 0; pixel < pixels; pixel++) {
      for (let sample = 0; sample < samples; sample++) {
        const blanked = rect !== undefined && isIn(rect, pixel % columns, Math.floor(pixel / columns), frame);
        const value = blanked ? (layout.black[sample] ?? 0) : valueAt(layout, frame * 7 + pixel * 3 + sample);
        const cell = layout.planar === 1 ? sample * pixels + pixel : pixel * samples + sample;
        const word = BigInt.asUintN(bytes * 8, BigInt(value) << BigInt(highBit + 1 - bitsStored));
        for (let byte = 0; byte < bytes; byte++) {
          output[(frame * pixels * samples + cell) * bytes + byte] = Number((word >> BigInt(8 * byte)) & 0xffn);
        }
      }
    }
  }
  // Big-endian OW is a string of 16-bit words, whatever they hold (PS3.5 §7.3, §A.3).
  return layout.syntax === EXPLICIT_BIG && layout.vr === 'OW' ? output.swap16() : output;
}

function valueAt({ bitsStored, signed }: Layout, seed: number): number {
  const value = (seed * 40503) % 2 ** bitsStored;
  return signed === true ? value - 2 ** (bitsStored - 1) : value;
}

function fileOf(layout: Layout, pixels: Uint8Array): Part10File {
  return imageFile(
    {
      SamplesPerPixel: layout.samples,
      PhotometricInterpretation: layout.photometric,
      PlanarConfiguration: layout.samples === 3 ? (layout.planar ?? 0) : undefined,
      NumberOfFrames: String(layout.frames),
      Rows: layout.rows,
      Columns: layout.columns,
      BitsAllocated: layout.bytes * 8,
      BitsStored: layout.bitsStored,
      HighBit: layout.highBit ?? layout.bitsStored - 1,
      PixelRepresentation: layout.signed === true ? 1 : 0,
      PixelData: [layout.vr, pixels],
    },
    layout.syntax ?? EXPLICIT_LITTLE,
  );
}

const GREY = { rows: 5, columns: 7, frames: 3, samples: 1, photometric: 'MONOCHROME2' } as const;
const RGB = { rows: 5, columns: 7, frames: 2, samples: 3, photometric: 'RGB', black: [0, 0, 0] } as const;
const LAYOUTS: Readonly<Record<string, Layout>> = {
  '8 bits, frames of odd length': { ...GREY, bytes: 1, bitsStored: 8, vr: 'OB', black: [0] },
  '8 bits as OW': { ...GREY, bytes: 1, bitsStored: 8, vr: 'OW', black: [0] },
  '12 bits in 16': { ...GREY, bytes: 2, bitsStored: 12, vr: 'OW', black: [0] },
  '16 bits': { ...GREY, bytes: 2, bitsStored: 16, vr: 'OW', black: [0] },
  '16 bits, signed': { ...GREY, bytes: 2, bitsStored: 16, signed: true, vr: 'OW', black: [-32768] },
  '12 bits in 16, signed': { ...GREY, bytes: 2, bitsStored: 12, signed: true, vr: 'OW', black: [-2048] },
  '12 bits in the high end of 16': { ...GREY, bytes: 2, bitsStored: 12, highBit: 15, vr: 'OW', black: [0] },
  '32 bits': { ...GREY, bytes: 4, bitsStored: 32, vr: 'OW', black: [0] },
  'MONOCHROME1, where white is zero': {
    ...GREY,
    photometric: 'MONOCHROME1',
    bytes: 2,
    bitsStored: 12,
    vr: 'OW',
    black: [4095],
  },
  'MONOCHROME1, signed': {
    ...GREY,
    photometric: 'MONOCHROME1',
    bytes: 2,
    bitsStored: 10,
    signed: true,
    vr: 'OW',
    black: [511],
  },
  'PALETTE COLOR': { ...GREY, photometric: 'PALETTE COLOR', bytes: 1, bitsStored: 8, vr: 'OB', black: [0] },
  'RGB by pixel': { ...RGB, bytes: 1, bitsStored: 8, vr: 'OB' },
  'RGB by plane': { ...RGB, planar: 1, bytes: 1, bitsStored: 8, vr: 'OB' },
  'RGB of 16 bits by plane': { ...RGB, planar: 1, bytes: 2, bitsStored: 16, vr: 'OW' },
  'YBR_FULL, whose colourless is 128': {
    ...RGB,
    photometric: 'YBR_FULL',
    bytes: 1,
    bitsStored: 8,
    vr: 'OB',
    black: [0, 128, 128],
  },
  'big endian, 16 bits': { ...GREY, bytes: 2, bitsStored: 16, vr: 'OW', black: [0], syntax: EXPLICIT_BIG },
  'big endian, 12 bits signed': {
    ...GREY,
    bytes: 2,
    bitsStored: 12,
    signed: true,
    vr: 'OW',
    black: [-2048],
    syntax: EXPLICIT_BIG,
  },
  'big endian, 8 bits in OW, frames that share a word': {
    ...GREY,
    bytes: 1,
    bitsStored: 8,
    vr: 'OW',
    black: [0],
    syntax: EXPLICIT_BIG,
  },
  'big endian, 8 bits in OB': { ...GREY, bytes: 1, bitsStored: 8, vr: 'OB', black: [0], syntax: EXPLICIT_BIG },
  'big endian, RGB by plane in OW': { ...RGB, planar: 1, bytes: 1, bitsStored: 8, vr: 'OW', syntax: EXPLICIT_BIG },
};

describe('native pixel data are blanked where asked and are the same bytes elsewhere', () => {
  for (const [name, layout] of Object.entries(LAYOUTS)) {
    test(name, async () => {
      const file = fileOf(layout, pixelBytes(layout));
      const onAll = await redactPixels(file, [BOX]);
      assert.deepEqual(bytesOf(onAll?.replace.get(TAGS.PixelData)), Buffer.from(pixelBytes(layout, BOX)));
      assert.equal(onAll?.transferSyntaxUid, undefined);
      const some = { ...BOX, frames: [1] };
      const onOne = await redactPixels(file, [some]);
      assert.deepEqual(bytesOf(onOne?.replace.get(TAGS.PixelData)), Buffer.from(pixelBytes(layout, some)));
    });
  }
});

/** Four columns of YBR_FULL_422: Y1 Y2 Cb Cr for each pair. */
const PAIRS = Uint8Array.from({ length: 2 * 4 * 2 }, (_, index) => index + 1);

describe('pixels that share something', () => {
  test('4:2:2 is blanked by whole pairs, black and colourless', async () => {
    const file = imageFile({
      SamplesPerPixel: 3,
      PhotometricInterpretation: 'YBR_FULL_422',
      PlanarConfiguration: 0,
      Rows: 2,
      Columns: 4,
      PixelData: ['OB', PAIRS],
    });
    const redaction = await redactPixels(file, [{ x: 1, y: 0, width: 1, height: 1 }]);
    const expected = Buffer.from(PAIRS);
    expected.set([0, 0, 128, 128], 0);
    assert.deepEqual(bytesOf(redaction?.replace.get(TAGS.PixelData)), expected);
  });

  test('a label of 4:2:2 over pixels that have all their samples is not believed', async () => {
    const samples = Uint8Array.from({ length: 2 * 4 * 3 }, (_, index) => index + 1);
    const file = imageFile({
      SamplesPerPixel: 3,
      PhotometricInterpretation: 'YBR_FULL_422',
      PlanarConfiguration: 0,
      Rows: 2,
      Columns: 4,
      PixelData: ['OB', samples],
    });
    const redaction = await redactPixels(file, [{ x: 3, y: 1, width: 1, height: 1 }]);
    const expected = Buffer.from(samples);
    expected.set([0, 128, 128], 21);
    assert.deepEqual(bytesOf(redaction?.replace.get(TAGS.PixelData)), expected);
  });

  test('frames of single bits follow each other without a gap', async () => {
    // 3 frames of 3 × 3 pixels, all lit: 27 bits in 4 bytes.
    const file = imageFile({
      NumberOfFrames: '3',
      Rows: 3,
      Columns: 3,
      BitsAllocated: 1,
      BitsStored: 1,
      HighBit: 0,
      PixelData: ['OB', Uint8Array.of(0xff, 0xff, 0xff, 0x07)],
    });
    const redaction = await redactPixels(file, [{ x: 0, y: 0, width: 2, height: 1, frames: [1] }]);
    // Bits 9 and 10 are the first two pixels of the second frame.
    assert.deepEqual([...bytesOf(redaction?.replace.get(TAGS.PixelData))], [0xff, 0b11111001, 0xff, 0x07]);
  });

  test('floats become zero', async () => {
    const values = new Float32Array([1, 2, 3, 4, 5, 6]);
    const file = imageFile({
      BitsAllocated: 32,
      BitsStored: undefined,
      HighBit: undefined,
      FloatPixelData: new Uint8Array(values.buffer),
    });
    const redaction = await redactPixels(file, [{ x: 2, y: 0, width: 1, height: 2 }]);
    const replacement = redaction?.replace.get(TAGS.FloatPixelData);
    assert.equal(replacement?.kind === 'bulk' && replacement.vr, 'OF');
    const bytes = new Uint8Array(bytesOf(replacement));
    assert.deepEqual([...new Float32Array(bytes.buffer)], [1, 2, 0, 4, 5, 0]);
  });
});

describe('what belongs to a redaction', () => {
  const plain = { PixelData: ['OB', Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)] } as const;

  test('bytes behind the last pixel are left out', async () => {
    const redaction = await redactPixels(imageFile(plain), [{ x: 0, y: 0, width: 1, height: 1 }]);
    assert.deepEqual([...bytesOf(redaction?.replace.get(TAGS.PixelData))], [0, 2, 3, 4, 5, 6]);
  });

  test('padding of an odd length is zero', async () => {
    const file = imageFile({ Rows: 1, PixelData: ['OB', Uint8Array.of(1, 2, 3, 0xee)] });
    const redaction = await redactPixels(file, [{ x: 0, y: 0, width: 1, height: 1 }]);
    assert.deepEqual([...bytesOf(redaction?.replace.get(TAGS.PixelData))], [0, 2, 3, 0]);
  });

  test('icons and overlay planes go, and the instance says that it was cleaned', async () => {
    const file = imageFile({
      ...plain,
      IconImageSequence: [[['Rows', 1]]],
      OverlayRows: 2,
      OverlayColumns: 3,
      OverlayData: ['OW', Uint8Array.of(0xff, 0)],
    });
    const redaction = await redactPixels(file, [{ x: 0, y: 0, width: 1, height: 1 }]);
    for (const tag of [0x00880200, 0x60000010, 0x60000011, 0x60003000])
      assert.deepEqual(redaction?.replace.get(tag), { kind: 'remove' });
    assert.equal(redaction?.burnedIn, 'NO');
    assert.deepEqual(redaction?.methodCodes, ['113101']);
  });

  test('rectangles outside of the image are no redaction', async () => {
    assert.equal(await redactPixels(imageFile(plain), [{ x: 3, y: 0, width: 9, height: 9 }]), undefined);
  });

  test('fewer pixels than declared are an error, not zeros', async () => {
    const file = imageFile({ PixelData: ['OB', Uint8Array.of(1, 2)] });
    await assert.rejects(redactPixels(file, [{ x: 0, y: 0, width: 1, height: 1 }]), {
      code: 'IMAGING_PIXEL_DATA_MISSING',
    });
  });
});

function words16(...words: number[]): Uint8Array {
  return new Uint8Array(Uint16Array.from(words).buffer);
}

/** Of an odd number of bytes with a zero behind. */
function cellBytes(cells: readonly number[], allocated: number): Buffer {
  const bytes = Buffer.alloc(Math.ceil((cells.length * allocated) / 16) * 2);
  for (const [index, cell] of cells.entries()) bytes.writeUIntLE(cell, (index * allocated) / 8, allocated / 8);
  return bytes;
}

/** New memory each time, of these sizes in turn. */
function roomsOf(sizes: readonly number[]): () => Uint8Array {
  let next = 0;
  return () => new Uint8Array(sizes[next++ % sizes.length] ?? 16);
}

describe('bits of cells that hold no pixel', () => {
  async function cleared(attributes: Parameters<typeof imageFile>[0], syntax?: string): Promise<number[] | undefined> {
    const pixels = (await clearHiddenBits(imageFile(attributes, syntax)))?.replace.get(TAGS.PixelData);
    if (pixels === undefined) return undefined;
    return [...new Uint16Array(new Uint8Array(bytesOf(pixels)).buffer)];
  }
  const twelve = { Rows: 1, BitsAllocated: 16, BitsStored: 12, HighBit: 11 } as const;

  test('are cleared above unsigned values, as an overlay plane in bit 13 is', async () => {
    const PixelData = ['OW', words16(0x2123, 0x0fff, 0xf000)] as const;
    assert.deepEqual(await cleared({ ...twelve, PixelData }), [0x0123, 0x0fff, 0]);
  });

  test('are cleared below values that are high aligned', async () => {
    const PixelData = ['OW', words16(0x1235, 0xfff0, 0x000f)] as const;
    assert.deepEqual(await cleared({ ...twelve, HighBit: 15, PixelData }), [0x1230, 0xfff0, 0]);
  });

  test('stay where they extend the sign, and extend it where they held something else', async () => {
    const PixelData = ['OW', words16(0xf800, 0x0800, 0x2800)] as const;
    assert.deepEqual(await cleared({ ...twelve, PixelRepresentation: 1, PixelData }), [0xf800, 0x0800, 0xf800]);
  });

  test('stay in cells of the declared padding value', async () => {
    const PixelData = ['OW', words16(0xf830, 0xf831, 1)] as const;
    assert.deepEqual(await cleared({ ...twelve, PixelPaddingValue: ['US', 0xf830], PixelData }), [0xf830, 0x831, 1]);
  });

  test('are cleared in big-endian words as well', async () => {
    const PixelData = ['OW', Uint8Array.of(0x21, 0x23, 0x0f, 0xff, 0xf0, 0x00)] as const;
    assert.deepEqual(await cleared({ ...twelve, PixelData }, EXPLICIT_BIG), [0x2301, 0xff0f, 0]);
  });

  for (const { allocated, rows, columns, frames } of [
    { allocated: 8, rows: 701, columns: 999, frames: 1 },
    { allocated: 16, rows: 401, columns: 500, frames: 3 },
    { allocated: 32, rows: 333, columns: 501, frames: 1 },
  ]) {
    test(`are cleared alike however ${allocated}-bit cells are read, and wherever they go`, () => {
      const stored = allocated - 3;
      const cells = Array.from({ length: rows * columns * frames }, (_, index) => (index * 2654435761) % 2 ** stored);
      const hiding = cells.map((cell, index) => (index % 30_011 === 7 ? cell + 2 ** stored : cell));
      const attributes = {
        Rows: rows,
        Columns: columns,
        NumberOfFrames: String(frames),
        BitsAllocated: allocated,
        BitsStored: stored,
        HighBit: stored - 1,
      };
      const file = imageFile({
        ...attributes,
        PixelData: [allocated === 8 ? 'OB' : 'OW', cellBytes(hiding, allocated)],
      });
      const before = Buffer.from(file.source.read(0, file.source.size));
      const copying: ByteSource = {
        size: file.source.size,
        read: (position, length, into = new Uint8Array(length)) => {
          const bytes = file.source.read(position, length);
          into.set(bytes);
          return into.subarray(0, bytes.length);
        },
      };
      for (const source of [file.source, copying]) {
        const replacement = clearHiddenNativeBits({ ...file, source })?.replace.get(TAGS.PixelData);
        assert.ok(replacement?.kind === 'bulk');
        for (const room of [undefined, roomsOf([16, 4099, 700_000, 1001])]) {
          const bytes = Buffer.concat(Array.from(replacement.chunks(room), (chunk) => Buffer.from(chunk)));
          assert.ok(bytes.equals(cellBytes(cells, allocated)));
        }
      }
      assert.ok(before.equals(file.source.read(0, file.source.size)), 'the source is as it was');
    });
  }

  test('are none where every bit is stored', async () => {
    const attributes = { Rows: 1, BitsAllocated: 16, BitsStored: 16, HighBit: 15 };
    assert.equal(await cleared({ ...attributes, PixelData: ['OW', words16(1, 2, 3)] }), undefined);
  });
});

describe('native frames as fragments', () => {
  const first = Uint8Array.of(1, 2, 3, 4, 5, 6);
  const second = Uint8Array.of(11, 12, 13, 14, 15, 16);
  const redacted = [
    [0, 2, 3, 0, 5, 6],
    [0, 12, 13, 0, 15, 16],
  ];
  async function fragmentsOf(transferSyntax: string, frames: readonly Uint8Array[]): Promise<Uint8Array[]> {
    const PixelData = { fragments: [new Uint8Array(0), ...frames] };
    const file = imageFile({ NumberOfFrames: '2', PixelData: ['OB', PixelData] }, transferSyntax);
    const redaction = await redactPixels(file, [{ x: 0, y: 0, width: 1, height: 2 }]);
    assert.equal(redaction?.transferSyntaxUid, undefined);
    const replacement = redaction?.replace.get(TAGS.PixelData);
    assert.ok(replacement?.kind === 'fragments');
    return [...replacement.fragments()].map((fragment) => Uint8Array.from(fragment));
  }

  test('are blanked one by one where they are wrapped', async () => {
    const fragments = await fragmentsOf('1.2.840.10008.1.2.1.98', [first, second]);
    assert.deepEqual(
      fragments.map((fragment) => [...fragment]),
      redacted,
    );
  });

  test('are inflated, blanked and deflated again', async () => {
    const deflated = [first, second].map((frame) => {
      const bytes = deflateRawSync(frame);
      return bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(1)]);
    });
    const fragments = await fragmentsOf('1.2.840.10008.1.2.8.1', deflated);
    assert.deepEqual(
      fragments.map((fragment) => [...inflateRawSync(fragment)]),
      redacted,
    );
  });
});

describe('bits that hold no pixel, in frames that are compressed as whole cells', () => {
  const attributes = { Rows: 2, Columns: 4, BitsAllocated: 16, BitsStored: 12, HighBit: 11 } as const;
  const hiding = Uint16Array.of(0x2001, 2, 0x2003, 4, 5, 6, 7, 0x0fff);
  const plain = hiding.map((word) => word & 0x0fff);
  const wholeCells = describedAs({ rows: 2, columns: 4, bitsAllocated: 16, bitsStored: 16 });

  async function clearedFrames(uid: string, frame: Uint8Array): Promise<PixelReplacements | undefined> {
    const even = new Uint8Array(frame.length + (frame.length % 2));
    even.set(frame);
    const PixelData = ['OB', { fragments: [new Uint8Array(0), even] }] as const;
    return clearHiddenBits(imageFile({ ...attributes, PixelData }, uid));
  }

  for (const [format, uid] of [
    ['rle', '1.2.840.10008.1.2.5'],
    ['jpeg-lossless', '1.2.840.10008.1.2.4.70'],
    ['jpeg-ls', '1.2.840.10008.1.2.4.80'],
    ['jpeg-2000', '1.2.840.10008.1.2.4.90'],
  ] as const) {
    test(`are cleared in ${format}, and nothing is coded again where there are none`, async () => {
      await loadForeignEncoder();
      const found = await clearedFrames(uid, encodeForeign(format, hiding, wholeCells));
      assert.equal(found?.transferSyntaxUid, undefined);
      assert.equal(found?.burnedIn, undefined);
      const replacement = found?.replace.get(TAGS.PixelData);
      assert.ok(replacement?.kind === 'fragments');
      const [frame] = [...replacement.fragments()];
      const decode = await loadDecoder(syntax(uid));
      const decoded = decode(frame ?? new Uint8Array(), describedAs({ ...wholeCells, bitsStored: 12, highBit: 11 }));
      assert.deepEqual([...decoded.samples], [...plain]);
      assert.equal(await clearedFrames(uid, encodeForeign(format, plain, wholeCells)), undefined);
    });
  }

  test('are cleared in wrapped native frames', async () => {
    const found = await clearedFrames('1.2.840.10008.1.2.1.98', new Uint8Array(hiding.buffer));
    const replacement = found?.replace.get(TAGS.PixelData);
    assert.ok(replacement?.kind === 'fragments');
    const [frame] = [...replacement.fragments()];
    assert.deepEqual([...(frame ?? [])], [...new Uint8Array(plain.buffer)]);
  });
});
