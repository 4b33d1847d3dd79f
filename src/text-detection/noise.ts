/**
 * Noise of a picture and a light smoothing against it. Pure.
 */
import { cropped, type Picture } from './picture.ts';

/** Of the median of absolute values to the standard deviation of a normal distribution. */
const MEDIAN_TO_DEVIATION = 0.6745;
/** The filter's answer to noise of deviation 1: the root of the sum of its squared weights (1, 2, 4). */
const FILTER_GAIN = 6;
const LEVELS = 2048;

/**
 * Standard deviation of the noise in grey levels (Immerkær 1996, with the median for the mean): the second difference
 * both ways, which edges and gradients hardly answer to. Of colour the green channel.
 */
export function noiseOf({ width, height, channels, pixels }: Picture): number {
  const counts = new Uint32Array(LEVELS);
  const at = channels === 3 ? 1 : 0;
  const row = width * channels;
  let count = 0;
  for (let y = 1; y < height - 1; y += 2) {
    for (let x = 1; x < width - 1; x += 2) {
      const index = y * row + x * channels + at;
      const answer =
        second(pixels, index - row, channels) -
        2 * second(pixels, index, channels) +
        second(pixels, index + row, channels);
      const level = Math.min(LEVELS - 1, Math.abs(answer));
      counts[level] = (counts[level] ?? 0) + 1;
      count++;
    }
  }
  let seen = 0;
  for (let level = 0; level < LEVELS; level++) {
    seen += counts[level] ?? 0;
    if (seen * 2 > count) return level / FILTER_GAIN / MEDIAN_TO_DEVIATION;
  }
  return 0;
}

/** Of the picture, in each direction. */
const CELLS = 4;

/** The noise of the noisiest part: of an ultrasound picture most may be a flat margin. */
export function highestNoiseOf(picture: Picture): number {
  const { width, height } = picture;
  let highest = 0;
  for (let row = 0; row < CELLS; row++) {
    for (let column = 0; column < CELLS; column++) {
      const [x, y] = [Math.floor((width * column) / CELLS), Math.floor((height * row) / CELLS)];
      const box = {
        x,
        y,
        width: Math.floor((width * (column + 1)) / CELLS) - x,
        height: Math.floor((height * (row + 1)) / CELLS) - y,
      };
      highest = Math.max(highest, noiseOf(cropped(picture, box)));
    }
  }
  return highest;
}

function second(pixels: Uint8Array, index: number, step: number): number {
  return (pixels[index - step] ?? 0) - 2 * (pixels[index] ?? 0) + (pixels[index + step] ?? 0);
}

/** Half a pixel of it spreads to the neighbours: a normal curve of deviation 0.7, along rows and then along columns. */
const SIDE = 54;
const CENTRE = 148;

export function smoothed(picture: Picture): Picture {
  const { width, height, channels, pixels } = picture;
  const across = new Uint8Array(pixels.length);
  const row = width * channels;
  for (let index = 0; index < pixels.length; index++) {
    const column = index % row;
    const before = column < channels ? index : index - channels;
    const behind = column >= row - channels ? index : index + channels;
    across[index] = mean(pixels, before, index, behind);
  }
  const output = new Uint8Array(pixels.length);
  const last = (height - 1) * row;
  for (let index = 0; index < output.length; index++)
    output[index] = mean(across, index < row ? index : index - row, index, index >= last ? index : index + row);
  return { width, height, channels, pixels: output };
}

/** The weights are of 256. */
function mean(samples: Uint8Array, before: number, index: number, behind: number): number {
  return (((samples[before] ?? 0) + (samples[behind] ?? 0)) * SIDE + (samples[index] ?? 0) * CENTRE + 128) >> 8;
}
