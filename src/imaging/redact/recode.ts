/**
 * Compressed pixel data decoded, changed and coded again without loss (PS3.5 §A.4, §8.2): in the transfer syntax they came
 * in where there is a lossless encoder for it, near-lossless JPEG-LS as lossless JPEG-LS, everything else native. What
 * was lossy before stays on record as lossy (PS3.3 §C.7.6.1.1.5).
 */
import { LetheError } from '../../core/errors.ts';
import type { Tag } from '../../dicom/tag.ts';
import { EXPLICIT_VR_LITTLE_ENDIAN, type TransferSyntax } from '../../dicom/transfer-syntax.ts';
import type { EncoderShape, FrameEncoder } from '../codecs/encoder-shape.ts';
import { loadHtj2kEncoder } from '../codecs/htj2k.ts';
import { loadJpeg2000Encoder } from '../codecs/jpeg-2000.ts';
import { encodeJpegLossless } from '../codecs/jpeg-lossless-encode.ts';
import { loadJpegLsEncoder } from '../codecs/jpeg-ls.ts';
import { encodeRle } from '../codecs/rle-encode.ts';
import type { DecodedFrame, SampleArray } from '../decoded-frame.ts';
import type { OpenedImage } from '../image.ts';
import { frameBytes, type ImageDescription } from '../image-description.ts';
import { TAGS } from '../tags.ts';
import type { PixelReplacements, Replacement } from './replacement.ts';
import { clearUnusedBits } from './unused-bits.ts';

const LOSSY_IMAGE_COMPRESSION: Tag = 0x00282110;
const JPEG_LS_LOSSLESS = '1.2.840.10008.1.2.4.80';

/** Changes the samples of one frame, which are its own copy. */
export type SampleChange = (bytes: Uint8Array, index: number, description: ImageDescription) => void;

export type RecodedPixels = Pick<PixelReplacements, 'replace' | 'transferSyntaxUid'>;

type SampleEncoder = (samples: SampleArray, shape: EncoderShape) => Uint8Array;

interface Target {
  readonly uid: string;
  readonly encode: SampleEncoder;
  readonly photometric: ImageDescription['photometric'];
}

/** @throws IMAGING_* */
export async function recodedPixels(
  image: OpenedImage,
  transferSyntax: TransferSyntax,
  change: SampleChange,
): Promise<RecodedPixels> {
  if (image.description.kind !== 'integer')
    throw new LetheError('IMAGING_REDACTION_FAILED', { what: 'pixels of this kind are not decoded to whole words' });
  const first = image.decode(0);
  const description = descriptionOf(first, image.description);
  const words = (index: number): SampleArray => changedWords(image, index, description, change);
  const target = await targetOf(transferSyntax, first, image.description);
  const replace = new Map<Tag, Replacement>([
    [TAGS.ExtendedOffsetTable, { kind: 'remove' }],
    [TAGS.ExtendedOffsetTableLengths, { kind: 'remove' }],
  ]);
  const photometric = target?.photometric ?? first.photometric;
  if (photometric !== image.description.photometric)
    replace.set(TAGS.PhotometricInterpretation, { kind: 'value', vr: 'CS', value: codeString(photometric) });
  if (image.description.planar === 1 && transferSyntax.family !== 'rle')
    replace.set(TAGS.PlanarConfiguration, unsignedShort(0));
  const uid = target?.uid ?? EXPLICIT_VR_LITTLE_ENDIAN;
  if (uid !== transferSyntax.uid && isLossyCoding(transferSyntax))
    replace.set(LOSSY_IMAGE_COMPRESSION, { kind: 'value', vr: 'CS', value: codeString('01') });
  if (target === undefined) nativeElements(replace, description, words);
  else replace.set(TAGS.PixelData, fragmentsOf(target.encode, description, words));
  return uid === transferSyntax.uid ? { replace } : { replace, transferSyntaxUid: uid };
}

/** The samples as the decoder gives them: pixel by pixel, little-endian. */
function descriptionOf(first: DecodedFrame, declared: ImageDescription): ImageDescription {
  return {
    ...declared,
    planar: 0,
    photometric: first.photometric,
    bitsAllocated: first.samples.BYTES_PER_ELEMENT * 8,
    highBit: first.shift + first.bitsStored - 1,
    bitsStored: first.bitsStored,
  };
}

function changedWords(
  image: OpenedImage,
  index: number,
  description: ImageDescription,
  change: SampleChange,
): SampleArray {
  const { samples } = image.decode(index);
  if (samples.byteLength !== frameBytes(description))
    throw new LetheError('IMAGING_CODESTREAM_INVALID', { what: 'frame length', frame: index + 1 });
  const words = samples.slice();
  clearUnusedBits(words, description);
  change(new Uint8Array(words.buffer, words.byteOffset, words.byteLength), index, description);
  return words;
}

/** The lossless encoder of this transfer syntax; undefined where there is none for such pixels. */
async function targetOf(
  { family, uid }: TransferSyntax,
  first: DecodedFrame,
  declared: ImageDescription,
): Promise<Target | undefined> {
  const { photometric } = first;
  if (declared.bitsAllocated === 1) return undefined;
  if (family === 'rle') return { uid, encode: encodeRle, photometric };
  if (first.samples.BYTES_PER_ELEMENT > 2) return undefined;
  const deepColour = first.samplesPerPixel === 3 && first.samples.BYTES_PER_ELEMENT > 1;
  if (deepColour && (family === 'jpeg-2000' || family === 'htj2k')) return undefined; // see `assertEncodable`
  switch (family) {
    case 'jpeg-lossless':
      return { uid, encode: narrow(encodeJpegLossless), photometric };
    case 'jpeg-ls':
      return { uid: JPEG_LS_LOSSLESS, encode: narrow(await loadJpegLsEncoder()), photometric };
    case 'jpeg-2000':
      // The encoder always applies the component transform, which is one of RGB (PS3.5 §8.2.4).
      if (first.samplesPerPixel === 3 && photometric !== 'RGB') return undefined;
      return {
        uid,
        encode: signed(await loadJpeg2000Encoder()),
        photometric: first.samplesPerPixel === 3 ? 'YBR_RCT' : photometric,
      };
    case 'htj2k': {
      const componentTransform = photometric === 'RGB';
      return {
        uid,
        encode: signed(await loadHtj2kEncoder({ componentTransform })),
        photometric: componentTransform ? 'YBR_RCT' : photometric,
      };
    }
    default:
      return undefined;
  }
}

function narrow(encode: FrameEncoder): SampleEncoder {
  return (samples, shape) => {
    if (samples instanceof Uint8Array || samples instanceof Uint16Array) return encode(samples, shape);
    throw new LetheError('IMAGING_REDACTION_FAILED', { what: 'words too wide for the encoder' });
  };
}

/** For codestreams that know signs: cells that leave theirs unextended, as readers of the data set do it. */
function signed(encode: FrameEncoder): SampleEncoder {
  return narrow((samples, shape) => {
    const spare = 32 - shape.bitsStored;
    return encode(shape.signed ? samples.map((word) => (word << spare) >> spare) : samples, shape);
  });
}

function fragmentsOf(
  encode: SampleEncoder,
  description: ImageDescription,
  words: (index: number) => SampleArray,
): Replacement {
  const shape = { ...description, bitsStored: codedPrecision(description) };
  function* fragments(): Generator<Uint8Array> {
    for (let frame = 0; frame < description.frames; frame++) {
      yield encode(words(frame), shape);
    }
  }
  return { kind: 'fragments', vr: 'OB', fragments };
}

/** The stored bits alone where they are low aligned and no decoder would take them for bytes; else whole cells. */
function codedPrecision({ bitsAllocated, bitsStored, highBit }: ImageDescription): number {
  const isLowAligned = highBit === bitsStored - 1;
  return isLowAligned && (bitsAllocated === 8 || bitsStored > 8) ? Math.max(2, bitsStored) : bitsAllocated;
}

function nativeElements(
  replace: Map<Tag, Replacement>,
  description: ImageDescription,
  words: (index: number) => SampleArray,
): void {
  const length = frameBytes(description) * description.frames;
  function* chunks(): Generator<Uint8Array> {
    for (let frame = 0; frame < description.frames; frame++) {
      const { buffer, byteOffset, byteLength } = words(frame);
      yield new Uint8Array(buffer, byteOffset, byteLength);
    }
    if (length % 2 === 1) yield new Uint8Array(1);
  }
  const vr = description.bitsAllocated === 8 ? 'OB' : 'OW';
  replace.set(TAGS.PixelData, { kind: 'bulk', vr, length: length + (length % 2), chunks });
  replace.set(TAGS.BitsAllocated, unsignedShort(description.bitsAllocated));
  replace.set(TAGS.HighBit, unsignedShort(description.highBit));
  if (description.samplesPerPixel === 3) replace.set(TAGS.PlanarConfiguration, unsignedShort(0));
}

/** Families that lose nothing, or where only the codestream knows, keep what the data set says. */
function isLossyCoding({ family, lossy }: TransferSyntax): boolean {
  return lossy && (family === 'jpeg-baseline' || family === 'jpeg-extended' || family === 'jpeg-ls');
}

function unsignedShort(value: number): Replacement {
  return { kind: 'value', vr: 'US', value: Uint8Array.of(value & 0xff, value >> 8) };
}

function codeString(text: string): Uint8Array {
  return Buffer.from(text.length % 2 === 0 ? text : `${text} `, 'latin1');
}
