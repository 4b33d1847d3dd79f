/** Bits of the codestream against Bits Stored and High Bit (PS3.5 §8.2). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codedFrame, lossyFrame } from '../../src/imaging/codecs/coded-frame.ts';
import { storedValue } from '../../src/imaging/decoded-frame.ts';
import { describedAs } from './image-files.ts';

const STORED_10 = describedAs({ bitsAllocated: 16, bitsStored: 10 });
const GREY = { photometric: 'MONOCHROME2' } as const;

test('a codestream of full precision carries cells as they are, with high bit and what lies above', () => {
  const description = describedAs({ bitsAllocated: 16, bitsStored: 12, highBit: 15 });
  const frame = codedFrame(description, { ...GREY, samples: Uint16Array.of(0xfff3), precision: 16 });
  assert.equal(storedValue(frame.samples[0] ?? 0, frame), 0xfff);
});

test('a shorter one carries the stored bits alone, low aligned', () => {
  const description = describedAs({ bitsAllocated: 16, bitsStored: 12, highBit: 15 });
  const frame = codedFrame(description, { ...GREY, samples: Uint16Array.of(0xabc), precision: 12 });
  assert.equal(storedValue(frame.samples[0] ?? 0, frame), 0xabc);
});

test('lossless values beyond bits stored are a contradiction, also signed ones', () => {
  const coded = (value: number) => ({ ...GREY, samples: Uint16Array.of(value), precision: 12 });
  assert.throws(() => codedFrame(STORED_10, coded(1024)), { code: 'IMAGING_CODESTREAM_INVALID' });
  assert.equal(codedFrame(STORED_10, coded(1023)).samples[0], 1023);
  const signed = { ...STORED_10, signed: true };
  assert.throws(() => codedFrame(signed, coded(512)), { code: 'IMAGING_CODESTREAM_INVALID' });
  assert.throws(() => codedFrame(signed, coded(0x10000 - 513)), { code: 'IMAGING_CODESTREAM_INVALID' });
  assert.equal(codedFrame(signed, coded(0x10000 - 512)).samples[0], 0x10000 - 512);
});

test('lossy values beyond bits stored are clamped: white stays white and black stays black', () => {
  const samples = () => Uint16Array.of(1023, 1030, 0);
  assert.deepEqual([...lossyFrame(STORED_10, { ...GREY, samples: samples(), precision: 12 }).samples], [1023, 1023, 0]);
  assert.deepEqual([...lossyFrame(STORED_10, { ...GREY, samples: samples(), precision: 16 }).samples], [1023, 1023, 0]);
  const signed = lossyFrame(
    { ...STORED_10, signed: true },
    { ...GREY, samples: Uint16Array.of(520, 0x10000 - 520), precision: 12 },
  );
  assert.deepEqual([...signed.samples], [511, 0x10000 - 512]);
});

test('what a decoder gives is never subsampled', () => {
  const description = describedAs({ samplesPerPixel: 3, photometric: 'YBR_FULL_422' });
  const frame = codedFrame(description, { samples: new Uint8Array(18), precision: 8, photometric: 'YBR_FULL_422' });
  assert.equal(frame.photometric, 'YBR_FULL');
});
