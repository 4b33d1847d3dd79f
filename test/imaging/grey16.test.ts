/** The 16-bit output: whatever is sent, value × slope + intercept must be what the instance meant. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type DecodedFrame, storedValue } from '../../src/imaging/decoded-frame.ts';
import { grey16 } from '../../src/imaging/grey16.ts';
import { describedAs, frameOf } from './image-files.ts';

const IDENTITY = { kind: 'linear', slope: 1, intercept: 0 } as const;
const WORDS = describedAs({ bitsAllocated: 16, bitsStored: 12 });

test('unsigned values stay untouched, bits above them are cleared', () => {
  const sent = grey16(frameOf(Uint16Array.of(0x0fff, 0xf001), { bitsStored: 12 }), IDENTITY, WORDS);
  assert.deepEqual([...sent.samples], [0x0fff, 0x001]);
  assert.deepEqual([sent.bitsAllocated, sent.bitsStored, sent.slope, sent.intercept], [16, 12, 1, 0]);
});

test('signed values are shifted by 2^(bitsStored - 1), the intercept lowered by slope times that', () => {
  const frame = frameOf(Uint16Array.of(0x0800, 0x0000, 0x07ff), { bitsStored: 12, signed: true });
  const sent = grey16(frame, { kind: 'linear', slope: 2, intercept: 10 }, WORDS);
  assert.deepEqual([...sent.samples], [0, 2048, 4095]);
  assert.deepEqual([sent.slope, sent.intercept], [2, 10 - 2 * 2048]);
});

test('values stored high are aligned so that the high bit is bits stored - 1', () => {
  const sent = grey16(frameOf(Uint16Array.of(0xfff5, 0x0010), { bitsStored: 12, shift: 4 }), IDENTITY, WORDS);
  assert.deepEqual([...sent.samples], [0xfff, 1]);
});

test('8-bit values become 16-bit samples and keep their own bits', () => {
  const sent = grey16(frameOf(Uint8Array.of(0, 200)), IDENTITY, describedAs());
  assert.deepEqual([...sent.samples, sent.bitsAllocated, sent.bitsStored], [0, 200, 8, 8]);
});

test('32-bit values that fit stay as they are; others take the smallest step that fits, on record', () => {
  const deep = describedAs({ bitsAllocated: 32 });
  const small = grey16(frameOf(Uint32Array.of(7, 65535)), IDENTITY, deep);
  assert.deepEqual([...small.samples, small.slope, small.intercept], [7, 65535, 1, 0]);
  const large = grey16(frameOf(Uint32Array.of(0, 65536, 131070)), IDENTITY, deep);
  assert.deepEqual([...large.samples, large.slope], [0, 32768, 65535, 2]);
  assert.match(large.notes.join(), /step 2, lossless/);
});

test('a narrow range far from 0 is moved, not scaled', () => {
  const sent = grey16(frameOf(Uint32Array.of(1_000_000, 1_000_009)), IDENTITY, describedAs({ bitsAllocated: 32 }));
  assert.deepEqual([...sent.samples, sent.slope, sent.intercept], [0, 9, 1, 1_000_000]);
});

test('what is not a number becomes 0 and does not stretch the range', () => {
  const sent = grey16(
    frameOf(Float32Array.of(Number.NaN, 0, 1)),
    IDENTITY,
    describedAs({ kind: 'float', bitsAllocated: 32 }),
  );
  assert.equal(sent.samples[0], 0);
  assert.equal((sent.samples[2] ?? 0) * sent.slope + sent.intercept, 1);
});

test('property: integers of up to 16 bits keep their meaning exactly', () => {
  const arbitrary = fc.record({
    words: fc.array(fc.nat(0xffff), { minLength: 1, maxLength: 20 }),
    bitsStored: fc.integer({ min: 2, max: 16 }),
    signed: fc.boolean(),
    slope: fc.integer({ min: 1, max: 9 }),
    intercept: fc.integer({ min: -2048, max: 2048 }),
  });
  fc.assert(
    fc.property(arbitrary, ({ words, bitsStored, signed, slope, intercept }) => {
      const frame: DecodedFrame = frameOf(Uint16Array.from(words), { bitsStored, signed });
      const sent = grey16(frame, { kind: 'linear', slope, intercept }, describedAs({ bitsAllocated: 16, bitsStored }));
      for (const [index, word] of words.entries()) {
        const meant = storedValue(word, frame) * slope + intercept;
        assert.equal((sent.samples[index] ?? 0) * sent.slope + sent.intercept, meant);
        assert.ok((sent.samples[index] ?? 0) < 2 ** sent.bitsStored);
      }
    }),
  );
});

test('property: wider and floating values are off by at most half a step', () => {
  const values = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }), {
    minLength: 1,
    maxLength: 20,
  });
  fc.assert(
    fc.property(values, (floats) => {
      const frame = frameOf(Float32Array.from(floats));
      const sent = grey16(frame, IDENTITY, describedAs({ kind: 'float', bitsAllocated: 32 }));
      for (const [index, value] of floats.entries()) {
        const back = (sent.samples[index] ?? 0) * sent.slope + sent.intercept;
        assert.ok(
          Math.abs(back - value) <= (sent.slope / 2) * (1 + 1e-9) + 1e-12 * Math.abs(value),
          `${value} became ${back}`,
        );
      }
    }),
  );
});
