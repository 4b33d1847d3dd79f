/**
 * Eight-bit pictures to look at, and the few changes of geometry that looking needs. Samples are row by row, interleaved
 * by pixel; `channels` is 1 (grey) or 3 (RGB). Pure.
 */

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** width × height × channels bytes. */
  readonly pixels: Uint8Array;
}

/** Whole pixels; the left top pixel is 0, 0. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Pixels that both have. */
export function overlap(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return width > 0 && height > 0 ? width * height : 0;
}

/** The part of the picture inside of the box, which must lie within it. */
export function cropped(picture: Picture, box: Box): Picture {
  const { width, channels, pixels } = picture;
  if (box.x === 0 && box.width === width) {
    const start = box.y * width * channels;
    return {
      width,
      height: box.height,
      channels,
      pixels: pixels.subarray(start, start + box.height * width * channels),
    };
  }
  const row = box.width * channels;
  const part = new Uint8Array(row * box.height);
  for (let y = 0; y < box.height; y++) {
    const start = ((box.y + y) * width + box.x) * channels;
    part.set(pixels.subarray(start, start + row), y * row);
  }
  return { width: box.width, height: box.height, channels, pixels: part };
}

/** A quarter turn: `clockwise` makes text that runs from bottom to top run from left to right. */
export function quarterTurned(picture: Picture, direction: 'clockwise' | 'counterclockwise'): Picture {
  const { width, height, channels, pixels } = picture;
  const turned = new Uint8Array(pixels.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const column = direction === 'clockwise' ? height - 1 - y : y;
      const row = direction === 'clockwise' ? x : width - 1 - x;
      const from = (y * width + x) * channels;
      const to = (row * height + column) * channels;
      for (let channel = 0; channel < channels; channel++) turned[to + channel] = pixels[from + channel] ?? 0;
    }
  }
  return { width: height, height: width, channels, pixels: turned };
}
