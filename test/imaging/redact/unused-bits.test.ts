/** Cells of PS3.5 §8.1.1, one at a time: which bits outside of the stored ones are a sign, and which hide something. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scanMemory, scannedBits } from '../../../src/imaging/redact/cell-scan.ts';
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

/** Memory that is looked at many cells at a time, or any where the runtime cannot. */
function cellsIn(memory: Uint8Array, count: number): Uint16Array {
  return new Uint16Array(memory.buffer, memory.byteOffset, count);
}

test('cells looked at many at a time are the same as one at a time', () => {
  const memory = scanMemory();
  assert.ok(memory !== undefined && memory.length >= 256 * 1024);
  let state = 7;
  for (const count of [32, 64, 96, 8192, 131_072]) {
    const words = cellsIn(memory, count);
    words.fill(0xffff); // of the time before
    for (let at = 0; at < count; at++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      words[at] = (state >>> 12) & 0x0ff0;
    }
    let all = 0;
    let differing = 0;
    for (const word of words) {
      all |= word;
      for (let bit = 1; bit < 16; bit++) if (((word >> bit) & 1) !== ((word >> (bit - 1)) & 1)) differing |= 1 << bit;
    }
    assert.equal(scannedBits(words)?.all, all);
    assert.equal((scannedBits(words)?.differing ?? 0) & 0xfffe, differing); // bit 0 has none below it
  }
  for (const other of [new Uint16Array(64), cellsIn(memory, 33), cellsIn(memory, 64).subarray(32), cellsIn(memory, 0)])
    assert.equal(scannedBits(other), undefined);
});

test('one cell among many that hides something is found wherever it stands', () => {
  const words = cellsIn(scanMemory() ?? new Uint8Array(256), 128);
  const kinds = [
    { bits: { ...SIGNED_12, signed: false }, word: 0x1005, filler: 0x0abc },
    { bits: SIGNED_12, word: 0x1005, filler: 0xfabc },
    { bits: SIGNED_12, word: 0x7005, filler: 0xfabc },
    { bits: { bitsStored: 12, highBit: 15, signed: true }, word: 0x0001, filler: 0xabc0 },
    { bits: { bitsStored: 12, highBit: 15, signed: false }, word: 0x0001, filler: 0xabc0 },
    { bits: { bitsStored: 10, highBit: 11, signed: true }, word: 0xf002, filler: 0xfabc },
  ];
  for (const { bits, word, filler } of kinds) {
    words.fill(filler);
    assert.equal(anyUnusedBitSet(words, bits), false);
    for (let at = 0; at < words.length; at++) {
      words[at] = word;
      assert.equal(anyUnusedBitSet(words, bits), true, `${word} ${at}`);
      words[at] = filler;
    }
  }
});
