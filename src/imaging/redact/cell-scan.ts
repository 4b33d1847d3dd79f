/**
 * Which bits any cell of a block has set, sixteen bytes at a time: four times as fast as a loop over words. It looks at
 * memory of its own, which whoever reads pixels reads them into.
 *
 *   const memory = scanMemory() ?? new Uint8Array(length); const bits = scannedBits(words);
 */

export interface ScannedBits {
  /** Set in any cell. */
  readonly all: number;
  /** Set where a bit of any cell differs from the one below it. */
  readonly differing: number;
}

const PAGE_BYTES = 65_536;
const PAGES = 5; // one for the answer, and those of the block
const STEP_BYTES = 64;
const LANES = 8;
const [END, AT, ALL, DIFFERING, CELLS] = [0, 1, 2, 3, 4] as const; // locals
const [I32, V128] = [0x7f, 0x7b] as const;
const [LOCAL_GET, LOCAL_SET, LOCAL_TEE, I32_CONST, SIMD] = [0x20, 0x21, 0x22, 0x41, 0xfd] as const;
const OR = [SIMD, 0x50] as const;
const XOR = [SIMD, 0x51] as const;
const SHIFT_LEFT_16 = [SIMD, 0x8b, 0x01] as const;
const ALIGNED = 4; // 2^4 bytes

/** `all |= cells; differing |= cells ^ (cells << 1)` for the eight cells at `AT + offset`. */
function lookAtCells(offset: number): number[] {
  return [
    ...[LOCAL_GET, AT, SIMD, 0x00, ALIGNED, offset, LOCAL_TEE, CELLS, LOCAL_GET, ALL, ...OR, LOCAL_SET, ALL],
    ...[LOCAL_GET, CELLS, LOCAL_GET, CELLS, I32_CONST, 1, ...SHIFT_LEFT_16, ...XOR],
    ...[LOCAL_GET, DIFFERING, ...OR, LOCAL_SET, DIFFERING],
  ];
}

/** The bytes in front of `bytes` say how many they are (LEB128). */
function counted(bytes: readonly number[]): number[] {
  return [(bytes.length & 0x7f) | 0x80, bytes.length >> 7, ...bytes];
}

const text = (ascii: string): number[] => [ascii.length, ...Buffer.from(ascii, 'latin1')];

/** WebAssembly Core Specification 2.0, chapter 5: `scan(end: i32)` looks from the second page on. */
function moduleBytes(): Uint8Array<ArrayBuffer> {
  const firstByte = [0x80, 0x80, 0x04]; // PAGE_BYTES
  const body = [
    ...[2, 1, I32, 3, V128],
    ...[I32_CONST, ...firstByte, LOCAL_SET, AT],
    ...[0x03, 0x40], // loop
    ...[0, 16, 32, 48].flatMap(lookAtCells),
    ...[LOCAL_GET, AT, I32_CONST, 0xc0, 0x00, 0x6a, LOCAL_TEE, AT], // + STEP_BYTES
    ...[LOCAL_GET, END, 0x49, 0x0d, 0x00, 0x0b], // again while below
    ...[I32_CONST, 0, LOCAL_GET, ALL, SIMD, 0x0b, ALIGNED, 0],
    ...[I32_CONST, 0, LOCAL_GET, DIFFERING, SIMD, 0x0b, ALIGNED, 16],
    0x0b,
  ];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...[1, ...counted([1, 0x60, 1, I32, 0])], // types
    ...[3, ...counted([1, 0])], // functions
    ...[5, ...counted([1, 0x00, PAGES])], // memories
    ...[7, ...counted([2, ...text('scan'), 0x00, 0, ...text('memory'), 0x02, 0])], // exports
    ...[10, ...counted([1, ...counted(body)])], // code
  ]);
}

interface Scanner {
  readonly memory: ArrayBufferLike;
  scan(end: number): void;
}

let scanner: Scanner | undefined;

/** 256 KiB to read cells into, the same each time; undefined where the runtime cannot. */
export function scanMemory(): Uint8Array | undefined {
  scanner ??= newScanner();
  return scanner && new Uint8Array(scanner.memory, PAGE_BYTES);
}

function newScanner(): Scanner | undefined {
  const bytes = moduleBytes();
  if (typeof WebAssembly === 'undefined' || !WebAssembly.validate(bytes)) return undefined;
  const { scan, memory } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
  if (!(memory instanceof WebAssembly.Memory) || typeof scan !== 'function') return undefined;
  return { memory: memory.buffer, scan: scan as (end: number) => void };
}

/** Undefined for words that are not at the beginning of `scanMemory`, or are not a whole number of steps (32 cells). */
export function scannedBits(words: Uint16Array): ScannedBits | undefined {
  if (scanner === undefined || words.buffer !== scanner.memory || words.byteOffset !== PAGE_BYTES) return undefined;
  if (words.byteLength === 0 || words.byteLength % STEP_BYTES !== 0) return undefined;
  scanner.scan(PAGE_BYTES + words.byteLength);
  const joined = (at: number): number =>
    new Uint16Array(scanner?.memory ?? new ArrayBuffer(0), at, LANES).reduce(or, 0);
  return { all: joined(0), differing: joined(LANES * 2) };
}

function or(one: number, other: number): number {
  return one | other;
}
