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

/**
 * The end of a codestream that ends with a marker of two bytes, the marker included; undefined where it is missing,
 * that is, where the stream was cut. Padding behind the marker is skipped: one byte by PS3.5 §A.4, zeros or FF in
 * any number by senders that write fixed-size fragments.
 */
export function endAfterMarker(bytes: Uint8Array, marker: number): number | undefined {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  for (const candidate of [end, end - 1]) {
    if (bytes[candidate - 2] === marker >>> 8 && bytes[candidate - 1] === (marker & 0xff)) return candidate;
  }
  while (end > 0 && bytes[end - 1] === 0xff) end--;
  return bytes[end - 2] === marker >>> 8 && bytes[end - 1] === (marker & 0xff) ? end : undefined;
}

export function invalidCodestream(what: string, detail: Record<string, number> = {}): LetheError {
  return new LetheError('IMAGING_CODESTREAM_INVALID', { what, ...detail });
}
