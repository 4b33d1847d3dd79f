/**
 * Redaction of an instance's pixels in their stored representation, as replacements that whoever writes the instance
 * applies while streaming (replacement.ts). Native pixel data come back native and bit-identical outside of the
 * rectangles; sequential JPEG by blanking coefficient blocks, so that every other block decodes to the same values;
 * every other compressed syntax is decoded and stored native (losslessly: what was lossy stays on record as lossy).
 */
import { LetheError } from '../../core/errors.ts';
import type { Part10File } from '../../dicom/part10.ts';
import type { Tag } from '../../dicom/tag.ts';
import { EXPLICIT_VR_LITTLE_ENDIAN } from '../../dicom/transfer-syntax.ts';
import { type OpenedImage, openImage } from '../image.ts';
import { describeImage, frameBytes, type ImageDescription } from '../image-description.ts';
import { openPixelData } from '../pixel-data.ts';
import { blankNativeFrame } from './blank-native.ts';
import { blankDctBlocks, isSequentialDct } from './jpeg-dct.ts';
import { withoutJpegText } from './jpeg-segments.ts';
import { clipRect, type FrameRect, rectsOfFrame } from './rect.ts';
import type { PixelReplacements, Replacement } from './replacement.ts';

const PIXEL_DATA: Tag = 0x7fe00010;
const EXTENDED_OFFSET_TABLE: Tag = 0x7fe00001;
const EXTENDED_OFFSET_TABLE_LENGTHS: Tag = 0x7fe00002;
const ICON_IMAGE_SEQUENCE: Tag = 0x00880200;
const PHOTOMETRIC_INTERPRETATION: Tag = 0x00280004;
const PLANAR_CONFIGURATION: Tag = 0x00280006;
const BITS_ALLOCATED: Tag = 0x00280100;
/** CID 7050: Clean Pixel Data Option. */
const CLEAN_PIXEL_DATA = '113101';

type ImageFile = Pick<Part10File, 'dataSet' | 'source' | 'transferSyntax' | 'encoding'>;

/**
 * Replacements that blank the rectangles on their frames; undefined where none of them touches the image.
 * @throws IMAGING_*, IMAGING_REDACTION_FAILED
 */
export async function redactPixels(
  part10: ImageFile,
  rects: readonly FrameRect[],
): Promise<PixelReplacements | undefined> {
  const description = describeImage(part10.dataSet, part10.transferSyntax);
  if (!rects.some((rect) => clipRect(rect, description) !== undefined)) return undefined;
  // The icon is a copy of the pixels (PS3.15 §E.3.1): it goes.
  const replace = new Map<Tag, Replacement>([[ICON_IMAGE_SEQUENCE, { kind: 'remove' }]]);
  const common = { replace, burnedIn: 'NO', methodCodes: [CLEAN_PIXEL_DATA] } as const;
  if (!part10.transferSyntax.encapsulated) {
    replace.set(description.pixelDataTag, nativeReplacement(part10, description, rects));
    return common;
  }
  replace.set(EXTENDED_OFFSET_TABLE, { kind: 'remove' });
  replace.set(EXTENDED_OFFSET_TABLE_LENGTHS, { kind: 'remove' });
  if (isDct(part10, description)) {
    replace.set(PIXEL_DATA, dctReplacement(part10, description, rects));
    return common;
  }
  const image = await openImage(part10);
  decodedReplacements(image, rects, replace);
  return { ...common, transferSyntaxUid: EXPLICIT_VR_LITTLE_ENDIAN };
}

/** Frame by frame out of the source; a last odd byte is padded with zero. */
function nativeReplacement(part10: ImageFile, description: ImageDescription, rects: readonly FrameRect[]): Replacement {
  const element = part10.dataSet.element(description.pixelDataTag);
  if (element === undefined) throw new LetheError('IMAGING_PIXEL_DATA_MISSING', { what: 'no pixel data element' });
  const bytes = frameBytes(description);
  if (element.length < bytes * description.frames)
    throw new LetheError('IMAGING_PIXEL_DATA_MISSING', { length: element.length, needed: bytes * description.frames });
  const { offset } = element;
  const length = element.length + (element.length % 2);
  function* chunks(): Generator<Uint8Array> {
    for (let frame = 0; frame < description.frames; frame++) {
      const stored = part10.source.read(offset + frame * bytes, bytes).slice();
      blankNativeFrame(stored, rectsOfFrame(rects, frame, description), {
        description,
        littleEndian: part10.encoding.littleEndian,
      });
      yield stored;
    }
    const rest = length - bytes * description.frames;
    if (rest > 0) yield new Uint8Array(rest); // what stood behind the frames is no pixel and may be anything
  }
  return { kind: 'bulk', vr: element.vr === 'OB' ? 'OB' : 'OW', length, chunks };
}

function isDct(part10: ImageFile, description: ImageDescription): boolean {
  const { family } = part10.transferSyntax;
  if (family !== 'jpeg-baseline' && family !== 'jpeg-extended') return false;
  return isSequentialDct(openPixelData(part10, description).frame(0));
}

function dctReplacement(part10: ImageFile, description: ImageDescription, rects: readonly FrameRect[]): Replacement {
  const pixelData = openPixelData(part10, description);
  const tone = description.photometric === 'MONOCHROME1' ? 'bright' : 'dark';
  function* fragments(): Generator<Uint8Array> {
    for (let frame = 0; frame < pixelData.frameCount; frame++) {
      yield withoutJpegText(blankDctBlocks(pixelData.frame(frame), rectsOfFrame(rects, frame, description), tone));
    }
  }
  return { kind: 'fragments', vr: 'OB', fragments };
}

/** Decoded, blanked, native: samples by pixel, little endian, in the words that the decoder gave. */
function decodedReplacements(image: OpenedImage, rects: readonly FrameRect[], replace: Map<Tag, Replacement>): void {
  const first = image.decode(0);
  const wordBytes = first.samples.BYTES_PER_ELEMENT;
  if (image.description.kind !== 'integer' || wordBytes > 2)
    throw new LetheError('IMAGING_REDACTION_FAILED', { what: 'pixels of this kind are not decoded to whole words' });
  const description: ImageDescription = {
    ...image.description,
    planar: 0,
    photometric: first.photometric,
    bitsAllocated: wordBytes * 8,
    highBit: first.shift + first.bitsStored - 1,
    bitsStored: first.bitsStored,
  };
  const bytes = frameBytes(description);
  const length = bytes * image.frameCount;
  function* chunks(): Generator<Uint8Array> {
    for (let frame = 0; frame < image.frameCount; frame++) {
      const decoded = image.decode(frame);
      const words = new Uint8Array(
        decoded.samples.buffer,
        decoded.samples.byteOffset,
        decoded.samples.byteLength,
      ).slice();
      if (words.length !== bytes)
        throw new LetheError('IMAGING_CODESTREAM_INVALID', { what: 'frame length', frame: frame + 1 });
      blankNativeFrame(words, rectsOfFrame(rects, frame, description), { description, littleEndian: true });
      yield words;
    }
    if (length % 2 === 1) yield new Uint8Array(1);
  }
  replace.set(PIXEL_DATA, { kind: 'bulk', vr: wordBytes === 1 ? 'OB' : 'OW', length: length + (length % 2), chunks });
  replace.set(PHOTOMETRIC_INTERPRETATION, {
    kind: 'value',
    vr: 'CS',
    value: Buffer.from(padded(first.photometric), 'latin1'),
  });
  replace.set(BITS_ALLOCATED, { kind: 'value', vr: 'US', value: Uint8Array.of(wordBytes * 8, 0) });
  if (first.samplesPerPixel === 3)
    replace.set(PLANAR_CONFIGURATION, { kind: 'value', vr: 'US', value: Uint8Array.of(0, 0) });
}

function padded(text: string): string {
  return text.length % 2 === 0 ? text : `${text} `;
}
