import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeSampleStudies, type SampleStudy } from '../../src/samples/studies.ts';
import { findProgram, skipWithoutProgram } from '../support/peers.ts';

async function all(): Promise<SampleStudy[]> {
  const studies: SampleStudy[] = [];
  for await (const study of makeSampleStudies()) studies.push(study);
  return studies;
}

test('the samples are what the demo says: a chest, a series of 40, colour frames, a compressed head, a report', async () => {
  assert.deepEqual(
    (await all()).map(({ files }) => files.length),
    [1, 40, 1, 1, 1],
  );
});

test('two makings give the same bytes', async () => {
  const digest = async () =>
    (await all()).flatMap(({ files }) => files.map(({ bytes }) => createHash('sha256').update(bytes).digest('hex')));
  assert.deepEqual(await digest(), await digest());
});

test('dciodvfy finds no error in any of them', { skip: skipWithoutProgram('dciodvfy') }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'lethe-samples-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  for (const { files } of await all()) {
    const [file] = files;
    const path = join(dir, file?.name ?? '');
    writeFileSync(path, file?.bytes ?? new Uint8Array());
    const said = execFileSync('/bin/sh', ['-c', '"$0" "$1" 2>&1 || true', findProgram('dciodvfy') ?? '', path], {
      encoding: 'utf8',
    });
    assert.deepEqual(
      said.split('\n').filter((line) => line.startsWith('Error')),
      [],
      file?.name ?? '',
    );
  }
});
