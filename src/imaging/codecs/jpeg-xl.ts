/**
 * JPEG XL (ISO/IEC 18181), the three transfer syntaxes of PS3.5 §A.4.12, by libjxl: lossless, lossy, and recompressed
 * JPEG, all of which leave it as grey or RGB. The package is loaded when the first such instance comes; where it is
 * not installed the instance is held as unsupported, and nothing else is missing.
 */
import { LetheError } from '../../core/errors.ts';
import { words16 } from '../byte-order.ts';
import type { PixelCodec } from '../codec.ts';
import { checkHeader, checkSampleCount, invalidCodestream } from '../codestream.ts';
import type { DecodedFrame } from '../decoded-frame.ts';
import type { ImageDescription } from '../image-description.ts';
import { codedFrame } from './coded-frame.ts';
import { readJpegXlSize } from './jpeg-xl-header.ts';
import type { JpegXlExports } from './libjxl.mjs';
import { WasmModule } from './wasm-module.ts';

export const JPEG_XL_CODEC: PixelCodec = {
  name: 'JPEG XL',
  families: ['jpeg-xl'],
  capability: 'decode',
  load: async () => {
    const exports = await MODULE.load();
    return (bytes, description) => decode(exports, bytes, description);
  },
};

const MODULE = new WasmModule<JpegXlExports>(async (options) => {
  try {
    // Not before it is needed: the file uses syntax that older runtimes do not parse.
    const { loadLibjxl } = await import('./libjxl.mjs');
    return await loadLibjxl(options);
  } catch (cause) {
    throw new LetheError('IMAGING_SYNTAX_UNSUPPORTED', { reason: 'the JPEG XL decoder is not installed' }, { cause });
  }
});

function decode(exports: JpegXlExports, bytes: Uint8Array, description: ImageDescription): DecodedFrame {
  const size = readJpegXlSize(bytes);
  const { rows, columns } = description;
  if (size.rows !== rows || size.columns !== columns)
    throw invalidCodestream('its size is not the one of the data set', size);
  return MODULE.run(() => {
    const decoder = new exports.JpegXLDecoder();
    try {
      decoder.getEncodedBuffer(bytes.length).set(bytes);
      decoder.decode();
      const { width, height, bitsPerSample: precision, componentCount: components } = decoder.getFrameInfo();
      checkHeader({ rows: height, columns: width, components, precision }, description);
      if (precision > 16) throw invalidCodestream('has more than 16 bits a sample', { precision });
      const output = new Uint8Array(decoder.getDecodedBuffer());
      const samples = precision > 8 ? words16(output) : output;
      checkSampleCount(samples.length, description);
      return codedFrame(description, {
        samples,
        precision,
        photometric: components === 3 ? 'RGB' : description.photometric,
      });
    } finally {
      decoder.delete();
    }
  });
}
