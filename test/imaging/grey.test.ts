/** The grey pipeline of PS3.4 §N.2.1 on images small enough to compute by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DecodedFrame } from '../../src/imaging/decoded-frame.ts';
import { GreyRenderer, mapThrough } from '../../src/imaging/grey.ts';
import { openImage } from '../../src/imaging/image.ts';
import { type Attributes, imageFile, wordBytes } from './image-files.ts';

const WORDS: Attributes = { BitsAllocated: 16, BitsStored: 12, HighBit: 11 };

/** Renders the frames of one image, one row, as 16-bit words. */
async function render(words: readonly number[], attributes: Attributes, frames = 1) {
  const pixels = {
    Rows: 1,
    Columns: words.length / frames,
    NumberOfFrames: `${frames}`,
    PixelData: ['OW', wordBytes(words)] as const,
  };
  const part10 = imageFile({ ...WORDS, ...pixels, ...attributes });
  const image = await openImage(part10);
  const { source, dataSet } = part10;
  const renderer = new GreyRenderer({ source, dataSet, description: image.description, window: 'auto' });
  return Array.from({ length: frames }, (_, index) => renderer.render8(image.decode(index), index));
}

async function pixels(words: readonly number[], attributes: Attributes): Promise<number[]> {
  const [frame] = await render(words, attributes);
  return [...(frame?.pixels ?? [])];
}

test('rescale comes before the window', async () => {
  const attributes = { RescaleSlope: '2', RescaleIntercept: '-1000', WindowCenter: '0', WindowWidth: '1000' };
  // Modality values -1000, 0 and 1000: below, (0 + 0.5) / 999 + 0.5 of 255, above.
  assert.deepEqual(await pixels([0, 500, 1000], attributes), [0, 128, 255]);
});

test('the presentation LUT shape decides what is white, else the photometric interpretation (as dcm2pnm)', async () => {
  const voi = { WindowCenter: '2048', WindowWidth: '4096' };
  const cases = [
    ['MONOCHROME1', undefined, [255, 0]],
    ['MONOCHROME1', 'INVERSE', [255, 0]],
    ['MONOCHROME1', 'IDENTITY', [0, 255]],
    ['MONOCHROME2', undefined, [0, 255]],
    ['MONOCHROME2', 'INVERSE', [255, 0]],
  ] as const;
  for (const [PhotometricInterpretation, PresentationLUTShape, expected] of cases) {
    const attributes = { ...voi, PhotometricInterpretation, PresentationLUTShape };
    assert.deepEqual(
      await pixels([0, 4095], attributes),
      expected,
      `${PhotometricInterpretation} ${PresentationLUTShape}`,
    );
  }
});

test('signed values are extended from bits stored, whatever lies above them', async () => {
  const attributes = { PixelRepresentation: 1, WindowCenter: '0', WindowWidth: '4096' };
  // 0x800 is -2048 and 0x7FF 2047; F on top is a sign extension, A is something else's bits.
  assert.deepEqual(await pixels([0x0800, 0xf800, 0xa800, 0x07ff], attributes), [0, 0, 0, 255]);
});

test('a high bit above bits stored - 1 shifts the values down', async () => {
  const attributes = { HighBit: 15, WindowCenter: '2048', WindowWidth: '4096' };
  assert.deepEqual(await pixels([0x0000, 0xfff0, 0xffff], attributes), [0, 255, 255]);
});

test('the first of several windows is taken', async () => {
  const attributes = { WindowCenter: ['100', '3000'], WindowWidth: ['100', '10'] };
  const [frame] = await render([50, 150], attributes);
  assert.deepEqual(frame?.window, { center: 100, width: 100, function: 'LINEAR' });
});

test('a window with no width is as good as none', async () => {
  const [frame] = await render([5, 6], { WindowCenter: '100', WindowWidth: '0' });
  assert.match(frame?.notes[0] ?? '', /default window/);
});

test('a VOI LUT is used where there is no window', async () => {
  const lut = [
    ['LUTDescriptor', 'US', [3, 100, 8]],
    ['LUTData', 'US', [0, 51, 255]],
  ] as const;
  const [frame] = await render([99, 101, 102, 4000], { VOILUTSequence: [lut] });
  assert.deepEqual([...(frame?.pixels ?? [])], [0, 51, 255, 255]);
  assert.deepEqual(frame?.notes, ['VOI LUT']);
  assert.equal(frame?.window, undefined);
});

test('a modality LUT replaces the rescale', async () => {
  const lut = [
    ['LUTDescriptor', 'US', [3, 1, 16]],
    ['LUTData', 'US', [1000, 0, 500]],
    ['ModalityLUTType', 'OD'],
  ] as const;
  const attributes = { ModalityLUTSequence: [lut], WindowCenter: '500', WindowWidth: '1001', VOILUTFunction: 'LINEAR' };
  assert.deepEqual(await pixels([0, 1, 2, 3], attributes), [255, 255, 0, 128]);
});

test('a rescale slope of 0 is read as absent', async () => {
  assert.deepEqual(await pixels([0, 4095], { RescaleSlope: '0', WindowCenter: '2048', WindowWidth: '4096' }), [0, 255]);
});

test('enhanced objects bring a window for each frame, and the rescale for all of them', async () => {
  const perFrame = ['10', '110'].map(
    (center) =>
      [
        [
          'FrameVOILUTSequence',
          [
            [
              ['WindowCenter', center],
              ['WindowWidth', '20'],
            ],
          ],
        ],
      ] as const,
  );
  const shared = [
    [
      [
        'PixelValueTransformationSequence',
        [
          [
            ['RescaleIntercept', '100'],
            ['RescaleSlope', '1'],
          ],
        ],
      ],
    ] as const,
  ];
  const attributes = { PerFrameFunctionalGroupsSequence: perFrame, SharedFunctionalGroupsSequence: shared };
  const frames = await render([0, 5, 9, 0, 10, 20], attributes as Attributes, 2);
  assert.deepEqual(
    frames.map(({ window }) => window?.center),
    [10, 110],
  );
  // Modality values from 100 on are all white in the first window; in the second, 100, 110 and 120.
  assert.deepEqual(
    frames.map(({ pixels: shown }) => [...shown]),
    [
      [255, 255, 255],
      [0, 134, 255],
    ],
  );
});

test('without a window, percentiles of the modality; padding does not count', async () => {
  const words = [4000, 4000, 4000, ...Array.from({ length: 101 }, (_, index) => 1000 + index)];
  const [frame] = await render(words, { Modality: 'MR', PixelPaddingValue: ['US', 4000] });
  // Of 101 values from 1000 to 1100 the 1st percentile is the second, the 99th the hundredth.
  assert.deepEqual(frame?.window, { center: 1050, width: 98, function: 'LINEAR_EXACT' });
  assert.deepEqual(frame?.notes, ['default window, percentiles 1 to 99']);
});

test('a range of padding values is left out whole', async () => {
  const words = [0, 1, 2, 3, 100, 200];
  const [frame] = await render(words, { PixelPaddingValue: ['US', 0], PixelPaddingRangeLimit: ['US', 3] });
  assert.deepEqual(frame?.window, { center: 150, width: 100, function: 'LINEAR_EXACT' });
});

test('an image of one value, and one of padding alone, become black', async () => {
  assert.deepEqual(await pixels([77, 77], {}), [0, 0]);
  assert.deepEqual(await pixels([77, 77], { PixelPaddingValue: ['US', 77] }), [0, 0]);
});

test('up to 8 stored bits without a rescale are shown from 0 to white', async () => {
  assert.deepEqual(await pixels([0, 63, 127], { BitsStored: 7, HighBit: 6 }), [0, 126, 255]);
});

test('floating values: LINEAR has no whole steps to count, so it is exact', async () => {
  const part10 = imageFile({ Rows: 1, Columns: 3, FloatPixelData: ['OW', new Uint8Array(12)] });
  const image = await openImage(part10);
  const { source, dataSet } = part10;
  const window = { center: 0.5, width: 1 };
  const renderer = new GreyRenderer({ source, dataSet, description: image.description, window });
  const frame: DecodedFrame = { ...image.decode(0), samples: Float32Array.of(0, 0.2, 1) };
  assert.deepEqual([...renderer.render8(frame, 0).pixels], [0, 51, 255]);
});

test('words map the same wherever they begin in memory and however many there are', () => {
  const table = Uint8Array.from({ length: 65536 }, (_, word) => (word * 7) >>> 3);
  const memory = Uint16Array.from({ length: 40 }, (_, index) => index * 1601);
  for (const start of [0, 1, 2, 3]) {
    for (let count = 0; count <= 9; count++) {
      const words = memory.subarray(start, start + count);
      assert.deepEqual(
        [...mapThrough(words, table)],
        [...words].map((word) => table[word]),
      );
    }
  }
});
