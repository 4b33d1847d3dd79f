import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { generate } from 'selfsigned';
import { certificateFinding, checkListener, listenerPorts } from '../../src/cli/check-listener.ts';
import { loadConfiguration, parseConfiguration } from '../../src/config/load.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const folder = mkdtempSync(join(tmpdir(), 'lethe-check-'));
const paths = { cert: join(folder, 'c.pem'), key: join(folder, 'k.pem') };
before(async () => {
  const made = await generate([{ name: 'commonName', value: 'lethe' }], { keySize: 2048 });
  writeFileSync(paths.cert, made.cert);
  writeFileSync(paths.key, made.private);
});
after(() => rmSync(folder, { recursive: true, force: true }));

function loaded(text: string) {
  const path = join(folder, 'lethe.yaml');
  writeFileSync(path, text);
  return loadConfiguration({ path, cwd: folder, env: {} });
}

test('F1: every port of the listener is looked at', () => {
  const portsOf = (text: string) => listenerPorts(parseConfiguration(text, 'x', {}).dicom).map(({ port }) => port);
  const tls = 'tls: { port: 2762, cert: a, key: b }';
  assert.deepEqual(portsOf(`{ dicom: { port: 104, furtherPorts: [11112], ${tls} } }`), [104, 11112, 2762]);
  assert.deepEqual(portsOf(`{ dicom: { plain: false, furtherPorts: [11112], ${tls} } }`), [2762]);
  assert.deepEqual(portsOf('{ dicom: { enabled: false } }'), []);
});

test('F26: a certificate that expires soon is a warning, one that has expired an error', () => {
  const tls = { port: 2762, ...paths, clientAuth: 'none' } as const;
  const at = (days: number) => certificateFinding(tls, Date.now() + days * DAY_MS).level;
  assert.deepEqual([at(0), at(350), at(400)], ['ok', 'warning', 'error']);
  assert.throws(() => certificateFinding({ ...tls, key: join(folder, 'none') }, 0), { code: 'CONFIG_UNREADABLE' });
});

test('F15: what would stop the start is found: a peer that is none, a secret that is missing', () => {
  checkListener(loaded('{}'), {});
  const peers = loaded('{ dicom: { peers: [{ aeTitle: CT1, host: not-an-address }] } }');
  assert.throws(() => checkListener(peers, {}), { code: 'CONFIG_INVALID' });
  const users = loaded('{ dicom: { userIdentity: { users: [{ name: ann, passcode: { env: ANN } }] } } }');
  assert.throws(() => checkListener(users, {}), { code: 'CONFIG_SECRET_MISSING' });
  checkListener(users, { ANN: 'secret' });
});
