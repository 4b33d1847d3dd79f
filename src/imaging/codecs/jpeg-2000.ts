/**
 * JPEG 2000 (ISO/IEC 15444-1), reversible and irreversible, by OpenJPEG. It reports nothing but an empty image when it
 * fails, and prints why, so header, length and what it prints are all looked at.
 *
 * API: `JPEG_2000_CODEC`, `encodeJpeg2000Lossless(samples, shape)`, `loadJpeg2000Encoder()` for many frames.
 */
import openjpeg, { type OpenJpegExports } from '@cornerstonejs/codec-openjpeg/wasmjs';
import { words16 } from '../byte-order.ts';
import type { PixelCodec } from '../codec.ts';
import { checkHeader, checkSampleCount, invalidCodestream } from '../codestream.ts';
import type { SampleArray } from '../decoded-frame.ts';
import type { ImageDescription, PhotometricInterpretation } from '../image-description.ts';
import { codedFrame, lossyFrame } from './coded-frame.ts';
import { assertEncodable, type EncoderShape, type FrameEncoder } from './encoder-shape.ts';
import {
  declareSigned,
  type Jpeg2000Header,
  passesAsUnsigned,
  readJpeg2000Header,
  shiftedByHalf,
} from './jpeg-2000-header.ts';
import { WasmModule } from './wasm-module.ts';

// Tolerance: tile-parts counted from 0 to one too many, written by an encoder of scanners; the pixels are right
// (test: corpus).
const HARMLESS = /Non conformant codestream TPsot==TNsot/;
const MODULE = new WasmModule<OpenJpegExports>(openjpeg, HARMLESS);

/** As Part 1 takes by default. */
const DECOMPOSITIONS = 5;

export const JPEG_2000_CODEC: PixelCodec = {
  name: 'JPEG 2000',
  families: ['jpeg-2000'],
  capability: 'decode and encode',
  load: async () => {
    const exports = await MODULE.load();
    return (bytes, description) => {
      const header = readJpeg2000Header(bytes);
      checkJpeg2000(header, description);
      const samples = MODULE.run(() => decode(exports, header));
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
 * One frame as a reversible JPEG 2000 codestream, colour with the reversible component transform (YBR_RCT).
 * @param samples rows × columns × samplesPerPixel, pixel by pixel; signed ones in two's complement of the array's width
 */
export async function encodeJpeg2000Lossless(
  samples: Uint8Array | Uint16Array,
  shape: EncoderShape,
): Promise<Uint8Array> {
  return (await loadJpeg2000Encoder())(samples, shape);
}

/** As `encodeJpeg2000Lossless`, loaded once for as many frames as there are. */
export async function loadJpeg2000Encoder(): Promise<FrameEncoder> {
  const exports = await MODULE.load();
  return (samples, shape) => encode(exports, samples, shape);
}

function encode(exports: OpenJpegExports, samples: Uint8Array | Uint16Array, shape: EncoderShape): Uint8Array {
  const { rows, columns, samplesPerPixel, bitsStored } = shape;
  assertEncodable(samples, shape);
  const unsigned = passesAsUnsigned({ ...shape, precision: bitsStored }) && samples instanceof Uint8Array;
  const passed = unsigned ? shiftedByHalf(samples, bitsStored, 1) : samples;
  return MODULE.run(() => {
    const encoder = new exports.J2KEncoder();
    try {
      const info = {
        width: columns,
        height: rows,
        bitsPerSample: bitsStored,
        componentCount: samplesPerPixel,
        isSigned: shape.signed && !unsigned,
      };
      const bytes = new Uint8Array(passed.buffer, passed.byteOffset, passed.byteLength);
      encoder.getDecodedBuffer(info).set(bytes);
      encoder.setQuality(true, 0);
      // OpenJPEG refuses more resolutions than the shorter side can be halved to.
      const levels = Math.floor(Math.log2(Math.min(rows, columns)));
      encoder.setDecompositions(Math.min(DECOMPOSITIONS, levels));
      encoder.encode();
      const stream = new Uint8Array(encoder.getEncodedBuffer());
      if (unsigned) declareSigned(stream, true);
      return stream;
    } finally {
      encoder.delete();
    }
  });
}

/** @throws IMAGING_CODESTREAM_INVALID */
export function checkJpeg2000(header: Jpeg2000Header, description: ImageDescription): void {
  checkHeader(header, description);
  if (header.subsampled) throw invalidCodestream('has components of different sizes');
  if (header.precision > 16) throw invalidCodestream('has more than 16 bits a sample', { precision: header.precision });
}

/** What the samples are once the decoder has inverted the component transform, whatever the label said before. */
export function decodedPhotometric(header: Jpeg2000Header, description: ImageDescription): PhotometricInterpretation {
  if (header.components !== 3) return description.photometric;
  const { photometric } = description;
  // Tolerance: labelled YBR_RCT or YBR_ICT although no transform was applied; the codestream knows (test: codecs).
  return header.componentTransform || photometric === 'YBR_RCT' || photometric === 'YBR_ICT' ? 'RGB' : photometric;
}

function decode(exports: OpenJpegExports, header: Jpeg2000Header): SampleArray {
  const decoder = new exports.J2KDecoder();
  try {
    const { stream, precision } = header;
    const encoded = decoder.getEncodedBuffer(stream.length);
    encoded.set(stream);
    const unsigned = passesAsUnsigned(header);
    if (unsigned) declareSigned(encoded, false);
    decoder.decode();
    const bytes = new Uint8Array(decoder.getDecodedBuffer());
    if (unsigned) return shiftedByHalf(bytes, precision, -1);
    return precision > 8 ? words16(bytes) : bytes;
  } finally {
    decoder.delete();
  }
}
