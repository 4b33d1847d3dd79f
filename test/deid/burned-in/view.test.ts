/** Frames as they are looked at, and where in them letters may be. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { changedBlocks, inkedBlocks, inkOf, regionsOf } from '../../../src/deid/burned-in/ink.ts';
import { viewOf } from '../../../src/deid/burned-in/view.ts';
import type { DecodedFrame } from '../../../src/imaging/decoded-frame.ts';
import type { Picture } from '../../../src/text-detection/picture.ts';

/** 12 bits: tissue from 900 to 1100 and, in one pixel of two hundred, `text`. */
function frame(text: number, signed = false): DecodedFrame {
  const samples = Uint16Array.from({ length: 100 * 100 }, (_, index) =>
    index % 200 === 7 ? text : 900 + (index % 201),
  );
  return {
    rows: 100,
    columns: 100,
    samplesPerPixel: 1,
    samples,
    bitsStored: 12,
    shift: 0,
    signed,
    photometric: 'MONOCHROME2',
  };
}

describe('a view', () => {
  test('shows text at the highest value above all tissue, and tissue still with contrast', () => {
    const { pixels } = viewOf(frame(4095));
    assert.equal(pixels[7], 255);
    const tissue = [...pixels].filter((_, index) => index % 200 !== 7);
    assert.ok(Math.max(...tissue) < 200);
    assert.ok(Math.max(...tissue) - Math.min(...tissue) > 100);
  });

  test('is monotone in the stored value, signed ones too', () => {
    for (const signed of [false, true]) {
      const one = frame(4000, signed);
      const { pixels } = viewOf(one);
      const value = (word: number) => (signed && word >= 2048 ? word - 4096 : word);
      const pairs = [...one.samples].map((word, index) => [value(word), pixels[index] ?? 0] as const);
      const sorted = pairs.toSorted(([a], [b]) => a - b).map(([, level]) => level);
      assert.deepEqual(
        sorted,
        sorted.toSorted((a, b) => a - b),
      );
    }
  });

  test('of one value is dark and no division by nothing', () => {
    const flat = { ...frame(0), samples: new Uint16Array(10_000).fill(77) };
    assert.ok(viewOf(flat).pixels.every((level) => level === 0));
  });
});

describe('steps', () => {
  const picture = (value: (x: number, y: number) => number): Picture => ({
    width: 320,
    height: 320,
    channels: 1,
    pixels: Uint8Array.from({ length: 320 * 320 }, (_, index) => value(index % 320, Math.floor(index / 320))),
  });
  const stripes = (x: number, y: number) => (x >= 160 && x < 192 && y >= 160 && y < 170 && x % 4 < 2 ? 200 : 0);

  test('of a gradient are none, of strokes are some, and the region around them is a part of the picture', () => {
    const smooth = picture((x) => x >> 1);
    assert.equal(inkedBlocks(inkOf(smooth)).indexOf(1), -1);
    const inked = picture((x, y) => (x >> 2) + stripes(x, y) / 2);
    const ink = inkOf(inked);
    const regions = regionsOf(inkedBlocks(ink), ink, inked);
    assert.equal(regions.length, 1);
    const [region] = regions;
    assert.ok(region !== undefined && region.x <= 160 && region.x + region.width >= 192);
    assert.ok(region !== undefined && region.width * region.height < (320 * 320) / 4);
  });

  test('that are new make a block worth another look; those that were there do not', () => {
    const most = new Uint16Array(20 * 20);
    const ink = inkOf(picture(stripes));
    assert.ok(changedBlocks(ink, most).includes(1));
    assert.ok(!changedBlocks(ink, most).includes(1));
  });
});
