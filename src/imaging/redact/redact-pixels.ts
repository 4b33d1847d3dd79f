/**
 * Redaction of an instance's pixels in their stored representation, as replacements that whoever writes the instance
 * applies while streaming (replacement.ts). Native pixel data come back native and bit-identical outside of the
 * rectangles; sequential JPEG by blanking coefficient blocks, so that every other block decodes to the same values;
 * lossless syntaxes, and frames wrapped or deflated, in the same syntax; every other one is decoded and stored native
 * (recode.ts).
 *
 * API: `redactPixels(part10, rects)`, and `clearHiddenBits(part10)` for images that need no rectangle.
 */
import { deflateRawSync } from 'node:zlib';
import { LetheError } from '../../core/errors.ts';
import { groupOf, type Tag } from '../../dicom/tag.ts';
import { readJpeg2000Header } from '../codecs/jpeg-2000-header.ts';
import { readJpegHeader, readJpegHeaderWithoutEnd } from '../codecs/jpeg-header.ts';
import { withoutJpegText } from '../codecs/jpeg-segments.ts';
import { inflateFrame } from '../codecs/native.ts';
import { checkHeader } from '../codestream.ts';
import { openImage } from '../image.ts';
import { describeImage, frameBytes, type ImageDescription, isFramewiseNative } from '../image-description.ts';
import { openPixelData, type PixelData } from '../pixel-data.ts';
import { TAGS } from '../tags.ts';
import { blankNativeFrame } from './blank-native.ts';
import { clearHiddenNativeBits, clearInPlace, paddingWord } from './hidden-bits.ts';
import { blankDctBlocks, isSequentialDct } from './jpeg-dct.ts';
import { changedNativeFrames, type NativeFile } from './native-frames.ts';
import { recodedPixels } from './recode.ts';
import { clipRect, type FrameRect, rectsOfFrame } from './rect.ts';
import type { PixelReplacements, Replacement } from './replacement.ts';
import { clearUnusedBits, hasUnusedBits } from './unused-bits.ts';

const ICON_IMAGE_SEQUENCE: Tag = 0x00880200;
/** CID 7050: Clean Pixel Data Option. */
const CLEAN_PIXEL_DATA = '113101';

/**
 * Replacements that blank the rectangles on their frames; undefined where none of them touches the image.
 * @throws IMAGING_*, IMAGING_REDACTION_FAILED
 */
export async function redactPixels(
  part10: NativeFile,
  rects: readonly FrameRect[],
): Promise<PixelReplacements | undefined> {
  const description = describeImage(part10.dataSet, part10.transferSyntax);
  if (!rects.some((rect) => clipRect(rect, description) !== undefined)) return undefined;
  const copies = new Map(copiesOfPixels(part10).map((tag) => [tag, { kind: 'remove' }] as const));
  const pixels = await blankedPixels(part10, description, rects);
  return {
    ...pixels,
    replace: new Map<Tag, Replacement>([...copies, ...pixels.replace]),
    burnedIn: 'NO',
    methodCodes: [CLEAN_PIXEL_DATA],
  };
}

/** Icons and overlay planes may show the same text as the pixels (PS3.15 §E.3.1): they go. */
function copiesOfPixels({ dataSet }: NativeFile): Tag[] {
  const overlays = [...dataSet.elements()].map(({ tag }) => tag).filter((tag) => (groupOf(tag) & 0xff00) === 0x6000);
  return [ICON_IMAGE_SEQUENCE, ...overlays];
}

type ReplacedPixels = Pick<PixelReplacements, 'replace' | 'transferSyntaxUid'>;

async function blankedPixels(
  part10: NativeFile,
  description: ImageDescription,
  rects: readonly FrameRect[],
): Promise<ReplacedPixels> {
  if (!part10.transferSyntax.encapsulated) {
    const padding = paddingWord(part10, description);
    const blanked = changedNativeFrames(part10, description, ({ bytes, index, firstBit, description: stored }) => {
      if (hasUnusedBits(stored)) clearInPlace(bytes, stored, padding);
      blankNativeFrame(bytes, rectsOfFrame(rects, index, description), stored, firstBit);
    });
    return { replace: new Map([[description.pixelDataTag, blanked]]) };
  }
  if (isDct(part10)) {
    const pixelData = openPixelData(part10, description);
    if (isSequentialDct(pixelData.frame(0))) return { replace: blankedBlocks(pixelData, description, rects) };
  }
  if (isFramewiseNative(part10.transferSyntax)) return { replace: blankedFragments(part10, description, rects) };
  return recodedPixels(await openImage(part10), part10.transferSyntax, (bytes, index, decoded) =>
    blankNativeFrame(bytes, rectsOfFrame(rects, index, description), decoded),
  );
}

function isDct({ transferSyntax: { family } }: NativeFile): boolean {
  return family === 'jpeg-baseline' || family === 'jpeg-extended';
}

function blankedBlocks(
  pixelData: PixelData,
  description: ImageDescription,
  rects: readonly FrameRect[],
): Map<Tag, Replacement> {
  const tone = description.photometric === 'MONOCHROME1' ? 'bright' : 'dark';
  function* fragments(): Generator<Uint8Array> {
    for (let frame = 0; frame < pixelData.frameCount; frame++) {
      const header = readJpegHeaderWithoutEnd(pixelData.frame(frame));
      // A stream that is larger than the image it is said to be would show what no rectangle reaches.
      checkHeader(header, description);
      const { stream } = header;
      yield withoutJpegText(blankDctBlocks(stream, rectsOfFrame(rects, frame, description), tone));
    }
  }
  return fragmentsReplacement(description, fragments);
}

/** Frames that are native bytes, wrapped or deflated one by one (PS3.5 §A.4.11, §A.4.13). */
function blankedFragments(
  part10: NativeFile,
  description: ImageDescription,
  rects: readonly FrameRect[],
): Map<Tag, Replacement> {
  const pixelData = openPixelData(part10, description);
  const isDeflated = part10.transferSyntax.family === 'deflated-frame';
  const length = frameBytes(description);
  function* fragments(): Generator<Uint8Array> {
    for (let frame = 0; frame < pixelData.frameCount; frame++) {
      const coded = pixelData.frame(frame);
      const native = (isDeflated ? inflateFrame(coded, length) : coded).slice(0, length);
      if (native.length < length)
        throw new LetheError('IMAGING_PIXEL_DATA_MISSING', { needed: length, present: native.length });
      if (hasUnusedBits(description)) clearInPlace(native, description, paddingWord(part10, description));
      blankNativeFrame(native, rectsOfFrame(rects, frame, description), description);
      yield isDeflated ? deflateRawSync(native) : native;
    }
  }
  return fragmentsReplacement(description, fragments);
}

function fragmentsReplacement(
  description: ImageDescription,
  fragments: () => Iterable<Uint8Array>,
): Map<Tag, Replacement> {
  return new Map<Tag, Replacement>([
    [TAGS.ExtendedOffsetTable, { kind: 'remove' }],
    [TAGS.ExtendedOffsetTableLengths, { kind: 'remove' }],
    [description.pixelDataTag, { kind: 'fragments', vr: 'OB', fragments }],
  ]);
}

/**
 * Replacements that clear the bits of pixel cells which hold no pixel (unused-bits.ts), for images with nothing to blank;
 * undefined where there are no such bits, or a compressed image uses none of them. Says nothing about burned-in text.
 * @throws IMAGING_*
 */
export async function clearHiddenBits(part10: NativeFile): Promise<PixelReplacements | undefined> {
  const { dataSet } = part10;
  if (!part10.transferSyntax.encapsulated) return clearHiddenNativeBits(part10);
  if (dataSet.number(TAGS.BitsStored) === dataSet.number(TAGS.BitsAllocated)) return undefined;
  const description = describeImage(part10.dataSet, part10.transferSyntax);
  if (!hasUnusedBits(description)) return undefined;
  const padding = paddingWord(part10, description);
  if (!codesWholeCells(part10, description)) return undefined;
  const image = await openImage(part10);
  for (let frame = 0; frame < image.frameCount; frame++) {
    const { samples, bitsStored, shift, signed } = image.decode(frame);
    if (!clearUnusedBits(samples.slice(), { bitsStored, highBit: shift + bitsStored - 1, signed }, padding)) continue;
    if (isFramewiseNative(part10.transferSyntax))
      return { replace: blankedFragments(part10, description, []), methodCodes: [] };
    return { ...(await recodedPixels(image, part10.transferSyntax, () => undefined)), methodCodes: [] };
  }
  return undefined;
}

/** Whether the codestream has room for bits that are not stored ones: most code the stored bits alone. */
function codesWholeCells(part10: NativeFile, description: ImageDescription): boolean {
  const { family } = part10.transferSyntax;
  const frame = (): Uint8Array => openPixelData(part10, description).frame(0);
  if (family === 'rle' || family === 'encapsulated-uncompressed' || family === 'deflated-frame') return true;
  if (family === 'jpeg-ls') return readJpegHeader(frame()).precision > description.bitsStored;
  if (family === 'jpeg-lossless') return readJpegHeaderWithoutEnd(frame()).precision > description.bitsStored;
  if (family === 'jpeg-2000' || family === 'htj2k')
    return readJpeg2000Header(frame()).precision > description.bitsStored;
  return false;
}
