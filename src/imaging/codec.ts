/**
 * The registry of pixel codecs: one per family of transfer syntaxes (PS3.5 Annex A), each behind the same two-step
 * interface, because WebAssembly has to be loaded before it can decode. Decoders check what the codestream says of
 * itself before and what came out after decoding: three of five third-party codecs give garbage without an error.
 *
 * API: `codecFor(transferSyntax)`, `loadDecoder(transferSyntax)` then `decode(bytes, description)` per frame. A decoder
 * that threw must not be used again; `loadDecoder` gives a fresh one.
 */
import { LetheError } from '../core/errors.ts';
import type { TransferSyntax, TransferSyntaxFamily } from '../dicom/transfer-syntax.ts';
import { HTJ2K_CODEC } from './codecs/htj2k.ts';
import { JPEG_CODEC } from './codecs/jpeg.ts';
import { JPEG_2000_CODEC } from './codecs/jpeg-2000.ts';
import { JPEG_LS_CODEC } from './codecs/jpeg-ls.ts';
import { JPEG_XL_CODEC } from './codecs/jpeg-xl.ts';
import { DEFLATED_FRAME_CODEC, NATIVE_CODEC } from './codecs/native.ts';
import { RLE_CODEC } from './codecs/rle.ts';
import type { DecodedFrame } from './decoded-frame.ts';
import type { ImageDescription } from './image-description.ts';

/** @throws IMAGING_CODESTREAM_INVALID */
export type FrameDecoder = (bytes: Uint8Array, description: ImageDescription) => DecodedFrame;

export interface PixelCodec {
  readonly name: string;
  readonly families: readonly TransferSyntaxFamily[];
  /** What the entry can do; encoders are functions of the codec's own file, since each takes other options. */
  readonly capability: 'decode' | 'decode and encode';
  load(): Promise<FrameDecoder>;
}

const CODECS: readonly PixelCodec[] = [
  NATIVE_CODEC,
  DEFLATED_FRAME_CODEC,
  RLE_CODEC,
  JPEG_CODEC,
  JPEG_LS_CODEC,
  JPEG_2000_CODEC,
  HTJ2K_CODEC,
  JPEG_XL_CODEC,
];

/** Why a family has no codec, in words for whoever finds the instance held. */
const ABSENT: Partial<Record<TransferSyntaxFamily, string>> = {
  'mpeg-2': 'video is not decoded: no decoder for it has a licence that fits the product',
  h264: 'video is not decoded: no decoder for it has a licence that fits the product',
  hevc: 'video is not decoded: no decoder for it has a licence that fits the product',
  jpip: 'the pixels are not in the instance but at a pixel data provider',
  other: 'the transfer syntax carries no pixel data',
};

/** @throws IMAGING_SYNTAX_UNSUPPORTED with the reason */
export function codecFor(transferSyntax: TransferSyntax): PixelCodec {
  const codec = CODECS.find(({ families }) => families.includes(transferSyntax.family));
  if (codec !== undefined) return codec;
  throw new LetheError('IMAGING_SYNTAX_UNSUPPORTED', {
    transferSyntax: transferSyntax.uid,
    reason: ABSENT[transferSyntax.family],
  });
}

/** @throws IMAGING_SYNTAX_UNSUPPORTED */
export function loadDecoder(transferSyntax: TransferSyntax): Promise<FrameDecoder> {
  return codecFor(transferSyntax).load();
}
