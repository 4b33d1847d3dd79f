/**
 * Any instance to one consistent image format, frame by frame: decode, grey pipeline or colour conversion, encode. The
 * numbers that come with an image describe that image, not the instance: an 8-bit one is MONOCHROME2 or RGB with slope 1
 * and intercept 0, a 16-bit one keeps the stored values and says how to read them.
 *
 * Pure: bytes in, bytes out. `onFrameStart` is called before each frame, so that whoever runs this in a worker can put a
 * deadline on it. Memory is a few times one frame.
 *
 * API: `renderFrames(part10, options)`, an async generator of `RenderedFrame`.
 */
import { LetheError } from '../core/errors.ts';
import { toRgb8 } from './colour.ts';
import type { DecodedFrame } from './decoded-frame.ts';
import { encodePicture, type ImageFormat, type Picture, scaleDown } from './encode.ts';
import { GreyRenderer } from './grey.ts';
import { modalityTransformOf } from './grey-attributes.ts';
import { grey16 } from './grey16.ts';
import { type ImageFile, type OpenedImage, openImage } from './image.ts';
import { type ImageLimits, isGrey, type PhotometricInterpretation } from './image-description.ts';
import { applyPalette, readPalette } from './palette.ts';
import type { Window } from './voi.ts';

export type { ImageFormat } from './encode.ts';

export interface RenderOptions {
  readonly format: ImageFormat;
  /** JPEG quality, 1 to 100; 90 unless said otherwise. */
  readonly quality?: number;
  /** Frame numbers from 1; all of them unless said otherwise. */
  readonly frames?: 'all' | readonly number[];
  readonly window?: 'auto' | { readonly center: number; readonly width: number };
  /**
   * What to do with a 16-bit image whose rescale slope is not an integer of at least 1, which the backend contract
   * cannot say: send it all the same (`keep`, unless said otherwise), refuse (`hold`), or send 8 bits instead.
   */
  readonly onUnrepresentable?: 'keep' | 'hold' | 'jpeg' | 'png';
  /** Longest side of the image in pixels; larger ones are scaled down. */
  readonly maxEdge?: number;
  readonly limits?: ImageLimits;
  /** Called with the frame's number, from 1, before work on it begins. */
  readonly onFrameStart?: (frame: number) => void;
}

export interface RenderedFrame {
  /** From 1. */
  readonly frame: number;
  readonly bytes: Uint8Array;
  readonly mediaType: 'image/jpeg' | 'image/png';
  readonly extension: 'jpg' | 'png';
  readonly width: number;
  readonly height: number;
  readonly photometricInterpretation: PhotometricInterpretation;
  readonly samplesPerPixel: 1 | 3;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly highBit: number;
  readonly rescaleSlope: number;
  readonly rescaleIntercept: number;
  readonly window?: Window;
  /** What was decided or lost on the way, for the record: never an element value that identifies. */
  readonly notes: readonly string[];
}

/** A picture with the numbers that describe it, before it becomes a file. */
interface Rendering {
  readonly picture: Picture;
  readonly format: ImageFormat;
  readonly photometricInterpretation: PhotometricInterpretation;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly slope: number;
  readonly intercept: number;
  readonly window?: Window;
  readonly notes: readonly string[];
}

const QUALITY = 90;

/**
 * @throws IMAGING_* as the table of errors says; a frame that fails ends the generator
 */
export async function* renderFrames(part10: ImageFile, options: RenderOptions): AsyncGenerator<RenderedFrame> {
  const image = await openImage(part10, options.limits);
  const renderer = new FrameRenderer(part10, image, options);
  for (const frame of chosenFrames(image.frameCount, options.frames ?? 'all')) {
    options.onFrameStart?.(frame);
    yield await renderer.render(frame);
  }
}

class FrameRenderer {
  readonly #part10: ImageFile;
  readonly #image: OpenedImage;
  readonly #options: RenderOptions;
  readonly #grey: GreyRenderer;

  constructor(part10: ImageFile, image: OpenedImage, options: RenderOptions) {
    this.#part10 = part10;
    this.#image = image;
    this.#options = options;
    const { source, dataSet } = part10;
    this.#grey = new GreyRenderer({
      source,
      dataSet,
      description: image.description,
      window: options.window ?? 'auto',
    });
  }

  async render(frame: number): Promise<RenderedFrame> {
    const decoded = this.#image.decode(frame - 1);
    const rendering = isGrey(decoded.photometric) ? this.#renderGrey(decoded, frame) : this.#renderColour(decoded);
    const { maxEdge, quality = QUALITY } = this.#options;
    const picture = maxEdge === undefined ? rendering.picture : await scaleDown(rendering.picture, maxEdge);
    const bytes = await encodePicture(picture, { format: rendering.format, quality });
    const notes = picture === rendering.picture ? rendering.notes : [...rendering.notes, 'scaled down'];
    return {
      frame,
      bytes,
      ...(rendering.format === 'jpeg' ? JPEG : PNG),
      width: picture.width,
      height: picture.height,
      photometricInterpretation: rendering.photometricInterpretation,
      samplesPerPixel: picture.channels,
      bitsAllocated: rendering.bitsAllocated,
      bitsStored: rendering.bitsStored,
      highBit: rendering.bitsStored - 1,
      rescaleSlope: rendering.slope,
      rescaleIntercept: rendering.intercept,
      ...(rendering.window && { window: rendering.window }),
      notes,
    };
  }

  #renderGrey(decoded: DecodedFrame, frame: number): Rendering {
    const { format, onUnrepresentable = 'keep' } = this.#options;
    if (format !== 'png16') return this.#renderGrey8(decoded, frame, format);
    const { source, dataSet } = this.#part10;
    const { description } = this.#image;
    const modality = modalityTransformOf(source, dataSet, description, frame - 1);
    const grey = grey16(decoded, modality, description);
    if (onUnrepresentable !== 'keep' && !(Number.isInteger(grey.slope) && grey.slope >= 1)) {
      if (onUnrepresentable === 'hold')
        throw new LetheError('IMAGING_UNREPRESENTABLE', { rescaleSlope: grey.slope, frame });
      const eight = this.#renderGrey8(decoded, frame, onUnrepresentable);
      return { ...eight, notes: [...eight.notes, 'rescale slope cannot be expressed: 8 bits instead of 16'] };
    }
    return {
      picture: pictureOf(decoded, 1, grey.samples),
      format,
      photometricInterpretation: decoded.photometric,
      bitsAllocated: grey.bitsAllocated,
      bitsStored: grey.bitsStored,
      slope: grey.slope,
      intercept: grey.intercept,
      notes: grey.notes,
    };
  }

  #renderGrey8(decoded: DecodedFrame, frame: number, format: 'jpeg' | 'png'): Rendering {
    const { pixels, window, notes } = this.#grey.render8(decoded, frame - 1);
    return {
      ...EIGHT_BITS,
      picture: pictureOf(decoded, 1, pixels),
      format,
      photometricInterpretation: 'MONOCHROME2',
      notes,
      ...(window && { window }),
    };
  }

  #renderColour(decoded: DecodedFrame): Rendering {
    const { format } = this.#options;
    const { source, dataSet } = this.#part10;
    const rgb =
      decoded.photometric === 'PALETTE COLOR'
        ? applyPalette(decoded, readPalette(source, dataSet, decoded.signed))
        : toRgb8(decoded);
    return { ...EIGHT_BITS, picture: pictureOf(decoded, 3, rgb), format, photometricInterpretation: 'RGB', notes: [] };
  }
}

const JPEG = { mediaType: 'image/jpeg', extension: 'jpg' } as const;
const PNG = { mediaType: 'image/png', extension: 'png' } as const;
const EIGHT_BITS = { bitsAllocated: 8, bitsStored: 8, slope: 1, intercept: 0 } as const;

function pictureOf({ rows, columns }: DecodedFrame, channels: 1 | 3, samples: Uint8Array | Uint16Array): Picture {
  return { width: columns, height: rows, channels, samples };
}

/** @throws IMAGING_PIXEL_DATA_MISSING for a number that the instance does not have */
function chosenFrames(frameCount: number, frames: 'all' | readonly number[]): readonly number[] {
  if (frames === 'all') return Array.from({ length: frameCount }, (_, index) => index + 1);
  const missing = frames.find((frame) => !Number.isInteger(frame) || frame < 1 || frame > frameCount);
  if (missing !== undefined) throw new LetheError('IMAGING_PIXEL_DATA_MISSING', { frame: missing, frames: frameCount });
  return frames;
}
