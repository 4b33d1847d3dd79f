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
const EOC = 0xffd9;

/** @throws IMAGING_CODESTREAM_INVALID */
export function readJpeg2000Header(bytes: Uint8Array): Jpeg2000Header {
  const codestream = unwrap(bytes);
  const end = endAfterMarker(codestream, EOC);
  if (end === undefined) throw invalidCodestream('is cut before its end', { bytes: bytes.length });
  const stream = codestream.subarray(0, end);
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  if (stream.length < SIZ_COMPONENTS_AT + 5 || view.getUint32(0) !== 0xff4fff51) {
    throw invalidCodestream('does not begin with SOC and SIZ');
  }
  const components = view.getUint16(SIZ_COMPONENTS_AT);
  if (stream.length < SIZ_COMPONENTS_AT + 2 + 3 * components) throw invalidCodestream('has a short SIZ segment');
  const depth = view.getUint8(SIZ_COMPONENTS_AT + 2);
  return {
    columns: view.getUint32(8) - view.getUint32(16),
    rows: view.getUint32(12) - view.getUint32(20),
    components,
    precision: (depth & 0x7f) + 1,
    signed: depth >= 0x80,
    ...codingStyle(view, 4 + view.getUint16(4)),
    subsampled: isSubsampled(view, components),
    stream,
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

/** The COD segment (§A.6.1), sought among the main header's segments. */
function codingStyle(view: DataView, start: number): Pick<Jpeg2000Header, 'componentTransform' | 'irreversible'> {
  for (let at = start; at + 4 <= view.byteLength; ) {
    const marker = view.getUint16(at);
    if (marker === 0xff52 && at + 14 <= view.byteLength) {
      return { componentTransform: view.getUint8(at + 8) !== 0, irreversible: view.getUint8(at + 13) === 0 };
    }
    if (marker === 0xff90 || marker < 0xff00) break; // SOT: the main header is over
    at += 2 + view.getUint16(at + 2);
  }
  throw invalidCodestream('has no COD segment');
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
