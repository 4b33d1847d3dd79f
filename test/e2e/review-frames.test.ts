/**
 * Review of objects of several frames, native and compressed: what a person draws is blanked in every frame, everything
 * else is as it was sent, and a decision saved as a rule does the same to the next object. The encoders are foreign or
 * written from the Standard (PS3.5 Annex G).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { concatBytes } from '../build/data-set.ts';
import { lethe } from '../cli/run-lethe.ts';
import { type Rig, sum } from '../support/gateway-process.ts';
import {
  COLUMNS,
  capture,
  delivered,
  eventsOf,
  ROWS,
  send,
  startReviewRig,
  theHeldOne,
} from '../support/review-rig.ts';

/** Multi-frame Grayscale Byte Secondary Capture. */
const MULTI_FRAME = '1.2.840.10008.5.1.4.1.1.7.2';
const FRAMES = 3;
/** On the borders of the blocks of a JPEG image, so that nothing beside it is touched. */
const BOX = { x: 40, y: 24, width: 64, height: 16 };
const LIST = Object.values(BOX).join();

/** Each its own gradient, so that frames cannot be taken for each other; no value is what blanking leaves. */
function frames(): Uint8Array[] {
  return Array.from({ length: FRAMES }, (_, frame) =>
    Uint8Array.from(
      { length: ROWS * COLUMNS },
      (_value, at) => 80 + 40 * frame + (Math.floor((at % COLUMNS) / 8) % 20),
    ),
  );
}

/** PS3.5 §G.3, §G.5: a header of 16 numbers, the segment; literal runs of 128 bytes alone. */
function rle(pixels: Uint8Array): Uint8Array {
  const header = new Uint8Array(64);
  const view = new DataView(header.buffer);
  view.setUint32(0, 1, true); // segments
  view.setUint32(4, 64, true); // where the first begins
  const runs: Uint8Array[] = [];
  for (let at = 0; at < pixels.length; at += 128) {
    const run = pixels.subarray(at, at + 128);
    runs.push(Uint8Array.of(run.length - 1), run);
  }
  const coded = concatBytes(header, ...runs);
  return coded.length % 2 === 0 ? coded : concatBytes(coded, new Uint8Array(1));
}

/** By libjpeg: baseline, one component. */
async function jpeg(pixels: Uint8Array): Promise<Uint8Array> {
  const raw = { width: COLUMNS, height: ROWS, channels: 1 as const };
  const coded = await sharp(pixels, { raw }).toColourspace('b-w').jpeg({ quality: 90 }).toBuffer();
  return coded.length % 2 === 0 ? coded : concatBytes(coded, new Uint8Array(1));
}

async function decodedJpeg(coded: Uint8Array): Promise<Uint8Array> {
  return sharp(coded).extractChannel(0).raw().toBuffer();
}

interface Form {
  readonly name: string;
  readonly transferSyntax: string;
  /** Pixel Data of the frames, and what a foreign decoder makes of it. */
  coded(plain: readonly Uint8Array[]): Promise<{
    pixelData: Uint8Array | { readonly fragments: readonly Uint8Array[] };
    shown: readonly Uint8Array[];
  }>;
}

const NO_OFFSETS = new Uint8Array(0);
const FORMS: readonly Form[] = [
  {
    name: 'native',
    transferSyntax: '1.2.840.10008.1.2.1',
    coded: async (plain) => ({ pixelData: concatBytes(...plain), shown: plain }),
  },
  {
    name: 'RLE Lossless',
    transferSyntax: '1.2.840.10008.1.2.5',
    coded: async (plain) => ({ pixelData: { fragments: [NO_OFFSETS, ...plain.map(rle)] }, shown: plain }),
  },
  {
    name: 'JPEG Baseline',
    transferSyntax: '1.2.840.10008.1.2.4.50',
    coded: async (plain) => {
      const coded = await Promise.all(plain.map(jpeg));
      return { pixelData: { fragments: [NO_OFFSETS, ...coded] }, shown: await Promise.all(coded.map(decodedJpeg)) };
    },
  },
];

/** Each frame once, black in the box and as it was everywhere else. */
function assertBlanked(got: readonly Uint8Array[], shown: readonly Uint8Array[], times: number): void {
  const expected = shown.map((pixels) =>
    pixels.map((value, at) => {
      const [x, y] = [at % COLUMNS, Math.floor(at / COLUMNS)];
      return x >= BOX.x && x < BOX.x + BOX.width && y >= BOX.y && y < BOX.y + BOX.height ? 0 : value;
    }),
  );
  assert.equal(got.length, expected.length * times);
  for (const [frame, pixels] of expected.entries()) {
    const equal = got.filter((one) => Buffer.compare(one, pixels) === 0);
    assert.equal(equal.length, times, `frame ${frame + 1}`);
  }
}

async function countsOf(rig: Rig): Promise<number[]> {
  const { held, deliveries } = await rig.quiet();
  return [held, sum(deliveries, 'delivered')];
}

for (const { name, transferSyntax, coded } of FORMS) {
  test(`${name}: a box is blanked in every frame, and by the saved rule in the next object of the kind`, async (t) => {
    const rig = await startReviewRig(t);
    const { pixelData, shown } = await coded(frames());
    const object = (number: number) =>
      capture(number, pixelData, {
        sopClass: MULTI_FRAME,
        transferSyntax,
        more: [
          ['BurnedInAnnotation', 'YES'],
          ['NumberOfFrames', String(FRAMES)],
        ],
      });
    await send(rig, object(1));
    assert.deepEqual(await countsOf(rig), [1, 0]);
    const { id } = await theHeldOne(rig);
    const review = await rig.get<{ frames: number }>(`/api/v1/instances/${id}/review`);
    assert.equal(review.frames, FRAMES);

    const args = ['queue', 'review', id, '--config', 'lethe.yaml', '--boxes', LIST, '--save-rule'];
    const { code, err } = lethe(rig.dir, ...args);
    assert.equal(code, 0, err);
    assert.deepEqual(await countsOf(rig), [0, 1]);
    assertBlanked(await delivered(rig), shown, 1);
    assert.match((await eventsOf(rig, id)).get('review.rule-saved') ?? '', new RegExp(`1 boxes ${LIST}$`));

    await send(rig, object(2));
    assert.deepEqual(await countsOf(rig), [0, 2], 'nobody is asked again');
    assertBlanked(await delivered(rig), shown, 2);
  });
}
