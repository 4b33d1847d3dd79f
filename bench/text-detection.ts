/**
 * Text detection: what share of generated text it finds, how often it finds text where there is none, and how long a
 * megapixel takes on one core. Pictures of `test/text-detection/support/pictures.ts`, half of them without text. And what
 * deciding from the header costs an instance, whether or not anything is looked at then.
 * Radiographs of five megapixels with letters of 12 pixels and more are a row of their own.
 *
 *   node bench/text-detection.ts [--pictures 500] [--radiographs 40] [--seed 1]
 */
import { parseArgs } from 'node:util';
import { triage } from '../src/deid/burned-in/triage.ts';
import { Seeded } from '../src/samples/random.ts';
import { DetectorProcess } from '../src/text-detection/detector-process.ts';
import type { Picture } from '../src/text-detection/picture.ts';
import { type Attributes, imageFile } from '../test/imaging/image-files.ts';
import { findings } from '../test/text-detection/support/figures.ts';
import { type Format, RADIOGRAPH } from '../test/text-detection/support/pictures.ts';

const HIDDEN_COVER = 0.9;
const ROUNDS = 5;
const SIDE = 1000;
const TRIAGE_RUNS = 2000;

const { values } = parseArgs({
  options: {
    pictures: { type: 'string', default: '500' },
    radiographs: { type: 'string', default: '40' },
    seed: { type: 'string', default: '1' },
  },
});
triageTime();
const detector = new DetectorProcess();
await speed();
await shares(Number(values.seed), Number(values.pictures), 'pictures');
await shares(Number(values.seed), Number(values.radiographs), 'radiographs', RADIOGRAPH);
detector.close();

/** The longest way through the rules: all equipment regions are compared, then everything that comes after. */
function triageTime(): void {
  const device = { Manufacturer: 'GE Healthcare', ManufacturerModelName: 'Discovery', SeriesDescription: 'Axial' };
  const kinds: [string, Attributes][] = [
    ['CT slice', { ...device, Modality: 'CT', ImageType: ['ORIGINAL', 'PRIMARY', 'AXIAL'], Rows: 512, Columns: 512 }],
    ['secondary capture', { ...device, Modality: 'OT', ConversionType: 'WSD', Rows: 512, Columns: 512 }],
    ['ultrasound', { ...device, Modality: 'US', Rows: 768, Columns: 1024 }],
  ];
  for (const [name, attributes] of kinds) {
    const { dataSet } = imageFile(attributes);
    const times = Array.from({ length: TRIAGE_RUNS }, () => {
      const start = performance.now();
      triage(dataSet);
      return performance.now() - start;
    });
    const first = times[0] ?? 0;
    times.sort((a, b) => a - b);
    const [median = 0, high = 0] = [times[TRIAGE_RUNS >> 1], times[Math.floor(TRIAGE_RUNS * 0.99)]];
    process.stdout.write(
      `triage, ${name}: ${median.toFixed(3)} ms an instance, 99 % below ${high.toFixed(3)} ms, the first ${first.toFixed(1)} ms\n`,
    );
  }
}

/** Text-free noise is the slow case: it is looked at twice, and what the detector marks is read in vain. */
async function speed(): Promise<void> {
  const grounds: [string, (random: Seeded, x: number, y: number) => number][] = [
    ['smooth', (_random, x, y) => (x + y) >> 3],
    ['detector noise', (random, x) => 60 + (x >> 3) + 4 * random.noise()],
    ['heavy noise', (random) => 128 + 25 * random.noise()],
  ];
  for (const [name, value] of grounds) {
    const picture = drawn(value);
    await detector.detect(picture);
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now();
      await detector.detect(picture);
      times.push(performance.now() - start);
    }
    const median = times.sort((a, b) => a - b)[ROUNDS >> 1] ?? 0;
    process.stdout.write(`1 megapixel, ${name}: ${Math.round(median)} ms (median of ${ROUNDS}, one thread)\n`);
  }
}

function drawn(value: (random: Seeded, x: number, y: number) => number): Picture {
  const random = new Seeded(11);
  const pixels = Uint8Array.from({ length: SIDE * SIDE }, (_, index) =>
    Math.max(0, Math.min(255, value(random, index % SIDE, Math.floor(index / SIDE)))),
  );
  return { width: SIDE, height: SIDE, channels: 1, pixels };
}

async function shares(seed: number, count: number, what: string, format?: Format): Promise<void> {
  if (count === 0) return;
  const { texts, clean } = await findings({ seed, from: 0, count, detector, ...(format && { format }) });
  const missed = texts.filter(({ cover }) => cover < HIDDEN_COVER);
  const found = texts.length - missed.length;
  process.stdout.write(
    `seed ${seed}, ${count} ${what}: ${found} of ${texts.length} texts found (${((100 * found) / texts.length).toFixed(1)} %), ` +
      `${clean.alarms} alarms and ${clean.doubts} doubts on ${clean.count} clean ones\n`,
  );
  for (const { picture, size, font, turned, contrast, cover } of missed)
    process.stdout.write(
      `  missed: ${picture}, ${font} ${size} px${turned ? ' turned' : ''}, contrast ${contrast}, covered ${cover.toFixed(2)}\n`,
    );
}
