/** What the lossless encoders have to know of the samples they get. */
export interface EncoderShape {
  readonly rows: number;
  readonly columns: number;
  readonly samplesPerPixel: 1 | 3;
  readonly bitsStored: number;
  readonly signed: boolean;
}
