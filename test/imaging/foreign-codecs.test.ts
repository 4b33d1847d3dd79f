/**
 * Codestreams by the reference encoders' own programs (OpenJPEG, OpenJPH, libjxl), with every option that changes how
 * samples are laid out: what goes in comes out, to the last bit. And what our encoders write, read by OpenJPEG.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { loadDecoder } from '../../src/imaging/codec.ts';
import { loadHtj2kEncoder } from '../../src/imaging/codecs/htj2k.ts';
import { loadJpeg2000Encoder } from '../../src/imaging/codecs/jpeg-2000.ts';
import type { DecodedFrame } from '../../src/imaging/decoded-frame.ts';
import { storedValue } from '../../src/imaging/decoded-frame.ts';
import { skipWithoutProgram } from '../support/peers.ts';
import { describedAs, syntax } from './image-files.ts';

const ROWS = 61;
const COLUMNS = 75;

interface Layout {
  readonly samplesPerPixel: 1 | 3;
  readonly bits: number;
  readonly signed?: boolean;
}

/** Samples by pixels: waves with texture over the whole range, every component another. */
function values({ samplesPerPixel, bits, signed = false }: Layout): number[] {
  const white = 2 ** bits - 1;
  return Array.from({ length: ROWS * COLUMNS * samplesPerPixel }, (_, index) => {
    const pixel = Math.floor(index / samplesPerPixel);
    const component = index % samplesPerPixel;
    const wave = Math.sin((pixel % COLUMNS) / 9 + component) * Math.cos(pixel / COLUMNS / 7) * 0.45 + 0.5;
    const value = Math.round(white * Math.min(1, Math.max(0, wave + (((pixel * 37) % 11) - 5) / 120)));
    return signed ? value - 2 ** (bits - 1) : value;
  });
}

function stored(frame: DecodedFrame): number[] {
  return [...frame.samples].map((word) => storedValue(word, frame));
}

function descriptionOf({ samplesPerPixel, bits, signed = false }: Layout) {
  return describedAs({
    rows: ROWS,
    columns: COLUMNS,
    samplesPerPixel,
    bitsAllocated: bits > 8 ? 16 : 8,
    bitsStored: bits,
    signed,
    photometric: samplesPerPixel === 3 ? 'RGB' : 'MONOCHROME2',
  });
}

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'lethe-codecs-'));
});
after(() => rmSync(folder, { recursive: true }));

function compress(program: string, input: string, output: string, options: readonly string[], flags = ['-i', '-o']) {
  const [from, to] = [join(folder, input), join(folder, output)];
  const named = flags.length === 0 ? [from, to] : [flags[0] ?? '', from, flags[1] ?? '', to];
  execFileSync(program, [...named, ...options], { stdio: 'pipe' });
  return new Uint8Array(readFileSync(to));
}

/** OpenJPEG's raw files: one component after the other, little-endian; those it writes have their sign cut off. */
function writePlanes(name: string, layout: Layout, sign: 'extended' | 'masked' = 'extended'): void {
  const mask = sign === 'masked' ? 2 ** layout.bits - 1 : -1;
  const samples = values(layout).map((value) => value & mask);
  const width = layout.bits > 8 ? 2 : 1;
  const bytes = Buffer.alloc(samples.length * width);
  const pixels = ROWS * COLUMNS;
  for (const [index, value] of samples.entries()) {
    const at = ((index % layout.samplesPerPixel) * pixels + Math.floor(index / layout.samplesPerPixel)) * width;
    if (width === 1) bytes[at] = value;
    else bytes.writeUInt16LE(value & 0xffff, at);
  }
  writeFileSync(join(folder, name), bytes);
}

/** Netpbm, 16-bit samples big-endian. */
function writePnm(name: string, layout: Layout): void {
  const samples = values(layout);
  const head = `${layout.samplesPerPixel === 1 ? 'P5' : 'P6'}\n${COLUMNS} ${ROWS}\n${2 ** layout.bits - 1}\n`;
  const body = layout.bits > 8 ? Buffer.from(Uint16Array.from(samples).buffer).swap16() : Buffer.from(samples);
  writeFileSync(join(folder, name), Buffer.concat([Buffer.from(head), body]));
}

const LAYOUTS: readonly Layout[] = [
  ...[8, 10, 12, 16].flatMap((bits) => [
    { samplesPerPixel: 1 as const, bits },
    { samplesPerPixel: 1 as const, bits, signed: true },
  ]),
  { samplesPerPixel: 3, bits: 8 },
  { samplesPerPixel: 3, bits: 16 },
];

const nameOf = ({ samplesPerPixel, bits, signed }: Layout): string =>
  `${samplesPerPixel === 3 ? 'colour' : 'grey'} of ${bits} ${signed === true ? 'signed ' : ''}bits`;

async function decodesTo(uid: string, stream: Uint8Array, layout: Layout, what: string): Promise<void> {
  const decode = await loadDecoder(syntax(uid));
  const expected = values(layout);
  const found = stored(decode(stream, descriptionOf(layout)));
  const wrong = found.filter((value, index) => value !== expected[index]).length;
  assert.deepEqual([found.length, wrong], [expected.length, 0], `${what}: samples, wrong ones`);
}

const JPEG_2000 = '1.2.840.10008.1.2.4.90';
const JPEG_2000_PART_2 = '1.2.840.10008.1.2.4.92';
const HTJ2K = '1.2.840.10008.1.2.4.201';
const JPEG_XL = '1.2.840.10008.1.2.4.110';

describe('JPEG 2000 by OpenJPEG', { skip: skipWithoutProgram('opj_compress') }, () => {
  function openJpeg(layout: Layout, options: readonly string[], output = 'out.j2k'): Uint8Array {
    writePlanes('in.rawl', layout);
    const { samplesPerPixel, bits, signed } = layout;
    const shape = `${COLUMNS},${ROWS},${samplesPerPixel},${bits},${signed === true ? 's' : 'u'}`;
    return compress('opj_compress', 'in.rawl', output, ['-F', shape, ...options]);
  }

  for (const layout of LAYOUTS) {
    test(`${nameOf(layout)}, in part 1 and part 2 syntax`, async () => {
      const stream = openJpeg(layout, []);
      await decodesTo(JPEG_2000, stream, layout, 'part 1');
      await decodesTo(JPEG_2000_PART_2, stream, layout, 'part 2');
    });
  }

  const OPTIONS: Readonly<Record<string, readonly string[]>> = {
    'by resolution': ['-p', 'RLCP'],
    'by position': ['-p', 'PCRL'],
    'by component': ['-p', 'CPRL'],
    'in tiles': ['-t', '32,32'],
    'in tile-parts': ['-TP', 'R', '-t', '32,32'],
    'in layers': ['-r', '20,10,1'],
    'of one resolution': ['-n', '1'],
    'with every mode of code-blocks': ['-M', '63'],
    'with precincts and markers': ['-c', '[64,64],[32,32]', '-SOP', '-EPH'],
    'off the origin': ['-d', '5,7', '-T', '3,3', '-t', '40,40'],
    'without a component transform': ['-mct', '0'],
  };
  for (const [what, options] of Object.entries(OPTIONS)) {
    test(`${what}: grey and colour`, async () => {
      for (const layout of [
        { samplesPerPixel: 1, bits: 12 },
        { samplesPerPixel: 3, bits: 8 },
      ] as const) {
        await decodesTo(JPEG_2000, openJpeg(layout, options), layout, nameOf(layout));
      }
    });
  }

  const grey: Layout = { samplesPerPixel: 1, bits: 12 };
  test('inside of a JP2 file', async () => {
    await decodesTo(JPEG_2000, openJpeg(grey, [], 'out.jp2'), grey, 'JP2');
  });

  test('without its end marker, and with any amount of zeros behind it', async () => {
    const stream = openJpeg(grey, []);
    await decodesTo(JPEG_2000, stream.slice(0, -2), grey, 'no EOC');
    await decodesTo(JPEG_2000, Buffer.concat([stream, Buffer.alloc(5000)]), grey, 'zeros');
    await decodesTo(JPEG_2000, Buffer.concat([stream.slice(0, -2), Buffer.alloc(9)]), grey, 'zeros instead of EOC');
  });

  test('with its last tile-part cut by a byte, it is refused', async () => {
    const cut = openJpeg(grey, []).slice(0, -3);
    const decode = await loadDecoder(syntax(JPEG_2000));
    assert.throws(() => decode(cut, descriptionOf(grey)), { code: 'IMAGING_CODESTREAM_INVALID' });
  });
});

describe('HTJ2K by OpenJPH', { skip: skipWithoutProgram('ojph_compress') }, () => {
  const OPTIONS: Readonly<Record<string, readonly string[]>> = {
    'as it comes': [],
    'by layer': ['-prog_order', 'LRCP'],
    'by component': ['-prog_order', 'CPRL'],
    'in tiles': ['-tile_size', '{32,32}'],
    'of one resolution': ['-num_decomps', '0'],
    'in small code-blocks': ['-block_size', '{32,32}'],
  };
  for (const [what, options] of Object.entries(OPTIONS)) {
    test(`${what}: grey of 8 to 16 bits, and colour with and without a component transform`, async () => {
      for (const layout of LAYOUTS.filter(({ signed }) => signed !== true)) {
        const input = layout.samplesPerPixel === 1 ? 'in.pgm' : 'in.ppm';
        writePnm(input, layout);
        for (const transform of layout.samplesPerPixel === 1 ? [[]] : [[], ['-colour_trans', 'false']]) {
          const stream = compress('ojph_compress', input, 'out.j2c', ['-reversible', 'true', ...transform, ...options]);
          await decodesTo(HTJ2K, stream, layout, `${nameOf(layout)} ${transform.join(' ')}`);
        }
      }
    });
  }
});

/** Deeper colour is refused: the encoders get it wrong. */
const ENCODABLE = LAYOUTS.filter(({ samplesPerPixel, bits }) => samplesPerPixel === 1 || bits === 8);
const OUR_ENCODERS = {
  'JPEG 2000': { load: loadJpeg2000Encoder, layouts: ENCODABLE },
  'HTJ2K without a component transform': {
    load: () => loadHtj2kEncoder({ componentTransform: false }),
    layouts: ENCODABLE,
  },
  'HTJ2K with a component transform': {
    load: () => loadHtj2kEncoder({ componentTransform: true }),
    layouts: ENCODABLE.filter(({ samplesPerPixel }) => samplesPerPixel === 3),
  },
} as const;
describe('what we write, read by OpenJPEG', { skip: skipWithoutProgram('opj_decompress') }, () => {
  for (const [what, { load, layouts }] of Object.entries(OUR_ENCODERS)) {
    for (const layout of layouts) {
      test(`${what}: ${nameOf(layout)}`, async () => {
        const { samplesPerPixel, bits, signed = false } = layout;
        const samples = bits > 8 ? Uint16Array.from(values(layout)) : Uint8Array.from(values(layout));
        const encode = await load();
        const shape = { rows: ROWS, columns: COLUMNS, samplesPerPixel, bitsStored: bits, signed };
        writeFileSync(join(folder, 'ours.j2k'), encode(samples, shape));
        const found = compress('opj_decompress', 'ours.j2k', 'ours.rawl', []);
        writePlanes('expected.rawl', layout, 'masked');
        assert.ok(Buffer.compare(found, readFileSync(join(folder, 'expected.rawl'))) === 0);
      });
    }
  }
});

test('colour of more than 8 bits is refused by the encoders that get it wrong', async () => {
  const shape = { rows: 2, columns: 2, samplesPerPixel: 3, bitsStored: 16, signed: false } as const;
  for (const { load } of Object.values(OUR_ENCODERS)) {
    const encode = await load();
    assert.throws(() => encode(new Uint16Array(12), shape), { code: 'IMAGING_SYNTAX_UNSUPPORTED' });
  }
});

describe('JPEG XL by libjxl', { skip: skipWithoutProgram('cjxl') }, () => {
  // What cjxl makes of 10 and 12 bits is not what the file says: it takes the samples as fractions of 65535.
  for (const layout of LAYOUTS.filter(({ bits, signed }) => signed !== true && (bits === 8 || bits === 16))) {
    test(`lossless ${nameOf(layout)}, bare and in its container`, async () => {
      const input = layout.samplesPerPixel === 1 ? 'in.pgm' : 'in.ppm';
      writePnm(input, layout);
      for (const container of ['--container=0', '--container=1']) {
        await decodesTo(JPEG_XL, compress('cjxl', input, 'out.jxl', ['-d', '0', container], []), layout, container);
      }
    });
  }
});
