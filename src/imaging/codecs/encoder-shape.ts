import { LetheError } from '../../core/errors.ts';
import type { SampleArray } from '../decoded-frame.ts';

/** What the lossless encoders have to know of the samples they get. */
export interface EncoderShape {
  readonly rows: number;
  readonly columns: number;
  readonly samplesPerPixel: 1 | 3;
  readonly bitsStored: number;
  readonly signed: boolean;
}

/** @param samples rows × columns × samplesPerPixel, pixel by pixel; signed ones in two's complement of the array's width */
export type FrameEncoder = (samples: Uint8Array | Uint16Array, shape: EncoderShape) => Uint8Array;

/**
 * The JPEG 2000 and HTJ2K encoders in use crash on colour of more than 8 bits, or write other samples than they get.
 * @throws IMAGING_SYNTAX_UNSUPPORTED
 */
export function assertEncodable(samples: SampleArray, { samplesPerPixel, bitsStored }: EncoderShape): void {
  if (samplesPerPixel === 3 && samples.BYTES_PER_ELEMENT > 1)
    throw new LetheError('IMAGING_SYNTAX_UNSUPPORTED', { reason: 'no encoder for colour this deep', bitsStored });
}
