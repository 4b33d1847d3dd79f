/**
 * DCT JPEG (ITU-T T.81) of 8 or 12 bits, sequential (processes 2 and 4) and progressive (the retired ones that archives
 * still hold): what no third-party decoder in reach does at 12 bits. Coefficients come from `jpeg-scan.ts`; here they are
 * dequantized (§A.3.4), transformed back (`jpeg-idct.ts`), shifted to unsigned, and subsampled components are repeated.
 */
import { invalidCodestream } from '../codestream.ts';
import type { DecodedFrame } from '../decoded-frame.ts';
import type { ImageDescription } from '../image-description.ts';
import { lossyFrame } from './coded-frame.ts';
import { type JpegHeader, PROGRESSIVE, payloadOf } from './jpeg-header.ts';
import { inverseDct } from './jpeg-idct.ts';
import { type DctComponent, type DctFrame, readScan } from './jpeg-scan.ts';
import { readHuffmanTables } from './jpeg-tables.ts';

const MARKER = { DHT: 0xc4, SOS: 0xda, DQT: 0xdb, DRI: 0xdd } as const;

/** Position in a block, row by row, of the k-th coefficient in zigzag order (T.81 Figure A.6). */
const ZIGZAG = zigzag();

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
    else if (segment.marker === MARKER.DHT) readHuffmanTables(payload, huffman);
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

/** One component's samples, `stride * 8` a line. */
function reconstruct(component: DctComponent, quantizer: Uint16Array | undefined, precision: number): Uint16Array {
  if (quantizer === undefined) throw invalidCodestream('lacks a quantization table');
  const { coefficients, stride } = component;
  const output = new Uint16Array(coefficients.length);
  const block = new Int32Array(64);
  const middle = 2 ** (precision - 1);
  const white = 2 ** precision - 1;
  const lineSamples = stride * 8;
  for (let index = 0, at = 0; at < coefficients.length; index++, at += 64) {
    const origin = Math.floor(index / stride) * 8 * lineSamples + (index % stride) * 8;
    block.fill(0);
    for (let k = 0; k < 64; k++) {
      const value = coefficients[at + k] ?? 0;
      if (value !== 0) block[ZIGZAG[k] ?? 0] = value * (quantizer[k] ?? 0);
    }
    inverseDct(block, precision);
    for (let position = 0; position < 64; position++) {
      const sample = (block[position] ?? 0) + middle;
      output[origin + (position >>> 3) * lineSamples + (position & 7)] =
        sample < 0 ? 0 : sample > white ? white : sample;
    }
  }
  return output;
}

/** Samples by pixels; a subsampled component is brought to the size of the largest. */
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
    const across = horizontalMax / component.horizontal;
    const down = verticalMax / component.vertical;
    const sampled: SampledPlane = {
      samples: plane,
      stride: component.stride * 8,
      columns: Math.ceil(columns / across),
      rows: Math.ceil(rows / down),
    };
    if (across === 1 && down === 1) place(sampled, output, { rows, columns, components, index });
    else spread(upsampling(sampled, across, down), output, { rows, columns, components, index });
  }
  return output;
}

interface SampledPlane {
  readonly samples: Uint16Array;
  /** Samples from one line to the next; those past `columns` are padding. */
  readonly stride: number;
  readonly columns: number;
  readonly rows: number;
}

/** One component among the pixels of the output. */
interface Place {
  readonly rows: number;
  readonly columns: number;
  readonly components: number;
  readonly index: number;
}

function place(
  { samples, stride }: SampledPlane,
  output: Uint16Array,
  { rows, columns, components, index }: Place,
): void {
  for (let row = 0, position = index; row < rows; row++)
    for (let at = row * stride, end = at + columns; at < end; at++, position += components)
      output[position] = samples[at] ?? 0;
}

function spread(sampleAt: SampleAt, output: Uint16Array, { rows, columns, components, index }: Place): void {
  for (let row = 0, position = index; row < rows; row++)
    for (let column = 0; column < columns; column++, position += components) output[position] = sampleAt(row, column);
}

type SampleAt = (row: number, column: number) => number;

/**
 * Three quarters of the nearer sample and one of the farther (the triangle filter of IJG's decoder and of those built on
 * it) where sides are halved; planes too small for it, and ratios that nobody writes, are repeated.
 */
function upsampling(sampled: SampledPlane, across: number, down: number): SampleAt {
  const halved = across === 2 && (down === 1 || down === 2);
  return halved && sampled.columns > 2 ? triangle(sampled, down) : repeat(sampled, across, down);
}

function repeat({ samples, stride }: SampledPlane, across: number, down: number): SampleAt {
  return (row, column) => samples[Math.floor(row / down) * stride + Math.floor(column / across)] ?? 0;
}

/** Halved columns, and rows halved too (`down` 2) or not; rounding as IJG's decoder does it, which is not symmetric. */
function triangle({ samples, stride, columns, rows }: SampledPlane, down: number): SampleAt {
  const columnAt = (row: number, column: number): number => {
    const line = Math.min(rows - 1, Math.floor(row / down)) * stride;
    if (down === 1) return samples[line + column] ?? 0;
    const other = Math.min(rows - 1, Math.max(0, Math.floor(row / 2) + (row % 2 === 0 ? -1 : 1))) * stride;
    return 3 * (samples[line + column] ?? 0) + (samples[other + column] ?? 0);
  };
  const scale = down === 1 ? 4 : 16;
  return (row, column) => {
    const near = Math.floor(column / 2);
    const even = column % 2 === 0;
    const far = near + (even ? -1 : 1);
    // At the edges the nearest sample stands for the one that is not there.
    const farther = columnAt(row, far < 0 || far >= columns ? near : far);
    const bias = down === 1 ? (even ? 1 : 2) : even ? 8 : 7;
    return Math.floor((3 * columnAt(row, near) + farther + bias) / scale);
  };
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
