/**
 * DCT JPEG (ITU-T T.81) of 8 or 12 bits, sequential (processes 2 and 4) and progressive (the retired ones that archives
 * still hold): what no third-party decoder in reach does at 12 bits. Coefficients come from `jpeg-scan.ts`; here they are
 * dequantized (§A.3.4), transformed back (§A.3.3), shifted to unsigned, and subsampled components are repeated.
 *
 * The inverse DCT is computed in floating point, rounded once: within one step of any conforming integer one.
 */
import { invalidCodestream } from '../codestream.ts';
import type { DecodedFrame } from '../decoded-frame.ts';
import type { ImageDescription } from '../image-description.ts';
import { decodeTable } from '../redact/jpeg-huffman.ts';
import { lossyFrame } from './coded-frame.ts';
import { type JpegHeader, payloadOf } from './jpeg-header.ts';
import { type DctComponent, type DctFrame, readScan } from './jpeg-scan.ts';

const PROGRESSIVE = 0xc2;
const MARKER = { DHT: 0xc4, SOS: 0xda, DQT: 0xdb, DRI: 0xdd } as const;

/** Position in a block, row by row, of the k-th coefficient in zigzag order (T.81 Figure A.6). */
const ZIGZAG = zigzag();
const COSINES = cosines();

/**
 * @param transformed whether three components are YCbCr
 * @throws IMAGING_CODESTREAM_INVALID
 */
export function decodeDct(header: JpegHeader, description: ImageDescription, transformed: boolean): DecodedFrame {
  const frame = newFrame(header);
  const quantizers = readSegments(header, frame);
  const planes = frame.components.map((component) =>
    reconstruct(component, quantizers.get(component.quantization), header.precision),
  );
  const samples = assemble(header, frame, planes);
  if (transformed) toRgb(samples, header.precision);
  const photometric = header.components === 3 ? 'RGB' : description.photometric;
  return lossyFrame(description, {
    samples: header.precision > 8 ? samples : Uint8Array.from(samples),
    precision: header.precision,
    photometric,
  });
}

function newFrame({ process, rows, columns, precision, frameComponents }: JpegHeader): DctFrame {
  if (precision !== 8 && precision !== 12)
    throw invalidCodestream('has a precision that DCT does not know', { precision });
  const factors = frameComponents.flatMap(({ horizontal, vertical }) => [horizontal, vertical]);
  if (factors.length === 0 || factors.some((factor) => factor < 1 || factor > 4))
    throw invalidCodestream('has no valid sampling factors');
  const horizontalMax = Math.max(...frameComponents.map(({ horizontal }) => horizontal));
  const verticalMax = Math.max(...frameComponents.map(({ vertical }) => vertical));
  const mcusWide = Math.ceil(columns / (8 * horizontalMax));
  const mcusHigh = Math.ceil(rows / (8 * verticalMax));
  const components = frameComponents.map(({ id, horizontal, vertical, quantization }): DctComponent => {
    const stride = mcusWide * horizontal;
    const wide = Math.ceil(Math.ceil((columns * horizontal) / horizontalMax) / 8);
    const high = Math.ceil(Math.ceil((rows * vertical) / verticalMax) / 8);
    const coefficients = new Int16Array(stride * mcusHigh * vertical * 64);
    return { id, horizontal, vertical, quantization, wide, high, stride, coefficients };
  });
  return { progressive: process === PROGRESSIVE, mcusWide, mcusHigh, components };
}

/** Goes through the segments in order: tables may be redefined between scans. Gives the quantization tables. */
function readSegments(header: JpegHeader, frame: DctFrame): Map<number, Uint16Array> {
  const quantizers = new Map<number, Uint16Array>();
  const huffman = new Map<number, Uint16Array>();
  let restartInterval = 0;
  let scans = 0;
  for (const segment of header.segments) {
    const payload = payloadOf(header.stream, segment);
    if (segment.marker === MARKER.DQT) readQuantizers(payload, quantizers);
    else if (segment.marker === MARKER.DHT) readHuffman(payload, huffman);
    else if (segment.marker === MARKER.DRI) restartInterval = ((payload[0] ?? 0) << 8) | (payload[1] ?? 0);
    else if (segment.marker === MARKER.SOS) {
      readScan(frame, payload, header.stream.subarray(segment.end, segment.dataEnd), { huffman, restartInterval });
      scans++;
    }
  }
  if (scans === 0) throw invalidCodestream('has no scan');
  return quantizers;
}

/** T.81 §B.2.4.1. */
function readQuantizers(payload: Uint8Array, quantizers: Map<number, Uint16Array>): void {
  for (let at = 0; at < payload.length; ) {
    const selector = payload[at++] ?? 0;
    const wide = selector >>> 4 !== 0;
    if (at + (wide ? 128 : 64) > payload.length) throw invalidCodestream('has a short quantization table');
    const table = new Uint16Array(64);
    for (let k = 0; k < 64; k++) {
      table[k] = wide ? ((payload[at] ?? 0) << 8) | (payload[at + 1] ?? 0) : (payload[at] ?? 0);
      at += wide ? 2 : 1;
    }
    quantizers.set(selector & 15, table);
  }
}

/** T.81 §B.2.4.2. */
function readHuffman(payload: Uint8Array, huffman: Map<number, Uint16Array>): void {
  for (let at = 0; at < payload.length; ) {
    const selector = payload[at] ?? 0;
    const counts = payload.subarray(at + 1, at + 17);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const symbols = payload.subarray(at + 17, at + 17 + total);
    if (counts.length < 16 || symbols.length < total) throw invalidCodestream('has a short Huffman table');
    huffman.set(selector & 0x1f, decodeTable({ counts, symbols }));
    at += 17 + total;
  }
}

/** One component's samples, `stride * 8` a line. */
function reconstruct(component: DctComponent, quantizer: Uint16Array | undefined, precision: number): Uint16Array {
  if (quantizer === undefined) throw invalidCodestream('lacks a quantization table');
  const { coefficients, stride } = component;
  const output = new Uint16Array(coefficients.length);
  const block = new Float64Array(64);
  const workspace = new Float64Array(64);
  const middle = 2 ** (precision - 1);
  const white = 2 ** precision - 1;
  const lineSamples = stride * 8;
  for (let index = 0, at = 0; at < coefficients.length; index++, at += 64) {
    const origin = Math.floor(index / stride) * 8 * lineSamples + (index % stride) * 8;
    let flat = true;
    block.fill(0);
    for (let k = 0; k < 64; k++) {
      const value = coefficients[at + k] ?? 0;
      if (value === 0) continue;
      block[ZIGZAG[k] ?? 0] = value * (quantizer[k] ?? 0);
      flat &&= k === 0;
    }
    if (flat) block.fill((block[0] ?? 0) / 8);
    else inverseDct(block, workspace);
    for (let position = 0; position < 64; position++) {
      const sample = Math.round((block[position] ?? 0) + middle);
      output[origin + (position >>> 3) * lineSamples + (position & 7)] =
        sample < 0 ? 0 : sample > white ? white : sample;
    }
  }
  return output;
}

/** T.81 §A.3.3 as two passes of the one-dimensional transform, columns first; in place. */
function inverseDct(block: Float64Array, workspace: Float64Array): void {
  for (let column = 0; column < 8; column++) inverseLine(block, workspace, column, 8);
  for (let row = 0; row < 64; row += 8) inverseLine(workspace, block, row, 1);
}

/**
 * Eight outputs from eight inputs. The cosines of an output and of its mirror differ in the sign of the odd terms only,
 * so both come from one even and one odd sum.
 */
function inverseLine(input: Float64Array, output: Float64Array, start: number, step: number): void {
  const i0 = input[start] ?? 0;
  const i1 = input[start + step] ?? 0;
  const i2 = input[start + 2 * step] ?? 0;
  const i3 = input[start + 3 * step] ?? 0;
  const i4 = input[start + 4 * step] ?? 0;
  const i5 = input[start + 5 * step] ?? 0;
  const i6 = input[start + 6 * step] ?? 0;
  const i7 = input[start + 7 * step] ?? 0;
  for (let x = 0, c = 0; x < 4; x++, c += 8) {
    const even =
      (COSINES[c] ?? 0) * i0 + (COSINES[c + 2] ?? 0) * i2 + (COSINES[c + 4] ?? 0) * i4 + (COSINES[c + 6] ?? 0) * i6;
    const odd =
      (COSINES[c + 1] ?? 0) * i1 + (COSINES[c + 3] ?? 0) * i3 + (COSINES[c + 5] ?? 0) * i5 + (COSINES[c + 7] ?? 0) * i7;
    output[start + x * step] = even + odd;
    output[start + (7 - x) * step] = even - odd;
  }
}

/** Samples by pixels; a subsampled component is repeated to the size of the largest. */
function assemble(
  { rows, columns, components }: JpegHeader,
  frame: DctFrame,
  planes: readonly Uint16Array[],
): Uint16Array {
  const output = new Uint16Array(rows * columns * components);
  const horizontalMax = Math.max(...frame.components.map(({ horizontal }) => horizontal));
  const verticalMax = Math.max(...frame.components.map(({ vertical }) => vertical));
  for (const [index, component] of frame.components.entries()) {
    const plane = planes[index] ?? new Uint16Array();
    const lineSamples = component.stride * 8;
    const across = component.horizontal / horizontalMax;
    const down = component.vertical / verticalMax;
    for (let row = 0, at = index; row < rows; row++) {
      const line = Math.floor(row * down) * lineSamples;
      for (let column = 0; column < columns; column++, at += components)
        output[at] = plane[line + Math.floor(column * across)] ?? 0;
    }
  }
  return output;
}

/** In place, of any precision (the matrix of JFIF, which is that of YBR_FULL). */
function toRgb(samples: Uint16Array, precision: number): void {
  const middle = 2 ** (precision - 1);
  const white = 2 ** precision - 1;
  const clamp = (value: number): number => Math.round(Math.min(white, Math.max(0, value)));
  for (let at = 0; at + 2 < samples.length; at += 3) {
    const luma = samples[at] ?? 0;
    const blue = (samples[at + 1] ?? 0) - middle;
    const red = (samples[at + 2] ?? 0) - middle;
    samples[at] = clamp(luma + 1.402 * red);
    samples[at + 1] = clamp(luma - 0.344136 * blue - 0.714136 * red);
    samples[at + 2] = clamp(luma + 1.772 * blue);
  }
}

function zigzag(): Uint8Array {
  const order = Array.from({ length: 64 }, (_, position) => position);
  const diagonal = (position: number): number => (position >>> 3) + (position & 7);
  // Even diagonals run upwards, odd ones downwards.
  const along = (position: number): number => (diagonal(position) % 2 === 0 ? position & 7 : position >>> 3);
  return Uint8Array.from(order.sort((a, b) => diagonal(a) - diagonal(b) || along(a) - along(b)));
}

/** C(u)/2 · cos((2x + 1)uπ/16) for x = 0 … 3, u = 0 … 7. */
function cosines(): Float64Array {
  return Float64Array.from({ length: 32 }, (_, index) => {
    const u = index & 7;
    return (u === 0 ? Math.SQRT1_2 : 1) * 0.5 * Math.cos(((2 * (index >>> 3) + 1) * u * Math.PI) / 16);
  });
}
