/**
 * Values out of their bytes: numbers by VR and byte order (PS3.5 §6.2, §7.3), text split at backslashes and freed of
 * padding (PS3.5 §6.2, §6.4). Values that are no number are NaN; nothing here throws on what a sender wrote.
 */
import { VRS, type Vr } from './vr.ts';

/** DS and IS, PS3.5 Table 6.2-1, with nothing around it. Tolerance: IS with a fraction, as DS, is seen. */
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** Leading spaces are part of the value in these (PS3.5 Table 6.2-1); elsewhere they say nothing. */
function keepsLeadingSpaces(vr: Vr): boolean {
  return vr === 'ST' || vr === 'LT' || vr === 'UT' || vr === 'UC';
}

/** The values of a text element; empty ones stay as '' so that positions keep their meaning. None: []. */
export function splitText(text: string, vr: Vr): readonly string[] {
  if (!VRS[vr].multiValued || !text.includes('\\')) {
    const value = trimPadding(text, vr);
    return value === '' ? [] : [value];
  }
  return text.split('\\').map((value) => trimPadding(value, vr));
}

/** Without what pads it: trailing spaces and NULs, leading spaces where they are not significant. */
export function trimPadding(text: string, vr: Vr): string {
  let end = text.length;
  while (end > 0 && isPadding(text.charCodeAt(end - 1))) end--;
  let start = 0;
  if (!keepsLeadingSpaces(vr)) while (start < end && text.charCodeAt(start) === 0x20) start++;
  return text.slice(start, end);
}

function isPadding(code: number): boolean {
  return code === 0x20 || code === 0;
}

/** The number that a DS or IS value says, else NaN. */
export function parseDecimal(text: string): number {
  const trimmed = text.trim();
  return DECIMAL.test(trimmed) ? Number(trimmed) : Number.NaN;
}

/**
 * The numbers of a binary value; a last incomplete unit is left out. AT is tags. 64-bit integers beyond 2^53 lose
 * precision. Text VRs and SQ have none here.
 */
export function decodeNumbers(bytes: Uint8Array, vr: Vr, littleEndian: boolean): readonly number[] {
  const read = READERS[vr];
  if (read === undefined) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const unit = vr === 'AT' ? 4 : VRS[vr].unitBytes;
  const numbers: number[] = [];
  for (let at = 0; at + unit <= bytes.length; at += unit) numbers.push(read(view, at, littleEndian));
  return numbers;
}

type Reader = (view: DataView, at: number, littleEndian: boolean) => number;

const uint8: Reader = (view, at) => view.getUint8(at);
const uint16: Reader = (view, at, little) => view.getUint16(at, little);
const uint32: Reader = (view, at, little) => view.getUint32(at, little);
const float32: Reader = (view, at, little) => view.getFloat32(at, little);
const float64: Reader = (view, at, little) => view.getFloat64(at, little);
const uint64: Reader = (view, at, little) => Number(view.getBigUint64(at, little));

const READERS: Readonly<Partial<Record<Vr, Reader>>> = {
  AT: (view, at, little) => view.getUint16(at, little) * 0x10000 + view.getUint16(at + 2, little),
  FD: float64,
  FL: float32,
  OB: uint8,
  OD: float64,
  OF: float32,
  OL: uint32,
  OV: uint64,
  OW: uint16,
  SL: (view, at, little) => view.getInt32(at, little),
  SS: (view, at, little) => view.getInt16(at, little),
  SV: (view, at, little) => Number(view.getBigInt64(at, little)),
  UL: uint32,
  UN: uint8,
  US: uint16,
  UV: uint64,
};

/** The bytes with each unit reversed: what PS3.5 §7.3 asks for between the two byte orders. */
export function swapUnits(value: Uint8Array, unitBytes: number): Uint8Array {
  const swapped = new Uint8Array(value.length);
  const whole = value.length - (value.length % unitBytes);
  for (let at = 0; at < whole; at += unitBytes) {
    for (let index = 0; index < unitBytes; index++) swapped[at + index] = value[at + unitBytes - 1 - index] ?? 0;
  }
  swapped.set(value.subarray(whole), whole);
  return swapped;
}
