/**
 * High-Throughput JPEG 2000 (ISO/IEC 15444-15), the three transfer syntaxes of PS3.5 §A.4.10, by OpenJPH. Damaged input
 * gives a warning on its log and a short or wrong image, so the log counts as a verdict.
 *
 * API: `HTJ2K_CODEC`, `loadHtj2kEncoder({ componentTransform })`.
 */
import openjph, { type OpenJphExports } from '@cornerstonejs/codec-openjph/wasmjs';
import { words16 } from '../byte-order.ts';
import type { PixelCodec } from '../codec.ts';
import { checkSampleCount } from '../codestream.ts';
import type { SampleArray } from '../decoded-frame.ts';
import { codedFrame, lossyFrame } from './coded-frame.ts';
import type { EncoderShape, FrameEncoder } from './encoder-shape.ts';
import { checkJpeg2000, decodedPhotometric } from './jpeg-2000.ts';
import { readJpeg2000Header } from './jpeg-2000-header.ts';
import { WasmModule } from './wasm-module.ts';

const MODULE = new WasmModule<OpenJphExports>(openjph);
const RPCL = 2;
/** Of the lowest resolution that HTJ2K Lossless RPCL asks for (PS3.5 §A.4.10). */
const LOWEST_RESOLUTION_MAX = 64;
const DECOMPOSITIONS_MIN = 5;

export const HTJ2K_CODEC: PixelCodec = {
  name: 'HTJ2K',
  families: ['htj2k'],
  capability: 'decode and encode',
  load: async () => {
    const exports = await MODULE.load();
    return (bytes, description) => {
      const header = readJpeg2000Header(bytes);
      checkJpeg2000(header, description);
      const samples = MODULE.run(() => decode(exports, header.stream, header.precision));
      checkSampleCount(samples.length, description);
      const frame = header.irreversible ? lossyFrame : codedFrame;
      return frame(description, {
        samples,
        precision: header.precision,
        photometric: decodedPhotometric(header, description),
      });
    };
  },
};

/**
 * Frames as reversible HTJ2K codestreams in the order RPCL with tile-part lengths, as all three transfer syntaxes allow.
 * @param componentTransform for three samples that are RGB (YBR_RCT)
 */
export async function loadHtj2kEncoder({ componentTransform }: { componentTransform: boolean }): Promise<FrameEncoder> {
  const exports = await MODULE.load();
  return (samples, shape) => MODULE.run(() => encode(exports, samples, { ...shape, componentTransform }));
}

function encode(
  exports: OpenJphExports,
  samples: Uint8Array | Uint16Array,
  shape: EncoderShape & { componentTransform: boolean },
): Uint8Array {
  const { rows, columns, samplesPerPixel, bitsStored, signed, componentTransform } = shape;
  const encoder = new exports.HTJ2KEncoder();
  try {
    const info = {
      width: columns,
      height: rows,
      bitsPerSample: bitsStored,
      componentCount: samplesPerPixel,
      isSigned: signed,
      isUsingColorTransform: componentTransform,
    };
    encoder.getDecodedBuffer(info).set(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength));
    encoder.setQuality(true, 0);
    encoder.setProgressionOrder(RPCL);
    encoder.setTLMMarker(true);
    const levels = Math.ceil(Math.log2(Math.max(rows, columns) / LOWEST_RESOLUTION_MAX));
    encoder.setDecompositions(Math.max(DECOMPOSITIONS_MIN, levels));
    encoder.encode();
    return new Uint8Array(encoder.getEncodedBuffer());
  } finally {
    encoder.delete();
  }
}

function decode(exports: OpenJphExports, stream: Uint8Array, precision: number): SampleArray {
  const decoder = new exports.HTJ2KDecoder();
  try {
    decoder.getEncodedBuffer(stream.length).set(stream);
    decoder.decode();
    const bytes = new Uint8Array(decoder.getDecodedBuffer());
    return precision > 8 ? words16(bytes) : bytes;
  } finally {
    decoder.delete();
  }
}
