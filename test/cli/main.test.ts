/** The command line as scripts see it: exit codes, what is on which stream, what is written. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseOptions } from '../../src/cli/command.ts';
import { parseFormats, parseFrames, parseWindow } from '../../src/cli/image-options.ts';
import { VERBS } from '../../src/cli/verbs.ts';
import { makeSampleStudies } from '../../src/samples/studies.ts';
import { folder, lethe } from './run-lethe.ts';

/** `chest.dcm`, `ultrasound.dcm`, `report.dcm` under `in/`, and a key. */
async function prepared(t: TestContext): Promise<string> {
  const dir = folder(t);
  mkdirSync(join(dir, 'in'));
  for await (const { files } of makeSampleStudies())
    if (files.length === 1) for (const { name, bytes } of files) writeFileSync(join(dir, 'in', name), bytes);
  writeFileSync(join(dir, 'key'), 'ab'.repeat(32));
  chmodSync(join(dir, 'key'), 0o600);
  return dir;
}

test('help answers 0 for every verb; an unknown verb, option or missing argument answers 2 and says what is meant', (t) => {
  const dir = folder(t);
  assert.equal(lethe(dir, '--help').code, 0);
  for (const verb of Object.keys(VERBS)) {
    const { code, out } = lethe(dir, verb, '--help');
    assert.equal(code, 0, verb);
    assert.match(out, new RegExp(`^usage: lethe ${verb} `), verb);
  }
  const unknown = lethe(dir, 'serv');
  assert.equal(unknown.code, 2);
  assert.match(unknown.err, /did you mean 'serve'/);
  for (const args of [
    ['deid'],
    ['deid', 'x', '--out', 'o'],
    ['convert', '--outt', 'x'],
    ['convert', 'in', '--out', 'x', '--format', 'png,png16'],
    ['echo', 'host'],
    ['send', '127.0.0.1', '104'],
    ['queue', 'show'],
  ]) {
    const { code, out } = lethe(dir, ...args);
    assert.equal(args[0] === 'queue' ? [1, 2].includes(code ?? -1) : code === 2, true, `${args.join(' ')}: ${code}`);
    assert.equal(out, '');
  }
});

test('bench hands on what stands behind --, and refuses a name that is none', (t) => {
  const dir = folder(t);
  const { code, err } = lethe(dir, 'bench', 'deidentify', '--', '--no-such-option');
  assert.equal(code, 1, 'no wrong usage of the verb: the benchmark does not know it');
  assert.match(err, /no-such-option/);
  assert.equal(lethe(dir, 'bench', 'none', '--', '--large').code, 2);
});

test('a wrong configuration answers 2 with line and nearest key', (t) => {
  const dir = folder(t);
  writeFileSync(join(dir, 'lethe.yaml'), 'dicom:\n  prot: 104\n');
  const { code, err } = lethe(dir, 'serve');
  assert.equal(code, 2);
  assert.match(err, /line=2.*didYouMean=port/);
});

test('deid names outputs by the new SOP Instance UID, leaves images and base64 beside, and reports a line an input', async (t) => {
  const dir = await prepared(t);
  const { code, out } = lethe(
    dir,
    'deid',
    'in',
    '--out',
    'out',
    '--key',
    'key',
    '--format',
    'dicom,png',
    '--base64',
    '--report',
    'report.jsonl',
    '--json',
  );
  assert.equal(code, 0);
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { input: string; output: string; status: string; images?: string[] });
  assert.deepEqual(
    lines.map(({ input, status }) => `${input} ${status}`),
    ['in/chest.dcm ok', 'in/mr.dcm ok', 'in/report.dcm ok', 'in/ultrasound.dcm ok'],
  );
  assert.equal(readFileSync(join(dir, 'report.jsonl'), 'utf8'), out);
  for (const { output, images = [] } of lines) {
    assert.match(output, /\/out\/2\.25\.\d+\.dcm$/);
    for (const image of images)
      assert.deepEqual(Buffer.from(readFileSync(`${image}.txt`, 'latin1'), 'base64'), readFileSync(image));
  }
  assert.deepEqual(
    lines.map(({ images = [] }) => images.length),
    [1, 1, 0, 8],
  );
  assert.equal(
    readdirSync(join(dir, 'out')).some((name) => name.startsWith('.')),
    false,
    'no temporary file stays',
  );
});

test('every option of every verb is known to the parser by the name that the help gives it', async () => {
  for (const [verb, { load }] of Object.entries(VERBS)) {
    const { options } = await load();
    for (const [name, option] of Object.entries(options)) {
      const isNegated = option.type === 'boolean' && name.startsWith('no-');
      const { values } = parseOptions({ [name]: option }, [`--${name}`, ...(option.type === 'boolean' ? [] : ['1'])]);
      assert.ok(values[name] !== undefined, `${verb} --${name}${isNegated ? ' is read as a negation' : ''}`);
    }
  }
});

test('deid with the same key gives the same bytes, with another key other names', async (t) => {
  const dir = await prepared(t);
  for (const out of ['a', 'b']) assert.equal(lethe(dir, 'deid', 'in/chest.dcm', '--out', out, '--key', 'key').code, 0);
  const [name = ''] = readdirSync(join(dir, 'a'));
  assert.deepEqual(readFileSync(join(dir, 'a', name)), readFileSync(join(dir, 'b', name)));
  const fresh = lethe(dir, 'deid', 'in/chest.dcm', '--out', 'c');
  assert.match(fresh.err, /fresh key/);
  assert.notEqual(readdirSync(join(dir, 'c'))[0], name);
});

test('deid refuses a key that others may read, and writes nothing for what is no DICOM', async (t) => {
  const dir = await prepared(t);
  chmodSync(join(dir, 'key'), 0o644);
  const refused = lethe(dir, 'deid', 'in/chest.dcm', '--out', 'out', '--key', 'key');
  assert.equal(refused.code, 1);
  assert.match(refused.err, /DEID_KEY_INVALID/);
  writeFileSync(join(dir, 'notes.txt'), 'no image');
  const { code, out } = lethe(dir, 'deid', 'notes.txt', '--out', 'out', '--json');
  assert.equal(code, 1);
  assert.equal((JSON.parse(out) as { status: string }).status, 'error');
  assert.deepEqual(readdirSync(join(dir, 'out')), []);
});

test('convert writes DIR/<input>-<frame>.<ext> and a JSON line an output, and a line for what failed', async (t) => {
  const dir = await prepared(t);
  writeFileSync(join(dir, 'in', 'zz.txt'), 'no image');
  const { code, out } = lethe(dir, 'convert', 'in', '--out', 'out', '--format', 'png16', '--frames', '1,3-4', '--json');
  assert.equal(code, 1);
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const written = lines.filter((line) => 'output' in line);
  assert.deepEqual(
    written
      .filter(({ input }) => input === 'in/ultrasound.dcm')
      .map(({ frame, output }) => [frame, String(output).slice(dir.length - String(output).length)]),
    [1, 3, 4].map((frame) => [frame, `/out/in/ultrasound.dcm-${frame}.png`]),
  );
  const one = lethe(dir, 'convert', 'in/chest.dcm', '--out', 'one', '--format', 'png16', '--json');
  const chest = JSON.parse(one.out) as Record<string, unknown>;
  assert.deepEqual(
    [
      chest['width'],
      chest['height'],
      chest['photometricInterpretation'],
      chest['bitsStored'],
      chest['slope'],
      chest['intercept'],
    ],
    [2048, 2500, 'MONOCHROME1', 12, 1, 0],
  );
  const failed = lines.filter((line) => !('output' in line));
  assert.ok(failed.some(({ input, code: why }) => input === 'in/zz.txt' && why === 'DICOM_NOT_PART10'));
});

test('explain says for each element what happens, by which rule and clause', async (t) => {
  const dir = await prepared(t);
  const { code, out } = lethe(dir, 'explain', 'in/chest.dcm', '--key', 'key', '--json');
  assert.equal(code, 0);
  const lines = out
    .trim()
    .split('\n')
    .map(
      (line) => JSON.parse(line) as { keyword: string; before: string; after?: string; action: string; clause: string },
    );
  const name = lines.find(({ keyword }) => keyword === 'PatientName');
  assert.equal(name?.before, 'Marrowby^Elspeth^Ann');
  assert.equal(name?.after?.includes('Marrowby'), false);
  assert.match(name?.clause ?? '', /PS3\.15/);
});

test('formats, frames and windows are read strictly', () => {
  assert.deepEqual(parseFormats('dicom,png', true), { images: ['png'], dicom: true });
  assert.throws(() => parseFormats('dicom', false), /none of/);
  assert.deepEqual(parseFrames('1,3-5,4'), [1, 3, 4, 5]);
  assert.equal(parseFrames('all'), 'all');
  for (const wrong of ['0', '3-1', '1-', 'x', '1,,2', '1-999999999'])
    assert.throws(() => parseFrames(wrong), /--frames/, wrong);
  assert.deepEqual(parseWindow('-40.5/400'), { center: -40.5, width: 400 });
  for (const wrong of ['40', '40/0', 'a/b', '40/']) assert.throws(() => parseWindow(wrong), /--window/, wrong);
});
