/** Colour to 8-bit RGB, PS3.3 §C.7.6.3.1.2; expected values from ITU-R BT.601 by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeNative } from '../../src/imaging/codecs/native.ts';
import { toRgb8 } from '../../src/imaging/colour.ts';
import { describedAs, frameOf } from './image-files.ts';

const COLOUR = { samplesPerPixel: 3 } as const;

test('YBR_FULL: grey stays grey, and the primaries come out saturated', () => {
  // BT.601 full range: red is Y 76, Cb 85, Cr 255; blue is Y 29, Cb 255, Cr 107.
  const samples = Uint8Array.of(0, 128, 128, 255, 128, 128, 76, 85, 255, 29, 255, 107);
  const rgb = toRgb8(frameOf(samples, { ...COLOUR, photometric: 'YBR_FULL' }));
  assert.deepEqual([...rgb], [0, 0, 0, 255, 255, 255, 254, 0, 0, 0, 0, 254]);
});

test('YBR_PARTIAL: 16 is black and 235 white', () => {
  const samples = Uint8Array.of(16, 128, 128, 235, 128, 128);
  assert.deepEqual(
    [...toRgb8(frameOf(samples, { ...COLOUR, photometric: 'YBR_PARTIAL_422' }))],
    [0, 0, 0, 255, 255, 255],
  );
});

test('samples of 16 and 32 bits keep their brightness', () => {
  assert.deepEqual(
    [...toRgb8(frameOf(Uint16Array.of(0, 0x8080, 0xffff), { ...COLOUR, photometric: 'RGB' }))],
    [0, 128, 255],
  );
  assert.deepEqual(
    [...toRgb8(frameOf(Uint32Array.of(0, 0x80808080, 0xffffffff), { ...COLOUR, photometric: 'RGB' }))],
    [0, 128, 255],
  );
});

test('8-bit RGB is handed on without a copy', () => {
  const samples = Uint8Array.of(1, 2, 3);
  assert.equal(toRgb8(frameOf(samples, { ...COLOUR, photometric: 'RGB' })), samples);
});

test('planes become pixels (planar configuration 1)', () => {
  const description = describedAs({ rows: 1, columns: 2, samplesPerPixel: 3, photometric: 'RGB', planar: 1 });
  assert.deepEqual([...decodeNative(Uint8Array.of(1, 2, 3, 4, 5, 6), description).samples], [1, 3, 5, 2, 4, 6]);
});

test('the chrominance of 4:2:2 is that of both pixels of a pair', () => {
  const description = describedAs({ rows: 1, columns: 4, samplesPerPixel: 3, photometric: 'YBR_FULL_422' });
  const frame = decodeNative(Uint8Array.of(10, 20, 1, 2, 30, 40, 3, 4), description);
  assert.deepEqual([...frame.samples], [10, 1, 2, 20, 1, 2, 30, 3, 4, 40, 3, 4]);
  assert.equal(frame.photometric, 'YBR_FULL');
});
