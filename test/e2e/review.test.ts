/** Review from end to end: a person decides about text in the pixels of a held instance, and that is what the backend gets. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import sharp from 'sharp';
import { drawText } from '../../src/samples/glyphs.ts';
import { Seeded } from '../../src/samples/random.ts';
import { networksInstalled } from '../../src/text-detection/networks.ts';
import { buildPart10 } from '../build/data-set.ts';
import { lethe } from '../cli/run-lethe.ts';
import { type Rig, startRig, sum } from '../support/gateway-process.ts';

const skip = networksInstalled() ? false : 'the optional packages for text detection are not installed';
const CAPTURE = '1.2.840.10008.5.1.4.1.1.7';
const ROWS = 80;
const COLUMNS = 240;
/** Where the letters are. */
const WRITTEN = { x: 40, y: 30, width: 142, height: 14 };
const DRAWN = '36,26,152,22;200,60,20,10';
const DRAWN_BOXES = [
  { x: 36, y: 26, width: 152, height: 22 },
  { x: 200, y: 60, width: 20, height: 10 },
];

/** Letters of a bad print, half of the dots missing: a person reads them, the networks are not sure. */
function doubtfulPixels(): Uint8Array {
  const random = new Seeded(6);
  const pixels = new Uint8Array(ROWS * COLUMNS).fill(100);
  drawText('QUENNELL IDA', { ...WRITTEN, scale: 2 }, (x, y) => {
    if (random.next() > 0.5) pixels[y * COLUMNS + x] = 160;
  });
  return pixels;
}

function capture(number: number, pixels: Uint8Array, more: readonly (readonly [string, string])[] = []): Uint8Array {
  return buildPart10([
    ['SOPClassUID', CAPTURE],
    ['SOPInstanceUID', `2.25.60${number}`],
    ['Modality', 'OT'],
    ['ConversionType', 'WSD'],
    ['Manufacturer', 'ACME'],
    ...more,
    ['ManufacturerModelName', 'Scan 3'],
    ['PatientName', 'Rowntree^Odile'],
    ['PatientID', 'RV-0001'],
    ['StudyInstanceUID', '2.25.61'],
    ['SeriesInstanceUID', '2.25.62'],
    ['SamplesPerPixel', 1],
    ['PhotometricInterpretation', 'MONOCHROME2'],
    ['Rows', ROWS],
    ['Columns', COLUMNS],
    ['BitsAllocated', 8],
    ['BitsStored', 8],
    ['HighBit', 7],
    ['PixelRepresentation', 0],
    // Each stored value is shown as itself (PS3.3 §C.11.2.1.2.1).
    ['WindowCenter', '128'],
    ['WindowWidth', '256'],
    ['PixelData', 'OB', pixels],
  ]);
}

function startReviewRig(t: TestContext): Promise<Rig> {
  return startRig(t, { configuration: { rendering: { format: 'png' } } });
}

async function send(rig: Rig, file: Uint8Array): Promise<void> {
  const url = `http://127.0.0.1:${rig.httpPort}/receive_dicom`;
  const answer = await fetch(url, { method: 'POST', body: Buffer.from(file) });
  assert.equal(answer.status, 200);
}

interface Summary {
  readonly id: string;
  readonly reason?: string;
}

async function theHeldOne(rig: Rig): Promise<Summary> {
  const { instances } = await rig.get<{ instances: Summary[] }>('/api/v1/instances?state=held');
  const [one, ...more] = instances;
  assert.ok(one !== undefined && more.length === 0, `${instances.length} are held`);
  return one;
}

interface Detail {
  readonly state: string;
  readonly history: readonly { readonly event: string; readonly detail: string }[];
}

async function eventsOf(rig: Rig, id: string): Promise<ReadonlyMap<string, string>> {
  const { history } = await rig.get<Detail>(`/api/v1/instances/${id}`);
  return new Map(history.map(({ event, detail }) => [event, detail]));
}

/** The grey levels of each image that the backend has. */
async function delivered(rig: Rig): Promise<Uint8Array[]> {
  const base = `http://127.0.0.1:${rig.backend.port}/v1`;
  const { studies } = (await (await fetch(`${base}/studies`)).json()) as {
    studies: { series: { images: { imageInstanceUid: string }[] }[] }[];
  };
  const images = studies.flatMap(({ series }) => series.flatMap((one) => one.images));
  return Promise.all(
    images.map(async ({ imageInstanceUid }) => {
      const png = await (await fetch(`${base}/images/${imageInstanceUid}/file`)).arrayBuffer();
      return sharp(png).extractChannel(0).raw().toBuffer();
    }),
  );
}

/** Black inside of the drawn boxes, what was sent everywhere else. */
function assertJustTheseBlanked(got: Uint8Array | undefined, sent: Uint8Array): void {
  assert.equal(got?.length, sent.length);
  for (const [index, value] of sent.entries()) {
    const x = index % COLUMNS;
    const y = Math.floor(index / COLUMNS);
    const isIn = DRAWN_BOXES.some((b) => x >= b.x && x < b.x + b.width && y >= b.y && y < b.y + b.height);
    assert.equal(got?.[index], isIn ? 0 : value, `pixel ${x}, ${y}`);
  }
}

test('doubtful text is held with its boxes; what a person draws is blanked and nothing else; the rule spares the next one', {
  skip,
}, async (t) => {
  const rig = await startReviewRig(t);
  const pixels = doubtfulPixels();
  await send(rig, capture(1, pixels));
  await rig.quiet();
  const { id, reason } = await theHeldOne(rig);
  assert.equal(reason, 'DEID_TEXT_DOUBTFUL');
  const path = `/api/v1/instances/${id}/review`;
  const review = await rig.get<{ boxes: (typeof WRITTEN)[]; rows: number; columns: number; canBeRule: boolean }>(path);
  assert.deepEqual([review.rows, review.columns, review.canBeRule], [ROWS, COLUMNS, true]);
  assert.ok(
    review.boxes.some(
      (box) => box.x < WRITTEN.x + WRITTEN.width && box.x + box.width > WRITTEN.x && box.y <= WRITTEN.y,
    ),
    `none of ${review.boxes.length} boxes is at the letters`,
  );
  assert.deepEqual(await delivered(rig), []);

  await rig.post(`${path}?boxes=${encodeURIComponent(DRAWN)}&saveRule=true`);
  const counts = await rig.quiet();
  assert.deepEqual([counts.held, sum(counts.deliveries, 'delivered')], [0, 1]);
  assertJustTheseBlanked((await delivered(rig))[0], pixels);
  const events = await eventsOf(rig, id);
  assert.match(events.get('review.decided') ?? '', new RegExp(`^by .+: 2 boxes ${DRAWN}$`));
  assert.match(events.get('review.rule-saved') ?? '', new RegExp(`^by .+: ${COLUMNS} × ${ROWS}, 2 boxes ${DRAWN}$`));

  await send(rig, capture(2, pixels));
  const after = await rig.quiet();
  assert.deepEqual([after.held, sum(after.deliveries, 'delivered')], [0, 2]);
  for (const got of await delivered(rig)) assertJustTheseBlanked(got, pixels);
});

test('text that is said to be there and found nowhere is held without boxes; a person rejects it, and nothing leaves', async (t) => {
  const rig = await startReviewRig(t);
  await send(rig, capture(3, new Uint8Array(ROWS * COLUMNS), [['BurnedInAnnotation', 'YES']]));
  await rig.quiet();
  const { id, reason } = await theHeldOne(rig);
  assert.equal(reason, 'DEID_BURNED_IN_SUSPECT');
  assert.deepEqual((await rig.get<{ boxes: unknown[] }>(`/api/v1/instances/${id}/review`)).boxes, []);
  await rig.post(`/api/v1/instances/${id}/discard`);
  const counts = await rig.quiet();
  assert.deepEqual([counts.held, counts.discarded, sum(counts.deliveries, 'delivered')], [0, 1, 0]);
  assert.deepEqual(await delivered(rig), []);
  assert.ok([...(await eventsOf(rig, id)).keys()].some((event) => event.endsWith('discarded')));
  await assert.rejects(rig.get(`/api/v1/instances/${id}/review`), /: 404/);
});

test('queue review shows a held instance and decides about it beside a running gateway', async (t) => {
  const rig = await startReviewRig(t);
  const pixels = new Uint8Array(ROWS * COLUMNS).fill(90);
  await send(rig, capture(4, pixels, [['BurnedInAnnotation', 'YES']]));
  await rig.quiet();
  const { id } = await theHeldOne(rig);
  const shown = lethe(rig.dir, 'queue', 'review', id, '--config', 'lethe.yaml', '--json');
  assert.equal(shown.code, 0, shown.err);
  const { boxes, rows, columns, decided } = JSON.parse(shown.out);
  assert.deepEqual({ boxes, rows, columns, decided }, { boxes: [], rows: ROWS, columns: COLUMNS, decided: false });
  assert.equal((await theHeldOne(rig)).id, id);
  const wrong = lethe(rig.dir, 'queue', 'review', id, '--config', 'lethe.yaml', '--boxes', '1,2,3');
  assert.notEqual(wrong.code, 0);
  assert.equal((await theHeldOne(rig)).id, id);

  const done = lethe(rig.dir, 'queue', 'review', id, '--config', 'lethe.yaml', '--boxes', DRAWN);
  assert.equal(done.code, 0, done.err);
  const counts = await rig.quiet();
  assert.deepEqual([counts.held, sum(counts.deliveries, 'delivered')], [0, 1]);
  assertJustTheseBlanked((await delivered(rig))[0], pixels);
  assert.match((await eventsOf(rig, id)).get('review.decided') ?? '', /\(command line\): 2 boxes/);
});
