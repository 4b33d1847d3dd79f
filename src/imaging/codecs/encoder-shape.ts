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
