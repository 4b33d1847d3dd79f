/**
 * The frames of an instance's pixel data, one at a time: native (PS3.5 §8.1, §8.2) or encapsulated (§A.4). Memory is
 * one frame, never the object. Native frames are handed out little-endian whatever the transfer syntax, and 1-bit
 * frames begin at a byte although they are packed without gaps (§8.1.1).
 *
 * Does not decode: compressed frames are the joined fragments, still padded to even length.
 *
 * API: `openPixelData(part10, description)` gives `{ frameCount, frame(index) }`, index from 0; the bytes may be a
 * view that the next call overwrites.
 */
import type { ByteSource } from '../core/bytes.ts';
import { LetheError } from '../core/errors.ts';
import type { Element } from '../dicom/data-set.ts';
import type { Part10File } from '../dicom/part10.ts';
import type { TransferSyntax } from '../dicom/transfer-syntax.ts';
import type { Vr } from '../dicom/vr.ts';
import { swapBytes } from './byte-order.ts';
import { type Fragment, indexFrames } from './frame-index.ts';
import { frameBytes, type ImageDescription, isSubsampled422 } from './image-description.ts';
import { TAGS } from './tags.ts';
import { wholeValue } from './value-bytes.ts';

export interface PixelData {
  readonly frameCount: number;
  /** What the frames hold, corrected where the label is provably wrong (see `openPixelData`). */
  readonly description: ImageDescription;
  /** @throws IMAGING_PIXEL_DATA_MISSING */
  frame(index: number): Uint8Array;
}

/** Enough to tell where a codestream begins: a JP2 or JPEG XL box, the header of an RLE frame. */
const MARK_BYTES = 64;

/**
 * @throws IMAGING_PIXEL_DATA_MISSING, IMAGING_CODESTREAM_INVALID
 */
export function openPixelData(
  part10: Pick<Part10File, 'dataSet' | 'source' | 'transferSyntax'>,
  description: ImageDescription,
): PixelData {
  const element = part10.dataSet.element(description.pixelDataTag);
  if (element === undefined) throw new LetheError('IMAGING_PIXEL_DATA_MISSING', { what: 'no pixel data element' });
  if (part10.transferSyntax.encapsulated !== (element.fragments !== undefined)) {
    throw new LetheError('IMAGING_CODESTREAM_INVALID', {
      what:
        element.fragments === undefined ? 'native bytes in a compressed transfer syntax' : 'fragments in a native one',
    });
  }
  return element.fragments === undefined
    ? new NativePixelData(part10.source, part10.transferSyntax, element, description)
    : new EncapsulatedPixelData(part10, element, description);
}

class NativePixelData implements PixelData {
  readonly frameCount: number;
  readonly description: ImageDescription;
  readonly #source: ByteSource;
  readonly #element: Pick<Element, 'offset' | 'length'>;
  readonly #swapUnit: 1 | 2 | 4 | 8;

  constructor(source: ByteSource, transferSyntax: TransferSyntax, element: Element, declared: ImageDescription) {
    this.#source = source;
    this.#element = element;
    this.#swapUnit = transferSyntax.littleEndian ? 1 : swapUnit(element.vr);
    this.description = correctSubsampling(declared, element.length);
    this.frameCount = declared.frames;
    const needed = Math.ceil((this.#frameBits() * declared.frames) / 8);
    const present = Math.min(element.length, source.size - element.offset);
    if (present < needed) {
      throw new LetheError('IMAGING_PIXEL_DATA_MISSING', { needed, present, frames: declared.frames });
    }
  }

  frame(index: number): Uint8Array {
    assertFrame(index, this.frameCount);
    const bits = this.#frameBits();
    const firstBit = bits * index;
    const firstByte = Math.floor(firstBit / 8);
    const endByte = Math.ceil((firstBit + bits) / 8);
    if (this.#swapUnit === 1) return alignBits(this.#read(firstByte, endByte), firstBit % 8, bits);
    // Big-endian cells are swapped in place of whole cells, though a frame may begin inside of one (8 bits in OW).
    const unit = this.#swapUnit;
    const start = firstByte - (firstByte % unit);
    const end = Math.ceil(endByte / unit) * unit;
    const swapped = swapBytes(this.#read(start, Math.min(end, this.#element.length)), unit);
    return alignBits(swapped.subarray(firstByte - start, endByte - start), firstBit % 8, bits);
  }

  #frameBits(): number {
    const { rows, columns, bitsAllocated, samplesPerPixel } = this.description;
    return bitsAllocated === 1 ? rows * columns * samplesPerPixel : frameBytes(this.description) * 8;
  }

  #read(start: number, end: number): Uint8Array {
    const bytes = this.#source.read(this.#element.offset + start, end - start);
    if (bytes.length < end - start)
      throw new LetheError('IMAGING_PIXEL_DATA_MISSING', { needed: end - start, present: bytes.length });
    return bytes;
  }
}

class EncapsulatedPixelData implements PixelData {
  readonly frameCount: number;
  readonly description: ImageDescription;
  readonly #source: ByteSource;
  readonly #frames: readonly (readonly Fragment[])[];

  constructor(
    part10: Pick<Part10File, 'dataSet' | 'source' | 'transferSyntax'>,
    element: Element,
    description: ImageDescription,
  ) {
    const { dataSet, source, transferSyntax } = part10;
    this.#source = source;
    this.description = description;
    this.frameCount = description.frames;
    const [table, ...fragments] = element.fragments ?? [];
    const mark = codestreamMark(transferSyntax);
    assertFramewise(transferSyntax, fragments, description.frames);
    this.#frames = indexFrames(
      {
        fragments: fragments.filter((fragment) => fragment.length > 0),
        basicOffsets: table === undefined ? [] : unsigned32(source.read(table.offset, table.length)),
        extendedOffsets: unsigned64(wholeValue(source, dataSet, TAGS.ExtendedOffsetTable)),
        extendedLengths: unsigned64(wholeValue(source, dataSet, TAGS.ExtendedOffsetTableLengths)),
        beginsFrame: mark && ((fragment) => mark(source.read(fragment.offset, Math.min(MARK_BYTES, fragment.length)))),
        frameLength: transferSyntax.family === 'encapsulated-uncompressed' ? frameBytes(description) : undefined,
      },
      description.frames,
    );
  }

  frame(index: number): Uint8Array {
    assertFrame(index, this.frameCount);
    const fragments = this.#frames[index] ?? [];
    const [only] = fragments;
    if (fragments.length === 1 && only !== undefined) return this.#read(only);
    const joined = new Uint8Array(fragments.reduce((total, fragment) => total + fragment.length, 0));
    let position = 0;
    for (const fragment of fragments) {
      joined.set(this.#read(fragment), position);
      position += fragment.length;
    }
    return joined;
  }

  #read(fragment: Fragment): Uint8Array {
    const bytes = this.#source.read(fragment.offset, fragment.length);
    if (bytes.length < fragment.length) {
      throw new LetheError('IMAGING_PIXEL_DATA_MISSING', { needed: fragment.length, present: bytes.length });
    }
    return bytes;
  }
}

/**
 * JPEG 2000 Part 2 may put several frames into one codestream, as components of a collection (PS3.5 §8.2.4). No decoder in
 * reach gives more than three components, so only what has a codestream for each frame is read.
 */
function assertFramewise({ uid }: TransferSyntax, fragments: readonly Fragment[], frames: number): void {
  const collections = uid === '1.2.840.10008.1.2.4.92' || uid === '1.2.840.10008.1.2.4.93';
  if (collections && fragments.length > 0 && fragments.length < frames)
    throw new LetheError('IMAGING_SYNTAX_UNSUPPORTED', {
      reason: 'frames are components of one JPEG 2000 Part 2 codestream',
      frames,
    });
}

function assertFrame(index: number, frameCount: number): void {
  if (!(Number.isInteger(index) && index >= 0 && index < frameCount)) {
    throw new LetheError('IMAGING_PIXEL_DATA_MISSING', { frame: index + 1, frames: frameCount });
  }
}

/** Cells that big-endian reverses (PS3.5 §7.3): OB has none, OW is 16 bits wide whatever Bits Allocated says. */
export function swapUnit(vr: Vr): 1 | 2 | 4 | 8 {
  if (vr === 'OW') return 2;
  if (vr === 'OF' || vr === 'OL') return 4;
  return vr === 'OD' || vr === 'OV' ? 8 : 1;
}

/**
 * Tolerance: files labelled YBR_FULL_422 whose length says that every pixel has its three samples (converters that
 * decompressed and kept the label). The length cannot lie.
 */
function correctSubsampling(declared: ImageDescription, length: number): ImageDescription {
  if (!isSubsampled422(declared.photometric)) return declared;
  const full: ImageDescription = { ...declared, photometric: 'YBR_FULL' };
  return length >= frameBytes(full) * declared.frames ? full : declared;
}

/** Moves the first of `bits` bits to the lowest bit of the first byte (PS3.5 §8.1.1: bit 0 is the first pixel). */
function alignBits(bytes: Uint8Array, skip: number, bits: number): Uint8Array {
  if (skip === 0) return bytes;
  const aligned = new Uint8Array(Math.ceil(bits / 8));
  for (let index = 0; index < aligned.length; index++) {
    aligned[index] = ((bytes[index] ?? 0) >>> skip) | ((bytes[index + 1] ?? 0) << (8 - skip));
  }
  return aligned;
}

/** How a codestream of the family begins; deflated frames cannot be told from what follows. */
function codestreamMark(transferSyntax: TransferSyntax): ((bytes: Uint8Array) => boolean) | undefined {
  switch (transferSyntax.family) {
    case 'jpeg-baseline':
    case 'jpeg-extended':
    case 'jpeg-lossless':
    case 'jpeg-ls':
      return (bytes) => begins(bytes, [0xff, 0xd8, 0xff]);
    case 'jpeg-2000':
    case 'htj2k':
      return (bytes) => begins(bytes, [0xff, 0x4f, 0xff, 0x51]) || begins(bytes, [0, 0, 0, 12, 0x6a, 0x50, 0x20, 0x20]);
    case 'rle':
      return beginsRle;
    case 'jpeg-xl':
      return (bytes) => begins(bytes, [0xff, 0x0a]) || begins(bytes, [0, 0, 0, 12, 0x4a, 0x58, 0x4c, 0x20]);
    default:
      return undefined;
  }
}

/** The header of PS3.5 §G.5: up to 15 segments, the first right behind it, the others in order, zeros for the rest. */
function beginsRle(bytes: Uint8Array): boolean {
  const [count = 0, ...offsets] = unsigned32(bytes);
  if (count < 1 || count > 15 || offsets.length < 15 || offsets[0] !== 64) return false;
  return offsets.every((offset, index) => (index < count ? offset > (offsets[index - 1] ?? 0) : offset === 0));
}

function begins(bytes: Uint8Array, mark: readonly number[]): boolean {
  return mark.every((byte, index) => bytes[index] === byte);
}

function unsigned32(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length >> 2 }, (_, index) => view.getUint32(index * 4, true));
}

function unsigned64(bytes: Uint8Array = new Uint8Array()): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length >> 3 }, (_, index) => Number(view.getBigUint64(index * 8, true)));
}
