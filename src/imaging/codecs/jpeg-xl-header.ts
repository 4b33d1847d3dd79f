/**
 * The size that a JPEG XL codestream claims (ISO/IEC 18181-1 §D.2 SizeHeader), bare or in its container (18181-2), so
 * that a claim of gigapixels is refused before a decoder believes it. Bits come least significant first.
 */
import { invalidCodestream } from '../codestream.ts';

const CODESTREAM = 0x6a786c63; // 'jxlc'
const PARTIAL_CODESTREAM = 0x6a786c70; // 'jxlp', which begins with a 32-bit index

/** Bits of a coordinate by its selector (Table D.2). */
const WIDE_BITS = [9, 13, 18, 30] as const;
/** Width over height by ratio (Table D.3); ratio 0 means that the width is written out. */
const RATIOS: readonly (readonly [number, number])[] = [
  [0, 1],
  [1, 1],
  [12, 10],
  [4, 3],
  [3, 2],
  [16, 9],
  [5, 4],
  [2, 1],
];

/** @throws IMAGING_CODESTREAM_INVALID */
export function readJpegXlSize(bytes: Uint8Array): { rows: number; columns: number } {
  const codestream = unwrap(bytes);
  if (codestream[0] !== 0xff || codestream[1] !== 0x0a) throw invalidCodestream('is not JPEG XL');
  const read = bitReader(codestream.subarray(2));
  const small = read(1) === 1;
  const side = (): number => (small ? (read(5) + 1) * 8 : read(WIDE_BITS[read(2)] ?? 0) + 1);
  const rows = side();
  const [across, down] = RATIOS[read(3)] ?? [0, 1];
  return { rows, columns: across === 0 ? side() : Math.floor((rows * across) / down) };
}

function bitReader(bytes: Uint8Array): (count: number) => number {
  let position = 0;
  return (count) => {
    let value = 0;
    for (let index = 0; index < count; index++, position++) {
      value += (((bytes[position >>> 3] ?? 0) >>> (position & 7)) & 1) * 2 ** index;
    }
    return value;
  };
}

/** The first codestream box of a container; the bytes themselves where there is none. */
function unwrap(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || view.getUint32(0) !== 12) return bytes;
  for (let at = 0; at + 16 <= bytes.length; ) {
    const length = view.getUint32(at);
    const type = view.getUint32(at + 4);
    if (type === CODESTREAM) return bytes.subarray(at + (length === 1 ? 16 : 8));
    if (type === PARTIAL_CODESTREAM) return bytes.subarray(at + (length === 1 ? 20 : 12));
    if (length < 8) break;
    at += length;
  }
  throw invalidCodestream('is a JPEG XL container without a codestream');
}
