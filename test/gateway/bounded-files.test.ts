/**
 * Every file that a configuration names is read no further than its kind may be long: the path of a disk image where a
 * certificate belongs is told in one line, with the code of the kind, and fills no memory.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { loadOrMakeSigningKey, publicKeyPath, readPublicKeys } from '../../src/audit/checkpoint.ts';
import { openSecret as configuredSecret, parseConfiguration } from '../../src/config/load.ts';
import { PEM_BYTES_MAX, SECRET_BYTES_MAX } from '../../src/core/bounded-file.ts';
import { openSecret } from '../../src/delivery/auth.ts';
import { readContract } from '../../src/delivery/image-api/contract.ts';
import { expiresInDays, tlsContext } from '../../src/dimse/storage-tls.ts';
import { destinationOf } from '../../src/gateway/destinations.ts';
import { readKeyFile } from '../../src/gateway/keys.ts';
import { scpOptions } from '../../src/gateway/scp-options.ts';

const CONTRACT_BYTES_MAX = 4 * 1024 * 1024;

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'lethe-bounded-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** One byte longer than it may be. */
function tooLong(path: string, bytesMax: number): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, Buffer.alloc(bytesMax + 1, '0'), { mode: 0o600 });
  return path;
}

const refusedAs = (code: string) => ({ code, message: /too long bytesMax=\d+/ });

test('certificates and keys in PEM form', (t) => {
  const dir = folder(t);
  const path = tooLong(join(dir, 'long.pem'), PEM_BYTES_MAX);
  const tls = { port: 0, clientAuth: 'none', cert: path, key: path } as const;
  assert.throws(() => tlsContext(tls), refusedAs('CONFIG_UNREADABLE'));
  assert.throws(() => expiresInDays(tls, 0), refusedAs('CONFIG_UNREADABLE'));

  const users = parseConfiguration('{ dicom: { userIdentity: { jwt: { publicKey: long.pem } } } }', 'x', {});
  assert.throws(() => scpOptions(users, { baseDir: dir, env: {} }), refusedAs('CONFIG_UNREADABLE'));

  const text = '{ destinations: [{ name: a, type: stow-rs, url: "https://host", ca: long.pem }] }';
  const { destinations = [], batching } = parseConfiguration(text, 'x', {});
  const context = { baseDir: dir, env: {}, batching, callingAeTitle: 'LETHE' };
  for (const one of destinations) assert.throws(() => destinationOf(one, context), refusedAs('CONFIG_UNREADABLE'));
  assert.equal(destinations.length, 1);
});

test('the keys of the audit', (t) => {
  const dir = folder(t);
  tooLong(join(dir, 'keys', 'audit-signing.pem'), PEM_BYTES_MAX);
  assert.throws(() => loadOrMakeSigningKey(dir), refusedAs('AUDIT_KEY_UNREADABLE'));
  const path = tooLong(publicKeyPath(dir), PEM_BYTES_MAX);
  assert.throws(() => readPublicKeys(path), refusedAs('AUDIT_KEY_UNREADABLE'));
});

test('the pseudonym key', (t) => {
  const path = tooLong(join(folder(t), 'pseudonym.key'), SECRET_BYTES_MAX);
  assert.throws(() => readKeyFile(path), refusedAs('DEID_KEY_INVALID'));
});

test('secrets, when they are looked for at the start and when they are read for a request', async (t) => {
  const dir = folder(t);
  const file = tooLong(join(dir, 'token'), SECRET_BYTES_MAX);
  assert.throws(() => configuredSecret({ file: 'token' }, dir, {}), refusedAs('CONFIG_SECRET_MISSING'));
  await assert.rejects(openSecret({ file }), refusedAs('DELIVERY_AUTH_FAILED'));
});

test("the backend's API document", (t) => {
  const path = tooLong(join(folder(t), 'openapi.yaml'), CONTRACT_BYTES_MAX);
  assert.throws(() => readContract(path), refusedAs('CONFIG_UNREADABLE'));
});

test('what has no end is not begun', { skip: process.platform === 'win32' && 'no /dev/zero' }, async (t) => {
  const dir = folder(t);
  symlinkSync('/dev/zero', join(dir, 'zero'));
  const path = join(dir, 'zero');
  const refused = { message: /not a regular file/ };
  assert.throws(() => readContract(path), refused);
  assert.throws(() => readPublicKeys(path), refused);
  assert.throws(() => tlsContext({ port: 0, clientAuth: 'none', cert: path, key: path }), refused);
  await assert.rejects(openSecret({ file: path }), refused);
});
