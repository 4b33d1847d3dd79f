/**
 * Bits of a pixel cell that hold no pixel (PS3.5 §8.1.1): above High Bit, and below the lowest stored bit. Old objects
 * keep overlay planes there (PS3.3 §C.9.2, retired), and anybody can hide text there. Values of pixels do not change:
 * of signed cells that extend their sign the extension stays, as do cells of the declared Pixel Padding Value.
 */
import type { SampleArray } from '../decoded-frame.ts';
import type { ImageDescription } from '../image-description.ts';
import { type ScannedBits, scannedBits } from './cell-scan.ts';

export type CellBits = Pick<ImageDescription, 'bitsStored' | 'highBit' | 'signed'>;

export function hasUnusedBits({ kind, bitsStored, bitsAllocated }: ImageDescription): boolean {
  return kind === 'integer' && bitsAllocated >= 8 && bitsStored < bitsAllocated;
}

/**
 * Clears them in place.
 * @param padding cells of just this word stay
 * @returns whether any cell changed
 */
export function clearUnusedBits(words: SampleArray, bits: CellBits, padding?: number): boolean {
  const width = words.BYTES_PER_ELEMENT * 8;
  const used = usedMask(bits);
  if (words instanceof Uint16Array && isSettled(words, bits)) return false;
  const above = (wordMask(width) & ~wordMask(bits.highBit + 1)) >>> 0;
  const sign = bits.signed ? 2 ** bits.highBit : 0;
  let isChanged = false;
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? 0;
    if ((word & ~used) === 0 || word === padding) continue;
    const kept = (word & used) >>> 0;
    const cleared = (kept & sign) === 0 ? kept : (kept | above) >>> 0;
    if (cleared === word) continue;
    words[index] = cleared;
    isChanged = true;
  }
  return isChanged;
}

/** Whether any cell uses such a bit, other than to extend its sign. Cells of a padding value may be right to. */
export function anyUnusedBitSet(words: SampleArray, bits: CellBits): boolean {
  return words instanceof Uint16Array ? !isSettled(words, bits) : true;
}

function isSettled(words: Uint16Array, bits: CellBits): boolean {
  const scanned = scannedBits(words);
  if (scanned !== undefined) return isSettledAfter(scanned, bits);
  return !anyOutside(words, usedMask(bits)) || (bits.signed && !anyButSign(words, bits));
}

function isSettledAfter({ all, differing }: ScannedBits, bits: CellBits): boolean {
  const { signed, highBit, bitsStored } = bits;
  if ((all & ~usedMask(bits)) === 0) return true;
  const above = 0xffff & ~wordMask(highBit + 1);
  return signed && (differing & above) === 0 && (all & wordMask(highBit + 1 - bitsStored)) === 0;
}

/**
 * Whether a signed cell has a bit set below the lowest stored one, or bits above High Bit that do not repeat the sign: two
 * neighbouring bits that differ there show as a set bit of the cell combined with itself one further. Of two cells at a
 * time: what comes over from the lower cell lands on bit 0 of the upper, and no bit above High Bit is bit 0.
 */
function anyButSign(words: Uint16Array, { bitsStored, highBit }: CellBits): boolean {
  const above = 0xffff & ~wordMask(highBit + 1);
  const below = wordMask(highBit + 1 - bitsStored);
  const { pairs, singles } = inPairs(words);
  let differing = 0;
  let all = 0;
  for (let index = 0; index < pairs.length; index++) {
    const pair = pairs[index] ?? 0;
    differing |= pair ^ (pair << 1);
    all |= pair;
  }
  for (const word of singles) {
    differing |= word ^ (word << 1);
    all |= word;
  }
  return (differing & (above | (above << 16))) !== 0 || (all & (below | (below << 16))) !== 0;
}

/** Eight cells at a time: most images have nothing there, and are through after this. */
function anyOutside(words: Uint16Array, used: number): boolean {
  const { pairs, singles } = inPairs(words);
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let index = 3; index < pairs.length; index += 4) {
    a |= pairs[index - 3] ?? 0;
    b |= pairs[index - 2] ?? 0;
    c |= pairs[index - 1] ?? 0;
    d |= pairs[index] ?? 0;
  }
  let all = a | b | c | d;
  for (let index = pairs.length - (pairs.length % 4); index < pairs.length; index++) all |= pairs[index] ?? 0;
  for (const word of singles) all |= word;
  return (all & ~(used | (used << 16))) !== 0;
}

/** Cells two by two, and those before and after them that have no neighbour in the same 32 bits. */
function inPairs(words: Uint16Array): { pairs: Uint32Array; singles: readonly number[] } {
  const lead = words.byteOffset % 4 === 0 ? 0 : Math.min(1, words.length);
  const count = (words.length - lead) >>> 1;
  const pairs = new Uint32Array(words.buffer, words.byteOffset + lead * 2, count);
  const isLastAlone = lead + count * 2 < words.length;
  return { pairs, singles: [lead === 0 ? 0 : (words[0] ?? 0), isLastAlone ? (words.at(-1) ?? 0) : 0] };
}

function usedMask({ bitsStored, highBit }: CellBits): number {
  return bitsStored === 32 ? 0xffffffff : ((2 ** bitsStored - 1) * 2 ** (highBit + 1 - bitsStored)) >>> 0;
}

function wordMask(bits: number): number {
  return bits >= 32 ? 0xffffffff : 2 ** bits - 1;
}
