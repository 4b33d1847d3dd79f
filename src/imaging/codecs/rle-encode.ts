/**
 * RLE Compression of one frame (PS3.5 Annex G): a PackBits segment for every byte of every sample, most significant
 * byte first (§G.2), each row coded on its own (§G.3.1), segments padded to an even length (§G.4).
 */
import type { SampleArray } from '../decoded-frame.ts';
import type { EncoderShape } from './encoder-shape.ts';

const HEADER_BYTES = 64;
const RUN_MAX = 128;

/** @param samples rows × columns × samplesPerPixel, pixel by pixel; every byte of a word is coded */
export function encodeRle(samples: SampleArray, shape: Pick<EncoderShape, 'rows' | 'columns' | 'samplesPerPixel'>) {
  const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  const sampleBytes = samples.BYTES_PER_ELEMENT;
  const stride = sampleBytes * shape.samplesPerPixel;
  const segments: Uint8Array[] = [];
  for (let sample = 0; sample < shape.samplesPerPixel; sample++) {
    for (let byte = sampleBytes - 1; byte >= 0; byte--) {
      segments.push(packedSegment(bytes, { first: sample * sampleBytes + byte, stride, ...shape }));
    }
  }
  return framed(segments);
}

interface Gather {
  readonly first: number;
  readonly stride: number;
  readonly rows: number;
  readonly columns: number;
}

function packedSegment(bytes: Uint8Array, { first, stride, rows, columns }: Gather): Uint8Array {
  // A literal run of 128 bytes has one control byte: no row grows by more than that.
  const packed = new Uint8Array(rows * (columns + Math.ceil(columns / RUN_MAX)) + 1);
  const row = new Uint8Array(columns);
  let length = 0;
  for (let y = 0; y < rows; y++) {
    const start = first + y * columns * stride;
    for (let x = 0; x < columns; x++) row[x] = bytes[start + x * stride] ?? 0;
    length = packRow(row, packed, length);
  }
  return packed.subarray(0, length + (length % 2));
}

/** PS3.5 §G.3.1. A run of two ends no literal run: it would gain nothing. */
function packRow(row: Uint8Array, output: Uint8Array, from: number): number {
  let length = from;
  let literal = 0;
  const flush = (end: number): void => {
    for (; literal < end; ) {
      const count = Math.min(RUN_MAX, end - literal);
      output[length++] = count - 1;
      output.set(row.subarray(literal, literal + count), length);
      length += count;
      literal += count;
    }
  };
  for (let x = 0; x < row.length; ) {
    let end = x + 1;
    while (end < row.length && end - x < RUN_MAX && row[end] === row[x]) end++;
    if (end - x > 2 || (end - x === 2 && literal === x)) {
      flush(x);
      output[length++] = 257 - (end - x);
      output[length++] = row[x] ?? 0;
      literal = end;
    }
    x = end;
  }
  flush(row.length);
  return length;
}

/** PS3.5 §G.5. */
function framed(segments: readonly Uint8Array[]): Uint8Array {
  const frame = new Uint8Array(segments.reduce((sum, segment) => sum + segment.length, HEADER_BYTES));
  const header = new DataView(frame.buffer);
  header.setUint32(0, segments.length, true);
  let position = HEADER_BYTES;
  for (const [index, segment] of segments.entries()) {
    header.setUint32(4 + 4 * index, position, true);
    frame.set(segment, position);
    position += segment.length;
  }
  return frame;
}
