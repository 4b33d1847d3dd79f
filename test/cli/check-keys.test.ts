/** What `lethe check` says of the keys: before the first start, after it, and when one of them is lost. */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemRandom } from '../../src/core/clock.ts';
import { defaultKeyPath, loadOrMakeKey, studiesKeyPath } from '../../src/gateway/keys.ts';
import { folder, lethe } from './run-lethe.ts';

test('check tells a lost key from one that the first start will make', (t) => {
  const dir = folder(t);
  const dataDir = join(dir, 'data');
  writeFileSync(
    join(dir, 'lethe.yaml'),
    '{ dataDir: ./data, dicom: { port: 0 }, http: { port: 0 }, limits: { minFreeDiskBytes: 1MiB } }',
  );
  const findings = () => {
    const { code, out } = lethe(dir, 'check', '--json');
    const lines = out.trim().split('\n');
    const all = lines.map((line) => JSON.parse(line) as { level: string; what: string; message: string });
    return { code, keys: all.filter(({ what }) => what.startsWith('key')) };
  };

  const before = findings();
  assert.equal(before.code, 0);
  assert.deepEqual(
    before.keys.map(({ level, what }) => `${level} ${what}`),
    ['warning key'],
  );
  assert.match(before.keys[0]?.message ?? '', /the first start makes it/);

  mkdirSync(dataDir);
  writeFileSync(join(dataDir, 'lethe.db'), '');
  for (const path of [defaultKeyPath(dataDir), studiesKeyPath(dataDir)])
    loadOrMakeKey({ path, dataExist: false, random: systemRandom });
  assert.deepEqual(
    findings().keys.map(({ level, what }) => `${level} ${what}`),
    ['ok key'],
  );

  rmSync(studiesKeyPath(dataDir));
  const withoutStudies = findings();
  assert.equal(withoutStudies.code, 0, 'the gateway would start');
  assert.match(withoutStudies.keys.at(-1)?.message ?? '', /studies\.key is missing .*DEID_STUDIES_KEY_MISSING/);
  assert.equal(withoutStudies.keys.at(-1)?.level, 'warning');

  rmSync(defaultKeyPath(dataDir));
  const withoutKey = findings();
  assert.equal(withoutKey.code, 1, 'the gateway would not start');
  assert.match(withoutKey.keys[0]?.message ?? '', /DEID_KEY_MISSING/);
});
