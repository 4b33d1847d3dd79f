import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeImage } from '../../src/imaging/image-description.ts';
import { openPixelData } from '../../src/imaging/pixel-data.ts';
import { type Attributes, EXPLICIT_BIG, EXPLICIT_LITTLE, imageFile } from './image-files.ts';

const JPEG_BASELINE = '1.2.840.10008.1.2.4.50';

function open(attributes: Attributes, transferSyntax = EXPLICIT_LITTLE) {
  const part10 = imageFile(attributes, transferSyntax);
  return openPixelData(part10, describeImage(part10.dataSet, part10.transferSyntax));
}

test('native frames follow one another without padding between them', () => {
  const pixelData = open({
    NumberOfFrames: '2',
    Rows: 1,
    Columns: 3,
    PixelData: ['OB', Uint8Array.of(1, 2, 3, 4, 5, 6)],
  });
  assert.equal(pixelData.frameCount, 2);
  assert.deepEqual([...pixelData.frame(1)], [4, 5, 6]);
});

test('1-bit frames begin in the middle of a byte (PS3.5 §8.1.1) and are handed out aligned', () => {
  // Two frames of 3 pixels: 101 and 011, lowest bit first, so bits 5..0 are 110 101.
  const pixelData = open({
    NumberOfFrames: '2',
    Rows: 1,
    Columns: 3,
    BitsAllocated: 1,
    BitsStored: 1,
    HighBit: 0,
    PixelData: ['OB', Uint8Array.of(0b00110101)],
  });
  assert.equal((pixelData.frame(0)[0] ?? 0) & 7, 0b101);
  assert.equal((pixelData.frame(1)[0] ?? 0) & 7, 0b110);
});

test('big-endian words are swapped, also where a frame of 8-bit cells begins inside of one', () => {
  const words = open(
    { Columns: 1, BitsAllocated: 16, BitsStored: 16, HighBit: 15, PixelData: ['OW', [0x0102, 0x0304]] },
    EXPLICIT_BIG,
  );
  assert.deepEqual([...words.frame(0)], [2, 1, 4, 3]);
  // Cells 1 2 3 | 4 5 6 in words 0201, 0403, 0605.
  const cells = open({ NumberOfFrames: '2', Rows: 1, PixelData: ['OW', [0x0201, 0x0403, 0x0605]] }, EXPLICIT_BIG);
  assert.deepEqual([...cells.frame(0)], [1, 2, 3]);
  assert.deepEqual([...cells.frame(1)], [4, 5, 6]);
});

test('a 4:2:2 label on pixels that have all their samples is corrected by the length', () => {
  const colour = {
    Rows: 1,
    Columns: 2,
    SamplesPerPixel: 3,
    PlanarConfiguration: 0,
    PhotometricInterpretation: 'YBR_FULL_422',
  };
  assert.equal(open({ ...colour, PixelData: ['OB', new Uint8Array(6)] }).description.photometric, 'YBR_FULL');
  assert.equal(open({ ...colour, PixelData: ['OB', new Uint8Array(4)] }).description.photometric, 'YBR_FULL_422');
});

test('fewer bytes than the frames need are missing pixels', () => {
  assert.throws(() => open({ PixelData: ['OB', new Uint8Array(4)] }), { code: 'IMAGING_PIXEL_DATA_MISSING' });
});

test('a frame that does not exist is refused', () => {
  const pixelData = open({ PixelData: ['OB', new Uint8Array(6)] });
  for (const index of [-1, 1, 0.5]) assert.throws(() => pixelData.frame(index), { code: 'IMAGING_PIXEL_DATA_MISSING' });
});

test('fragments of a frame are joined', () => {
  const fragments = [new Uint8Array(0), Uint8Array.of(0xff, 0xd8, 0xff, 0xe0), Uint8Array.of(1, 2)];
  assert.deepEqual(
    [...open({ PixelData: ['OB', { fragments }] }, JPEG_BASELINE).frame(0)],
    [0xff, 0xd8, 0xff, 0xe0, 1, 2],
  );
});

test('native bytes in a compressed transfer syntax and fragments in a native one are contradictions', () => {
  const fragments = [new Uint8Array(0), new Uint8Array(6)];
  assert.throws(() => open({ PixelData: ['OB', new Uint8Array(6)] }, JPEG_BASELINE), {
    code: 'IMAGING_CODESTREAM_INVALID',
  });
  assert.throws(() => open({ PixelData: ['OB', { fragments }] }), { code: 'IMAGING_CODESTREAM_INVALID' });
});

test('RLE frames in several fragments each, without an offset table, are found by their headers', () => {
  // PS3.5 §G.5: one segment at 64, then a run of six.
  const header = new Uint8Array(64);
  new DataView(header.buffer).setUint32(0, 1, true);
  new DataView(header.buffer).setUint32(4, 64, true);
  const frames = [1, 2].flatMap((value) => [header, Uint8Array.of(256 - 5, value)]);
  const pixelData = open(
    { NumberOfFrames: '2', PixelData: ['OB', { fragments: [new Uint8Array(0), ...frames] }] },
    '1.2.840.10008.1.2.5',
  );
  assert.deepEqual([...pixelData.frame(1).subarray(64)], [251, 2]);
});

test('frames that share a JPEG 2000 Part 2 codestream are held as such, not as missing', () => {
  const fragments = [new Uint8Array(0), Uint8Array.of(0xff, 0x4f, 0xff, 0x51)];
  for (const uid of ['1.2.840.10008.1.2.4.92', '1.2.840.10008.1.2.4.93'])
    assert.throws(() => open({ NumberOfFrames: '5', PixelData: ['OB', { fragments }] }, uid), {
      code: 'IMAGING_SYNTAX_UNSUPPORTED',
    });
});
