/**
 * The marker segments of a JPEG or JPEG-LS stream up to its first scan (ITU-T T.81 §B.2, T.87 §C.2): enough to know
 * which process it is and to compare it with the data set. Bounded by the stream; never allocates by what it claims.
 */
import { type CodestreamHeader, endAfterMarker, invalidCodestream } from '../codestream.ts';

export interface JpegComponent {
  readonly id: number;
  readonly horizontal: number;
  readonly vertical: number;
}

export interface JpegHeader extends CodestreamHeader {
  /** Second byte of the frame marker: C0 baseline … C3 lossless … F7 JPEG-LS. */
  readonly process: number;
  readonly frameComponents: readonly JpegComponent[];
  readonly hasJfif: boolean;
  /** Colour transform of the Adobe APP14 segment: 0 none, 1 YCbCr; undefined where there is no such segment. */
  readonly adobeTransform: number | undefined;
  /** The stream with everything behind its EOI marker cut off. */
  readonly stream: Uint8Array;
}

const MARKER = {
  SOI: 0xd8,
  EOI: 0xd9,
  SOS: 0xda,
  DHT: 0xc4,
  JPG: 0xc8,
  DAC: 0xcc,
  APP0: 0xe0,
  APP14: 0xee,
  LS_SOF: 0xf7,
} as const;

/** @throws IMAGING_CODESTREAM_INVALID for what is not a JPEG stream, has no frame header, or was cut before its end */
export function readJpegHeader(bytes: Uint8Array): JpegHeader {
  if (bytes[0] !== 0xff || bytes[1] !== MARKER.SOI) throw invalidCodestream('does not begin with SOI');
  const end = endAfterMarker(bytes, 0xff00 | MARKER.EOI);
  if (end === undefined) throw invalidCodestream('is cut before its end', { bytes: bytes.length });
  const stream = bytes.subarray(0, end);
  let frame:
    | Pick<JpegHeader, 'process' | 'rows' | 'columns' | 'components' | 'precision' | 'frameComponents'>
    | undefined;
  let hasJfif = false;
  let adobeTransform: number | undefined;
  for (let position = 2; ; ) {
    const segment = segmentAt(stream, position);
    if (segment.marker === MARKER.SOS) break;
    const { payload } = segment;
    if (isFrameMarker(segment.marker)) frame = frameHeader(segment.marker, payload);
    if (segment.marker === MARKER.APP0 && startsWith(payload, 'JFIF')) hasJfif = true;
    if (segment.marker === MARKER.APP14 && startsWith(payload, 'Adobe')) adobeTransform = payload[11];
    position = segment.end;
  }
  if (frame === undefined) throw invalidCodestream('has a scan without a frame header');
  return { ...frame, hasJfif, adobeTransform, stream };
}

export function isLosslessProcess(process: number): boolean {
  return process === 0xc3;
}

interface Segment {
  readonly marker: number;
  readonly payload: Uint8Array;
  readonly end: number;
}

function segmentAt(stream: Uint8Array, start: number): Segment {
  let position = start;
  if (stream[position] !== 0xff) throw invalidCodestream('has no marker where one must be', { offset: start });
  while (stream[position] === 0xff) position++; // fill bytes, T.81 §B.1.1.2
  const marker = stream[position++];
  if (marker === undefined || marker === MARKER.EOI) throw invalidCodestream('has no scan');
  const length = ((stream[position] ?? 0) << 8) | (stream[position + 1] ?? 0);
  const end = position + length;
  if (length < 2 || end > stream.length) throw invalidCodestream('has a segment that ends outside', { offset: start });
  return { marker, payload: stream.subarray(position + 2, end), end };
}

function isFrameMarker(marker: number): boolean {
  if (marker === MARKER.LS_SOF) return true;
  return marker >= 0xc0 && marker <= 0xcf && marker !== MARKER.DHT && marker !== MARKER.JPG && marker !== MARKER.DAC;
}

function frameHeader(process: number, payload: Uint8Array) {
  const components = payload[5] ?? 0;
  if (payload.length < 6 + 3 * components) throw invalidCodestream('has a short frame header');
  const frameComponents = Array.from({ length: components }, (_, index): JpegComponent => {
    const at = 6 + 3 * index;
    const sampling = payload[at + 1] ?? 0;
    return { id: payload[at] ?? 0, horizontal: sampling >>> 4, vertical: sampling & 15 };
  });
  return {
    process,
    precision: payload[0] ?? 0,
    rows: ((payload[1] ?? 0) << 8) | (payload[2] ?? 0),
    columns: ((payload[3] ?? 0) << 8) | (payload[4] ?? 0),
    components,
    frameComponents,
  };
}

function startsWith(payload: Uint8Array, text: string): boolean {
  return Array.from(text).every((character, index) => payload[index] === character.charCodeAt(0));
}
