/**
 * Redactions of compressed pixel data as DCMTK, GDCM and pydicom see them: the same transfer syntax, black in the
 * rectangle, and outside of it every sample as it was.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { tagOfKeyword } from '../../../src/dicom/dictionary.ts';
import { transferSyntaxOf } from '../../../src/dicom/transfer-syntax.ts';
import { describeImage } from '../../../src/imaging/image-description.ts';
import type { FrameRect } from '../../../src/imaging/redact/rect.ts';
import { redactPixels } from '../../../src/imaging/redact/redact-pixels.ts';
import { buildPart10 } from '../../build/data-set.ts';
import { skipWithoutProgram } from '../../support/peers.ts';
import { encodeForeign, loadForeignEncoder } from '../foreign-encoder.ts';
import { syntax } from '../image-files.ts';
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

const BOX: FrameRect = { x: 9, y: 5, width: 20, height: 11 };
const SECOND_ONLY: FrameRect = { x: 40, y: 30, width: 7, height: 6, frames: [1] };

const GREY: TestImage = {
  rows: 45,
  columns: 71,
  samplesPerPixel: 1,
  bitsAllocated: 8,
  bitsStored: 8,
  photometric: 'MONOCHROME2',
  frames: 2,
};
const IMAGES: Readonly<Record<string, TestImage>> = {
  'grey of 8 bits': GREY,
  'grey of 12 bits': { ...GREY, bitsAllocated: 16, bitsStored: 12 },
  'grey of 16 bits': { ...GREY, bitsAllocated: 16, bitsStored: 16 },
  'grey of 16 bits, signed': { ...GREY, bitsAllocated: 16, bitsStored: 16, signed: true },
  'grey of 12 bits, signed': { ...GREY, bitsAllocated: 16, bitsStored: 12, signed: true },
  MONOCHROME1: { ...GREY, bitsAllocated: 16, bitsStored: 10, photometric: 'MONOCHROME1' },
  RGB: { ...GREY, samplesPerPixel: 3, photometric: 'RGB' },
};

interface Syntax {
  readonly uid: string;
  readonly encode: readonly [program: string, ...options: string[]];
  readonly decode: readonly [program: string, ...options: string[]];
  /** Images that the foreign encoder refuses. */
  readonly without?: readonly string[];
}

const SYNTAXES: Readonly<Record<string, Syntax>> = {
  RLE: { uid: '1.2.840.10008.1.2.5', encode: ['dcmcrle'], decode: ['dcmdrle'] },
  'JPEG lossless, selection 1': {
    uid: '1.2.840.10008.1.2.4.70',
    encode: ['dcmcjpeg', '+e1', '+un'],
    decode: ['dcmdjpeg'],
  },
  'JPEG lossless, selection 5': {
    uid: '1.2.840.10008.1.2.4.57',
    encode: ['dcmcjpeg', '+el', '+sv', '5', '+un'],
    decode: ['dcmdjpeg'],
  },
  'JPEG-LS lossless': { uid: '1.2.840.10008.1.2.4.80', encode: ['dcmcjpls', '+un'], decode: ['dcmdjpls'] },
  'JPEG 2000 lossless': { uid: '1.2.840.10008.1.2.4.90', encode: ['gdcmconv', '--j2k'], decode: ['gdcmconv', '--raw'] },
};

function isBlanked(image: TestImage, index: number, rects: readonly FrameRect[]): boolean {
  const pixel = Math.floor(index / image.samplesPerPixel);
  const frame = Math.floor(pixel / (image.rows * image.columns));
  const x = pixel % image.columns;
  const y = Math.floor(pixel / image.columns) % image.rows;
  return rects.some(
    (rect) =>
      (rect.frames?.includes(frame) ?? true) &&
      x >= rect.x &&
      x < rect.x + rect.width &&
      y >= rect.y &&
      y < rect.y + rect.height,
  );
}

/** The stored value of a word, whatever stands above High Bit. */
function stored(word: number, { bitsStored, signed }: TestImage): number {
  const value = word & (2 ** bitsStored - 1);
  return signed === true && value >= 2 ** (bitsStored - 1) ? value - 2 ** bitsStored : value;
}

function blackOf({ bitsStored, signed, photometric }: TestImage): number {
  if (photometric === 'MONOCHROME1') return 2 ** bitsStored - 1;
  return signed === true ? -(2 ** (bitsStored - 1)) : 0;
}

describe('lossless syntaxes come back in the same syntax, with the same samples', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'lethe-redact-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const [syntaxName, syntax] of Object.entries(SYNTAXES)) {
    const skip = skipWithoutProgram(syntax.encode[0], syntax.decode[0]);
    for (const [imageName, image] of Object.entries(IMAGES)) {
      test(`${syntaxName}: ${imageName}`, { skip }, async () => {
        const bench = new Bench(folder);
        const [encoder, ...encodeOptions] = syntax.encode;
        const compressed = opened(bench.run(encoder, encodeOptions, nativeFile(image)));
        assert.equal(compressed.transferSyntax.uid, syntax.uid);
        const rects = [BOX, SECOND_ONLY];
        const redaction = await redactPixels(compressed, rects);
        assert.ok(redaction);
        const redacted = withReplacements(compressed, redaction);
        assert.equal(opened(redacted).transferSyntax.uid, syntax.uid);
        const [decoder, ...decodeOptions] = syntax.decode;
        const found = [...nativeWords(bench.run(decoder, decodeOptions, redacted))];
        const expected = valuesOf(image).map((value, index) =>
          isBlanked(image, index, rects) ? blackOf(image) : value,
        );
        assert.deepEqual(
          found.slice(0, expected.length).map((word) => stored(word, image)),
          expected,
        );
      });
    }
  }
});

const COMPARE = `
import sys, numpy, pydicom
original, redacted = (pydicom.dcmread(path).pixel_array for path in sys.argv[1:3])
mask = numpy.zeros(original.shape[:3], bool)
mask[:, 5:16, 9:29] = True
mask[1, 30:36, 40:47] = True
assert (original[~mask] == redacted[~mask]).all(), 'pixels outside differ'
assert len(numpy.unique(redacted[mask], axis=0)) == 1, 'the rectangles are not of one colour'
`;

function skipWithoutPydicom(): string | false {
  try {
    execFileSync('/usr/bin/python3', ['-c', 'import pydicom, numpy, PIL'], { stdio: 'ignore' });
    return false;
  } catch {
    if (process.env['LETHE_REQUIRE_PEERS'] === '1') throw new Error('python3-pydicom is not installed');
    return 'pydicom is not installed (Debian packages python3-pydicom, python3-numpy, python3-pil)';
  }
}

describe('pydicom with Pillow sees the same', { skip: skipWithoutPydicom() }, () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'lethe-pydicom-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  // RLE by pydicom's own decoder, JPEG 2000 by OpenJPEG within Pillow.
  const cases = [
    ['RLE', GREY],
    ['RLE', { ...GREY, bitsAllocated: 16, bitsStored: 12 }],
    ['RLE', { ...GREY, samplesPerPixel: 3, photometric: 'RGB' }],
    ['JPEG 2000 lossless', GREY],
    ['JPEG 2000 lossless', { ...GREY, bitsAllocated: 16, bitsStored: 16 }],
  ] as const;
  for (const [name, image] of cases) {
    const syntax = SYNTAXES[name];
    const skip = skipWithoutProgram(syntax?.encode[0] ?? '');
    test(`${name}, ${image.samplesPerPixel} samples of ${image.bitsStored} bits`, { skip }, async () => {
      const bench = new Bench(folder);
      const [encoder, ...options] = syntax?.encode ?? [''];
      const original = bench.run(encoder, options, nativeFile(image));
      const compressed = opened(original);
      const redaction = await redactPixels(compressed, [BOX, SECOND_ONLY]);
      assert.ok(redaction);
      const [before_, after_] = [bench.path('before'), bench.path('after')];
      writeFileSync(before_, original);
      writeFileSync(after_, withReplacements(compressed, redaction));
      execFileSync('/usr/bin/python3', ['-c', COMPARE, before_, after_], { stdio: ['ignore', 'pipe', 'pipe'] });
    });
  }
});

describe('HTJ2K comes back as HTJ2K', () => {
  for (const uid of ['1.2.840.10008.1.2.4.201', '1.2.840.10008.1.2.4.202', '1.2.840.10008.1.2.4.203']) {
    for (const name of ['grey of 8 bits', 'grey of 12 bits, signed', 'RGB']) {
      test(`${transferSyntaxOf(uid)?.name}: ${name}`, { skip: skipWithoutPydicom() }, async () => {
        const image: TestImage = { ...(IMAGES[name] ?? GREY), frames: 1 };
        await loadForeignEncoder();
        const values = valuesOf(image);
        const words = image.bitsAllocated === 8 ? Uint8Array.from(values) : Uint16Array.from(values);
        const described = describeImage(opened(nativeFile(image)).dataSet, syntax('1.2.840.10008.1.2.1'));
        const frame = encodeForeign('htj2k', words, described);
        const pixels = ['PixelData', 'OB', { fragments: [new Uint8Array(0), frame] }] as const;
        const photometric = image.samplesPerPixel === 3 ? 'YBR_RCT' : image.photometric;
        const file = opened(buildPart10(elementsOf({ ...image, photometric }, pixels), { transferSyntax: uid }));
        const redaction = await redactPixels(file, [BOX]);
        const replacement = redaction?.replace.get(0x7fe00010);
        assert.ok(replacement?.kind === 'fragments');
        assert.equal(redaction?.transferSyntaxUid, undefined);
        const expected = values.map((value, index) => (isBlanked(image, index, [BOX]) ? blackOf(image) : value));
        const [stream] = [...replacement.fragments()];
        assert.deepEqual([...decodedByPillow(stream ?? new Uint8Array(0), image)], expected);
      });
    }
  }
});

/**
 * OpenJPEG within Pillow reads High-Throughput codestreams from its version 2.5 on. Pillow raises samples of more than 8
 * bits to 16, and signed ones to unsigned.
 */
function decodedByPillow(stream: Uint8Array, image: TestImage): number[] {
  const folder = mkdtempSync(join(tmpdir(), 'lethe-htj2k-'));
  try {
    const path = join(folder, 'frame.j2k');
    writeFileSync(path, stream);
    const script =
      'import sys, PIL.Image, json, numpy; print(json.dumps(numpy.asarray(PIL.Image.open(sys.argv[1])).ravel().tolist()))';
    const words = JSON.parse(execFileSync('/usr/bin/python3', ['-c', script, path], { encoding: 'utf8' })) as number[];
    const raised = image.bitsStored > 8 ? 2 ** (16 - image.bitsStored) : 1;
    const offset = image.signed === true ? 2 ** (image.bitsStored - 1) : 0;
    return words.map((word) => word / raised - offset);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('lossy syntaxes without an encoder', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'lethe-lossy-'));
  });
  after(() => rmSync(folder, { recursive: true }));
  const lossyTag = tagOfKeyword('LossyImageCompression') ?? 0;

  test('near-lossless JPEG-LS comes back as lossless JPEG-LS, and is still called lossy', {
    skip: skipWithoutProgram('dcmcjpls', 'dcmdjpls'),
  }, async () => {
    const bench = new Bench(folder);
    const original = bench.run('dcmcjpls', ['+en', '+md', '3', '+un'], nativeFile(GREY));
    const before_ = nativeWords(bench.run('dcmdjpls', [], original));
    const redaction = await redactPixels(opened(original), [BOX, SECOND_ONLY]);
    assert.equal(redaction?.transferSyntaxUid, '1.2.840.10008.1.2.4.80');
    const redacted = withReplacements(opened(original), redaction);
    assert.equal(opened(redacted).dataSet.string(lossyTag), '01');
    const after_ = nativeWords(bench.run('dcmdjpls', [], redacted));
    assert.deepEqual(
      [...after_],
      [...before_].map((value, index) => (isBlanked(GREY, index, [BOX, SECOND_ONLY]) ? 0 : value)),
    );
  });

  test('progressive JPEG of 12 bits comes back native with the samples that DCMTK decodes', {
    skip: skipWithoutProgram('dcmcjpeg', 'dcmdjpeg'),
  }, async () => {
    const bench = new Bench(folder);
    const image: TestImage = { ...GREY, bitsAllocated: 16, bitsStored: 12 };
    const original = bench.run('dcmcjpeg', ['+ep', '+q', '80', '+un'], nativeFile(image));
    const before_ = nativeWords(bench.run('dcmdjpeg', [], original));
    const redaction = await redactPixels(opened(original), [BOX]);
    assert.equal(redaction?.transferSyntaxUid, '1.2.840.10008.1.2.1');
    const redacted = withReplacements(opened(original), redaction);
    assert.equal(opened(redacted).dataSet.string(lossyTag), '01');
    assert.deepEqual(
      [...nativeWords(redacted)],
      [...before_].map((value, index) => (isBlanked(image, index, [BOX]) ? 0 : value)),
    );
  });
});
