/**
 * JPEG-LS (ITU-T T.87), lossless and near-lossless, by CharLS. A truncated stream keeps CharLS busy for up to 30
 * seconds, so the end of the stream is asked for before it starts; damage inside can still take as long, which is
 * why frames are decoded in a worker with a deadline.
 */
import charls, { type CharlsExports } from '@cornerstonejs/codec-charls/wasmjs';
import { words16 } from '../byte-order.ts';
import type { PixelCodec } from '../codec.ts';
import { checkHeader, checkSampleCount, invalidCodestream } from '../codestream.ts';
import { interleave, type SampleArray } from '../decoded-frame.ts';
import { codedFrame, lossyFrame } from './coded-frame.ts';
import { readJpegHeader } from './jpeg-header.ts';
import { WasmModule } from './wasm-module.ts';

const MODULE = new WasmModule<CharlsExports>(charls);
const JPEG_LS_FRAME = 0xf7;
const INTERLEAVE_NONE = 0;

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
