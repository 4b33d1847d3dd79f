/** Files of the operator's: read no further than they may be long, and what has no end or no beginning not at all. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { loadConfiguration } from '../../src/config/load.ts';
import { readBoundedFile, readTextFile } from '../../src/core/bounded-file.ts';
import { profileText } from '../../src/gateway/profile-text.ts';
import { readProfile } from '../../src/gateway/read-profile.ts';

const BYTES_MAX = 64;

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'lethe-text-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function refused(problem: RegExp): object {
  return { code: 'CONFIG_UNREADABLE', message: problem };
}

test('a file is read up to the bytes that it may have, by a link too', (t) => {
  const dir = folder(t);
  writeFileSync(join(dir, 'full'), 'ä'.repeat(BYTES_MAX / 2));
  symlinkSync('full', join(dir, 'link'));
  assert.equal(readTextFile(join(dir, 'link'), BYTES_MAX), 'ä'.repeat(BYTES_MAX / 2));
  writeFileSync(join(dir, 'over'), 'a'.repeat(BYTES_MAX + 1));
  assert.throws(() => readTextFile(join(dir, 'over'), BYTES_MAX), refused(/too long bytesMax=64/));
});

test('a pipe, a device and a folder are refused at once', (t) => {
  const dir = folder(t);
  mkdirSync(join(dir, 'folder'));
  assert.throws(() => readTextFile(join(dir, 'folder'), BYTES_MAX), refused(/not a regular file/));
  if (process.platform === 'win32') return;
  assert.equal(spawnSync('mkfifo', [join(dir, 'pipe')]).status, 0);
  assert.throws(() => readTextFile(join(dir, 'pipe'), BYTES_MAX), refused(/not a regular file/));
  assert.throws(() => readTextFile('/dev/zero', BYTES_MAX), refused(/not a regular file/));
});

test('a failure has the code of what the file is', (t) => {
  const dir = folder(t);
  const path = join(dir, 'over');
  writeFileSync(path, 'a'.repeat(BYTES_MAX + 1));
  for (const read of [readTextFile, readBoundedFile]) {
    assert.throws(() => read(path, BYTES_MAX, 'DEID_KEY_INVALID'), { code: 'DEID_KEY_INVALID', message: /too long/ });
    assert.throws(() => read(join(dir, 'none'), BYTES_MAX, 'CONFIG_SECRET_MISSING'), { code: 'CONFIG_SECRET_MISSING' });
  }
  assert.equal(readBoundedFile(path, BYTES_MAX + 1).length, BYTES_MAX + 1);
});

test('what is not there, and what is not UTF-8, is told with its path', (t) => {
  const dir = folder(t);
  assert.throws(() => readTextFile(join(dir, 'none'), BYTES_MAX), refused(/none problem=there is no such file/));
  writeFileSync(join(dir, 'latin1'), Buffer.from('Müller', 'latin1'));
  assert.throws(() => readTextFile(join(dir, 'latin1'), BYTES_MAX), refused(/latin1 problem=not UTF-8/));
});

test('a configuration and a profile are read so: neither waits for a pipe, neither reads a file without end', (t) => {
  const dir = folder(t);
  assert.equal(spawnSync('mkfifo', [join(dir, 'lethe.yaml')]).status, 0);
  assert.throws(() => loadConfiguration({ cwd: dir, env: {} }), refused(/not a regular file/));
  assert.throws(() => profileText('lethe.yaml', dir), refused(/as a file: not a regular file/));
  writeFileSync(join(dir, 'long.yaml'), `# ${'x'.repeat(1024 * 1024)}`);
  assert.throws(() => profileText('long.yaml', dir), refused(/too long/));
});

test('a profile that is neither built in nor a file is told with the nearest built-in name', (t) => {
  assert.throws(() => readProfile('reserach', folder(t)), refused(/no such file didYouMean=research/));
});

test('a mistake in the file of a profile is told with path, line and column', (t) => {
  const dir = folder(t);
  writeFileSync(join(dir, 'site.yaml'), 'name: a\nbase: ps3.15\nrules:\n  - element: PatientID\n    action: shift\n');
  assert.throws(() => readProfile('site.yaml', dir), {
    code: 'DEID_PROFILE_INVALID',
    message: new RegExp(`path=${join(dir, 'site.yaml')} line=4 column=14 `),
  });
});
