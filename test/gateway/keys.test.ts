import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemRandom } from '../../src/core/clock.ts';
import type { Logger } from '../../src/core/log.ts';
import {
  customerKey,
  DEFAULT_CUSTOMER,
  defaultKeyPath,
  loadOrMakeKey,
  loadOrMakeStudiesKey,
  readKeyFile,
  studiesKeyPath,
} from '../../src/gateway/keys.ts';

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'lethe-keys-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function keyPath(t: TestContext): string {
  return defaultKeyPath(folder(t));
}

test('the first start makes a key of 64 hexadecimal digits that its owner alone may read, and later starts keep it', (t) => {
  const path = keyPath(t);
  const first = loadOrMakeKey({ path, dataExist: false, random: systemRandom });
  assert.equal(first.made, true);
  assert.match(readFileSync(path, 'latin1'), /^[0-9a-f]{64}\n$/);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const second = loadOrMakeKey({ path, dataExist: true, random: systemRandom });
  assert.equal(second.made, false);
  assert.deepEqual(second.key, first.key);
});

test('a key that is missing while data exist is a refusal, never a new key', (t) => {
  const path = keyPath(t);
  assert.throws(() => loadOrMakeKey({ path, dataExist: true, random: systemRandom }), { code: 'DEID_KEY_MISSING' });
});

test('a key file that others may read, or that holds something else, is refused without showing it', (t) => {
  const path = keyPath(t);
  loadOrMakeKey({ path, dataExist: false, random: systemRandom });
  chmodSync(path, 0o644);
  assert.throws(() => readKeyFile(path), { code: 'DEID_KEY_INVALID' });
  writeFileSync(path, 'not-a-key-at-all');
  chmodSync(path, 0o600);
  assert.throws(
    () => readKeyFile(path),
    (error: Error) => /64 hexadecimal digits/.test(error.message) && !error.message.includes('not-a-key-at-all'),
  );
});

test('a key of the record of studies that is missing while data exist is made anew, and that is said', (t) => {
  const dataDir = folder(t);
  const said: unknown[] = [];
  const logger: Logger = { log: (level, event, fields) => said.push([level, event, fields]) };
  const open = (dataExist: boolean) => loadOrMakeStudiesKey({ dataDir, dataExist }, { random: systemRandom, logger });

  const first = open(false);
  assert.equal(first.anew, false);
  assert.deepEqual(open(true), first, 'a later start keeps it');
  assert.deepEqual(said, [], 'neither is worth a word');

  rmSync(studiesKeyPath(dataDir));
  const next = open(true);
  assert.equal(next.anew, true);
  assert.notDeepEqual(next.key, first.key);
  assert.equal(statSync(studiesKeyPath(dataDir)).mode & 0o777, 0o600);
  const warning = { what: 'record of studies', code: 'DEID_STUDIES_KEY_MISSING' };
  assert.deepEqual(said, [['warn', 'gateway.warning', warning]]);
  assert.equal(open(true).anew, false, 'once');
});

test('customers work with keys of their own, the default customer with the key itself', () => {
  const key = new Uint8Array(32).fill(7);
  assert.deepEqual(customerKey(key, DEFAULT_CUSTOMER), key);
  assert.notDeepEqual(customerKey(key, 'customer_1'), customerKey(key, 'customer_2'));
  assert.deepEqual(customerKey(key, 'customer_1'), customerKey(key, 'customer_1'));
  assert.equal(customerKey(key, 'customer_1').length, 32);
});
