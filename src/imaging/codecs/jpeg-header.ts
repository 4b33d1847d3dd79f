/**
 * What a JPEG or JPEG-LS stream says of itself (ITU-T T.81 §B.2, T.87 §C.2): enough to know which process it is and to
 * compare it with the data set. Bounded by the stream; never allocates by what it claims.
 */
import { type CodestreamHeader, invalidCodestream } from '../codestream.ts';
import { isStartOfFrame, type JpegSegment, jpegSegments } from './jpeg-segments.ts';

export interface JpegComponent {
  readonly id: number;
  readonly horizontal: number;
  readonly vertical: number;
  /** Destination of its quantization table. */
  readonly quantization: number;
}

export interface JpegHeader extends CodestreamHeader {
  /** Second byte of the frame marker: C0 baseline … C3 lossless … F7 JPEG-LS. */
  readonly process: number;
  readonly frameComponents: readonly JpegComponent[];
  /** Colour transform of the Adobe APP14 segment: 0 none, 1 YCbCr; undefined where there is no such segment. */
  readonly adobeTransform: number | undefined;
  readonly segments: readonly JpegSegment[];
  /** The stream without what follows its EOI marker: one byte of padding, or leftovers of a sender's buffer. */
  readonly stream: Uint8Array;
}

const APP14 = 0xee;
const END = Uint8Array.of(0xff, 0xd9);

/** Frame marker of progressive DCT. */
export const PROGRESSIVE = 0xc2;

/**
 * Reads a header, from SOI to EOI.
 * @throws IMAGING_CODESTREAM_INVALID for what is not a JPEG stream, has no single frame, or was cut before its end
 */
export function readJpegHeader(bytes: Uint8Array): JpegHeader {
  return headerOf(bytes, jpegSegments(bytes));
}

/**
 * As `readJpegHeader`, for decoders that notice when data are missing. Tolerance: a stream without EOI gets one (old
 * modalities leave it out; test: codecs); progressive ones do not, whose missing scans nobody would notice.
 */
export function readJpegHeaderWithoutEnd(bytes: Uint8Array): JpegHeader {
  try {
    return readJpegHeader(bytes);
  } catch (error) {
    const completed = new Uint8Array(bytes.length + END.length);
    completed.set(bytes);
    completed.set(END, bytes.length);
    const header = headerOf(completed, jpegSegments(completed));
    if (header.process === PROGRESSIVE) throw error;
    return header;
  }
}

function headerOf(bytes: Uint8Array, segments: readonly JpegSegment[]): JpegHeader {
  const stream = bytes.subarray(0, segments.at(-1)?.end);
  const frames = segments.filter(({ marker }) => isStartOfFrame(marker));
  const [frame] = frames;
  if (frame === undefined || frames.length > 1) throw invalidCodestream('has not one frame', { frames: frames.length });
  return {
    ...frameHeader(frame.marker, payloadOf(stream, frame)),
    adobeTransform: adobeTransform(stream, segments),
    segments,
    stream,
  };
}

export function isLosslessProcess(process: number): boolean {
  return process === 0xc3;
}

/** The parameters of a segment, without marker and length. */
export function payloadOf(stream: Uint8Array, { start, end }: JpegSegment): Uint8Array {
  return stream.subarray(start + 4, end);
}

function adobeTransform(stream: Uint8Array, segments: readonly JpegSegment[]): number | undefined {
  for (const segment of segments) {
    if (segment.marker !== APP14) continue;
    const payload = payloadOf(stream, segment);
    if (payload.length >= 12 && String.fromCharCode(...payload.subarray(0, 5)) === 'Adobe') return payload[11];
  }
  return undefined;
}

type Frame = Pick<JpegHeader, 'process' | 'rows' | 'columns' | 'components' | 'precision' | 'frameComponents'>;

/** T.81 §B.2.2. */
function frameHeader(process: number, payload: Uint8Array): Frame {
  const components = payload[5] ?? 0;
  if (payload.length < 6 + 3 * components) throw invalidCodestream('has a short frame header');
  const frameComponents = Array.from({ length: components }, (_, index): JpegComponent => {
    const [id = 0, sampling = 0, quantization = 0] = payload.subarray(6 + 3 * index, 9 + 3 * index);
    return { id, horizontal: sampling >>> 4, vertical: sampling & 15, quantization };
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
