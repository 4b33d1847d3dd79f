/**
 * Pictures with and without burned-in text, made from a seed: every size from 8 to 40 pixels (of the font's em, so that
 * capitals are as small as six), light and dark letters, several fonts and a dot-matrix one, quarter turns, strong and
 * weak contrast, over flat grounds, gradients, noise, speckle and computed anatomy. The truth comes with them: the box of
 * the letters' ink.
 */
import sharp from 'sharp';
import { drawText } from '../../../src/samples/glyphs.ts';
import { CHEST, drawPlane, type Ellipse, HEAD, quantize, trunk } from '../../../src/samples/phantom.ts';
import { Seeded } from '../../../src/samples/random.ts';
import type { Box, Picture } from '../../../src/text-detection/picture.ts';

export interface WrittenText {
  readonly box: Box;
  readonly text: string;
  /** Em of the font, or height of the dot matrix, in pixels. */
  readonly size: number;
  readonly font: string;
  readonly turned: boolean;
  /** Difference to the ground's mean, in grey levels of 255. */
  readonly contrast: number;
}

export interface TestPicture {
  readonly name: string;
  readonly ground: Ground;
  readonly picture: Picture;
  readonly texts: readonly WrittenText[];
}

export const GROUNDS = ['black', 'grey', 'gradient', 'noise', 'speckle', 'chest', 'trunk', 'head'] as const;
export type Ground = (typeof GROUNDS)[number];

const FONTS = [
  'DejaVu Sans',
  'DejaVu Sans Bold',
  'DejaVu Sans Mono',
  'DejaVu Serif',
  'Liberation Sans',
  'Liberation Serif',
  'Liberation Mono',
  'dots',
] as const;

const SIZE_MIN = 8;
const SIZE_MAX = 40;
const TURNED_SHARE = 0.1;
const TRIES_MAX = 40;
/** Letters must stand out of the ground's own variation by this many deviations to be readable by a person. */
const DEVIATIONS_MIN = 4;

/** Of a frame that is larger than a megapixel; its letters are so many pixels at least. */
export interface Format extends Pick<Picture, 'width' | 'height'> {
  readonly sizeMin: number;
}

/** A radiograph of five megapixels. */
export const RADIOGRAPH: Format = { width: 2048, height: 2500, sizeMin: 12 };

/** Pictures with text have even numbers, those without odd ones. */
export async function testPicture(seed: number, number: number, format?: Format): Promise<TestPicture> {
  const random = new Seeded((seed * 1_000_003 + number * 7919) >>> 0);
  const ground = GROUNDS[number % 2 === 0 ? (number / 2) % 8 : ((number - 1) / 2) % 8] ?? 'black';
  const width = format?.width ?? 256 + Math.floor(random.next() * 768);
  const height = format?.height ?? 256 + Math.floor(random.next() * 512);
  const pixels = groundPixels(ground, { width, height }, random);
  const texts: WrittenText[] = [];
  const count = number % 2 === 0 ? 2 + Math.floor(random.next() * 4) : 0;
  for (let index = 0; index < count; index++) {
    const written = await writeSomewhere(
      pixels,
      { width, height, sizeMin: format?.sizeMin ?? SIZE_MIN },
      texts,
      random,
    );
    if (written !== undefined) texts.push(written);
  }
  return { name: `${seed}/${number} ${ground}`, ground, picture: { width, height, channels: 1, pixels }, texts };
}

type Size = Pick<Picture, 'width' | 'height'>;

function groundPixels(ground: Ground, { width, height }: Size, random: Seeded): Uint8Array {
  const plane = (background: number, noise: number, ellipses: readonly Ellipse[] = []) =>
    drawPlane({ rows: height, columns: width, background, ellipses, noise }, random);
  switch (ground) {
    case 'black':
      return eightBit(plane(0, 0));
    case 'grey':
      return eightBit(plane(40 + random.next() * 170, random.next() * 3));
    case 'gradient':
      return eightBit(gradient(plane(0, 2), { width, height }, random));
    case 'noise':
      return eightBit(plane(60 + random.next() * 130, 6 + random.next() * 24));
    case 'speckle':
      return eightBit(speckle({ width, height }, random));
    case 'chest':
      return eightBit(scaled(plane(200, 20 + random.next() * 60, CHEST), 0.06 + random.next() * 0.05));
    case 'trunk':
      return eightBit(scaled(plane(0, 10 + random.next() * 40, trunk(random.next())), 0.12 + random.next() * 0.08));
    case 'head':
      return eightBit(scaled(plane(0, 5 + random.next() * 25, HEAD), 0.15 + random.next() * 0.15));
  }
}

function eightBit(values: Float32Array): Uint8Array {
  return quantize(values, new Uint8Array(values.length), { minimum: 0, maximum: 255 });
}

function scaled(values: Float32Array, factor: number): Float32Array {
  return values.map((value) => value * factor);
}

function gradient(noise: Float32Array, { width, height }: Size, random: Seeded): Float32Array {
  const from = random.next() * 255;
  const across = (random.next() - 0.5) * 250;
  const down = (random.next() - 0.5) * 250;
  return noise.map(
    (value, index) => value + from + ((index % width) / width) * across + (Math.floor(index / width) / height) * down,
  );
}

/** Multiplicative, correlated along the line as ultrasound is, inside of a fan. */
function speckle({ width, height }: Size, random: Seeded): Float32Array {
  const values = new Float32Array(width * height);
  const mean = 40 + random.next() * 80;
  const grain = 1 + Math.floor(random.next() * 3);
  for (let y = 0; y < height; y++) {
    let held = 0;
    for (let x = 0; x < width; x++) {
      if (x % grain === 0) held = Math.sqrt(random.noise() ** 2 + random.noise() ** 2) / 1.25;
      const inFan = Math.abs(x - width / 2) < 0.15 * width + 0.5 * y;
      const blob = 1 + 0.5 * Math.sin(x / 37) * Math.cos(y / 29);
      values[y * width + x] = inFan ? mean * blob * (0.35 + 0.65 * held) : 2;
    }
  }
  return values;
}

const SURNAMES = ['QUENNELL', 'Okonkwo', 'Szczepanik', 'VAN DER MEER', 'Ito', 'MARCHETTI', 'Al-Haddad', 'Lindqvist'];
const GIVEN = ['Marisol', 'KENTARO', 'Ida', 'Leopold', 'ANNE-SOPHIE', 'Tariq', 'Bo', 'Philippa'];

function someText(random: Seeded): string {
  const digits = (count: number) => Array.from({ length: count }, () => Math.floor(random.next() * 10)).join('');
  const one = <Value>(list: readonly Value[]): Value => list[Math.floor(random.next() * list.length)] as Value;
  const date = `${1930 + Math.floor(random.next() * 80)}-0${1 + Math.floor(random.next() * 9)}-${10 + Math.floor(random.next() * 18)}`;
  const forms = [
    () => `${one(SURNAMES)}^${one(GIVEN)}`,
    () => `${one(SURNAMES)}, ${one(GIVEN)}`,
    () => `DOB: ${date}`,
    () => `ID ${digits(7)}`,
    () => `MRN: ${digits(4)}-${digits(3)}`,
    () => `${one(GIVEN)} ${one(SURNAMES)} ${date.replaceAll('-', '')}`,
    () => `St. ${one(GIVEN)} Hospital`,
    () => `${date.split('-').reverse().join('.')} 1${digits(1)}:${one(['05', '27', '48'])}:${one(['11', '39', '56'])}`,
    () => `ACC${digits(8)}`,
  ];
  return one(forms)();
}

async function writeSomewhere(
  pixels: Uint8Array,
  extent: Format,
  others: readonly WrittenText[],
  random: Seeded,
): Promise<WrittenText | undefined> {
  const text = someText(random);
  const size = Math.round(extent.sizeMin * (SIZE_MAX / extent.sizeMin) ** random.next());
  const font = FONTS[Math.floor(random.next() * FONTS.length)] ?? 'dots';
  const turned = random.next() < TURNED_SHARE;
  const upright = font === 'dots' ? dotInk(text, size) : await fontInk(text, font, size);
  const ink = turned ? turnedInk(upright, random.next() < 0.5) : upright;
  for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
    const x = 2 + Math.floor(random.next() * (extent.width - ink.width - 4));
    const y = 2 + Math.floor(random.next() * (extent.height - ink.height - 4));
    const box = { x, y, width: ink.width, height: ink.height };
    if (x < 2 || y < 2 || others.some((other) => near(other.box, box, 12))) continue;
    const contrast = contrastAt(pixels, extent.width, box, random);
    if (contrast === undefined) continue;
    blend(pixels, extent.width, { box, ink, level: contrast.level });
    return { box, text, size, font, turned, contrast: contrast.difference };
  }
  return undefined;
}

/** A grey level that a person can tell from the ground, weak or strong, lighter or darker; undefined where none fits. */
function contrastAt(
  pixels: Uint8Array,
  width: number,
  box: Box,
  random: Seeded,
): { level: number; difference: number } | undefined {
  let sum = 0;
  let squares = 0;
  for (let y = box.y; y < box.y + box.height; y++) {
    for (let x = box.x; x < box.x + box.width; x++) {
      const value = pixels[y * width + x] ?? 0;
      sum += value;
      squares += value * value;
    }
  }
  const count = box.width * box.height;
  const mean = sum / count;
  const deviation = Math.sqrt(Math.max(0, squares / count - mean * mean));
  const least = Math.max(40, DEVIATIONS_MIN * deviation);
  const difference = least + random.next() * Math.max(0, 200 - least);
  const lighter = random.next() < 0.7;
  const choices = lighter ? [mean + difference, mean - difference] : [mean - difference, mean + difference];
  const level = choices.find((value) => value >= 0 && value <= 255);
  return level === undefined ? undefined : { level: Math.round(level), difference: Math.round(difference) };
}

function near(a: Box, b: Box, gap: number): boolean {
  return (
    a.x < b.x + b.width + gap && b.x < a.x + a.width + gap && a.y < b.y + b.height + gap && b.y < a.y + a.height + gap
  );
}

/** How much of each pixel is ink, from 0 to 255, trimmed to the letters. */
interface Ink extends Size {
  readonly cover: Uint8Array;
}

async function fontInk(text: string, font: string, size: number): Promise<Ink> {
  // 72 dots an inch: a point is a pixel.
  const escaped = text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
  const { data, info } = await sharp({ text: { text: escaped, font: `${font} ${size}`, dpi: 72, rgba: false } })
    .extractChannel(0)
    .raw()
    .toBuffer({ resolveWithObject: true });
  return trimmed({ width: info.width, height: info.height, cover: new Uint8Array(data) });
}

function dotInk(text: string, size: number): Ink {
  const scale = Math.max(1, Math.round(size / 8));
  const width = text.length * 6 * scale;
  const height = 7 * scale;
  const cover = new Uint8Array(width * height);
  drawText(text, { x: 0, y: 0, scale }, (x, y) => {
    if (x < width) cover[y * width + x] = 255;
  });
  return trimmed({ width, height, cover });
}

function trimmed({ width, height, cover }: Ink): Ink {
  let [left, right, top, bottom] = [width, 0, height, 0];
  for (let index = 0; index < cover.length; index++) {
    if ((cover[index] ?? 0) < 64) continue;
    left = Math.min(left, index % width);
    right = Math.max(right, index % width);
    top = Math.min(top, Math.floor(index / width));
    bottom = Math.max(bottom, Math.floor(index / width));
  }
  const part = new Uint8Array((right - left + 1) * (bottom - top + 1));
  for (let y = top; y <= bottom; y++)
    part.set(cover.subarray(y * width + left, y * width + right + 1), (y - top) * (right - left + 1));
  return { width: right - left + 1, height: bottom - top + 1, cover: part };
}

function turnedInk({ width, height, cover }: Ink, clockwise: boolean): Ink {
  const turned = new Uint8Array(cover.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const row = clockwise ? x : width - 1 - x;
      const column = clockwise ? height - 1 - y : y;
      turned[row * height + column] = cover[y * width + x] ?? 0;
    }
  }
  return { width: height, height: width, cover: turned };
}

function blend(pixels: Uint8Array, width: number, { box, ink, level }: { box: Box; ink: Ink; level: number }): void {
  for (let y = 0; y < box.height; y++) {
    for (let x = 0; x < box.width; x++) {
      const index = (box.y + y) * width + box.x + x;
      const cover = (ink.cover[y * box.width + x] ?? 0) / 255;
      pixels[index] = Math.round((pixels[index] ?? 0) * (1 - cover) + level * cover);
    }
  }
}
