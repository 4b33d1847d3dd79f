/** JPEG as DCMTK writes it, in every process it has: ours and its own decoder must agree on every sample. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bytesSource } from '../../src/core/bytes.ts';
import { readPart10 } from '../../src/dicom/part10.ts';
import { encodeJpegLsLossless } from '../../src/imaging/codecs/jpeg-ls.ts';
import { openImage } from '../../src/imaging/image.ts';
import { type BuildElement, buildPart10 } from '../build/data-set.ts';
import { skipWithoutProgram } from '../support/peers.ts';

const ROWS = 45;
const COLUMNS = 70;

/** Smooth enough for lossy coding to be meant, textured enough that every predictor and coefficient is used. */
function samples(samplesPerPixel: number, bits: number): number[] {
  const white = 2 ** bits - 1;
  return Array.from({ length: ROWS * COLUMNS * samplesPerPixel }, (_, index) => {
    const pixel = Math.floor(index / samplesPerPixel);
    const x = pixel % COLUMNS;
    const y = Math.floor(pixel / COLUMNS);
    const wave = Math.sin(x / 5 + (index % samplesPerPixel)) * Math.cos(y / 7) * 0.4 + 0.5;
    return Math.round(white * Math.min(1, Math.max(0, wave + ((pixel * 37) % 11) / 200)));
  });
}

function sampleArray(samplesPerPixel: 1 | 3, bits: number): Uint8Array | Uint16Array {
  const values = samples(samplesPerPixel, bits);
  return bits > 8 ? Uint16Array.from(values) : Uint8Array.from(values);
}

/** An instance with these pixel data; native ones are the samples themselves. */
function instance(samplesPerPixel: 1 | 3, bits: number, compressed?: { uid: string; frame: Uint8Array }): Uint8Array {
  const wide = bits > 8;
  const plain = sampleArray(samplesPerPixel, bits);
  const native = new Uint8Array(plain.buffer, plain.byteOffset, plain.byteLength);
  const elements: BuildElement[] = [
    ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.7'],
    ['SOPInstanceUID', '2.25.11'],
    ['StudyInstanceUID', '2.25.12'],
    ['SeriesInstanceUID', '2.25.13'],
    ['SamplesPerPixel', samplesPerPixel],
    ['PhotometricInterpretation', samplesPerPixel === 3 ? 'RGB' : 'MONOCHROME2'],
    ...(samplesPerPixel === 3 ? ([['PlanarConfiguration', 0]] as const) : []),
    ['Rows', ROWS],
    ['Columns', COLUMNS],
    ['BitsAllocated', wide ? 16 : 8],
    ['BitsStored', bits],
    ['HighBit', bits - 1],
    ['PixelRepresentation', 0],
    compressed === undefined
      ? ['PixelData', wide ? 'OW' : 'OB', native]
      : ['PixelData', 'OB', { fragments: [new Uint8Array(0), compressed.frame] }],
  ];
  return buildPart10(elements, compressed === undefined ? {} : { transferSyntax: compressed.uid });
}

async function decoded(path: string): Promise<number[]> {
  const image = await openImage(readPart10(bytesSource(readFileSync(path))));
  return [...image.decode(0).samples];
}

const skip = skipWithoutProgram('dcmcjpeg', 'dcmdjpeg');

describe('JPEG by DCMTK', { skip }, () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'lethe-jpeg-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Paths of the compressed file and of what DCMTK makes of it again. */
  function compress(source: Uint8Array, options: readonly string[]): [compressed: string, plain: string] {
    const [input, compressed, plain] = ['in.dcm', 'jpeg.dcm', 'plain.dcm'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(input, source);
    execFileSync('dcmcjpeg', [...options, input, compressed], { stdio: 'pipe' });
    execFileSync('dcmdjpeg', [compressed, plain], { stdio: 'pipe' });
    return [compressed, plain];
  }

  for (const selection of [1, 2, 3, 4, 5, 6, 7]) {
    test(`lossless with predictor ${selection}: grey of 8, 12 and 16 bits and RGB, to the last bit`, async () => {
      for (const [samplesPerPixel, bits] of [
        [1, 8],
        [1, 12],
        [1, 16],
        [3, 8],
      ] as const) {
        const [compressed] = compress(instance(samplesPerPixel, bits), ['+el', '+sv', String(selection)]);
        assert.deepEqual(
          await decoded(compressed),
          samples(samplesPerPixel, bits),
          `${samplesPerPixel} samples of ${bits} bits`,
        );
      }
    });
  }

  test('lossless with a point transform: the low bits are gone and nothing else', async () => {
    const [compressed, plain] = compress(instance(1, 12), ['+el', '+sv', '4', '+pt', '3']);
    const found = await decoded(compressed);
    assert.deepEqual(found, await decoded(plain));
    assert.deepEqual(
      found,
      samples(1, 12).map((value) => (value >> 3) << 3),
    );
  });

  const LOSSY: readonly (readonly [what: string, bits: number, options: readonly string[]])[] = [
    ['baseline', 8, ['+eb', '+q', '80']],
    ['extended sequential, 8 bits', 8, ['+ee', '+q', '70']],
    ['extended sequential, 12 bits', 12, ['+ee', '+q', '70']],
    ['spectral selection, 12 bits', 12, ['+es', '+q', '80']],
    ['progressive, 8 bits', 8, ['+ep', '+q', '80']],
    ['progressive, 12 bits', 12, ['+ep', '+q', '80']],
    ['progressive of low quality, 12 bits', 12, ['+ep', '+q', '10']],
  ];
  for (const [what, bits, options] of LOSSY) {
    test(`${what}: the same samples as DCMTK`, async () => {
      const [compressed, plain] = compress(instance(1, bits), options);
      assert.deepEqual(await decoded(compressed), await decoded(plain));
    });
  }

  for (const [what, options] of [
    ['whole', ['+ee', '+q', '90', '+s4']],
    ['halved across', ['+ee', '+q', '90', '+s2']],
    ['halved both ways', ['+ee', '+q', '90', '+n1']],
    ['halved, progressive', ['+ep', '+q', '90', '+s2']],
  ] as const) {
    test(`colour of 12 bits, chrominance ${what}: within one level of DCMTK`, async () => {
      const [compressed, plain] = compress(instance(3, 12), ['+cy', ...options]);
      const [found, expected] = [await decoded(compressed), await decoded(plain)];
      assert.equal(found.length, expected.length);
      assert.ok(found.every((value, index) => Math.abs(value - (expected[index] ?? 0)) <= 1));
    });
  }
});

test('DCMTK reads our lossless JPEG-LS to the last bit', { skip: skipWithoutProgram('dcmdjpls') }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lethe-jpegls-'));
  try {
    for (const [samplesPerPixel, bits] of [
      [1, 8],
      [1, 12],
      [1, 16],
      [3, 8],
    ] as const) {
      const shape = { rows: ROWS, columns: COLUMNS, samplesPerPixel, bitsStored: bits, signed: false };
      const frame = await encodeJpegLsLossless(sampleArray(samplesPerPixel, bits), shape);
      const [compressed, plain] = [join(folder, 'jpegls.dcm'), join(folder, 'plain.dcm')];
      writeFileSync(compressed, instance(samplesPerPixel, bits, { uid: '1.2.840.10008.1.2.4.80', frame }));
      execFileSync('dcmdjpls', [compressed, plain], { stdio: 'pipe' });
      assert.deepEqual(await decoded(plain), samples(samplesPerPixel, bits));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
