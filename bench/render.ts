/**
 * One 2500 x 2048 16-bit native image to JPEG (quality 90) and to 16-bit PNG: decode, window and encode in process, beside
 * cjpeg's library on the windowed pixels (Pillow, within its process) and DCMTK's dcm2pnm (whole process). Also the
 * windowing alone, and two workers against one where decoding dominates. Medians of one run.
 *
 *   node bench/render.ts [--rounds N] [--json]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { bytesSource } from '../src/core/bytes.ts';
import { readPart10 } from '../src/dicom/part10.ts';
import { mapThrough } from '../src/imaging/grey.ts';
import { type ImageFormat, renderFrames } from '../src/imaging/render.ts';
import { buildPart10 } from '../test/build/data-set.ts';
import { encodeForeign, loadForeignEncoder } from '../test/imaging/foreign-encoder.ts';
import { describedAs } from '../test/imaging/image-files.ts';
import { DX, medianMs, phantom } from './phantom.ts';

const JPEG_2000 = '1.2.840.10008.1.2.4.90';
const FRAMES = 6;

const pixels = phantom(DX);

function instance(
  pixelData: readonly ['OW', Uint8Array] | readonly ['OB', { fragments: Uint8Array[] }],
  transferSyntax?: string,
  frames = 1,
) {
  return buildPart10(
    [
      ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.1.1'],
      ['SOPInstanceUID', '2.25.1'],
      ['SamplesPerPixel', 1],
      ['PhotometricInterpretation', 'MONOCHROME2'],
      ['NumberOfFrames', String(frames)],
      ['Rows', DX.rows],
      ['Columns', DX.columns],
      ['BitsAllocated', 16],
      ['BitsStored', DX.bits],
      ['HighBit', DX.bits - 1],
      ['PixelRepresentation', 0],
      ['WindowCenter', '8000'],
      ['WindowWidth', '12000'],
      ['PixelData', ...pixelData],
    ],
    transferSyntax === undefined ? {} : { transferSyntax },
  );
}

async function renderAll(file: Uint8Array, format: ImageFormat): Promise<void> {
  for await (const frame of renderFrames(readPart10(bytesSource(file)), { format, quality: 90 })) void frame;
}

const PILLOW_JPEG = `
import io, sys, time
from PIL import Image
image, times = Image.frombytes('L', (${DX.columns}, ${DX.rows}), open(sys.argv[1], 'rb').read()), []
for _ in range(int(sys.argv[2])):
    start = time.perf_counter()
    image.save(io.BytesIO(), 'JPEG', quality=90)
    times.append((time.perf_counter() - start) * 1000)
print(sorted(times)[len(times) // 2])
`;

/** Milliseconds, undefined where the program is not installed. */
function peer(run: () => string): number | undefined {
  try {
    return Number(run());
  } catch {
    return undefined;
  }
}

/** What a worker runs: the frames given it, one after another. */
const WORKER = `
import { workerData, parentPort } from 'node:worker_threads';
const { bytesSource } = await import(workerData.root + 'src/core/bytes.ts');
const { readPart10 } = await import(workerData.root + 'src/dicom/part10.ts');
const { renderFrames } = await import(workerData.root + 'src/imaging/render.ts');
parentPort.postMessage('ready');
parentPort.on('message', async (frames) => {
  for await (const frame of renderFrames(readPart10(bytesSource(workerData.file)), { format: 'jpeg', frames })) void frame;
  parentPort.postMessage('done');
});
`;

async function workersMs(file: Uint8Array, count: number): Promise<number> {
  const shared = new Uint8Array(new SharedArrayBuffer(file.length));
  shared.set(file);
  const workerData = { root: new URL('..', import.meta.url).href, file: shared };
  const workers = Array.from(
    { length: count },
    () => new Worker(new URL(`data:text/javascript,${encodeURIComponent(WORKER)}`), { workerData }),
  );
  const answer = (worker: Worker) =>
    new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  await Promise.all(workers.map(answer));
  const run = async () => {
    const share = FRAMES / count;
    await Promise.all(
      workers.map((worker, index) => {
        worker.postMessage(Array.from({ length: share }, (_, frame) => index * share + frame + 1));
        return answer(worker);
      }),
    );
  };
  await run();
  const ms = await medianMs(3, run);
  await Promise.all(workers.map((worker) => worker.terminate()));
  return ms;
}

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '9' }, json: { type: 'boolean', default: false } },
});
const rounds = Number(values.rounds);
const folder = mkdtempSync(join(tmpdir(), 'lethe-bench-'));
try {
  const file = instance(['OW', new Uint8Array(pixels.buffer)]);
  const path = join(folder, 'in.dcm');
  writeFileSync(path, file);
  const table = Uint8Array.from({ length: 65536 }, (_, word) => Math.min(255, word >> 6));
  const windowed = mapThrough(pixels, table);
  writeFileSync(join(folder, 'windowed.raw'), windowed);
  // A gateway runs for months: what the compiler does in the first second is not measured.
  for (let round = 0; round < 10; round++) await renderAll(file, 'jpeg');
  for (let round = 0; round < 5; round++) await renderAll(file, 'png16');
  const jpegMs = await medianMs(rounds, () => renderAll(file, 'jpeg'));
  const png16Ms = await medianMs(rounds, () => renderAll(file, 'png16'));
  const lutMs = await medianMs(15, () => mapThrough(pixels, table));
  const pillowMs = peer(() =>
    execFileSync('/usr/bin/python3', ['-c', PILLOW_JPEG, join(folder, 'windowed.raw'), values.rounds], {
      encoding: 'utf8',
    }),
  );
  const dcm2pnm = async (...options: string[]) => {
    const run = () => execFileSync('dcmj2pnm', [...options, path, join(folder, 'out')], { stdio: 'ignore' });
    return medianMs(Math.min(rounds, 3), run).catch(() => undefined);
  };
  const dcm2pnmJpegMs = await dcm2pnm('+Wi', '1', '+oj', '+Jq', '90');
  const dcm2pnmPng16Ms = await dcm2pnm('+on2');
  await loadForeignEncoder();
  const description = describedAs({ rows: DX.rows, columns: DX.columns, bitsAllocated: 16, bitsStored: DX.bits });
  const stream = encodeForeign('jpeg-2000', pixels, description);
  const fragments = [new Uint8Array(0), ...Array.from({ length: FRAMES }, () => stream)];
  const multiframe = instance(['OB', { fragments }], JPEG_2000, FRAMES);
  const oneWorkerMs = await workersMs(multiframe, 1);
  const twoWorkersMs = await workersMs(multiframe, 2);
  const result = {
    jpegMs,
    pillowMs,
    dcm2pnmJpegMs,
    png16Ms,
    dcm2pnmPng16Ms,
    jpegOverPillow: pillowMs && jpegMs / pillowMs,
    dcm2pnmOverJpeg: dcm2pnmJpegMs && dcm2pnmJpegMs / jpegMs,
    dcm2pnmOverPng16: dcm2pnmPng16Ms && dcm2pnmPng16Ms / png16Ms,
    windowMegapixelsPerSecond: pixels.length / lutMs / 1000,
    oneWorkerMs,
    twoWorkersMs,
    twoWorkersSpeedUp: oneWorkerMs / twoWorkersMs,
  };
  if (values.json) console.log(JSON.stringify({ bench: 'render', rounds, ...result }));
  else
    console.table(
      Object.fromEntries(Object.entries(result).map(([name, value]) => [name, value && Number(value.toFixed(2))])),
    );
} finally {
  rmSync(folder, { recursive: true });
}
