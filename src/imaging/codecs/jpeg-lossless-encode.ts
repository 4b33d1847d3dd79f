/**
 * Lossless JPEG of one frame (ITU-T T.81 Annex H), process 14 with selection value 1: each sample is predicted by the one
 * on its left, the first of a row by the one above. Components are interleaved, with one optimal Huffman table.
 */

import type { EncoderShape } from './encoder-shape.ts';
import {
  BitWriter,
  type EncodeTable,
  encodeTable,
  huffmanSegment,
  magnitudeBits,
  optimalTable,
} from './jpeg-huffman.ts';
import { joined } from './jpeg-segments.ts';

/** Lowest precision that the process knows. */
const PRECISION_MIN = 2;

/**
 * @param samples rows × columns × samplesPerPixel, pixel by pixel; of each word the low `bitsStored` bits are coded,
 *   since lossless JPEG has no sign (PS3.5 §8.2.2)
 */
export function encodeJpegLossless(samples: Uint8Array | Uint16Array, shape: EncoderShape): Uint8Array {
  const precision = Math.max(PRECISION_MIN, shape.bitsStored);
  const differences = predicted(samples, shape, precision);
  const frequencies = new Uint32Array(256);
  for (const difference of differences) {
    const size = magnitudeBits(difference);
    frequencies[size] = (frequencies[size] ?? 0) + 1;
  }
  const table = optimalTable(frequencies);
  return joined([
    Uint8Array.of(0xff, 0xd8),
    frameHeader(shape, precision),
    huffmanSegment([{ id: 0, table }]),
    scanHeader(shape.samplesPerPixel),
    entropyCoded(differences, encodeTable(table)),
    Uint8Array.of(0xff, 0xd9),
  ]);
}

/** Differences modulo 2^16, from -32767 to 32768 (T.81 §H.1.2.1). */
function predicted(samples: Uint8Array | Uint16Array, shape: EncoderShape, precision: number): Int32Array {
  const { columns, samplesPerPixel: step } = shape;
  const mask = 2 ** shape.bitsStored - 1;
  const rowSamples = columns * step;
  const differences = new Int32Array(samples.length);
  for (let index = 0; index < samples.length; index++) {
    const isFirst = index % rowSamples < step;
    const origin = isFirst ? index - rowSamples : index - step;
    const prediction = origin < 0 ? 2 ** (precision - 1) : (samples[origin] ?? 0) & mask;
    const difference = ((((samples[index] ?? 0) & mask) - prediction) << 16) >> 16;
    differences[index] = difference === -32768 ? 32768 : difference;
  }
  return differences;
}

/** SOF3, T.81 §B.2.2. */
function frameHeader({ rows, columns, samplesPerPixel }: EncoderShape, precision: number): Uint8Array {
  const components = Array.from({ length: samplesPerPixel }, (_, index) => [index + 1, 0x11, 0]).flat();
  const size = [rows >> 8, rows & 0xff, columns >> 8, columns & 0xff];
  return Uint8Array.of(0xff, 0xc3, 0, 8 + components.length, precision, ...size, samplesPerPixel, ...components);
}

/** SOS, T.81 §B.2.3: Ss is the selection value, Al the point transform. */
function scanHeader(samplesPerPixel: number): Uint8Array {
  const components = Array.from({ length: samplesPerPixel }, (_, index) => [index + 1, 0]).flat();
  return Uint8Array.of(0xff, 0xda, 0, 6 + components.length, samplesPerPixel, ...components, 1, 0, 0);
}

function entropyCoded(differences: Int32Array, table: EncodeTable): Uint8Array {
  const bits = new BitWriter(differences.length);
  for (const difference of differences) {
    const size = magnitudeBits(difference);
    bits.symbol(table, size);
    // A difference of 2^15 is its size alone (T.81 Table H.2).
    if (size < 16) bits.signed(difference, size);
  }
  bits.flush();
  return bits.bytes();
}
