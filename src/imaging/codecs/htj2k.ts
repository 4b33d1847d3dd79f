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
import { assertEncodable, type EncoderShape, type FrameEncoder } from './encoder-shape.ts';
import { checkJpeg2000, decodedPhotometric } from './jpeg-2000.ts';
import {
  declareSigned,
  type Jpeg2000Header,
  passesAsUnsigned,
  readJpeg2000Header,
  shiftedByHalf,
} from './jpeg-2000-header.ts';
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
  const { rows, columns, samplesPerPixel, bitsStored, componentTransform } = shape;
  assertEncodable(samples, shape);
  const unsigned = passesAsUnsigned({ ...shape, precision: bitsStored }) && samples instanceof Uint8Array;
  const passed = unsigned ? shiftedByHalf(samples, bitsStored, 1) : samples;
  const encoder = new exports.HTJ2KEncoder();
  try {
    const info = {
      width: columns,
      height: rows,
      bitsPerSample: bitsStored,
      componentCount: samplesPerPixel,
      isSigned: shape.signed && !unsigned,
      isUsingColorTransform: componentTransform,
    };
    const lines = samplesPerPixel === 1 || componentTransform ? passed : linesOfComponents(passed, shape, 'written');
    encoder.getDecodedBuffer(info).set(new Uint8Array(lines.buffer, lines.byteOffset, lines.byteLength));
    encoder.setQuality(true, 0);
    encoder.setProgressionOrder(RPCL);
    encoder.setTLMMarker(true);
    const levels = Math.ceil(Math.log2(Math.max(rows, columns) / LOWEST_RESOLUTION_MAX));
    encoder.setDecompositions(Math.max(DECOMPOSITIONS_MIN, levels));
    encoder.encode();
    const stream = new Uint8Array(encoder.getEncodedBuffer());
    if (unsigned) declareSigned(stream, true);
    return stream;
  } finally {
    encoder.delete();
  }
}

function decode(exports: OpenJphExports, header: Jpeg2000Header): SampleArray {
  const { stream, precision, components, componentTransform, columns } = header;
  const decoder = new exports.HTJ2KDecoder();
  try {
    const encoded = decoder.getEncodedBuffer(stream.length);
    encoded.set(stream);
    const unsigned = passesAsUnsigned(header);
    if (unsigned) declareSigned(encoded, false);
    decoder.decode();
    const bytes = new Uint8Array(decoder.getDecodedBuffer());
    const samples = precision > 8 ? words16(bytes) : bytes;
    const shape = { rows: header.rows, columns, samplesPerPixel: components };
    const ordered = components === 1 || componentTransform ? samples : linesOfComponents(samples, shape, 'read');
    return unsigned && ordered instanceof Uint8Array ? shiftedByHalf(ordered, precision, -1) : ordered;
  } finally {
    decoder.delete();
  }
}

/**
 * Without a component transform OpenJPH takes and gives the lines of one component after the other, and the wrapper around
 * it, in both directions, treats the n-th of them as a line of row n / components. Here each line is put where it belongs
 * (`read`), or where the wrapper looks for it (`written`).
 */
function linesOfComponents(
  samples: Uint8Array | Uint16Array,
  { rows, columns, samplesPerPixel }: Pick<EncoderShape, 'rows' | 'columns'> & { readonly samplesPerPixel: number },
  direction: 'read' | 'written',
): Uint8Array | Uint16Array {
  const ordered = samples.slice();
  const start = (row: number, component: number): number => row * columns * samplesPerPixel + component;
  for (let line = 0; line < rows * samplesPerPixel; line++) {
    const taken = start(Math.floor(line / samplesPerPixel), line % samplesPerPixel);
    const right = start(line % rows, Math.floor(line / rows));
    let [from, to] = direction === 'read' ? [taken, right] : [right, taken];
    for (let column = 0; column < columns; column++, from += samplesPerPixel, to += samplesPerPixel)
      ordered[to] = samples[from] ?? 0;
  }
  return ordered;
}
