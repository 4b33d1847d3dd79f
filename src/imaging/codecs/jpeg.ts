/**
 * JPEG (ITU-T T.81) in every process that PS3.5 §A.4.1 and its retired companions name. The stream decides the
 * decoder, not the transfer syntax: 8-bit DCT goes to libjpeg-turbo, lossless to the lossless decoder, the rest
 * (12-bit, sequential or progressive) to our own. Colour leaves as RGB whatever way it was coded (see `isTransformed`).
 */
import { LetheError } from '../../core/errors.ts';
import type { FrameDecoder, PixelCodec } from '../codec.ts';
import { checkHeader } from '../codestream.ts';
import type { ImageDescription } from '../image-description.ts';
import { decodeDct } from './jpeg-dct.ts';
import { isLosslessProcess, type JpegHeader, PROGRESSIVE, readJpegHeaderWithoutEnd } from './jpeg-header.ts';
import { decodeJpegLossless } from './jpeg-lossless.ts';
import { loadTurbo } from './jpeg-turbo.ts';

export const JPEG_CODEC: PixelCodec = {
  name: 'JPEG',
  families: ['jpeg-baseline', 'jpeg-extended', 'jpeg-lossless'],
  capability: 'decode',
  load: async () => jpegDecoder(await loadTurbo()),
};

function jpegDecoder(
  decodeTurbo: ReturnType<typeof loadTurbo> extends Promise<infer Decode> ? Decode : never,
): FrameDecoder {
  return (bytes, description) => {
    const header = readJpegHeaderWithoutEnd(bytes);
    checkHeader(header, description);
    if (isLosslessProcess(header.process)) return decodeJpegLossless(header, description);
    if (header.process > PROGRESSIVE) throw unsupported(header.process);
    const transformed = isTransformed(header, description);
    return header.precision === 8
      ? decodeTurbo(header, description, transformed)
      : decodeDct(header, description, transformed);
  };
}

/** Arithmetic coding and hierarchical frames: retired in DICOM before anybody used them, and without a decoder. */
function unsupported(process: number): LetheError {
  return new LetheError('IMAGING_SYNTAX_UNSUPPORTED', { reason: 'JPEG of a process without a decoder', process });
}

/**
 * Whether three components are YCbCr. The Adobe segment says so outright; else the data set is believed (PS3.5
 * §8.2.1 asks it to describe the stream), except where it says RGB and the components are named as JFIF names YCbCr
 * and are subsampled, which RGB never is.
 */
export function isTransformed(header: JpegHeader, description: ImageDescription): boolean {
  if (header.components !== 3) return false;
  if (header.adobeTransform !== undefined) return header.adobeTransform !== 0;
  const [first, second, third] = header.frameComponents;
  if (first?.id === 0x52 && second?.id === 0x47 && third?.id === 0x42) return false; // 'R' 'G' 'B'
  if (description.photometric !== 'RGB') return true;
  return header.frameComponents.some(
    ({ horizontal, vertical }) => horizontal !== first?.horizontal || vertical !== first.vertical,
  );
}
