/**
 * Clearing what hides in the bits of native pixel cells that hold no pixel (unused-bits.ts), while the cells pass, piece by
 * piece: memory does not depend on the size of a frame. It needs no codec, so that whoever passes pixels through loads none.
 */
import type { Cells, Pieces, SourceRange } from '../../core/bytes.ts';
import { LetheError } from '../../core/errors.ts';
import { borrowScratch, giveBackScratch } from '../../core/scratch.ts';
import { swapBytes } from '../byte-order.ts';
import { samplesOf } from '../codecs/native.ts';
import { describeImage, type ImageDescription } from '../image-description.ts';
import { TAGS } from '../tags.ts';
import { type NativeFile, type NativeValue, nativeValue } from './native-frames.ts';
import type { PixelReplacements } from './replacement.ts';
import { anyUnusedBitSet, clearUnusedBits, hasUnusedBits } from './unused-bits.ts';

/** What was just read is still in the processor's second cache when it is looked at. */
const PIECE_BYTES = 256 * 1024;
const EMPTY = new Uint8Array();

/** Undefined where native cells have no such bits. @throws IMAGING_* */
export function clearHiddenNativeBits(part10: NativeFile): PixelReplacements | undefined {
  const { dataSet } = part10;
  if (dataSet.number(TAGS.BitsStored) === dataSet.number(TAGS.BitsAllocated)) return undefined;
  const description = describeImage(dataSet, part10.transferSyntax);
  if (!hasUnusedBits(description)) return undefined;
  const value = nativeValue(part10, description);
  const padding = paddingWord(part10, description);
  const pieces: Pieces = (room) => clearedPieces(part10, value, padding, room);
  const range = rangeOf(part10, value, padding);
  const chunks = range === undefined ? pieces : Object.assign(pieces, { range });
  const { vr, length } = value;
  return { replace: new Map([[description.pixelDataTag, { kind: 'bulk', vr, length, chunks }]]), methodCodes: [] };
}

/** Of whole little-endian cells without padding behind them. */
function rangeOf(
  { source }: NativeFile,
  { element, description, unit, pixelBytes, length }: NativeValue,
  padding: number | undefined,
): SourceRange | undefined {
  const { bitsAllocated, bitsStored, highBit, signed } = description;
  if (unit !== 1 || pixelBytes !== length || element.length < length || !isWidth(bitsAllocated)) return undefined;
  return { source, offset: element.offset, length, cells: { bitsAllocated, bitsStored, highBit, signed, padding } };
}

function isWidth(bits: number): bits is Cells['bitsAllocated'] {
  return bits === 8 || bits === 16 || bits === 32;
}

/** Cells with nothing hidden pass by reference where the source answers views; others are changed in memory of their own. */
function* clearedPieces(
  { source }: NativeFile,
  { element, description, unit, pixelBytes, length }: NativeValue,
  padding: number | undefined,
  room?: () => Uint8Array,
): Generator<Uint8Array> {
  const own = room === undefined ? borrowScratch(PIECE_BYTES) : EMPTY;
  const cellBytes = Math.max(unit, description.bitsAllocated / 8);
  for (let position = 0; position < length; ) {
    const space = room?.() ?? own;
    const most = Math.min(PIECE_BYTES, space.length);
    const wanted = Math.min(most - (most % cellBytes), length - position);
    const present = Math.min(wanted, element.length - position);
    const found = source.read(element.offset + position, present, space);
    if (found.length < present) throw new LetheError('DICOM_TRUNCATED', { offset: element.offset + position });
    const isPixels = present === wanted && position + wanted <= pixelBytes;
    if (unit === 1 && isPixels && isSettled(found, description)) yield found;
    else {
      const cells = space.subarray(0, wanted);
      if (found.buffer !== cells.buffer) cells.set(found);
      cells.fill(0, present);
      const words = unit === 1 ? cells : swapBytes(cells, unit);
      words.fill(0, Math.max(0, pixelBytes - position)); // padding holds nothing (PS3.5 §8.1.1)
      clearInPlace(words, description, padding);
      yield unit === 1 ? words : swapBytes(words, unit);
    }
    position += wanted;
  }
  if (room === undefined) giveBackScratch(own);
}

function isSettled(bytes: Uint8Array, description: ImageDescription): boolean {
  return bytes.byteOffset % 2 === 0 && !anyUnusedBitSet(samplesOf(bytes, description), description);
}

/** Words that stand between two addresses are changed in a copy and written back. */
export function clearInPlace(bytes: Uint8Array, description: ImageDescription, padding: number | undefined): void {
  const words = samplesOf(bytes, description);
  const isCopy = words.buffer !== bytes.buffer;
  if (clearUnusedBits(words, description, padding) && isCopy)
    bytes.set(new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
}

/** Pixel Padding Value as a word of the pixel data; modalities set it outside of the stored range. */
export function paddingWord({ dataSet }: NativeFile, { bitsAllocated }: ImageDescription): number | undefined {
  const value = dataSet.number(TAGS.PixelPaddingValue);
  if (value === undefined) return undefined;
  return value < 0 ? value + 2 ** bitsAllocated : value;
}
