/**
 * Native pixel cells (PS3.5 §8.1.1, §8.2), whether they stand in the data set as they are, inside of the deflated data
 * set, wrapped as fragments (§A.4.11) or deflated frame by frame (§A.4.13). 1-bit cells become one byte each; planes
 * become pixels; the shared chrominance of 4:2:2 is repeated.
 */
import { inflateRawSync } from 'node:zlib';
import { floats32, floats64, words16, words32 } from '../byte-order.ts';
import type { PixelCodec } from '../codec.ts';
import { invalidCodestream } from '../codestream.ts';
import { type DecodedFrame, describedFrame, interleave, type SampleArray } from '../decoded-frame.ts';
import { frameBytes, type ImageDescription, isSubsampled422 } from '../image-description.ts';

export const NATIVE_CODEC: PixelCodec = {
  name: 'native',
  families: ['native', 'deflated', 'encapsulated-uncompressed'],
  capability: 'decode',
  load: async () => decodeNative,
};

export const DEFLATED_FRAME_CODEC: PixelCodec = {
  name: 'deflated image frame',
  families: ['deflated-frame'],
  capability: 'decode',
  load: async () => (bytes, description) => decodeNative(inflateFrame(bytes, frameBytes(description)), description),
};

/** @throws IMAGING_CODESTREAM_INVALID for fewer bytes than the frame has */
export function decodeNative(bytes: Uint8Array, description: ImageDescription): DecodedFrame {
  const expected = frameBytes(description);
  if (bytes.length < expected) throw invalidCodestream('fewer bytes than pixels', { expected, found: bytes.length });
  const samples = samplesOf(bytes.subarray(0, expected), description);
  if (isSubsampled422(description.photometric)) return upsampled(samples, description);
  if (description.planar === 0) return describedFrame(description, samples);
  return describedFrame(description, interleave(samples, new (constructorOf(samples))(samples.length)));
}

/** Little-endian bytes as samples, a view where the address allows one. */
export function samplesOf(bytes: Uint8Array, description: ImageDescription): SampleArray {
  if (description.kind === 'float') return floats32(bytes);
  if (description.kind === 'double') return floats64(bytes);
  switch (description.bitsAllocated) {
    case 1:
      return unpackBits(bytes, description.rows * description.columns * description.samplesPerPixel);
    case 8:
      return bytes;
    case 16:
      return words16(bytes);
    default:
      return words32(bytes);
  }
}

/** PS3.5 §8.1.1: the first pixel is the least significant bit of the first byte. */
function unpackBits(bytes: Uint8Array, count: number): Uint8Array {
  const samples = new Uint8Array(count);
  for (let index = 0; index < count; index++) samples[index] = ((bytes[index >>> 3] ?? 0) >>> (index & 7)) & 1;
  return samples;
}

/** Y1 Y2 Cb Cr for every two pixels (PS3.3 §C.7.6.3.1.2) to three samples a pixel. */
function upsampled(samples: SampleArray, description: ImageDescription): DecodedFrame {
  const pixels = description.rows * description.columns;
  const full = new (constructorOf(samples))(pixels * 3);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const pair = (pixel >>> 1) * 4;
    full[pixel * 3] = samples[pair + (pixel & 1)] ?? 0;
    full[pixel * 3 + 1] = samples[pair + 2] ?? 0;
    full[pixel * 3 + 2] = samples[pair + 3] ?? 0;
  }
  const photometric = description.photometric === 'YBR_FULL_422' ? 'YBR_FULL' : description.photometric;
  return { ...describedFrame(description, full), photometric };
}

type SampleArrayConstructor = new (length: number) => SampleArray;

function constructorOf(samples: SampleArray): SampleArrayConstructor {
  if (samples instanceof Uint8Array) return Uint8Array;
  if (samples instanceof Uint16Array) return Uint16Array;
  if (samples instanceof Uint32Array) return Uint32Array;
  return samples instanceof Float32Array ? Float32Array : Float64Array;
}

/** One frame as raw DEFLATE (RFC 1951), bounded by what the frame may hold: a bomb ends at the limit. */
export function inflateFrame(bytes: Uint8Array, expected: number): Uint8Array {
  try {
    return inflateRawSync(bytes, { maxOutputLength: expected + 1 });
  } catch (cause) {
    throw Object.assign(invalidCodestream('the deflated frame is damaged or longer than the frame', { expected }), {
      cause,
    });
  }
}
