/**
 * High-Throughput JPEG 2000 (ISO/IEC 15444-15), the three transfer syntaxes of PS3.5 §A.4.10, by OpenJPH. Damaged input
 * gives a warning on its log and a short or wrong image, so the log counts as a verdict.
 */
import openjph, { type OpenJphExports } from '@cornerstonejs/codec-openjph/wasmjs';
import { words16 } from '../byte-order.ts';
import type { PixelCodec } from '../codec.ts';
import { checkSampleCount } from '../codestream.ts';
import type { SampleArray } from '../decoded-frame.ts';
import { codedFrame, lossyFrame } from './coded-frame.ts';
import { checkJpeg2000, decodedPhotometric } from './jpeg-2000.ts';
import { readJpeg2000Header } from './jpeg-2000-header.ts';
import { WasmModule } from './wasm-module.ts';

const MODULE = new WasmModule<OpenJphExports>(openjph);

export const HTJ2K_CODEC: PixelCodec = {
  name: 'HTJ2K',
  families: ['htj2k'],
  capability: 'decode',
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
