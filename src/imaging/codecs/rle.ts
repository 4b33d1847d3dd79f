/**
 * RLE Compression (PS3.5 Annex G): a header of sixteen 32-bit numbers (§G.5), then one PackBits segment (§G.3.1) for
 * every byte of every sample, most significant byte first (§G.2). Strict where pixels are at stake: a segment that
 * gives fewer bytes than the frame has pixels is an error, more than that is padding and ignored.
 */
import type { PixelCodec } from '../codec.ts';
import { invalidCodestream } from '../codestream.ts';
import { type DecodedFrame, describedFrame } from '../decoded-frame.ts';
import type { ImageDescription } from '../image-description.ts';
import { samplesOf } from './native.ts';

const HEADER_BYTES = 64;
const SEGMENTS_MAX = 15;

export const RLE_CODEC: PixelCodec = {
  name: 'RLE',
  families: ['rle'],
  capability: 'decode',
  load: async () => decodeRle,
};

/** @throws IMAGING_CODESTREAM_INVALID */
export function decodeRle(bytes: Uint8Array, description: ImageDescription): DecodedFrame {
  const { rows, columns, samplesPerPixel, bitsAllocated } = description;
  const segments = segmentsOf(bytes);
  const isBits = bitsAllocated === 1;
  const sampleBytes = isBits ? 1 : bitsAllocated / 8;
  if (segments.length !== sampleBytes * samplesPerPixel) {
    throw invalidCodestream('RLE segments do not match samples and bits', { segments: segments.length });
  }
  const pixels = rows * columns;
  // 1-bit frames are packed before they are run-length coded, so there is one segment of packed bytes.
  const segmentBytes = isBits ? Math.ceil(pixels / 8) : pixels;
  const stride = isBits ? 1 : sampleBytes * samplesPerPixel;
  const output = new Uint8Array(segmentBytes * (isBits ? samplesPerPixel : stride));
  for (const [index, segment] of segments.entries()) {
    const sample = Math.floor(index / sampleBytes);
    // The first segment of a sample is its most significant byte, and our words are little-endian.
    const first = sample * sampleBytes + (sampleBytes - 1 - (index % sampleBytes));
    unpackSegment(segment, output, { first, stride, count: segmentBytes });
  }
  return describedFrame({ ...description, planar: 0 }, samplesOf(output, description));
}

function segmentsOf(bytes: Uint8Array): Uint8Array[] {
  if (bytes.length < HEADER_BYTES) throw invalidCodestream('no room for the RLE header', { found: bytes.length });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(0, true);
  if (count < 1 || count > SEGMENTS_MAX) throw invalidCodestream('RLE segment count', { segments: count });
  const segments: Uint8Array[] = [];
  for (let index = 1; index <= count; index++) {
    const start = view.getUint32(index * 4, true);
    const end = index === count ? bytes.length : view.getUint32((index + 1) * 4, true);
    if (start < HEADER_BYTES || end < start || end > bytes.length) {
      throw invalidCodestream('an RLE segment lies outside of the frame', { segment: index });
    }
    segments.push(bytes.subarray(start, end));
  }
  return segments;
}

interface Scatter {
  readonly first: number;
  readonly stride: number;
  /** Bytes that the segment must give. */
  readonly count: number;
}

/** PS3.5 §G.3.2: the decoder, byte for byte; output beyond `count` is dropped. */
function unpackSegment(input: Uint8Array, output: Uint8Array, { first, stride, count }: Scatter): void {
  const end = first + count * stride;
  let target = first;
  let position = 0;
  while (target < end) {
    if (position >= input.length) throw invalidCodestream('an RLE segment ends before its pixels', { expected: count });
    const control = input[position++] ?? 0;
    if (control === 128) continue;
    if (control < 128) {
      const stop = Math.min(end, target + (control + 1) * stride);
      if (position + (stop - target) / stride > input.length) {
        throw invalidCodestream('an RLE literal run lacks its bytes', { expected: count });
      }
      for (; target < stop; target += stride) output[target] = input[position++] ?? 0;
      continue;
    }
    if (position >= input.length) throw invalidCodestream('an RLE replicate run lacks its byte', { expected: count });
    const value = input[position++] ?? 0;
    const stop = Math.min(end, target + (257 - control) * stride);
    if (stride === 1) output.fill(value, target, stop);
    else for (let index = target; index < stop; index += stride) output[index] = value;
    target = stop;
  }
}
