/**
 * Pictures as the networks want them: planar float32 in BGR order, scaled bilinearly (pixel centres aligned) and
 * normalised by mean and deviation per channel. A grey picture fills all three planes. Pure.
 */
import type { Picture } from './picture.ts';

export interface Normalisation {
  /** In fractions of 255, in the order blue, green, red. */
  readonly mean: readonly [number, number, number];
  readonly deviation: readonly [number, number, number];
}

export interface Planes {
  readonly width: number;
  readonly height: number;
  /** 3 × height × width. */
  readonly values: Float32Array;
}

/**
 * The picture scaled to `content` and laid into the left top corner of planes of `size`; what it does not fill is the value of
 * black.
 */
export function networkInput(
  picture: Picture,
  content: { width: number; height: number },
  size: { width: number; height: number },
  { mean, deviation }: Normalisation,
): Planes {
  const area = size.width * size.height;
  const values = new Float32Array(3 * area);
  const columns = samplesAlong(picture.width, content.width);
  const rows = samplesAlong(picture.height, content.height);
  const planes = picture.channels === 1 ? 1 : 3;
  for (let plane = 0; plane < 3; plane++) {
    const target = values.subarray(plane * area, (plane + 1) * area);
    // Blue first: the last channel of RGB. Of grey the first plane holds the samples for the others, itself the last.
    if (planes === 3) scalePlane(picture, 2 - plane, { columns, rows, target, stride: size.width });
    else if (plane === 0) scalePlane(picture, 0, { columns, rows, target, stride: size.width });
  }
  for (let plane = 2; plane >= 0; plane--) {
    const source = planes === 3 ? plane : 0;
    const scale = 1 / (255 * deviation[plane as 0 | 1 | 2]);
    const offset = mean[plane as 0 | 1 | 2] / deviation[plane as 0 | 1 | 2];
    normalise(values, { from: source * area, to: plane * area, area, scale, offset });
  }
  return { ...size, values };
}

interface Along {
  readonly first: Int32Array;
  readonly second: Int32Array;
  /** Weight of the second. */
  readonly weight: Float32Array;
}

function samplesAlong(from: number, to: number): Along {
  const first = new Int32Array(to);
  const second = new Int32Array(to);
  const weight = new Float32Array(to);
  for (let index = 0; index < to; index++) {
    const position = Math.max(0, Math.min(from - 1, ((index + 0.5) * from) / to - 0.5));
    const whole = Math.floor(position);
    first[index] = whole;
    second[index] = Math.min(from - 1, whole + 1);
    weight[index] = position - whole;
  }
  return { first, second, weight };
}

function normalise(
  values: Float32Array,
  { from, to, area, scale, offset }: { from: number; to: number; area: number; scale: number; offset: number },
): void {
  for (let index = 0; index < area; index++) values[to + index] = (values[from + index] ?? 0) * scale - offset;
}

function scalePlane(
  { pixels, width, channels }: Picture,
  channel: number,
  to: { columns: Along; rows: Along; target: Float32Array; stride: number },
): void {
  const { columns, rows, target, stride } = to;
  for (let y = 0; y < rows.first.length; y++) {
    const upper = (rows.first[y] ?? 0) * width;
    const lower = (rows.second[y] ?? 0) * width;
    const down = rows.weight[y] ?? 0;
    for (let x = 0; x < columns.first.length; x++) {
      const left = columns.first[x] ?? 0;
      const right = columns.second[x] ?? 0;
      const across = columns.weight[x] ?? 0;
      const above = mixed(pixels, (upper + left) * channels + channel, (upper + right) * channels + channel, across);
      const below = mixed(pixels, (lower + left) * channels + channel, (lower + right) * channels + channel, across);
      target[y * stride + x] = above + (below - above) * down;
    }
  }
}

function mixed(pixels: Uint8Array, first: number, second: number, weight: number): number {
  const value = pixels[first] ?? 0;
  return value + ((pixels[second] ?? 0) - value) * weight;
}
