/**
 * JPEG-LS (ITU-T T.87), lossless and near-lossless, by CharLS. A truncated stream keeps CharLS busy for up to 30
 * seconds, so the end of the stream is asked for before it starts; damage inside can still take as long, which is
 * why frames are decoded in a worker with a deadline.
 *
 * API: `JPEG_LS_CODEC`, `encodeJpegLsLossless(samples, shape)`, `loadJpegLsEncoder()` for many frames.
 */
import charls, { type CharlsExports } from '@cornerstonejs/codec-charls/wasmjs';
import { words16 } from '../byte-order.ts';
import type { PixelCodec } from '../codec.ts';
import { checkHeader, checkSampleCount, invalidCodestream } from '../codestream.ts';
import { interleave, type SampleArray } from '../decoded-frame.ts';
import { codedFrame, lossyFrame } from './coded-frame.ts';
import type { EncoderShape, FrameEncoder } from './encoder-shape.ts';
import { readJpegHeader } from './jpeg-header.ts';
import { WasmModule } from './wasm-module.ts';

const MODULE = new WasmModule<CharlsExports>(charls);
const JPEG_LS_FRAME = 0xf7;
const INTERLEAVE_NONE = 0;
const INTERLEAVE_SAMPLE = 2;

export const JPEG_LS_CODEC: PixelCodec = {
  name: 'JPEG-LS',
  families: ['jpeg-ls'],
  capability: 'decode and encode',
  load: async () => {
    const exports = await MODULE.load();
    return (bytes, description) => {
      const header = readJpegHeader(bytes);
      checkHeader(header, description);
      if (header.process !== JPEG_LS_FRAME) throw invalidCodestream('is not JPEG-LS', { process: header.process });
      const { samples, nearLossless } = MODULE.run(() => decode(exports, header.stream, header.precision));
      checkSampleCount(samples.length, description);
      const frame = nearLossless ? lossyFrame : codedFrame;
      return frame(description, { samples, precision: header.precision, photometric: description.photometric });
    };
  },
};

/**
 * One frame as a lossless JPEG-LS stream, colour interleaved by samples.
 * @param samples rows × columns × samplesPerPixel, pixel by pixel; signed ones in two's complement of the array's width
 */
export async function encodeJpegLsLossless(
  samples: Uint8Array | Uint16Array,
  shape: EncoderShape,
): Promise<Uint8Array> {
  return (await loadJpegLsEncoder())(samples, shape);
}

/** As `encodeJpegLsLossless`, loaded once for as many frames as there are. */
export async function loadJpegLsEncoder(): Promise<FrameEncoder> {
  const exports = await MODULE.load();
  return (samples, shape) => encode(exports, samples, shape);
}

function encode(exports: CharlsExports, samples: Uint8Array | Uint16Array, shape: EncoderShape): Uint8Array {
  const { rows, columns, samplesPerPixel, bitsStored } = shape;
  // JPEG-LS has no sign: the stored bits alone are coded, and read back with theirs (PS3.5 §8.2.3).
  const mask = 2 ** bitsStored - 1;
  const stored = samples.map((sample) => sample & mask);
  return MODULE.run(() => {
    const encoder = new exports.JpegLSEncoder();
    try {
      const info = { width: columns, height: rows, bitsPerSample: bitsStored, componentCount: samplesPerPixel };
      encoder.getDecodedBuffer(info).set(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength));
      encoder.setNearLossless(0);
      encoder.setInterleaveMode(samplesPerPixel === 1 ? INTERLEAVE_NONE : INTERLEAVE_SAMPLE);
      encoder.encode();
      return new Uint8Array(encoder.getEncodedBuffer());
    } finally {
      encoder.delete();
    }
  });
}

interface DecodedStream {
  readonly samples: SampleArray;
  readonly nearLossless: boolean;
}

function decode(exports: CharlsExports, stream: Uint8Array, precision: number): DecodedStream {
  const decoder = new exports.JpegLSDecoder();
  try {
    decoder.getEncodedBuffer(stream.length).set(stream);
    decoder.decode();
    const bytes = new Uint8Array(decoder.getDecodedBuffer());
    const samples = precision > 8 ? words16(bytes) : bytes;
    const byPlanes = decoder.getFrameInfo().componentCount === 3 && decoder.getInterleaveMode() === INTERLEAVE_NONE;
    const nearLossless = decoder.getNearLossless() > 0;
    return { samples: byPlanes ? interleave(samples, samples.slice()) : samples, nearLossless };
  } finally {
    decoder.delete();
  }
}
