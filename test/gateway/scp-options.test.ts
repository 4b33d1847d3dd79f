/** What the configuration says is what the listener is told; secrets are opened only where they are needed. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { parseConfiguration } from '../../src/config/load.ts';
import type { UserIdentityPolicy } from '../../src/dimse/user-identity.ts';
import { verdictOn } from '../../src/dimse/user-identity.ts';
import { scpOptions } from '../../src/gateway/scp-options.ts';

function optionsOf(text: string, env: Record<string, string> = {}, baseDir = '/') {
  return scpOptions(parseConfiguration(text, 'lethe.yaml', env), { baseDir, env });
}

function verdict(users: UserIdentityPolicy | undefined, type: number, primary: string | Buffer, secondary = '') {
  assert.ok(users !== undefined);
  const identity = {
    type,
    positiveResponseRequested: true,
    primary: Buffer.from(primary),
    secondary: Buffer.from(secondary),
  };
  return verdictOn(users, identity);
}

describe('the listener as configured', () => {
  test('F3: each timer is its own key', () => {
    const { timers } = optionsOf('{ dicom: { artimSeconds: 5, idleSeconds: 6, dimseSeconds: 7, writeSeconds: 8 } }');
    assert.deepEqual(timers, { artimTimeoutMs: 5000, idleTimeoutMs: 6000, dimseTimeoutMs: 7000, writeTimeoutMs: 8000 });
  });

  test('F1: further ports, and TLS alone', () => {
    assert.deepEqual(optionsOf('{ dicom: { port: 104, furtherPorts: [11112] } }').furtherPorts, [11112]);
    const { port, furtherPorts } = optionsOf(
      '{ dicom: { plain: false, furtherPorts: [104], tls: { cert: a, key: b } } }',
    );
    assert.deepEqual([port, furtherPorts], [undefined, []]);
  });

  test('F12, F13, F15, F21: preference, policies and limits', () => {
    const options = optionsOf(`
dicom:
  preferredTransferSyntaxes: [1.2.840.10008.1.2.4.90]
  unknownSopClasses: reject
  unknownTransferSyntaxes: reject
  maxOperations: 3
  maxPduBytes: 65536
  maxInstancesPerAssociation: 9
  maxBytesPerAssociation: 1MiB
  validation: { uidsDiffer: warn }
`);
    assert.deepEqual(options.negotiation.preferredTransferSyntaxes, ['1.2.840.10008.1.2.4.90']);
    assert.equal(options.negotiation.unknownSopClasses, 'reject');
    assert.equal(options.negotiation.unknownTransferSyntaxes, 'reject');
    assert.equal(options.negotiation.operationsPerformedMax, 3);
    assert.equal(options.negotiation.maxPduLengthBytes, 65536);
    assert.equal(options.maxInstancesPerAssociation, 9);
    assert.equal(options.maxBytesPerAssociation, 1024 * 1024);
    assert.deepEqual(options.validation, {
      uidsDiffer: 'warn',
      uidMalformed: 'refuse',
      unreadable: 'refuse',
      studyUidsMissing: 'accept',
    });
  });

  test('F15: nobody is let in beyond loopback who is not named', () => {
    assert.deepEqual(optionsOf('{ dicom: { host: 0.0.0.0 } }').peers, []);
    assert.equal(optionsOf('{}').peers, 'any');
  });
});

describe('F14: users', () => {
  const USERS = '{ dicom: { userIdentity: { users: [{ name: joe }, { name: ann, passcode: { env: ANN } }] } } }';

  test('a passcode comes from where the configuration says, and its absence stops the start', () => {
    const { users } = optionsOf(USERS, { ANN: 'secret' });
    assert.deepEqual(verdict(users, 1, 'joe'), { kind: 'accepted', user: 'joe' });
    assert.deepEqual(verdict(users, 2, 'ann', 'secret'), { kind: 'accepted', user: 'ann' });
    assert.deepEqual(verdict(users, 2, 'ann', ''), { kind: 'refused' });
    assert.throws(() => optionsOf(USERS), { code: 'CONFIG_SECRET_MISSING' });
  });

  test('where no secret is opened nobody gets in with one', () => {
    const { users } = scpOptions(parseConfiguration(USERS, 'lethe.yaml', {}));
    for (const guess of ['', 'undefined', '[object Object]'])
      assert.deepEqual(verdict(users, 2, 'ann', guess), { kind: 'refused' });
  });

  function folder(context: TestContext): string {
    const path = mkdtempSync(join(tmpdir(), 'lethe-jwt-'));
    context.after(() => rmSync(path, { recursive: true, force: true }));
    return path;
  }

  test('a token is verified with the key, issuer and audience of the configuration', (context) => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const dir = folder(context);
    writeFileSync(join(dir, 'issuer.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
    const { users } = optionsOf(
      '{ dicom: { userIdentity: { required: true, jwt: { publicKey: issuer.pem, issuer: ids, audience: lethe } } } }',
      {},
      dir,
    );
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const token = (audience: string) => {
      const claims = { sub: 'eva', iss: 'ids', aud: audience, exp: Math.floor(Date.now() / 1000) + 60 };
      const signed = `${part({ alg: 'EdDSA' })}.${part(claims)}`;
      return `${signed}.${sign(undefined, Buffer.from(signed), privateKey).toString('base64url')}`;
    };
    assert.deepEqual(verdict(users, 5, token('lethe')), { kind: 'accepted', user: 'eva' });
    assert.deepEqual(verdict(users, 5, token('other')), { kind: 'refused' });
    assert.deepEqual(verdict(users, 4, '<Assertion/>'), { kind: 'unknown' });
  });

  for (const [what, jwt] of [
    ['without a key', '{}'],
    ['with two', '{ publicKey: a.pem, secret: { env: S } }'],
    ['with a key that is not there', '{ publicKey: nowhere.pem }'],
    ['with a secret that could be guessed', '{ secret: { env: S } }'],
  ] as const)
    test(`tokens ${what} stop the start`, () => {
      assert.throws(() => optionsOf(`{ dicom: { userIdentity: { jwt: ${jwt} } } }`, { S: 'short' }), /CONFIG_/);
    });
});
