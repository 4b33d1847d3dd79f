import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeImage, frameBytes, hasImage } from '../../src/imaging/image-description.ts';
import { type Attributes, describedAs, imageFile } from './image-files.ts';

const PIXELS: Attributes = { PixelData: ['OB', Uint8Array.of(1, 2, 3, 4, 5, 6)] };

function describe(attributes: Attributes) {
  const { dataSet, transferSyntax } = imageFile({ ...PIXELS, ...attributes });
  return describeImage(dataSet, transferSyntax);
}

test('an object without any of the three kinds of pixel data has no image', () => {
  assert.equal(hasImage(imageFile({}).dataSet), false);
  assert.equal(hasImage(imageFile(PIXELS).dataSet), true);
  assert.equal(hasImage(imageFile({ FloatPixelData: new Uint8Array(24) }).dataSet), true);
  assert.throws(() => describe({ PixelData: undefined }), { code: 'IMAGING_PIXEL_DATA_MISSING' });
});

test('the image pixel module is read as it stands', () => {
  assert.deepEqual(
    describe({ PhotometricInterpretation: 'MONOCHROME1', NumberOfFrames: '4', BitsStored: 7, HighBit: 6 }),
    {
      ...describedAs({ photometric: 'MONOCHROME1', frames: 4, bitsStored: 7 }),
    },
  );
});

test('number of frames 0 or empty is one frame', () => {
  assert.equal(describe({ NumberOfFrames: '0' }).frames, 1);
  assert.equal(describe({ NumberOfFrames: '' }).frames, 1);
});

test('a missing bits stored or high bit means that every bit is used', () => {
  const { bitsStored, highBit } = describe({ BitsStored: undefined, HighBit: undefined });
  assert.deepEqual([bitsStored, highBit], [8, 7]);
});

test('planar configuration counts for several samples only', () => {
  assert.equal(describe({ PlanarConfiguration: 1 }).planar, 0);
  const colour = { SamplesPerPixel: 3, PhotometricInterpretation: 'RGB', PlanarConfiguration: 1 };
  assert.equal(describe(colour).planar, 1);
});

const CONTRADICTIONS: readonly (readonly [what: string, attributes: Attributes])[] = [
  ['rows missing', { Rows: undefined }],
  ['no columns', { Columns: 0 }],
  ['packed 12-bit cells', { BitsAllocated: 12, BitsStored: 12, HighBit: 11 }],
  ['more bits stored than allocated', { BitsStored: 9 }],
  ['a high bit below the stored bits', { HighBit: 3 }],
  ['a high bit beyond the allocated bits', { HighBit: 8 }],
  ['two samples a pixel', { SamplesPerPixel: 2 }],
  ['colour of one sample', { PhotometricInterpretation: 'RGB' }],
  ['grey of three samples', { SamplesPerPixel: 3 }],
  ['a photometric interpretation nobody can show', { PhotometricInterpretation: 'CMYK' }],
  ['a negative number of frames', { NumberOfFrames: '-3' }],
];
for (const [what, attributes] of CONTRADICTIONS) {
  test(`${what}: refused, naming the attribute and no value`, () => {
    assert.throws(() => describe(attributes), { code: 'IMAGING_DESCRIPTION_INVALID' });
  });
}

test('a frame of gigapixels and a million frames are too large before anything is allocated', () => {
  assert.throws(() => describe({ Rows: 60000, Columns: 60000 }), { code: 'IMAGING_TOO_LARGE' });
  assert.throws(() => describe({ NumberOfFrames: '2000000' }), { code: 'IMAGING_TOO_LARGE' });
});

test('native frame sizes: 1-bit cells packed, shared chrominance counted once for two pixels', () => {
  assert.equal(frameBytes(describedAs({ rows: 3, columns: 5, bitsAllocated: 1 })), 2);
  assert.equal(frameBytes(describedAs({ rows: 3, columns: 5, bitsAllocated: 16 })), 30);
  assert.equal(frameBytes(describedAs({ rows: 3, columns: 4, samplesPerPixel: 3, photometric: 'YBR_FULL_422' })), 24);
});
