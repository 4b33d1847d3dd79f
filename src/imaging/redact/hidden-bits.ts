/**
 * Clearing what hides in the bits of native pixel cells that hold no pixel (unused-bits.ts), while the frames pass. It
 * needs no codec, so that whoever passes pixels through loads none.
 */
import { samplesOf } from '../codecs/native.ts';
import { describeImage, type ImageDescription } from '../image-description.ts';
import { TAGS } from '../tags.ts';
import { changedNativeFrames, type NativeFile } from './native-frames.ts';
import type { PixelReplacements } from './replacement.ts';
import { anyUnusedBitSet, clearUnusedBits, hasUnusedBits } from './unused-bits.ts';

/** Undefined where native cells have no such bits. @throws IMAGING_* */
export function clearHiddenNativeBits(part10: NativeFile): PixelReplacements | undefined {
  const { dataSet } = part10;
  if (dataSet.number(TAGS.BitsStored) === dataSet.number(TAGS.BitsAllocated)) return undefined;
  const description = describeImage(dataSet, part10.transferSyntax);
  if (!hasUnusedBits(description)) return undefined;
  const padding = paddingWord(part10, description);
  const cleared = changedNativeFrames(
    part10,
    description,
    ({ bytes, description: stored }) => clearInPlace(bytes, stored, padding),
    (bytes, stored) => bytes.byteOffset % 2 === 0 && !anyUnusedBitSet(samplesOf(bytes, stored), stored),
  );
  return { replace: new Map([[description.pixelDataTag, cleared]]), methodCodes: [] };
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
