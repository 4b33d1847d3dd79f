/**
 * An instance opened as an image: description, frames and decoder brought together, one frame in memory at a time. What
 * renders, redacts or reads text in pixels starts here.
 *
 * API: `openImage(part10, limits?)` gives `{ description, frameCount, decode(index) }`, index from 0.
 */
import { LetheError } from '../core/errors.ts';
import type { Part10File } from '../dicom/part10.ts';
import { codecFor } from './codec.ts';
import type { DecodedFrame } from './decoded-frame.ts';
import { describeImage, type ImageDescription, type ImageLimits } from './image-description.ts';
import { openPixelData, type PixelData } from './pixel-data.ts';

export interface OpenedImage {
  readonly description: ImageDescription;
  readonly pixelData: PixelData;
  readonly frameCount: number;
  /** @throws IMAGING_CODESTREAM_INVALID, IMAGING_PIXEL_DATA_MISSING, with the frame's number from 1 */
  decode(index: number): DecodedFrame;
}

export type ImageFile = Pick<Part10File, 'dataSet' | 'source' | 'transferSyntax'>;

/** @throws IMAGING_SYNTAX_UNSUPPORTED, IMAGING_PIXEL_DATA_MISSING, IMAGING_DESCRIPTION_INVALID, IMAGING_TOO_LARGE */
export async function openImage(part10: ImageFile, limits?: ImageLimits): Promise<OpenedImage> {
  const codec = codecFor(part10.transferSyntax);
  const declared = describeImage(part10.dataSet, part10.transferSyntax, limits);
  const pixelData = openPixelData(part10, declared);
  const decodeFrame = await codec.load();
  const { description, frameCount } = pixelData;
  return {
    description,
    pixelData,
    frameCount,
    decode: (index) => {
      try {
        return decodeFrame(pixelData.frame(index), description);
      } catch (error) {
        throw withFrame(error, index + 1);
      }
    },
  };
}

/** An error of one frame says which; anything that is not ours came out of a codec and is damage, not a bug. */
function withFrame(error: unknown, frame: number): LetheError {
  if (error instanceof LetheError) return new LetheError(error.code, { ...error.detail, frame }, { cause: error });
  return new LetheError('IMAGING_CODESTREAM_INVALID', { what: 'the decoder failed', frame }, { cause: error });
}
