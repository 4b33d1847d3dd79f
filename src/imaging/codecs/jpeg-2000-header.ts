/**
 * The main header of a JPEG 2000 codestream (ISO/IEC 15444-1 §A.5.1 SIZ, §A.6.1 COD), also for HTJ2K, whose headers
 * are the same. Tolerance: a whole JP2 file instead of the bare codestream that PS3.5 §A.4.4 asks for is unwrapped
 * (test: codecs).
 */
import { type CodestreamHeader, endAfterMarker, invalidCodestream } from '../codestream.ts';

export interface Jpeg2000Header extends CodestreamHeader {
  readonly signed: boolean;
  /** A multiple component transform (RCT or ICT) is inverted by the decoder: what comes out is RGB. */
  readonly componentTransform: boolean;
  /** The 9-7 wavelet, which rounds: values may leave their range by a little. */
  readonly irreversible: boolean;
  /** Components of different sizes: decoders differ on them and one crashes. */
  readonly subsampled: boolean;
  /** The codestream alone. */
  readonly stream: Uint8Array;
}

const SIZ_COMPONENTS_AT = 40;
const SIGNED = 0x80;
const MARKER = { COD: 0xff52, SOT: 0xff90, EOC: 0xffd9 } as const;

/** @throws IMAGING_CODESTREAM_INVALID */
export function readJpeg2000Header(bytes: Uint8Array): Jpeg2000Header {
  const codestream = unwrap(bytes);
  const view = new DataView(codestream.buffer, codestream.byteOffset, codestream.byteLength);
  if (codestream.length < SIZ_COMPONENTS_AT + 5 || view.getUint32(0) !== 0xff4fff51) {
    throw invalidCodestream('does not begin with SOC and SIZ');
  }
  const components = view.getUint16(SIZ_COMPONENTS_AT);
  if (codestream.length < SIZ_COMPONENTS_AT + 2 + 3 * components) throw invalidCodestream('has a short SIZ segment');
  const { tileParts, ...style } = codingStyle(view, 4 + view.getUint16(4));
  const depth = view.getUint8(SIZ_COMPONENTS_AT + 2);
  return {
    columns: view.getUint32(8) - view.getUint32(16),
    rows: view.getUint32(12) - view.getUint32(20),
    components,
    precision: (depth & 0x7f) + 1,
    signed: depth >= SIGNED,
    ...style,
    subsampled: isSubsampled(view, components),
    stream: wholeStream(codestream, view, tileParts),
  };
}

function isSubsampled(view: DataView, components: number): boolean {
  for (let index = 0; index < components; index++) {
    const at = SIZ_COMPONENTS_AT + 2 + 3 * index;
    if (view.getUint8(at + 1) !== 1 || view.getUint8(at + 2) !== 1) return true;
    if (view.getUint8(at) !== view.getUint8(SIZ_COMPONENTS_AT + 2)) return true;
  }
  return false;
}

/** The COD segment (§A.6.1), sought among the main header's segments, and where these end: at the first SOT. */
function codingStyle(
  view: DataView,
  start: number,
): Pick<Jpeg2000Header, 'componentTransform' | 'irreversible'> & { tileParts: number } {
  let style: Pick<Jpeg2000Header, 'componentTransform' | 'irreversible'> | undefined;
  for (let at = start; at + 4 <= view.byteLength; at += 2 + view.getUint16(at + 2)) {
    const marker = view.getUint16(at);
    if (marker === MARKER.COD && at + 14 <= view.byteLength) {
      style = { componentTransform: view.getUint8(at + 8) !== 0, irreversible: view.getUint8(at + 13) === 0 };
    } else if (marker === MARKER.SOT && style !== undefined) return { ...style, tileParts: at };
    else if (marker === MARKER.SOT || marker < 0xff00) break;
  }
  throw invalidCodestream(style === undefined ? 'has no COD segment' : 'ends within its main header');
}

/**
 * From SOC to EOC. The lengths of the tile-parts (§A.4.2) lead to EOC, however much padding follows it. Tolerance: an EOC
 * that was left out behind a last tile-part that is whole (old encoders; test: codestream-headers) is put back.
 */
function wholeStream(codestream: Uint8Array, view: DataView, tileParts: number): Uint8Array {
  let at = tileParts;
  while (at + 12 <= codestream.length && view.getUint16(at) === MARKER.SOT) {
    const length = view.getUint32(at + 6);
    // 0: until EOC, which only the last tile-part may say.
    if (length < 12) break;
    at += length;
  }
  if (at + 2 <= codestream.length && view.getUint16(at) === MARKER.EOC) return codestream.subarray(0, at + 2);
  const end = endAfterMarker(codestream, MARKER.EOC);
  if (end !== undefined) return codestream.subarray(0, end);
  if (at === tileParts || at > codestream.length || codestream.subarray(at).some((byte) => byte !== 0))
    throw invalidCodestream('is cut before its end', { bytes: codestream.length });
  const completed = new Uint8Array(at + 2);
  completed.set(codestream.subarray(0, at));
  completed.set([MARKER.EOC >>> 8, MARKER.EOC & 0xff], at);
  return completed;
}

/**
 * Declares every component signed or unsigned, in place. The codecs in use take samples of at most 8 bits as unsigned
 * whatever is said of them: such signed ones go through them as unsigned, higher by half of their range, which is the DC
 * level shift of §G.1.2 and nothing else, and `shiftedByHalf` makes the one of the other.
 */
export function declareSigned(stream: Uint8Array, signed: boolean): void {
  const components = ((stream[SIZ_COMPONENTS_AT] ?? 0) << 8) | (stream[SIZ_COMPONENTS_AT + 1] ?? 0);
  for (let index = 0; index < components; index++) {
    const at = SIZ_COMPONENTS_AT + 2 + 3 * index;
    stream[at] = signed ? (stream[at] ?? 0) | SIGNED : (stream[at] ?? 0) & ~SIGNED;
  }
}

/** Whether samples have to be declared unsigned on their way through a codec (see `declareSigned`). */
export function passesAsUnsigned({ signed, precision }: Pick<Jpeg2000Header, 'signed' | 'precision'>): boolean {
  return signed && precision <= 8;
}

/** From signed to unsigned and back again: in two's complement of 8 bits, adding half of a range of 8 bits or less. */
export function shiftedByHalf(samples: Uint8Array, precision: number, direction: 1 | -1): Uint8Array {
  const half = direction * 2 ** (precision - 1);
  return samples.map((sample) => sample + half);
}

/** Finds the codestream box of a JP2 file (ISO/IEC 15444-1 §I.5.4). */
function unwrap(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || view.getUint32(0) !== 12 || view.getUint32(4) !== 0x6a502020) return bytes;
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at);
    if (view.getUint32(at + 4) === 0x6a703263) {
      return length === 0 ? bytes.subarray(at + 8) : bytes.subarray(at + (length === 1 ? 16 : 8));
    }
    if (length < 8) break;
    at += length;
  }
  throw invalidCodestream('is a JP2 file without a codestream');
}
