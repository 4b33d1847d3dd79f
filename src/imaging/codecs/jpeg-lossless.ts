/**
 * Lossless JPEG (ITU-T T.81 Annex H, process 14): 2 to 16 bits, any selection value, point transform, restart intervals,
 * one or three components, interleaved or in scans of their own. Ours, because the decoder in the registry takes three
 * times as long as DCMTK's on a 5-megapixel frame and accepts nearly any damage.
 *
 * Strict where pixels are at stake: a stream that ends early, has a code that does not exist, or a value beyond its
 * precision is refused.
 */
import { invalidCodestream } from '../codestream.ts';
import type { DecodedFrame } from '../decoded-frame.ts';
import type { ImageDescription } from '../image-description.ts';
import { codedFrame } from './coded-frame.ts';
import { entropyIntervals, READ_AHEAD_BYTES } from './jpeg-entropy.ts';
import { type JpegHeader, payloadOf } from './jpeg-header.ts';
import { readHuffmanTables } from './jpeg-tables.ts';

const MARKER = { DHT: 0xc4, SOS: 0xda, DRI: 0xdd } as const;

interface ScanComponent {
  /** Its place within a pixel. */
  readonly place: number;
  /** Entries for all 16-bit prefixes, and for 12-bit ones: 0 where the code is longer. */
  readonly table: Uint16Array;
  readonly short: Uint16Array;
}

const NO_TABLE = new Uint16Array();

/** A scan, ready to be decoded into the samples of the whole frame. */
interface Scan {
  readonly columns: number;
  /** Components of the frame: the distance of a sample to the one on its left. */
  readonly step: number;
  readonly components: readonly ScanComponent[];
  /** Predictor, T.81 Table H.1. */
  readonly selection: number;
  /** What the very first sample is predicted as. */
  readonly initial: number;
}

/** @throws IMAGING_CODESTREAM_INVALID */
export function decodeJpegLossless(header: JpegHeader, description: ImageDescription): DecodedFrame {
  const { rows, columns, components, precision, segments, stream } = header;
  if (precision < 2 || precision > 16)
    throw invalidCodestream('has a precision that lossless JPEG does not know', { precision });
  if (header.frameComponents.some(({ horizontal, vertical }) => horizontal !== 1 || vertical !== 1)) {
    throw invalidCodestream('has subsampled components');
  }
  const samples = new Uint16Array(rows * columns * components);
  const huffman = new Map<number, Uint16Array>();
  const done = new Set<number>();
  let restartInterval = 0;
  let pointTransform = 0;
  for (const segment of segments) {
    const payload = payloadOf(stream, segment);
    if (segment.marker === MARKER.DHT) readHuffmanTables(payload, huffman);
    else if (segment.marker === MARKER.DRI) restartInterval = ((payload[0] ?? 0) << 8) | (payload[1] ?? 0);
    else if (segment.marker === MARKER.SOS) {
      pointTransform = (payload.at(-1) ?? 0) & 15;
      const scan = readScanHeader(header, payload, huffman, pointTransform);
      for (const { place } of scan.components) done.add(place);
      const data = entropyIntervals(stream.subarray(segment.end, segment.dataEnd));
      decodeScan(scan, samples, data, intervalRows(restartInterval, columns, rows));
    }
  }
  if (done.size !== components) throw invalidCodestream('lacks a component', { components: done.size });
  return codedFrame(description, {
    samples: finished(samples, precision, pointTransform),
    precision,
    photometric: description.photometric,
  });
}

/** T.81 §B.2.3: for lossless processes Ss is the predictor and Al the point transform. */
function readScanHeader(
  header: JpegHeader,
  payload: Uint8Array,
  huffman: ReadonlyMap<number, Uint16Array>,
  pointTransform: number,
): Scan {
  const count = payload[0] ?? 0;
  if (count < 1 || payload.length < 4 + 2 * count) throw invalidCodestream('has a short scan header');
  const selection = payload[1 + 2 * count] ?? 0;
  if (selection < 1 || selection > 7) throw invalidCodestream('has a predictor that does not exist', { selection });
  if (pointTransform >= header.precision) throw invalidCodestream('shifts every bit away', { pointTransform });
  const components = Array.from({ length: count }, (_, index) => {
    const place = header.frameComponents.findIndex(({ id }) => id === payload[1 + 2 * index]);
    const table = huffman.get((payload[2 + 2 * index] ?? 0) >>> 4);
    if (place < 0 || table === undefined) throw invalidCodestream('has a scan without its component or table');
    return { place, table, short: shortTable(table) };
  });
  return {
    columns: header.columns,
    step: header.components,
    components,
    selection,
    initial: 2 ** (header.precision - pointTransform - 1),
  };
}

function shortTable(table: Uint16Array): Uint16Array {
  return Uint16Array.from({ length: 4096 }, (_, prefix) => {
    const entry = table[prefix << 4] ?? 0;
    return entry >>> 8 <= 12 ? entry : 0;
  });
}

/** Rows between restarts; intervals are whole lines (T.81 §H.1.1). */
function intervalRows(restartInterval: number, columns: number, rows: number): number {
  if (restartInterval === 0) return rows;
  if (restartInterval % columns !== 0) throw invalidCodestream('restarts within a line', { restartInterval });
  return restartInterval / columns;
}

function decodeScan(scan: Scan, samples: Uint16Array, intervals: readonly Uint8Array[], rowsEach: number): void {
  const rowSamples = scan.columns * scan.step;
  const rows = samples.length / rowSamples;
  if (intervals.length < Math.ceil(rows / rowsEach)) throw invalidCodestream('lacks restart intervals');
  for (let row = 0, interval = 0; row < rows; interval++) {
    const data = intervals[interval] ?? new Uint8Array(READ_AHEAD_BYTES);
    const end = Math.min(rows, row + rowsEach);
    const bits = (data.length - READ_AHEAD_BYTES) * 8;
    let position = 0;
    for (const first = row; row < end; row++) {
      position = decodeRow(scan, samples, data, { start: row * rowSamples, position, first: row === first });
      if (position > bits) throw invalidCodestream('ends before its pixels');
    }
  }
}

interface Row {
  /** Index of the row's first sample. */
  readonly start: number;
  /** Bit of the data at which the row begins. */
  readonly position: number;
  /** First of its interval: there is nothing above to predict from. */
  readonly first: boolean;
}

/**
 * Decodes one row (T.81 §F.2.2.1 with §H.1.2) and gives the position behind it. The hot loop: one word of data holds the
 * code and, nearly always, the bits that follow it.
 */
function decodeRow(scan: Scan, samples: Uint16Array, data: Uint8Array, row: Row): number {
  const { step, components, columns, initial } = scan;
  const rowSamples = columns * step;
  const count = components.length;
  let { table, short, place } = componentAt(scan, 0);
  let { position } = row;
  let pixel = row.start;
  for (let index = 0, column = 0; column < columns; ) {
    let word = wordAt(data, position);
    // Short codes come from a table that stays in the processor's nearest cache.
    const entry = short[word >>> 20] || (table[word >>> 16] ?? 0);
    const length = entry >>> 8;
    const size = entry & 0xff;
    if (length === 0 || size > 16) throw invalidCodestream('has a Huffman code that does not exist');
    let difference = 0;
    if (size === 16) difference = 32768;
    else if (size > 0) {
      word = length + size <= 25 ? word << length : wordAt(data, position + length);
      // EXTEND of T.81 Figure F.12: the lower half of the codes are negative.
      difference = (word >>> (32 - size)) - (word >= 0 ? (1 << size) - 1 : 0);
      position += size;
    }
    position += length;
    const at = pixel + place;
    // The first line knows only its left, the first column only what is above it (§H.1.2.1).
    const selection = row.first ? 1 : column === 0 ? 2 : scan.selection;
    const prediction = row.first && column === 0 ? initial : predict(selection, samples, at, step, rowSamples);
    samples[at] = prediction + difference;
    if (count > 1) {
      index = (index + 1) % count;
      ({ table, short, place } = componentAt(scan, index));
      if (index > 0) continue;
    }
    column++;
    pixel += step;
  }
  return position;
}

function componentAt({ components }: Scan, index: number): ScanComponent {
  return components[index] ?? { place: 0, table: NO_TABLE, short: NO_TABLE };
}

/** At least 25 bits from a position, highest first. */
function wordAt(data: Uint8Array, position: number): number {
  const at = position >>> 3;
  const bytes =
    ((data[at] ?? 0) << 24) | ((data[at + 1] ?? 0) << 16) | ((data[at + 2] ?? 0) << 8) | (data[at + 3] ?? 0);
  return bytes << (position & 7);
}

/** T.81 Table H.1, from the samples on the left, above, and above left. */
function predict(selection: number, samples: Uint16Array, at: number, step: number, rowSamples: number): number {
  const left = samples[at - step] ?? 0;
  if (selection === 1) return left;
  const above = samples[at - rowSamples] ?? 0;
  if (selection === 2) return above;
  const corner = samples[at - rowSamples - step] ?? 0;
  switch (selection) {
    case 3:
      return corner;
    case 4:
      return left + above - corner;
    case 5:
      return left + ((above - corner) >> 1);
    case 6:
      return above + ((left - corner) >> 1);
    default:
      return (left + above) >> 1;
  }
}

/** Undoes the point transform and narrows 8-bit samples; a value beyond the precision is damage. */
function finished(samples: Uint16Array, precision: number, pointTransform: number): Uint8Array | Uint16Array {
  if (pointTransform > 0)
    for (let index = 0; index < samples.length; index++) samples[index] = (samples[index] ?? 0) << pointTransform;
  if (precision === 16) return samples;
  let all = 0;
  for (let index = 0; index < samples.length; index++) all |= samples[index] ?? 0;
  if (all >= 2 ** precision) throw invalidCodestream('has values beyond its precision', { precision });
  return precision > 8 ? samples : Uint8Array.from(samples);
}
