/**
 * Blanking of rectangles in sequential DCT JPEG (ITU-T T.81 processes 1, 2 and 4: baseline, extended 8 and 12 bit)
 * without decoding the image: the quantized coefficients of the touched MCUs are replaced by those of a flat block and
 * all others are written again as they were, under new optimal Huffman tables. Every untouched block thus decodes to
 * the same values. Restart intervals and the division into scans are kept; comments and APPn are dropped
 * (`codecs/jpeg-segments.ts`). Progressive, arithmetic, lossless and hierarchical processes are not handled here.
 */
import {
  BitReader,
  BitWriter,
  decodeTable,
  type EncodeTable,
  encodeTable,
  huffmanSegment,
  magnitudeBits,
  optimalTable,
} from '../codecs/jpeg-huffman.ts';
import {
  codestreamInvalid,
  DHT,
  DQT,
  DRI,
  isStartOfFrame,
  type JpegSegment,
  joined,
  jpegSegments,
  keptApplicationSegment,
  SOS,
} from '../codecs/jpeg-segments.ts';
import type { Rect } from './rect.ts';

interface Component {
  readonly id: number;
  readonly horizontal: number;
  readonly vertical: number;
  readonly quantization: number;
  /** Blocks a line and lines of blocks, padded to whole MCUs of an interleaved scan. */
  readonly blocksWide: number;
  readonly blocksHigh: number;
  /** 64 quantized coefficients a block, in zigzag order. */
  readonly coefficients: Int16Array;
}

interface Frame {
  readonly precision: number;
  readonly columns: number;
  readonly rows: number;
  readonly components: readonly Component[];
  readonly horizontalMax: number;
  readonly verticalMax: number;
}

interface ScanComponent {
  readonly component: Component;
  readonly dc: number;
  readonly ac: number;
  /** Blocks a line and lines of blocks that this scan codes, and its blocks an MCU. */
  readonly wide: number;
  readonly high: number;
  readonly perMcu: { readonly wide: number; readonly high: number };
}

interface Scan {
  readonly components: readonly ScanComponent[];
  readonly mcusWide: number;
  readonly mcusHigh: number;
  readonly restartInterval: number;
}

/** How a blanked block looks: `dark` is the least sample value, `bright` the greatest (MONOCHROME1). */
export type BlankTone = 'dark' | 'bright';

/** Limit of coefficients held for one frame: 64 Mi samples are an image of 8192 × 8192. */
const COEFFICIENTS_MAX = 0x0c000000;

/** True for the frames this file can blank: SOF0 or SOF1. */
export function isSequentialDct(bytes: Uint8Array): boolean {
  const frame = jpegSegments(bytes).find((segment) => isStartOfFrame(segment.marker));
  return frame !== undefined && (frame.marker === 0xc0 || frame.marker === 0xc1);
}

/**
 * The stream with every MCU that a rectangle touches made flat; grown so to MCU edges, never shrunk.
 * @throws IMAGING_CODESTREAM_INVALID on any departure from T.81: nothing is guessed, the instance is held.
 */
export function blankDctBlocks(bytes: Uint8Array, rects: readonly Rect[], tone: BlankTone): Uint8Array {
  const reader = new DctStream(bytes);
  const parts = reader.rewritten((frame, quantization, colourTransform) => {
    for (const rect of rects)
      blankRect(frame, rect, (index) => flatDc(frame, index, quantization, tone, colourTransform));
  });
  return joined(parts);
}

/** The DC value of a flat block: 8 × (sample − mid) (T.81 §A.3.3), quantized towards mid so that it stays in range. */
function flatDc(
  frame: Frame,
  index: number,
  quantization: readonly number[],
  tone: BlankTone,
  colourTransform: boolean,
): number {
  if (colourTransform && index > 0) return 0;
  const mid = 1 << (frame.precision - 1);
  const level = tone === 'dark' ? -mid : mid - 1;
  return Math.trunc((8 * level) / (quantization[index] ?? 1));
}

function blankRect(frame: Frame, rect: Rect, flat: (index: number) => number): void {
  const single = frame.components.length === 1;
  const mcuWidth = 8 * (single ? 1 : frame.horizontalMax);
  const mcuHeight = 8 * (single ? 1 : frame.verticalMax);
  const left = Math.floor(rect.x / mcuWidth);
  const top = Math.floor(rect.y / mcuHeight);
  const right = Math.ceil((rect.x + rect.width) / mcuWidth);
  const bottom = Math.ceil((rect.y + rect.height) / mcuHeight);
  frame.components.forEach((component, index) => {
    const h = single ? 1 : component.horizontal;
    const v = single ? 1 : component.vertical;
    const dc = flat(index);
    for (let row = top * v; row < Math.min(bottom * v, component.blocksHigh); row += 1) {
      const from = (row * component.blocksWide + left * h) * 64;
      const to = (row * component.blocksWide + Math.min(right * h, component.blocksWide)) * 64;
      component.coefficients.fill(0, from, to);
      for (let block = from; block < to; block += 64) component.coefficients[block] = dc;
    }
  });
}

type Blanking = (frame: Frame, quantization: readonly number[], colourTransform: boolean) => void;

/** One stream on its way through: reads all scans, lets the coefficients be changed, writes all scans. */
class DctStream {
  readonly #bytes: Uint8Array;
  readonly #segments: readonly JpegSegment[];
  #frame: Frame | undefined;
  readonly #scans = new Map<JpegSegment, Scan>();
  readonly #huffman = new Map<number, Uint16Array>();
  readonly #firstQuantizer = new Map<number, number>();
  #restartInterval = 0;
  #adobeTransform: number | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#segments = jpegSegments(bytes);
    for (const segment of this.#segments) this.#take(segment);
  }

  rewritten(blank: Blanking): Uint8Array[] {
    const frame = this.#frame;
    if (frame === undefined || this.#scans.size === 0) throw codestreamInvalid('no frame or no scan');
    const quantization = frame.components.map(({ quantization: id }) => this.#firstQuantizer.get(id) ?? 1);
    blank(frame, quantization, this.#hasColourTransform(frame));
    return this.#segments.flatMap((segment) => this.#written(segment));
  }

  #written(segment: JpegSegment): Uint8Array[] {
    const scan = this.#scans.get(segment);
    if (scan !== undefined) return writeScan(scan, this.#bytes.subarray(segment.start, segment.end));
    if (segment.marker === DHT) return [];
    return [keptApplicationSegment(this.#bytes, segment) ?? this.#bytes.subarray(segment.start, segment.dataEnd)];
  }

  #take(segment: JpegSegment): void {
    const { marker, start, end } = segment;
    const payload = this.#bytes.subarray(start + 4, end);
    if (marker === DHT) this.#takeHuffman(payload);
    else if (marker === DQT) this.#takeQuantization(payload);
    else if (marker === DRI) this.#restartInterval = word(payload, 0);
    else if (marker === 0xee && payload.length >= 12) this.#adobeTransform = payload[11];
    else if (isStartOfFrame(marker)) this.#takeFrame(marker, payload);
    else if (marker === SOS) this.#takeScan(segment, payload);
    else if (marker === 0xdc) throw codestreamInvalid('DNL is not supported', start);
  }

  #takeHuffman(payload: Uint8Array): void {
    let position = 0;
    while (position < payload.length) {
      const counts = payload.subarray(position + 1, position + 17);
      const total = counts.reduce((sum, count) => sum + count, 0);
      const symbols = payload.subarray(position + 17, position + 17 + total);
      if (counts.length < 16 || symbols.length < total) throw codestreamInvalid('a DHT segment is too short');
      this.#huffman.set(payload[position] ?? 0, decodeTable({ counts, symbols }));
      position += 17 + total;
    }
  }

  /** Only the first quantizer of each table matters here: it scales the DC coefficient. */
  #takeQuantization(payload: Uint8Array): void {
    let position = 0;
    while (position < payload.length) {
      const selector = payload[position] ?? 0;
      const wide = selector >> 4 !== 0;
      const first = wide ? word(payload, position + 1) : (payload[position + 1] ?? 0);
      if (first === 0) throw codestreamInvalid('a DQT segment is too short');
      this.#firstQuantizer.set(selector & 15, first);
      position += 1 + (wide ? 128 : 64);
    }
  }

  #takeFrame(marker: number, payload: Uint8Array): void {
    if (this.#frame !== undefined || (marker !== 0xc0 && marker !== 0xc1)) {
      throw codestreamInvalid('not one sequential DCT frame');
    }
    this.#frame = parseFrame(payload);
  }

  #takeScan(segment: JpegSegment, payload: Uint8Array): void {
    const frame = this.#frame;
    if (frame === undefined) throw codestreamInvalid('a scan before the frame', segment.start);
    const scan = parseScan(frame, payload, this.#restartInterval);
    this.#scans.set(segment, scan);
    readScan(scan, this.#huffman, new BitReader(this.#bytes, segment.end, segment.dataEnd));
  }

  /** T.81 leaves it open; what decoders do: the Adobe marker decides, else three components are YCbCr unless named RGB. */
  #hasColourTransform(frame: Frame): boolean {
    if (frame.components.length !== 3) return false;
    if (this.#adobeTransform !== undefined) return this.#adobeTransform !== 0;
    return frame.components.map(({ id }) => String.fromCharCode(id)).join('') !== 'RGB';
  }
}

function word(bytes: Uint8Array, position: number): number {
  return ((bytes[position] ?? 0) << 8) | (bytes[position + 1] ?? 0);
}

/** T.81 §B.2.2. */
function parseFrame(payload: Uint8Array): Frame {
  const precision = payload[0] ?? 0;
  const rows = word(payload, 1);
  const columns = word(payload, 3);
  const count = payload[5] ?? 0;
  if (rows === 0 || columns === 0 || count === 0 || count > 4 || payload.length < 6 + 3 * count) {
    throw codestreamInvalid('the frame header is not valid');
  }
  const specs = Array.from({ length: count }, (_, index) => payload.subarray(6 + 3 * index, 9 + 3 * index));
  const horizontals = specs.map((spec) => (spec[1] ?? 0) >> 4);
  const verticals = specs.map((spec) => (spec[1] ?? 0) & 15);
  if ([...horizontals, ...verticals].some((factor) => factor < 1 || factor > 4)) {
    throw codestreamInvalid('a sampling factor is not valid');
  }
  const horizontalMax = Math.max(...horizontals);
  const verticalMax = Math.max(...verticals);
  const mcusWide = Math.ceil(columns / (8 * horizontalMax));
  const mcusHigh = Math.ceil(rows / (8 * verticalMax));
  const components = specs.map((spec, index): Component => {
    const horizontal = horizontals[index] ?? 1;
    const vertical = verticals[index] ?? 1;
    const blocksWide = mcusWide * horizontal;
    const blocksHigh = mcusHigh * vertical;
    if (blocksWide * blocksHigh * 64 > COEFFICIENTS_MAX) throw codestreamInvalid('the frame is too large');
    const coefficients = new Int16Array(blocksWide * blocksHigh * 64);
    return { id: spec[0] ?? 0, horizontal, vertical, quantization: spec[2] ?? 0, blocksWide, blocksHigh, coefficients };
  });
  return { precision, columns, rows, components, horizontalMax, verticalMax };
}

/** T.81 §B.2.3 and §A.2: a scan of one component is not interleaved, its MCU is one block. */
function parseScan(frame: Frame, payload: Uint8Array, restartInterval: number): Scan {
  const count = payload[0] ?? 0;
  if (count === 0 || count > 4 || payload.length < 4 + 2 * count) throw codestreamInvalid('a scan header is not valid');
  const components = Array.from({ length: count }, (_, index): ScanComponent => {
    const component = frame.components.find(({ id }) => id === payload[1 + 2 * index]);
    if (component === undefined) throw codestreamInvalid('a scan names an unknown component');
    const tables = payload[2 + 2 * index] ?? 0;
    const perMcu = count === 1 ? { wide: 1, high: 1 } : { wide: component.horizontal, high: component.vertical };
    const wide = Math.ceil(Math.ceil((frame.columns * component.horizontal) / frame.horizontalMax) / 8);
    const high = Math.ceil(Math.ceil((frame.rows * component.vertical) / frame.verticalMax) / 8);
    return { component, dc: tables >> 4, ac: tables & 15, wide, high, perMcu };
  });
  const [only] = components;
  const interleaved = count > 1 || only === undefined;
  const mcusWide = interleaved ? Math.ceil(frame.columns / (8 * frame.horizontalMax)) : only.wide;
  const mcusHigh = interleaved ? Math.ceil(frame.rows / (8 * frame.verticalMax)) : only.high;
  return { components, mcusWide, mcusHigh, restartInterval };
}

/** Calls `visit` for every block of the scan in coding order; `restart` before each interval but the first. */
function walkScan(
  scan: Scan,
  visit: (index: number, component: Component, block: number) => void,
  restart: (interval: number) => void,
): void {
  const mcus = scan.mcusWide * scan.mcusHigh;
  for (let mcu = 0; mcu < mcus; mcu += 1) {
    if (scan.restartInterval > 0 && mcu > 0 && mcu % scan.restartInterval === 0)
      restart(mcu / scan.restartInterval - 1);
    const mcuRow = Math.floor(mcu / scan.mcusWide);
    const mcuColumn = mcu % scan.mcusWide;
    scan.components.forEach(({ component, perMcu }, index) => {
      for (let block = 0; block < perMcu.wide * perMcu.high; block += 1) {
        const row = mcuRow * perMcu.high + Math.floor(block / perMcu.wide);
        const column = mcuColumn * perMcu.wide + (block % perMcu.wide);
        visit(index, component, (row * component.blocksWide + column) * 64);
      }
    });
  }
}

function readScan(scan: Scan, huffman: ReadonlyMap<number, Uint16Array>, bits: BitReader): void {
  const predictions = new Int32Array(scan.components.length);
  const tables = scan.components.map(({ dc, ac }) => {
    const dcTable = huffman.get(dc);
    const acTable = huffman.get(0x10 | ac);
    if (dcTable === undefined || acTable === undefined) throw codestreamInvalid('a Huffman table is missing');
    return { dcTable, acTable };
  });
  walkScan(
    scan,
    (index, component, block) => {
      const table = tables[index];
      if (table === undefined) return;
      const prediction = (predictions[index] ?? 0) + bits.signed(bits.symbol(table.dcTable) & 15);
      predictions[index] = prediction;
      component.coefficients[block] = prediction;
      readAc(bits, table.acTable, component.coefficients, block);
    },
    (interval) => {
      bits.restart(interval);
      predictions.fill(0);
    },
  );
}

/** T.81 Figure F.13. */
function readAc(bits: BitReader, table: Uint16Array, coefficients: Int16Array, block: number): void {
  for (let k = 1; k < 64; k += 1) {
    const symbol = bits.symbol(table);
    const size = symbol & 15;
    if (size === 0 && symbol !== 0xf0) return;
    k += symbol >> 4;
    if (k > 63) throw codestreamInvalid('a run leaves the block');
    coefficients[block + k] = bits.signed(size);
  }
}

/** What coding the scan takes: with it once the statistics are gathered, once the bits are written. */
interface SymbolSink {
  dc(index: number, size: number, value: number): void;
  ac(index: number, symbol: number, size: number, value: number): void;
  restart(interval: number): void;
}

function codeScan(scan: Scan, sink: SymbolSink): void {
  const predictions = new Int32Array(scan.components.length);
  walkScan(
    scan,
    (index, component, block) => {
      const value = component.coefficients[block] ?? 0;
      const difference = value - (predictions[index] ?? 0);
      predictions[index] = value;
      sink.dc(index, magnitudeBits(difference), difference);
      codeAc(sink, index, component.coefficients, block);
    },
    (interval) => {
      predictions.fill(0);
      sink.restart(interval);
    },
  );
}

/** T.81 Figure F.2. */
function codeAc(sink: SymbolSink, index: number, coefficients: Int16Array, block: number): void {
  let run = 0;
  for (let k = 1; k < 64; k += 1) {
    const value = coefficients[block + k] ?? 0;
    if (value === 0) {
      run += 1;
      continue;
    }
    for (; run > 15; run -= 16) sink.ac(index, 0xf0, 0, 0);
    const size = magnitudeBits(value);
    sink.ac(index, (run << 4) | size, size, value);
    run = 0;
  }
  if (run > 0) sink.ac(index, 0, 0, 0);
}

/** DHT, SOS and the entropy-coded data of one scan. */
function writeScan(scan: Scan, header: Uint8Array): Uint8Array[] {
  const frequencies = new Map<number, Uint32Array>();
  const frequenciesOf = (id: number): Uint32Array => {
    const known = frequencies.get(id) ?? new Uint32Array(256);
    frequencies.set(id, known);
    return known;
  };
  const count = (of: Uint32Array | undefined, symbol: number): void => {
    if (of !== undefined) of[symbol] = (of[symbol] ?? 0) + 1;
  };
  const dcIds = scan.components.map(({ dc }) => frequenciesOf(dc));
  const acIds = scan.components.map(({ ac }) => frequenciesOf(0x10 | ac));
  codeScan(scan, {
    dc: (index, size) => count(dcIds[index], size),
    ac: (index, symbol) => count(acIds[index], symbol),
    restart: () => undefined,
  });
  const tables = [...frequencies].map(([id, of]) => ({ id, table: optimalTable(of) }));
  const encoders = new Map(tables.map(({ id, table }) => [id, encodeTable(table)]));
  return [huffmanSegment(tables), header, entropyCoded(scan, encoders)];
}

function entropyCoded(scan: Scan, encoders: ReadonlyMap<number, EncodeTable>): Uint8Array {
  const empty: EncodeTable = { codes: new Uint16Array(256), lengths: new Uint8Array(256) };
  const dcTables = scan.components.map(({ dc }) => encoders.get(dc) ?? empty);
  const acTables = scan.components.map(({ ac }) => encoders.get(0x10 | ac) ?? empty);
  const bits = new BitWriter(scan.mcusWide * scan.mcusHigh * 16);
  codeScan(scan, {
    dc: (index, size, value) => {
      bits.symbol(dcTables[index] ?? empty, size);
      bits.signed(value, size);
    },
    ac: (index, symbol, size, value) => {
      bits.symbol(acTables[index] ?? empty, symbol);
      bits.signed(value, size);
    },
    restart: (interval) => {
      bits.flush();
      bits.marker(0xd0 + (interval & 7));
    },
  });
  bits.flush();
  return bits.bytes();
}
