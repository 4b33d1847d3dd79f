/**
 * Entropy-coded scans of DCT JPEG into quantized coefficients (ITU-T T.81): sequential Huffman (Annex F.2) and
 * progressive Huffman (Annex G.1.2, G.2), any precision, restart intervals. No arithmetic coding.
 *
 * Coefficients are kept in zigzag order, blocks row by row, padded to whole MCUs of an interleaved scan.
 */
import { invalidCodestream } from '../codestream.ts';
import { BitReader } from './jpeg-huffman.ts';

export interface DctComponent {
  readonly id: number;
  readonly horizontal: number;
  readonly vertical: number;
  readonly quantization: number;
  /** Blocks a line and lines of blocks that hold samples of the image; what is beyond is padding. */
  readonly wide: number;
  readonly high: number;
  /** Blocks a line that are kept. */
  readonly stride: number;
  readonly coefficients: Int16Array;
}

export interface DctFrame {
  readonly progressive: boolean;
  readonly mcusWide: number;
  readonly mcusHigh: number;
  readonly components: readonly DctComponent[];
}

export interface ScanTables {
  /** By destination; of AC tables plus 16. As `decodeTable` makes them. */
  readonly huffman: ReadonlyMap<number, Uint16Array>;
  readonly restartInterval: number;
}

interface ScanComponent {
  readonly component: DctComponent;
  readonly dc: Uint16Array;
  readonly ac: Uint16Array;
  prediction: number;
}

/** Spectral selection and successive approximation (T.81 §B.2.3). */
interface Band {
  readonly start: number;
  readonly end: number;
  readonly previous: number;
  readonly shift: number;
}

type DecodeBlock = (part: ScanComponent, block: number) => void;

/** A table that has no code at all: a scan that uses it has none of its kind. */
const NO_TABLE = new Uint16Array(0x10000);

/**
 * Reads one scan.
 * @param header parameters of the SOS segment
 * @throws IMAGING_CODESTREAM_INVALID
 */
export function readScan(frame: DctFrame, header: Uint8Array, data: Uint8Array, tables: ScanTables): void {
  const parts = scanComponents(frame, header, tables);
  const at = 1 + 2 * parts.length;
  const [start = 0, end = 63, approximation = 0] = header.subarray(at, at + 3);
  const band = { start, end, previous: approximation >>> 4, shift: approximation & 15 };
  const bits = new BitReader(data, 0, data.length);
  const decode = frame.progressive ? progressiveDecoder(bits, band, parts.length) : sequentialDecoder(bits);
  const reset = (interval: number): void => {
    bits.restart(interval);
    for (const part of parts) part.prediction = 0;
    decode.restart();
  };
  walk(frame, parts, tables.restartInterval, decode.block, reset);
}

function scanComponents(frame: DctFrame, header: Uint8Array, { huffman }: ScanTables): ScanComponent[] {
  const count = header[0] ?? 0;
  if (count < 1 || header.length < 4 + 2 * count) throw invalidCodestream('has a short scan header');
  return Array.from({ length: count }, (_, index) => {
    const [id, destinations = 0] = header.subarray(1 + 2 * index, 3 + 2 * index);
    const component = frame.components.find((candidate) => candidate.id === id);
    if (component === undefined) throw invalidCodestream('has a scan of an unknown component');
    const dc = huffman.get(destinations >>> 4) ?? NO_TABLE;
    return { component, dc, ac: huffman.get(16 | (destinations & 15)) ?? NO_TABLE, prediction: 0 };
  });
}

/** The blocks of a scan in the order of T.81 §A.2: by MCUs where it is interleaved, else by lines of the image. */
function walk(
  frame: DctFrame,
  parts: readonly ScanComponent[],
  restartInterval: number,
  decodeBlock: DecodeBlock,
  reset: (interval: number) => void,
): void {
  const [only] = parts;
  const alone = parts.length === 1 && only !== undefined;
  const wide = alone ? only.component.wide : frame.mcusWide;
  const mcus = wide * (alone ? only.component.high : frame.mcusHigh);
  for (let mcu = 0; mcu < mcus; mcu++) {
    if (restartInterval > 0 && mcu > 0 && mcu % restartInterval === 0) reset(mcu / restartInterval - 1);
    const row = Math.floor(mcu / wide);
    const column = mcu % wide;
    if (alone) decodeBlock(only, (row * only.component.stride + column) * 64);
    else for (const part of parts) decodeMcu(part, row, column, decodeBlock);
  }
}

function decodeMcu(part: ScanComponent, mcuRow: number, mcuColumn: number, decodeBlock: DecodeBlock): void {
  const { horizontal, vertical, stride } = part.component;
  for (let row = mcuRow * vertical; row < (mcuRow + 1) * vertical; row++) {
    for (let column = mcuColumn * horizontal; column < (mcuColumn + 1) * horizontal; column++) {
      decodeBlock(part, (row * stride + column) * 64);
    }
  }
}

interface BlockDecoder {
  readonly block: DecodeBlock;
  restart(): void;
}

/** T.81 §F.2.2.1 and §F.2.2.2. */
function sequentialDecoder(bits: BitReader): BlockDecoder {
  return {
    restart: () => undefined,
    block: (part, block) => {
      const { coefficients } = part.component;
      part.prediction += bits.signed(categoryOf(bits.symbol(part.dc)));
      coefficients[block] = part.prediction;
      for (let k = 1; k < 64; k++) {
        const symbol = bits.symbol(part.ac);
        const size = symbol & 15;
        if (size === 0 && symbol !== 0xf0) return;
        k += symbol >>> 4;
        if (k > 63) throw invalidCodestream('has a run that leaves its block');
        coefficients[block + k] = bits.signed(size);
      }
    },
  };
}

function progressiveDecoder(bits: BitReader, band: Band, components: number): BlockDecoder {
  if (band.start === 0) {
    return { restart: () => undefined, block: band.previous === 0 ? firstDc(bits, band) : refineDc(bits, band) };
  }
  if (components > 1 || band.end > 63 || band.end < band.start) throw invalidCodestream('has a scan of no valid band');
  return band.previous === 0 ? firstAc(bits, band) : refineAc(bits, band);
}

/** T.81 §G.1.2.1: as sequential, scaled by the point transform. */
function firstDc(bits: BitReader, { shift }: Band): DecodeBlock {
  return (part, block) => {
    part.prediction += bits.signed(categoryOf(bits.symbol(part.dc)));
    part.component.coefficients[block] = part.prediction << shift;
  };
}

function refineDc(bits: BitReader, { shift }: Band): DecodeBlock {
  return ({ component }, block) => {
    if (bit(bits)) component.coefficients[block] = (component.coefficients[block] ?? 0) | (1 << shift);
  };
}

/** T.81 §G.1.2.2: runs of blocks that end at once (EOBn). */
function firstAc(bits: BitReader, band: Band): BlockDecoder {
  let endOfBandRun = 0;
  return {
    restart: () => {
      endOfBandRun = 0;
    },
    block: ({ component, ac }, block) => {
      if (endOfBandRun > 0) {
        endOfBandRun--;
        return;
      }
      for (let k = band.start; k <= band.end; k++) {
        const symbol = bits.symbol(ac);
        const run = symbol >>> 4;
        const size = symbol & 15;
        if (size === 0 && run < 15) {
          endOfBandRun = (1 << run) - 1 + unsigned(bits, run);
          return;
        }
        k += run;
        if (k > band.end) throw invalidCodestream('has a run that leaves its band');
        component.coefficients[block + k] = bits.signed(size) << band.shift;
      }
    },
  };
}

/** T.81 §G.1.2.3 and Figure G.7: new coefficients of one bit between corrections of those already there. */
function refineAc(bits: BitReader, band: Band): BlockDecoder {
  let endOfBandRun = 0;
  const correct = (coefficients: Int16Array, at: number): void => {
    const value = coefficients[at] ?? 0;
    if (bit(bits)) coefficients[at] = value + (value > 0 ? 1 : -1) * (1 << band.shift);
  };
  /** Corrects up to the place of the next new coefficient: past `zeros` of them that stay zero. */
  const skip = (coefficients: Int16Array, block: number, from: number, zeros: number): number => {
    let left = zeros;
    let k = from;
    for (; k <= band.end; k++) {
      if ((coefficients[block + k] ?? 0) !== 0) correct(coefficients, block + k);
      else if (left-- === 0) break;
    }
    return k;
  };
  return {
    restart: () => {
      endOfBandRun = 0;
    },
    block: ({ component: { coefficients }, ac }, block) => {
      let k = band.start;
      while (k <= band.end && endOfBandRun === 0) {
        const symbol = bits.symbol(ac);
        const run = symbol >>> 4;
        if ((symbol & 15) === 0 && run < 15) {
          endOfBandRun = (1 << run) + unsigned(bits, run);
          break;
        }
        const value = (symbol & 15) === 0 ? 0 : bit(bits) ? 1 << band.shift : -(1 << band.shift);
        k = skip(coefficients, block, k, run);
        if (value !== 0 && k > band.end) throw invalidCodestream('has a run that leaves its band');
        if (value !== 0) coefficients[block + k] = value;
        k++;
      }
      if (endOfBandRun === 0) return;
      skip(coefficients, block, k, Number.POSITIVE_INFINITY);
      endOfBandRun--;
    },
  };
}

function categoryOf(symbol: number): number {
  if (symbol > 15) throw invalidCodestream('has a DC category that does not exist');
  return symbol;
}

function bit(bits: BitReader): boolean {
  return bits.signed(1) > 0;
}

/** `size` bits as an unsigned number: what T.81's EXTEND was applied to. */
function unsigned(bits: BitReader, size: number): number {
  const value = bits.signed(size);
  return value < 0 ? value + 2 ** size - 1 : value;
}
