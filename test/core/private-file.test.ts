/** Files of the site's own: their owner's alone, whole or not there, whatever a crash left beside them. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { appendToPrivateFile, modeOfExposedFile, writePrivateFile } from '../../src/core/private-file.ts';

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'lethe-private-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const modeOf = (path: string) => statSync(path).mode & 0o777;

test("a file takes the place of what had its name, and is its owner's alone, as the folders made for it are", (t) => {
  const dir = join(folder(t), 'keys', 'more');
  const path = join(dir, 'a.key');
  writePrivateFile(path, 'first');
  writePrivateFile(path, new Uint8Array([0x68, 0x69]));
  assert.equal(readFileSync(path, 'utf8'), 'hi');
  assert.equal(modeOf(path), 0o600);
  assert.equal(modeOf(dir), 0o700);
  assert.deepEqual(readdirSync(dir), ['a.key'], 'nothing stays beside it');
});

test('what a crash left of a file before it had its name is overwritten and lends it no mode', (t) => {
  const path = join(folder(t), 'a.key');
  writeFileSync(`${path}.part`, 'half of a much longer content', { mode: 0o666 });
  chmodSync(`${path}.part`, 0o666);
  writePrivateFile(path, 'whole');
  assert.equal(readFileSync(path, 'utf8'), 'whole');
  assert.equal(modeOf(path), 0o600);
});

test('lines are added to a file that is made where there is none', (t) => {
  const path = join(folder(t), 'audit', 'lines');
  for (const line of ['one\n', 'two\n']) appendToPrivateFile(path, line);
  assert.equal(readFileSync(path, 'utf8'), 'one\ntwo\n');
  assert.equal(modeOf(path), 0o600);
});

test('a file that its group or others may read is told with its mode', (t) => {
  const path = join(folder(t), 'a.key');
  writePrivateFile(path, 'x');
  assert.equal(modeOfExposedFile(path), undefined);
  for (const mode of [0o640, 0o604, 0o610]) {
    chmodSync(path, mode);
    assert.equal(modeOfExposedFile(path), mode.toString(8));
  }
});
