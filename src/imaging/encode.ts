/**
 * Pixels to an image file. JPEG by libjpeg-turbo within sharp, with the settings that were measured fastest at the same
 * size class; PNG by our own writer. No file carries metadata. Also the one place that scales images.
 *
 * Limits: a JPEG side has at most 65535 pixels (ITU-T T.81 §B.2.2).
 */
import sharp, { type Sharp } from 'sharp';
import { LetheError } from '../core/errors.ts';
import { writePng } from './png.ts';

export type ImageFormat = 'jpeg' | 'png' | 'png16';

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly samples: Uint8Array | Uint16Array;
}

export interface EncodeOptions {
  readonly format: ImageFormat;
  /** JPEG quality, 1 to 100. */
  readonly quality: number;
}

const JPEG_SIDE_MAX = 65535;
/** From here on the quality asked for is not taken back by halving the colour resolution. */
const FULL_CHROMA_QUALITY_MIN = 90;

// Frames are encoded one by one; a cache of operations would only hold memory.
sharp.cache(false);
// Workers are as many as cores; a library that starts threads of its own in each would only make them wait.
sharp.concurrency(1);

/** @throws IMAGING_TOO_LARGE */
export async function encodePicture(picture: Picture, options: EncodeOptions): Promise<Uint8Array> {
  if (options.format !== 'jpeg') return writePng(picture);
  const { width, height, channels } = picture;
  if (Math.max(width, height) > JPEG_SIDE_MAX)
    throw new LetheError('IMAGING_TOO_LARGE', { width, height, sideMax: JPEG_SIDE_MAX });
  const chromaSubsampling = options.quality >= FULL_CHROMA_QUALITY_MIN ? '4:4:4' : '4:2:0';
  const image = open(picture).toColourspace(channels === 1 ? 'b-w' : 'srgb');
  return image.jpeg({ quality: options.quality, optimiseCoding: false, chromaSubsampling }).toBuffer();
}

/** Scales down, never up, so that the longer side is at most `edge`; the shape is kept to the nearest pixel. */
export async function scaleDown(picture: Picture, edge: number): Promise<Picture> {
  const longer = Math.max(picture.width, picture.height);
  if (longer <= edge) return picture;
  const width = Math.max(1, Math.round((picture.width * edge) / longer));
  const height = Math.max(1, Math.round((picture.height * edge) / longer));
  const wide = picture.samples instanceof Uint16Array;
  const image = open(picture)
    .resize({ width, height, fit: 'fill', kernel: 'lanczos3' })
    .toColourspace(picture.channels === 1 ? (wide ? 'grey16' : 'b-w') : 'srgb');
  const raw = await image.raw({ depth: wide ? 'ushort' : 'uchar' }).toBuffer();
  const samples = wide ? new Uint16Array(raw.buffer, raw.byteOffset, raw.byteLength / 2) : new Uint8Array(raw);
  return { width, height, channels: picture.channels, samples };
}

function open({ width, height, channels, samples }: Picture): Sharp {
  return sharp(samples, { raw: { width, height, channels }, limitInputPixels: false });
}
