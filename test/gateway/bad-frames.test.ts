/**
 * Instances whose pixels are broken, through a pool of workers as the gateway has them: each ends with a typed error or at
 * the deadline, and a whole instance behind them renders.
 */
import assert from 'node:assert/strict';
import { before, type TestContext, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { silentLogger } from '../../src/core/log.ts';
import { WorkerPool } from '../../src/gateway/worker-pool.ts';
import { type BuildElement, buildPart10 } from '../build/data-set.ts';
import { encodeForeign, type ForeignFormat, loadForeignEncoder } from '../imaging/foreign-encoder.ts';
import { describedAs } from '../imaging/image-files.ts';

const ROWS = 96;
const COLUMNS = 128;
const DEADLINE_MS = 2000;
const EXPLICIT_LITTLE = '1.2.840.10008.1.2.1';

type Changes = Readonly<Record<string, number | string>>;

function file(transferSyntax: string, pixels: BuildElement, changes: Changes = {}): Uint8Array {
  const attributes = {
    SamplesPerPixel: 1,
    PhotometricInterpretation: 'MONOCHROME2',
    Rows: ROWS,
    Columns: COLUMNS,
    BitsAllocated: 16,
    BitsStored: 12,
    HighBit: 11,
    PixelRepresentation: 0,
    ...changes,
  };
  const { NumberOfFrames: frames, ...others } = { NumberOfFrames: '1', ...attributes };
  const [samples, photometric, ...layout] = Object.entries(others) as BuildElement[];
  return buildPart10(
    [
      ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.7'],
      ['SOPInstanceUID', '2.25.1'],
      samples ?? ['SamplesPerPixel', 1],
      photometric ?? ['PhotometricInterpretation', 'MONOCHROME2'],
      ['NumberOfFrames', frames],
      ...layout,
      pixels,
    ],
    { transferSyntax },
  );
}

const encapsulated = (...fragments: Uint8Array[]): BuildElement => ['PixelData', 'OB', { fragments }];
const EMPTY_TABLE = new Uint8Array(0);

function offsets(...values: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

function pool(t: TestContext): WorkerPool<Uint8Array, string> {
  const made = new WorkerPool<Uint8Array, string>({
    size: 1,
    script: new URL('./render-worker.ts', import.meta.url),
    workerData: {},
    progressTimeoutMs: DEADLINE_MS,
    heapMegabytes: 256,
    logger: silentLogger,
  });
  t.after(() => made.close());
  return made;
}

async function outcomeOf(workers: WorkerPool<Uint8Array, string>, bytes: Uint8Array): Promise<string> {
  try {
    return await workers.run(bytes);
  } catch (error) {
    return (error as { code: string }).code;
  }
}

const NATIVE = new Uint8Array(ROWS * COLUMNS * 2);
const WHOLE = file(EXPLICIT_LITTLE, ['PixelData', 'OW', NATIVE]);

const FORMATS: readonly (readonly [format: ForeignFormat, uid: string, bits: 8 | 12])[] = [
  ['rle', '1.2.840.10008.1.2.5', 12],
  ['jpeg-baseline', '1.2.840.10008.1.2.4.50', 8],
  ['jpeg-lossless', '1.2.840.10008.1.2.4.70', 12],
  ['jpeg-ls', '1.2.840.10008.1.2.4.80', 12],
  ['jpeg-2000', '1.2.840.10008.1.2.4.90', 12],
  ['htj2k', '1.2.840.10008.1.2.4.201', 12],
];

function encoded(format: ForeignFormat, bits: 8 | 12): Uint8Array {
  const bitsAllocated = bits === 8 ? 8 : 16;
  const description = describedAs({ rows: ROWS, columns: COLUMNS, bitsAllocated, bitsStored: bits });
  const values = Array.from(
    { length: ROWS * COLUMNS },
    (_, index) => (index * 31 + ((index * index) >>> 5)) % 2 ** bits,
  );
  return encodeForeign(format, bits === 8 ? Uint8Array.from(values) : Uint16Array.from(values), description);
}

const LAYOUT = {
  8: { BitsAllocated: 8, BitsStored: 8, HighBit: 7 },
  12: {},
} as const;

before(loadForeignEncoder);

for (const [format, uid, bits] of FORMATS) {
  test(`${format} cut short, its end marker put back or not, is refused or ended; the next instance renders`, async (t) => {
    const workers = pool(t);
    const stream = encoded(format, bits);
    assert.equal(await outcomeOf(workers, file(uid, encapsulated(EMPTY_TABLE, stream), LAYOUT[bits])), '1 rendered');
    for (const share of [0.1, 0.5, 0.95]) {
      const cut = stream.slice(0, Math.floor(stream.length * share));
      const ends = format === 'rle' ? [[]] : [[], [0xff, 0xd9]];
      for (const end of ends) {
        const pixels = encapsulated(EMPTY_TABLE, Buffer.concat([cut, Uint8Array.from(end)]));
        const outcome = await outcomeOf(workers, file(uid, pixels, LAYOUT[bits]));
        const said = `${share} of the stream${end.length > 0 ? ' and its end' : ''}`;
        // A stream with its end in place may be missing only what no decoder can miss.
        assert.match(
          outcome,
          end.length > 0 ? /^(IMAGING_(CODESTREAM_INVALID|TIMEOUT)|1 rendered)$/ : /^IMAGING_/,
          said,
        );
      }
    }
    assert.equal(await outcomeOf(workers, WHOLE), '1 rendered');
  });
}

const RLE = '1.2.840.10008.1.2.5';
const JPEG_2000 = '1.2.840.10008.1.2.4.90';
const DEFLATED_FRAME = '1.2.840.10008.1.2.8.1';
const BAD: readonly (readonly [what: string, make: () => Uint8Array, code: string])[] = [
  ['no frame at all', () => file(RLE, encapsulated(EMPTY_TABLE)), 'IMAGING_PIXEL_DATA_MISSING'],
  [
    'fewer frames than declared',
    () => file(RLE, encapsulated(EMPTY_TABLE, encoded('rle', 12)), { NumberOfFrames: '3' }),
    'IMAGING_PIXEL_DATA_MISSING',
  ],
  [
    'fewer native bytes than frames',
    () => file(EXPLICIT_LITTLE, ['PixelData', 'OW', NATIVE], { NumberOfFrames: '2' }),
    'IMAGING_PIXEL_DATA_MISSING',
  ],
  [
    'sides of 60000',
    () => file(EXPLICIT_LITTLE, ['PixelData', 'OW', NATIVE], { Rows: 60000, Columns: 60000 }),
    'IMAGING_TOO_LARGE',
  ],
  [
    'sides of 60000 in front of a small codestream',
    () => file(JPEG_2000, encapsulated(EMPTY_TABLE, encoded('jpeg-2000', 12)), { Rows: 60000, Columns: 60000 }),
    'IMAGING_TOO_LARGE',
  ],
  [
    'a small image in front of a codestream that claims sides of 60000',
    () => {
      const stream = encoded('jpeg-2000', 12);
      new DataView(stream.buffer, stream.byteOffset).setUint32(8, 60000);
      new DataView(stream.buffer, stream.byteOffset).setUint32(12, 60000);
      return file(JPEG_2000, encapsulated(EMPTY_TABLE, stream));
    },
    'IMAGING_CODESTREAM_INVALID',
  ],
  [
    'more bits in the codestream than are allocated',
    () => file(JPEG_2000, encapsulated(EMPTY_TABLE, encoded('jpeg-2000', 12)), LAYOUT[8]),
    'IMAGING_CODESTREAM_INVALID',
  ],
  [
    'fewer bits stored than the values of the codestream need',
    () => file(JPEG_2000, encapsulated(EMPTY_TABLE, encoded('jpeg-2000', 12)), { BitsStored: 10, HighBit: 9 }),
    'IMAGING_CODESTREAM_INVALID',
  ],
  [
    'more bits stored than allocated',
    () => file(EXPLICIT_LITTLE, ['PixelData', 'OW', NATIVE], { BitsStored: 20, HighBit: 19 }),
    'IMAGING_DESCRIPTION_INVALID',
  ],
  [
    'a deflated frame that ends too early',
    () => file(DEFLATED_FRAME, encapsulated(EMPTY_TABLE, deflateRawSync(NATIVE.subarray(1)))),
    'IMAGING_CODESTREAM_INVALID',
  ],
];
for (const [what, make, code] of BAD) {
  test(`${what}: ${code}`, async (t) => {
    assert.equal(await outcomeOf(pool(t), make()), code);
  });
}

test('an offset table that points outside, backwards or into a frame gives way to the fragments', async (t) => {
  const workers = pool(t);
  const stream = encoded('jpeg-ls', 12);
  const item = stream.length + (stream.length % 2) + 8;
  for (const table of [offsets(0, 0xfffffff0), offsets(item, 0), offsets(0, 6), offsets(0), offsets(0, item)]) {
    const bytes = file('1.2.840.10008.1.2.4.80', encapsulated(table, stream, stream), { NumberOfFrames: '2' });
    assert.equal(await outcomeOf(workers, bytes), '2 rendered', `${new Uint32Array(table.buffer)}`);
  }
});
