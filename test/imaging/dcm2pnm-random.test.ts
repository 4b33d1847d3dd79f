/**
 * The grey pipeline against DCMTK's dcm2pnm on instances made at random: every combination of bits, sign, high bit, rescale,
 * modality LUT, windows of both functions that DCMTK knows, VOI LUT and presentation LUT shape. Within one grey level.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesSource } from '../../src/core/bytes.ts';
import { readPart10 } from '../../src/dicom/part10.ts';
import { GreyRenderer } from '../../src/imaging/grey.ts';
import { openImage } from '../../src/imaging/image.ts';
import { type BuildElement, buildPart10 } from '../build/data-set.ts';
import { skipWithoutProgram } from '../support/peers.ts';

const ROWS = 8;
const COLUMNS = 12;

const layout = fc.constantFrom(
  { allocated: 8, stored: 8, high: 7 },
  { allocated: 8, stored: 6, high: 5 },
  { allocated: 16, stored: 10, high: 9 },
  { allocated: 16, stored: 12, high: 11 },
  { allocated: 16, stored: 12, high: 15 },
  { allocated: 16, stored: 16, high: 15 },
);
const rescale = fc.record({
  // DCMTK 3.6.7 reads beside its tables where a slope below 1 gives fewer values than there are words.
  slope: fc.constantFrom('1', '2', '1.5', '4'),
  intercept: fc.constantFrom('0', '-1024', '100', '12.5'),
});
const modalityStage = fc.oneof(rescale, fc.constant('lut' as const), fc.constant(undefined));
const voi = fc.oneof(
  fc.record({
    center: fc.integer({ min: -200, max: 3000 }),
    width: fc.integer({ min: 1, max: 5000 }),
    shape: fc.constantFrom('LINEAR', 'SIGMOID'),
  }),
  fc.record({ lut: fc.integer({ min: 0, max: 500 }), bits: fc.constantFrom(8, 12, 16) }),
);
const instance = fc.record({
  layout,
  modality: modalityStage,
  voi,
  signed: fc.boolean(),
  photometric: fc.constantFrom('MONOCHROME1', 'MONOCHROME2'),
  presentation: fc.constantFrom(undefined, 'IDENTITY', 'INVERSE'),
  words: fc.array(fc.nat(0xffff), { minLength: ROWS * COLUMNS, maxLength: ROWS * COLUMNS }),
});
type Instance = typeof instance extends fc.Arbitrary<infer Value> ? Value : never;

/** Entries that rise, as those of real tables do. */
function entries(count: number, bits: number): number[] {
  return Array.from({ length: count }, (_, index) => Math.round((index / (count - 1)) ** 2 * (2 ** bits - 1)));
}

function modalityElements({ modality: transform, layout: { stored }, signed }: Instance): BuildElement[] {
  if (transform === undefined) return [];
  if (transform !== 'lut')
    return [
      ['RescaleIntercept', transform.intercept],
      ['RescaleSlope', transform.slope],
    ];
  const first = signed ? -(2 ** (stored - 1)) : 0;
  const count = Math.min(4096, 2 ** stored);
  const descriptor: BuildElement = ['LUTDescriptor', signed ? 'SS' : 'US', [count, first, 16]];
  return [['ModalityLUTSequence', [[descriptor, ['ModalityLUTType', 'US'], ['LUTData', 'US', entries(count, 12)]]]]];
}

function voiElements({ voi: stage, modality }: Instance): BuildElement[] {
  if ('lut' in stage) {
    const descriptor: BuildElement = ['LUTDescriptor', 'US', [256, stage.lut, stage.bits]];
    return [['VOILUTSequence', [[descriptor, ['LUTData', 'US', entries(256, stage.bits)]]]]];
  }
  const { center, shape } = stage;
  // DCMTK drops the fraction that a rescale leaves, which PS3.3 §C.11.1 does not ask for: wide windows do not show it.
  const width =
    typeof modality === 'object' && `${modality.slope}${modality.intercept}`.includes('.')
      ? stage.width + 800
      : stage.width;
  return [
    ['WindowCenter', String(center)],
    ['WindowWidth', String(width)],
    ['VOILUTFunction', shape],
  ];
}

function file(made: Instance): Uint8Array {
  const { allocated, stored, high } = made.layout;
  const wide = allocated === 16;
  const mask = (2 ** stored - 1) << (high + 1 - stored);
  // Nothing above or below the stored bits: DCMTK warns of it and some of its paths do not mask.
  const words = made.words.map((word) => {
    const value = word & mask;
    return made.signed && high === stored - 1 && value >= 2 ** (stored - 1) ? value - 2 ** stored : value;
  });
  const pixels = wide ? new Uint8Array(Int16Array.from(words).buffer) : Uint8Array.from(words);
  return buildPart10([
    ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.7'],
    ['SOPInstanceUID', '2.25.21'],
    ['SamplesPerPixel', 1],
    ['PhotometricInterpretation', made.photometric],
    ['Rows', ROWS],
    ['Columns', COLUMNS],
    ['BitsAllocated', allocated],
    ['BitsStored', stored],
    ['HighBit', high],
    ['PixelRepresentation', made.signed ? 1 : 0],
    ...modalityElements(made),
    ...voiElements(made),
    ...(made.presentation === undefined ? [] : ([['PresentationLUTShape', made.presentation]] as const)),
    ['PixelData', wide ? 'OW' : 'OB', pixels],
  ]);
}

async function ours(bytes: Uint8Array): Promise<Uint8Array> {
  const { source, dataSet, transferSyntax } = readPart10(bytesSource(bytes));
  const image = await openImage({ source, dataSet, transferSyntax });
  return new GreyRenderer({ source, dataSet, description: image.description, window: 'auto' }).render8(
    image.decode(0),
    0,
  ).pixels;
}

test('random instances look as dcm2pnm shows them, within one grey level', {
  skip: skipWithoutProgram('dcm2pnm'),
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lethe-pnm-'));
  const path = join(folder, 'in.dcm');
  try {
    await fc.assert(
      fc.asyncProperty(instance, async (made) => {
        const bytes = file(made);
        writeFileSync(path, bytes);
        const choice = 'lut' in made.voi ? '+Wl' : '+Wi';
        const pgm = execFileSync('dcm2pnm', ['+op', choice, '1', path], { stdio: ['ignore', 'pipe', 'ignore'] });
        const expected = pgm.subarray(pgm.length - ROWS * COLUMNS);
        const found = await ours(bytes);
        const worst = found.reduce((most, value, index) => Math.max(most, Math.abs(value - (expected[index] ?? 0))), 0);
        assert.ok(worst <= 1, `${worst} grey levels\n${[...found]}\n${[...expected]}`);
      }),
      { numRuns: process.env['LETHE_LONG'] === '1' ? 2000 : 120, seed: 3 },
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
