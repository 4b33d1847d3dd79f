/**
 * `lethe deid` from its start-up image (ADR 0017) does what it does from the sources, word for word and byte for byte; an
 * image that does not belong to the sources gives way. Each test makes an image of a copy of the sources.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { FileJob } from '../../src/cli/file-job.ts';
import { FileWorkersProcess } from '../../src/cli/file-workers-process.ts';
import { part10Of } from '../../src/samples/instance.ts';
import { makeSampleStudies } from '../../src/samples/studies.ts';
import { folder } from './run-lethe.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const PROFILE = `name: site
base: ps3.15
options: [cleanPixelData, cleanDescriptors]
rules:
  - element: StationName
    when: [{ element: Modality, matches: "^(DX|CT)$" }]
    action: regexReplace
    pattern: "^([A-Z]+).*$"
    value: "$1"
`;

interface Place {
  readonly dir: string;
  readonly root: string;
  readonly image: string;
}

/** A copy of the sources with its image, and `in/` with the samples of the demo (one slice of a series), a key, a profile. */
async function prepared(t: TestContext): Promise<Place> {
  const dir = folder(t);
  const root = join(dir, 'project');
  const image = join(dir, 'start-image.blob');
  for (const part of ['src', 'scripts', 'package.json', 'tsconfig.json'])
    cpSync(join(ROOT, part), join(root, part), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  const built = spawnSync(process.execPath, [join(root, 'scripts/build-start-image.ts'), image], { encoding: 'utf8' });
  assert.equal(built.status, 0, built.stderr);
  mkdirSync(join(dir, 'in'));
  for await (const { files } of makeSampleStudies())
    for (const { name, bytes } of files.slice(0, 2)) writeFileSync(join(dir, 'in', name.replaceAll('/', '-')), bytes);
  writeFileSync(join(dir, 'in', 'cut.dcm'), readFileSync(join(dir, 'in', 'chest.dcm')).subarray(0, 900));
  writeFileSync(join(dir, 'key'), 'ab'.repeat(32));
  chmodSync(join(dir, 'key'), 0o600);
  writeFileSync(join(dir, 'site.yaml'), PROFILE);
  return { dir, root, image };
}

/** What a run leaves: its words without how long it took, its report, its files. */
function outcome({ dir, root, image }: Place, how: 'image' | 'sources', ...args: string[]) {
  const out = `out-${how}-${args.join('')}`.replaceAll(/[^\w-]/g, '');
  const options = ['--disable-warning=ExperimentalWarning', ...(how === 'image' ? ['--snapshot-blob', image] : [])];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      ...options,
      join(root, 'src/cli/main.ts'),
      'deid',
      'in',
      '--out',
      out,
      '--key',
      'key',
      '--report',
      'report',
      ...args,
    ],
    { cwd: dir, encoding: 'utf8', timeout: 120_000 },
  );
  const files = existsSync(join(dir, out)) ? readdirSync(join(dir, out)).toSorted() : [];
  return {
    status,
    words: [stdout, stderr].map((text) =>
      text
        .replaceAll(out, 'OUT')
        .split('\n')
        .filter((line) => !line.startsWith('De-identifying')),
    ),
    report: existsSync(join(dir, 'report')) ? readFileSync(join(dir, 'report'), 'utf8').replaceAll(out, 'OUT') : '',
    files: files.map((name) => [name, readFileSync(join(dir, out, name)).toString('base64')]),
  };
}

test('from its image deid answers, reports and writes what it does from the sources: with reading, pictures, a profile', async (t) => {
  const place = await prepared(t);
  for (const args of [
    [],
    ['--no-text-detection'],
    ['--format', 'dicom,png16', '--base64', '--no-text-detection'],
    ['--profile', 'site.yaml', '--json', '--no-text-detection'],
    ['--profile', 'research', '--generation', '3', '--no-text-detection'],
  ]) {
    const image = outcome(place, 'image', ...args);
    assert.deepEqual(image, outcome(place, 'sources', ...args), args.join(' '));
    assert.ok(image.files.length >= 3, args.join(' '));
    assert.ok(existsSync(place.image), 'the image was used, not given up');
  }
});

test('from its image deid copies long pixels in two threads, to the same bytes', async (t) => {
  const place = await prepared(t);
  const side = 4608; // two bytes each: longer than what one thread copies alone (`LONG_BYTES_MIN`)
  const long = part10Of({
    attributes: {
      SOPClassUID: '1.2.840.10008.5.1.4.1.1.1.1', // Digital X-Ray Image Storage - For Presentation
      SOPInstanceUID: '2.25.42',
      StudyInstanceUID: '2.25.43',
      SeriesInstanceUID: '2.25.44',
      PatientID: 'S42',
      BurnedInAnnotation: 'NO',
      SamplesPerPixel: [1],
      PhotometricInterpretation: 'MONOCHROME2',
      Rows: [side],
      Columns: [side],
      BitsAllocated: [16],
      BitsStored: [12],
      HighBit: [11],
      PixelRepresentation: [0],
    },
    pixelData: new Uint8Array(2 * side * side).fill(3),
  });
  writeFileSync(join(place.dir, 'in', 'long.dcm'), long);
  const image = outcome(place, 'image', '--no-text-detection');
  assert.deepEqual(image, outcome(place, 'sources', '--no-text-detection'));
  assert.ok(image.files.some(([, bytes]) => Buffer.from(bytes ?? '', 'base64').length >= 2 * side * side));
});

test('from its image deid tells a mistake in a profile, an option or an argument as it does from the sources', async (t) => {
  const place = await prepared(t);
  writeFileSync(join(place.dir, 'site.yaml'), PROFILE.replace('regexReplace', 'regexReplce'));
  for (const args of [
    ['--profile', 'site.yaml'],
    ['--profil', 'x'],
    ['--profile', 'bsaic'],
    ['--help'],
    ['missing.dcm'],
  ]) {
    const image = outcome(place, 'image', ...args);
    assert.deepEqual(image, outcome(place, 'sources', ...args), args.join(' '));
    assert.equal(image.files.length, args[0] === 'missing.dcm' ? image.files.length : 0);
  }
});

test('an image older than a source removes itself and gives way, in the same process', async (t) => {
  const place = await prepared(t);
  const source = join(place.root, 'src/cli/deid.ts');
  writeFileSync(source, readFileSync(source, 'utf8').replace('de-identified, $', 'made safe, $'));
  const { status, words } = outcome(place, 'image', '--no-text-detection');
  assert.equal(existsSync(place.image), false);
  assert.equal(status, 1);
  assert.match(words.flat().join('\n'), /^\d+ made safe, \d+ held, \d+ failed$/m);
});

test('an image of another folder gives way: sources that were moved are those that run', async (t) => {
  const place = await prepared(t);
  const root = join(place.dir, 'moved');
  renameSync(place.root, root);
  const { words } = outcome({ ...place, root }, 'image', '--no-text-detection');
  assert.equal(existsSync(place.image), false);
  assert.match(words.flat().join('\n'), /^\d+ de-identified, \d+ held, \d+ failed$/m);
});

test('when the process of the workers dies its jobs fail, the next starts another, and closing ends it', async (t) => {
  const { dir } = await prepared(t);
  const pool = new FileWorkersProcess({ deid: undefined }, 1);
  const job: FileJob = {
    path: join(dir, 'in', 'chest.dcm'),
    number: 1,
    dir,
    stem: 'chest',
    formats: ['jpeg'],
    dicom: false,
    quality: 90,
    frames: 'all',
    window: 'auto',
    base64: false,
  };
  const lost = pool.run(job);
  assert.ok(pool.pid !== undefined);
  process.kill(pool.pid, 'SIGKILL');
  await assert.rejects(lost, { code: 'WORKER_DIED' });
  const { kind } = await pool.run(job);
  assert.equal(kind, 'ok');
  const { pid } = pool;
  await pool.close();
  assert.throws(() => process.kill(Number(pid), 0), { code: 'ESRCH' });
});
