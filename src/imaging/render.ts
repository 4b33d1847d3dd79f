/**
 * Any instance to one consistent image format, frame by frame: decode, grey pipeline or colour conversion, encode. The
 * numbers that come with an image describe that image, not the instance: an 8-bit one is MONOCHROME2 or RGB with slope 1
 * and intercept 0, a 16-bit one keeps the stored values and says how to read them.
 *
 * Pure: bytes in, bytes out. `onFrameStart` is called before each frame, so that whoever runs this in a worker can put a
 * deadline on it. Memory is a few times one frame.
 *
 * API: `renderFrames(part10, options)`, an async generator of `RenderedFrame`; `renderPictures` for the pixels alone.
 */
import { LetheError } from '../core/errors.ts';
import { chosenFrames, type FrameChoice } from './chosen-frames.ts';
import { toRgb8 } from './colour.ts';
import type { DecodedFrame } from './decoded-frame.ts';
import { encodePicture, type ImageFormat, type Picture, scaleDown } from './encode.ts';
import { GreyRenderer } from './grey.ts';
import { modalityTransformOf } from './grey-attributes.ts';
import { grey16 } from './grey16.ts';
import { toSrgb } from './icc.ts';
import { type ImageFile, type OpenedImage, openImage } from './image.ts';
import { type ImageLimits, isGrey, type PhotometricInterpretation } from './image-description.ts';
import { applyPalette, readPalette } from './palette.ts';
import { TAGS } from './tags.ts';
import { wholeValue } from './value-bytes.ts';
import type { Window } from './voi.ts';

export type { ImageFormat } from './encode.ts';

export interface RenderOptions {
  readonly format: ImageFormat;
  /** JPEG quality, 1 to 100; 90 unless said otherwise. */
  readonly quality?: number;
  /** All of them unless said otherwise. */
  readonly frames?: FrameChoice;
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
  /** Gives the picture's memory back. */
  release?(): void;
}

const QUALITY = 90;

/**
 * @throws IMAGING_* as the table of errors says; a frame that fails ends the generator
 */
export async function* renderFrames(part10: ImageFile, options: RenderOptions): AsyncGenerator<RenderedFrame> {
  const image = await openImage(part10, options.limits);
  const renderer = new FrameRenderer(part10, image, options);
  let previous: Promise<RenderedFrame> | undefined;
  for (const frame of chosenFrames(part10.dataSet, image.frameCount, options.frames ?? 'all')) {
    options.onFrameStart?.(frame);
    // The frame before is being encoded in a thread of the library meanwhile: two frames in hand, never more.
    const decoded = attempt(() => image.decode(frame - 1));
    if (previous !== undefined) yield await previous;
    previous = renderer.render(frame, decoded());
    previous.catch(() => undefined); // told when its turn comes
  }
  if (previous !== undefined) yield await previous;
}

/** Does it now; what came of it, a failure too, comes when it is asked for. */
function attempt<Result>(work: () => Result): () => Result {
  try {
    const result = work();
    return () => result;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/**
 * The pictures themselves, 8 bits a sample, for whoever looks at them instead of sending them.
 * @throws as `renderFrames`
 */
export async function* renderPictures(
  part10: ImageFile,
  options: Omit<RenderOptions, 'format' | 'quality' | 'onUnrepresentable'>,
): AsyncGenerator<{ readonly frame: number; readonly picture: Picture }> {
  const image = await openImage(part10, options.limits);
  const renderer = new FrameRenderer(part10, image, { ...options, format: 'png' });
  for (const frame of chosenFrames(part10.dataSet, image.frameCount, options.frames ?? 'all')) {
    options.onFrameStart?.(frame);
    yield { frame, picture: (await renderer.picture(frame, image.decode(frame - 1))).picture };
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

  async render(frame: number, decoded: DecodedFrame): Promise<RenderedFrame> {
    const rendering = await this.picture(frame, decoded);
    const { picture, format, window } = rendering;
    const bytes = await encodePicture(picture, { format, quality: this.#options.quality ?? QUALITY });
    rendering.release?.();
    return {
      frame,
      bytes,
      ...(format === 'jpeg' ? JPEG : PNG),
      width: picture.width,
      height: picture.height,
      photometricInterpretation: rendering.photometricInterpretation,
      samplesPerPixel: picture.channels,
      bitsAllocated: rendering.bitsAllocated,
      bitsStored: rendering.bitsStored,
      highBit: rendering.bitsStored - 1,
      rescaleSlope: rendering.slope,
      rescaleIntercept: rendering.intercept,
      ...(window && { window }),
      notes: rendering.notes,
    };
  }

  async picture(frame: number, decoded: DecodedFrame): Promise<Rendering> {
    const rendering = isGrey(decoded.photometric)
      ? this.#renderGrey(decoded, frame)
      : await this.#renderColour(decoded);
    const notes = [...rendering.notes, ...aspectNotes(this.#part10)];
    const { maxEdge } = this.#options;
    const picture = maxEdge === undefined ? rendering.picture : await scaleDown(rendering.picture, maxEdge);
    return picture === rendering.picture
      ? { ...rendering, notes }
      : { ...rendering, picture, notes: [...notes, 'scaled down'] };
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
    const { pixels, window, notes, release } = this.#grey.render8(decoded, frame - 1);
    return {
      ...EIGHT_BITS,
      picture: pictureOf(decoded, 1, pixels),
      format,
      photometricInterpretation: 'MONOCHROME2',
      notes,
      ...(window && { window }),
      ...(release && { release }),
    };
  }

  async #renderColour(decoded: DecodedFrame): Promise<Rendering> {
    const { source, dataSet } = this.#part10;
    const rgb =
      decoded.photometric === 'PALETTE COLOR'
        ? applyPalette(decoded, readPalette(source, dataSet, decoded.signed))
        : toRgb8(decoded);
    const profile = iccProfileOf(this.#part10);
    // Pixels that nobody converted may be a view that the next frame is read into (`ByteSource.read`).
    const plain = pictureOf(decoded, 3, rgb === decoded.samples ? rgb.slice() : rgb);
    const { picture, note } = profile === undefined ? { picture: plain } : await toSrgb(plain, profile);
    const notes = note === undefined ? [] : [note];
    return { ...EIGHT_BITS, picture, format: this.#options.format, photometricInterpretation: 'RGB', notes };
  }
}

/** Pixels that are not square are sent as they are, with their shape (PS3.3 §C.7.6.3.1.7) on record. */
function aspectNotes({ dataSet }: ImageFile): string[] {
  const [down, across] = dataSet.numbers(TAGS.PixelAspectRatio);
  return down === undefined || across === undefined || down === across ? [] : [`pixel aspect ratio ${down}:${across}`];
}

/** The profile of the image, or of the optical path it was taken through (PS3.3 §C.8.12.5); the first of several. */
function iccProfileOf({ source, dataSet }: ImageFile): Uint8Array | undefined {
  const [path] = dataSet.items(TAGS.OpticalPathSequence);
  return wholeValue(source, dataSet, TAGS.IccProfile) ?? (path && wholeValue(source, path, TAGS.IccProfile));
}

const JPEG = { mediaType: 'image/jpeg', extension: 'jpg' } as const;
const PNG = { mediaType: 'image/png', extension: 'png' } as const;
const EIGHT_BITS = { bitsAllocated: 8, bitsStored: 8, slope: 1, intercept: 0 } as const;

function pictureOf({ rows, columns }: DecodedFrame, channels: 1 | 3, samples: Uint8Array | Uint16Array): Picture {
  return { width: columns, height: rows, channels, samples };
}
