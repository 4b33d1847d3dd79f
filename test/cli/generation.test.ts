/** `--generation` of `lethe deid`, `explain` and `profile diff`: the program itself, one key before and after a rotation. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { buildPart10 } from '../build/data-set.ts';

const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');

function lethe(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'lethe-generation-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'key'), `${'5a'.repeat(32)}\n`, { mode: 0o600 });
  const report = buildPart10([
    ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.88.11'],
    ['SOPInstanceUID', '2.25.1'],
    ['Modality', 'SR'],
    ['PatientID', 'CANARY-4711'],
  ]);
  writeFileSync(join(folder, 'report.dcm'), report);
  return (verb: string, ...more: string[]) => {
    const args = [
      '--disable-warning=ExperimentalWarning',
      MAIN,
      ...verb.split(' '),
      'report.dcm',
      '--key',
      'key',
      ...more,
    ];
    const { status, stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
    return { status, stdout, folder };
  };
}

test('deid gives each generation of a key its own pseudonyms, and the first where none is named', (t) => {
  const run = lethe(t);
  const names = (out: string, ...more: string[]): string[] => {
    const { status, folder } = run('deid', '--out', out, ...more);
    assert.equal(status, 0);
    return readdirSync(join(folder, out));
  };
  const first = names('first');
  assert.equal(first.length, 1);
  assert.deepEqual(names('named', '--generation', '1'), first);
  const second = names('second', '--generation', '2');
  assert.equal(second.length, 1);
  assert.notDeepEqual(second, first);
});

test('explain shows the pseudonyms of the generation that is named', (t) => {
  const run = lethe(t);
  const patient = (...more: string[]): string | undefined =>
    run('explain', '--json', ...more)
      .stdout.split('\n')
      .find((line) => line.includes('(0010,0020)'));
  const first = patient();
  assert.ok(first !== undefined);
  assert.equal(patient('--generation', '1'), first);
  const second = patient('--generation', '2');
  assert.ok(second !== undefined);
  assert.notEqual(second, first);
});

test('profile diff compares what comes under the generation that is named', (t) => {
  const run = lethe(t);
  const explained = run('explain', '--json', '--generation', '2');
  const line = explained.stdout.split('\n').find((one) => one.includes('(0010,0020)')) ?? '{}';
  const { after } = JSON.parse(line) as { after: string };
  const rule = `rules: [{ element: PatientID, action: replace, value: ${JSON.stringify(after)} }]`;
  writeFileSync(join(explained.folder, 'fixed.yaml'), `name: fixed\nbase: ps3.15\n${rule}\n`);
  const paths = (...more: string[]) => {
    const { status, stdout } = run('profile diff basic fixed.yaml', '--json', ...more);
    assert.equal(status, 0);
    return stdout;
  };
  assert.ok(!paths('--generation', '2').includes('(0010,0020)'));
  assert.ok(paths('--generation', '1').includes('(0010,0020)'));
  assert.ok(paths().includes('(0010,0020)'));
});

test('a generation outside of 1 to 65535 is wrong usage', (t) => {
  const run = lethe(t);
  for (const wrong of ['0', '65536', '1.5', 'two']) {
    assert.equal(run('deid', '--out', 'out', '--generation', wrong).status, 2, wrong);
    assert.equal(run('explain', '--generation', wrong).status, 2, wrong);
    assert.equal(run('profile diff basic seed', '--generation', wrong).status, 2, wrong);
  }
});
