/** What stands around the networks: maps to boxes, probabilities to text, tiles, noise, scaling. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Seeded } from '../../src/samples/random.ts';
import { effortOf, looksOf, scaleOf } from '../../src/text-detection/looks.ts';
import { networkInput } from '../../src/text-detection/network-input.ts';
import { highestNoiseOf, noiseOf, smoothed } from '../../src/text-detection/noise.ts';
import { cropped, type Picture, quarterTurned } from '../../src/text-detection/picture.ts';
import { readTile } from '../../src/text-detection/read-tile.ts';
import { boxesOfMap, MAP_LIMITS } from '../../src/text-detection/text-map.ts';
import { tilesOf, withoutRepetitions } from '../../src/text-detection/tiles.ts';
import { transcriptOf } from '../../src/text-detection/transcript.ts';
import { coverOf } from './support/figures.ts';
import { tinyNetworks } from './support/tiny-networks.ts';

function picture(width: number, height: number, value: (x: number, y: number) => number): Picture {
  const pixels = Uint8Array.from({ length: width * height }, (_, index) =>
    value(index % width, Math.floor(index / width)),
  );
  return { width, height, channels: 1, pixels };
}

describe('a probability map', () => {
  const size = { width: 40, height: 20 };
  const map = (marked: (x: number, y: number) => number) =>
    Float32Array.from({ length: 800 }, (_, index) => marked(index % 40, Math.floor(index / 40)));

  test('gives a box for each connected core, grown by area × unclip / perimeter', () => {
    const boxes = boxesOfMap(
      map((x, y) => (x >= 10 && x < 20 && y >= 8 && y < 12 ? 0.9 : 0)),
      size,
      { ...MAP_LIMITS, unclip: 1.5 },
    );
    // 10 × 4: 40 × 1.5 / 28 = 2.14, outwards.
    assert.deepEqual(
      boxes.map(({ x, y, width, height }) => [x, y, width, height]),
      [[7, 5, 16, 10]],
    );
    assert.ok(Math.abs((boxes[0]?.score ?? 0) - 0.9) < 1e-6);
  });

  test('joins cores over corners, keeps others apart, and leaves weak and thin ones out', () => {
    const marked = map((x, y) => {
      if ((x >= 2 && x < 5 && y >= 2 && y < 5) || (x >= 5 && x < 8 && y >= 5 && y < 8)) return 0.9;
      if (x >= 20 && x < 30 && y >= 2 && y < 6) return 0.9;
      if (x >= 20 && x < 30 && y >= 10 && y < 14) return 0.35;
      return x >= 2 && x < 18 && y === 17 ? 0.9 : 0;
    });
    assert.equal(boxesOfMap(marked, size, MAP_LIMITS).length, 2);
  });

  test('never gives a box outside of the map', () => {
    fc.assert(
      fc.property(fc.array(fc.float({ min: 0, max: 1, noNaN: true }), { minLength: 96, maxLength: 96 }), (values) => {
        for (const box of boxesOfMap(Float32Array.from(values), { width: 12, height: 8 }, MAP_LIMITS)) {
          assert.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= 12 && box.y + box.height <= 8);
          assert.ok(box.width > 0 && box.height > 0);
        }
      }),
    );
  });
});

describe('class probabilities', () => {
  const step = (best: number, probability: number) =>
    Array.from({ length: 5 }, (_, index) => (index === best ? probability : (1 - probability) / 4));

  test('are decoded greedily: repetitions merged unless a blank stands between, blanks left out', () => {
    const steps = [step(1, 0.9), step(1, 0.9), step(0, 0.9), step(1, 0.8), step(2, 0.7), step(0, 0.9), step(4, 0.6)];
    const { text, confidence } = transcriptOf(Float32Array.from(steps.flat()), 5, ['a', 'b', 'c']);
    assert.equal(text, 'aab ');
    assert.ok(Math.abs(confidence - (0.9 + 0.8 + 0.7 + 0.6) / 4) < 1e-6);
  });

  test('of nothing but blanks are no text and no confidence', () => {
    assert.deepEqual(transcriptOf(Float32Array.from(step(0, 0.99)), 5, ['a', 'b', 'c']), { text: '', confidence: 0 });
  });
});

describe('tiles', () => {
  test('cover the region, overlap, and stay below the size that bounds the memory', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6000 }), fc.integer({ min: 1, max: 6000 }), (width, height) => {
        const scale = scaleOf(effortOf({ width, height }));
        const tiles = tilesOf({ x: 0, y: 0, width, height }, scale);
        for (const tile of tiles) {
          assert.ok(tile.x >= 0 && tile.y >= 0 && tile.x + tile.width <= width && tile.y + tile.height <= height);
          assert.ok(tile.width * scale <= 1280 && tile.height * scale <= 1280);
        }
        for (const [x, y] of [
          [0, 0],
          [width - 1, 0],
          [0, height - 1],
          [width - 1, height - 1],
          [width >> 1, height >> 1],
        ] as const)
          assert.ok(
            tiles.some((t) => x >= t.x && x < t.x + t.width && y >= t.y && y < t.y + t.height),
            `${x},${y} of ${width} × ${height}`,
          );
      }),
    );
  });

  test('that overlap give a line once, as the one that read most of it', () => {
    const line = (x: number, width: number, text: string) => ({
      box: { x, y: 10, width, height: 10 },
      text,
      confidence: 0.9,
      score: 0.9,
    });
    const kept = withoutRepetitions([line(0, 20, 'QUE'), line(0, 60, 'QUENNELL'), line(100, 20, 'ID')]);
    assert.deepEqual(
      kept.map(({ text }) => text),
      ['QUENNELL', 'ID'],
    );
  });
});

describe('looks', () => {
  const megapixel = effortOf({ width: 1000, height: 1000 });
  const cost = (effort: number, noise: number) =>
    looksOf(effort, noise).reduce((sum, { scale }) => sum + scale ** 2, 0);

  test('show a megapixel at twice its size, and half of that turned', () => {
    assert.deepEqual(looksOf(megapixel, 0), [
      { scale: 2, isSmoothed: false, isTurned: false },
      { scale: 1, isSmoothed: false, isTurned: true },
    ]);
  });

  test('are more where there is noise, and more in a small picture', () => {
    assert.deepEqual(
      looksOf(megapixel, 20).map(({ isSmoothed, isTurned }) => [isSmoothed, isTurned]),
      [
        [false, false],
        [true, false],
        [true, true],
      ],
    );
    assert.equal(looksOf(effortOf({ width: 500, height: 500 }), 20).length, 5);
  });

  test('cost no more than is given, whatever the noise, down to the scale that markers need', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1, max: 40, noNaN: true }),
        fc.double({ min: 0, max: 60, noNaN: true }),
        (effort, noise) => {
          assert.ok(cost(effort, noise) <= effort + 1e-9);
        },
      ),
    );
    assert.equal(looksOf(effortOf({ width: 6000, height: 5000 }), 0)[0]?.scale, 0.6);
  });
});

describe('a picture', () => {
  test('is cut out and turned without losing a pixel', () => {
    const whole = picture(5, 4, (x, y) => 10 * y + x);
    assert.deepEqual([...cropped(whole, { x: 1, y: 2, width: 3, height: 2 }).pixels], [21, 22, 23, 31, 32, 33]);
    const turned = quarterTurned(whole, 'clockwise');
    assert.deepEqual([turned.width, turned.height], [4, 5]);
    assert.deepEqual([...turned.pixels.subarray(0, 4)], [30, 20, 10, 0]);
    assert.deepEqual(quarterTurned(turned, 'counterclockwise'), whole);
  });

  test('has its noise measured beside edges and gradients', () => {
    const random = new Seeded(7);
    const noisy = picture(200, 200, (x) => Math.round((x < 100 ? 60 : 180) + x / 10 + 10 * random.noise()));
    assert.ok(Math.abs(noiseOf(noisy) - 10) < 1.5, String(noiseOf(noisy)));
    assert.equal(noiseOf(picture(100, 100, (x) => 2 * x)), 0);
    assert.ok(noiseOf(smoothed(noisy)) < noiseOf(noisy) / 2);
    const partly = picture(200, 200, (x, y) => (x < 60 && y < 60 ? 128 + Math.round(10 * random.noise()) : 2));
    assert.equal(noiseOf(partly), 0);
    assert.ok(highestNoiseOf(partly) > 8);
  });

  test('is handed over planar, blue first, normalised, with bilinear steps between pixels', () => {
    const colour: Picture = { width: 1, height: 1, channels: 3, pixels: Uint8Array.of(255, 0, 51) };
    const half = { mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5] } as const;
    const { values } = networkInput(colour, { width: 1, height: 1 }, { width: 1, height: 1 }, half);
    assert.deepEqual(
      [...values].map((value) => Math.round(value * 1000) / 1000),
      [-0.6, -1, 1],
    );
    const grey = networkInput(
      picture(2, 1, (x) => 255 * x),
      { width: 4, height: 1 },
      { width: 4, height: 1 },
      { mean: [0, 0, 0], deviation: [1, 1, 1] },
    );
    assert.deepEqual([...grey.values.subarray(0, 4)], [0, 0.25, 0.75, 1]);
  });
});

describe('a tile', () => {
  test('gives lines in its own pixels, whatever the scale of the detector and however the tile was turned', async () => {
    const across = picture(100, 60, (x, y) => (x >= 20 && x < 60 && y >= 10 && y < 22 ? 255 : 0));
    const down = picture(100, 60, (x, y) => (x >= 70 && x < 82 && y >= 15 && y < 55 ? 255 : 0));
    for (const effort of [1, 4, 20]) {
      for (const [tile, lit] of [
        [across, { x: 20, y: 10, width: 40, height: 12 }],
        [down, { x: 70, y: 15, width: 12, height: 40 }],
      ] as const) {
        const lines = await readTile(tile, effort, tinyNetworks('quennell'));
        assert.ok(lines.length > 0);
        for (const { text, box } of lines) {
          assert.equal(text, 'quennell');
          assert.equal(coverOf(lit, [box]), 1);
          assert.ok(box.width * box.height < 5 * lit.width * lit.height, JSON.stringify(box));
        }
      }
    }
  });

  test('is not read again where an earlier look has read it', async () => {
    const networks = tinyNetworks('quennell');
    let readings = 0;
    const recognise: typeof networks.recognise = (planes, width) => {
      readings++;
      return networks.recognise(planes, width);
    };
    const lit = picture(400, 100, (x, y) => (x >= 40 && x < 340 && y >= 30 && y < 70 ? 255 : 0));
    const effort = 1;
    await readTile(lit, effort, { ...networks, recognise });
    assert.ok(looksOf(effort, 0).length > 1);
    assert.equal(readings, 1);
  });
});
