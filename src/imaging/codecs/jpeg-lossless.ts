/** Lossless JPEG (ITU-T T.81 §H, process 14, any selection value), 2 to 16 bits, one or three components. */
import { Decoder } from '@cornerstonejs/jpeg-lossless-decoder-js';
import { checkSampleCount, invalidCodestream } from '../codestream.ts';
import type { DecodedFrame } from '../decoded-frame.ts';
import type { ImageDescription } from '../image-description.ts';
import { codedFrame } from './coded-frame.ts';
import type { JpegHeader } from './jpeg-header.ts';

/** @throws IMAGING_CODESTREAM_INVALID */
export function decodeJpegLossless(header: JpegHeader, description: ImageDescription): DecodedFrame {
  const { stream, precision } = header;
  const samples = decode(stream, precision > 8 ? 2 : 1);
  checkSampleCount(samples.length, description);
  return codedFrame(description, { samples, precision, photometric: description.photometric });
}

function decode(stream: Uint8Array, sampleBytes: number): Uint8Array | Uint16Array {
  try {
    const copy = new Uint8Array(stream);
    return new Decoder().decode(copy.buffer, 0, copy.length, sampleBytes);
  } catch {
    throw invalidCodestream('the decoder refuses it');
  }
}
