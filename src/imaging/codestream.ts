/**
 * What a codestream says of itself, compared with what the data set says of it. Run before every decoder: a
 * contradiction is found in microseconds here, and as garbage, a crash or a hang of seconds there.
 */
import { LetheError } from '../core/errors.ts';
import type { ImageDescription } from './image-description.ts';

export interface CodestreamHeader {
  readonly rows: number;
  readonly columns: number;
  readonly components: number;
  /** Bits a sample. */
  readonly precision: number;
}

/** @throws IMAGING_CODESTREAM_INVALID */
export function checkHeader(header: CodestreamHeader, description: ImageDescription): void {
  const { rows, columns, samplesPerPixel, bitsAllocated } = description;
  if (header.rows !== rows || header.columns !== columns) {
    throw invalidCodestream('its size is not the one of the data set', { rows: header.rows, columns: header.columns });
  }
  if (header.components !== samplesPerPixel) {
    throw invalidCodestream('its components are not the samples of the data set', { components: header.components });
  }
  if (header.precision > bitsAllocated || header.precision < 1) {
    throw invalidCodestream('its precision does not fit into Bits Allocated', { precision: header.precision });
  }
}

/** @throws IMAGING_CODESTREAM_INVALID where a decoder gave another number of samples than the image has */
export function checkSampleCount(found: number, description: ImageDescription): void {
  const expected = description.rows * description.columns * description.samplesPerPixel;
  if (found !== expected) throw invalidCodestream('it decodes to another size', { expected, found });
}

/** Leftovers of a sender's buffer behind the end that are skipped; padding by PS3.5 §A.4 is one byte. */
const LEFTOVER_BYTES_MAX = 256;

/**
 * The end of a codestream that ends with a marker of two bytes, the marker included; undefined where it is missing,
 * that is, where the stream was cut. No entropy-coded data holds such a pair of bytes.
 */
export function endAfterMarker(bytes: Uint8Array, marker: number): number | undefined {
  const last = Math.max(0, bytes.length - LEFTOVER_BYTES_MAX);
  for (let at = bytes.length - 2; at >= last; at--) {
    if (bytes[at] === marker >>> 8 && bytes[at + 1] === (marker & 0xff)) return at + 2;
  }
  return undefined;
}

export function invalidCodestream(what: string, detail: Record<string, number> = {}): LetheError {
  return new LetheError('IMAGING_CODESTREAM_INVALID', { what, ...detail });
}
