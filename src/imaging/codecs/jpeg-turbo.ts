/**
 * 8-bit DCT JPEG (processes 1, 2 and their progressive kin) by libjpeg-turbo. It decides for itself whether three
 * components are YCbCr; where we know better, the copy of the stream that it gets says so in an Adobe segment.
 */
import turbo, { type TurboExports } from '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs';
import { checkSampleCount } from '../codestream.ts';
import type { DecodedFrame } from '../decoded-frame.ts';
import type { ImageDescription } from '../image-description.ts';
import { lossyFrame } from './coded-frame.ts';
import type { JpegHeader } from './jpeg-header.ts';
import { WasmModule } from './wasm-module.ts';

export type DecodeTurbo = (header: JpegHeader, description: ImageDescription, transformed: boolean) => DecodedFrame;

const MODULE = new WasmModule<TurboExports>(turbo);

export async function loadTurbo(): Promise<DecodeTurbo> {
  const exports = await MODULE.load();
  return (header, description, transformed) => {
    const stream = header.components === 3 && !transformed ? withoutTransform(header.stream) : header.stream;
    const samples = MODULE.run(() => decode(exports, stream));
    checkSampleCount(samples.length, description);
    const photometric = header.components === 3 ? 'RGB' : description.photometric;
    return lossyFrame(description, { samples, precision: header.precision, photometric });
  };
}

function decode(exports: TurboExports, stream: Uint8Array): Uint8Array {
  const decoder = new exports.JPEGDecoder();
  try {
    decoder.getEncodedBuffer(stream.length).set(stream);
    decoder.decode();
    return new Uint8Array(decoder.getDecodedBuffer());
  } finally {
    decoder.delete();
  }
}

/** APP14 "Adobe", version 100, flags 0, transform 0: components are stored as they are. */
const ADOBE_NO_TRANSFORM = [0xff, 0xee, 0, 14, 0x41, 0x64, 0x6f, 0x62, 0x65, 0, 100, 0, 0, 0, 0, 0];

function withoutTransform(stream: Uint8Array): Uint8Array {
  const copy = new Uint8Array(stream.length + ADOBE_NO_TRANSFORM.length);
  copy.set(stream.subarray(0, 2));
  copy.set(ADOBE_NO_TRANSFORM, 2);
  copy.set(stream.subarray(2), 2 + ADOBE_NO_TRANSFORM.length);
  // A JFIF segment means YCbCr to libjpeg, whatever an Adobe segment says: its name is taken away.
  for (let at = 2 + ADOBE_NO_TRANSFORM.length; copy[at] === 0xff && copy[at + 1] === 0xe0; ) {
    copy[at + 4] = 0;
    at += 2 + (((copy[at + 2] ?? 0) << 8) | (copy[at + 3] ?? 0));
  }
  return copy;
}
