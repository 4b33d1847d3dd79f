/**
 * The seam between whoever asks what a picture says and whoever can read it. One implementation reads in a child process
 * (`detector-process.ts`); tests have scripted ones.
 */
import type { Box, Picture } from './picture.ts';
import type { TextLine } from './read-tile.ts';

export interface TextDetector {
  /**
   * Text lines in one region of the picture, in the picture's coordinates; the whole picture unless said otherwise. Lines
   * that could not be read well come too.
   * @throws TEXT_DETECTION_FAILED where nobody answered in time, twice
   */
  detect(picture: Picture, region?: Box): Promise<readonly TextLine[]>;
}

/** One tile: what crosses to the child process. */
export interface TileRequest {
  readonly number: number;
  readonly picture: Picture;
  /** Pixels the detector may see for each of the picture's. */
  readonly effort: number;
}

export type TileAnswer =
  | { readonly number: number; readonly lines: readonly TextLine[] }
  | { readonly number: number; readonly failed: string };
