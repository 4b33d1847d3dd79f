/** Cells of PS3.5 §8.1.1, one at a time: which bits outside of the stored ones are a sign, and which hide something. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anyUnusedBitSet, clearUnusedBits } from '../../../src/imaging/redact/unused-bits.ts';

const SIGNED_12 = { bitsStored: 12, highBit: 11, signed: true };
const ORDINARY = [0, 1, 0x7ff, 0xf800, 0xffff, 0xfc18]; // 0, 1, 2047, -2048, -1, -1000

test('a signed cell that extends its sign hides nothing, and stays', () => {
  const words = Uint16Array.from(ORDINARY);
  assert.equal(anyUnusedBitSet(words, SIGNED_12), false);
  assert.equal(clearUnusedBits(words, SIGNED_12), false);
  assert.deepEqual([...words], ORDINARY);
});

for (let bit = 12; bit < 16; bit++) {
  test(`a bit that differs from the sign is found among signed cells: bit ${bit}`, () => {
    for (const [hiding, clean] of [
      [5 | (1 << bit), 5],
      [0xfffb & ~(1 << bit), 0xfffb],
    ] as const) {
      for (let at = 0; at <= ORDINARY.length; at++) {
        const words = Uint16Array.from(ORDINARY.toSpliced(at, 0, hiding));
        assert.equal(anyUnusedBitSet(words, SIGNED_12), true);
        assert.equal(clearUnusedBits(words, SIGNED_12), true);
        assert.deepEqual([...words], ORDINARY.toSpliced(at, 0, clean));
      }
    }
  });
}

test('bits below the lowest stored one hide something, whatever the sign above says', () => {
  const bits = { bitsStored: 12, highBit: 13, signed: true };
  const words = Uint16Array.of(0x0004, 0xe005, 0xfffc);
  assert.equal(anyUnusedBitSet(words, bits), true);
  assert.equal(clearUnusedBits(words, bits), true);
  assert.deepEqual([...words], [0x0004, 0xe004, 0xfffc]);
});

test('one cell that hides something is found wherever it stands, at any address and among any number of others', () => {
  const hiding = { unsigned: 0x1005, signed: 0x1005, below: 0x0001 };
  const kinds = [
    { bits: { ...SIGNED_12, signed: false }, word: hiding.unsigned, filler: 0x0abc },
    { bits: SIGNED_12, word: hiding.signed, filler: 0xfabc },
    { bits: { bitsStored: 12, highBit: 15, signed: true }, word: hiding.below, filler: 0xabc0 },
    { bits: { bitsStored: 12, highBit: 15, signed: false }, word: hiding.below, filler: 0xabc0 },
  ];
  for (const { bits, word, filler } of kinds) {
    for (let start = 0; start < 4; start++) {
      for (let length = 1; length < 20; length++) {
        const words = new Uint16Array(40).subarray(start, start + length);
        // What stands beside the cells is not theirs.
        new Uint16Array(words.buffer).fill(word);
        words.fill(filler);
        assert.equal(anyUnusedBitSet(words, bits), false);
        for (let at = 0; at < length; at++) {
          words[at] = word;
          assert.equal(anyUnusedBitSet(words, bits), true, `${start} ${length} ${at}`);
          words[at] = filler;
        }
      }
    }
  }
});

test('the same words of an unsigned cell have bits set that hold no pixel', () => {
  assert.equal(anyUnusedBitSet(Uint16Array.from(ORDINARY), { ...SIGNED_12, signed: false }), true);
});
