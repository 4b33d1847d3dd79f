/** F14: JSON Web Tokens as user identity; the tokens here are made by hand from RFC 7515 and RFC 7519. */
import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, test } from 'node:test';
import { publicTokenKey, secretTokenKey, subjectOf, type TokenPolicy } from '../../src/dimse/json-web-token.ts';

const NOW_MS = 1_800_000_000_000;
const NOW = NOW_MS / 1000;
const CLAIMS = { sub: 'ann', iss: 'https://id.example', aud: ['dicom', 'lethe'], exp: NOW + 300 };
const SECRET = '0123456789abcdef0123456789abcdef';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

type Signer = (signed: Buffer) => Buffer;

function token(alg: string, signer: Signer, claims: unknown = CLAIMS, header: Record<string, unknown> = {}): Buffer {
  const signed = `${part({ alg, typ: 'JWT', ...header })}.${part(claims)}`;
  return Buffer.from(`${signed}.${signer(Buffer.from(signed)).toString('base64url')}`);
}

const rs256: Signer = (signed) => sign('sha256', signed, rsa.privateKey);
const es256: Signer = (signed) => sign('sha256', signed, { key: ec.privateKey, dsaEncoding: 'ieee-p1363' });
const hs256: Signer = (signed) => createHmac('sha256', SECRET).update(signed).digest();

function policyOf(key: KeyObject, more: Partial<TokenPolicy> = {}): TokenPolicy {
  return { key: publicTokenKey(key.export({ type: 'spki', format: 'pem' }).toString()), ...more };
}
const RSA = policyOf(rsa.publicKey);

describe('F14: user identity type 5', () => {
  for (const [alg, policy, signer] of [
    ['RS256', RSA, rs256],
    ['RS512', RSA, (signed: Buffer) => sign('sha512', signed, rsa.privateKey)],
    ['PS256', RSA, (signed: Buffer) => sign('sha256', signed, { key: rsa.privateKey, padding: 6, saltLength: 32 })],
    ['ES256', policyOf(ec.publicKey), es256],
    ['EdDSA', policyOf(ed.publicKey), (signed: Buffer) => sign(null, signed, ed.privateKey)],
    ['HS256', { key: secretTokenKey(SECRET) }, hs256],
  ] as const)
    test(`a token signed by ${alg} names its subject, and not when a byte is changed`, () => {
      const good = token(alg, signer);
      assert.equal(subjectOf(good, policy, NOW_MS), 'ann');
      const padded = Buffer.concat([good, Buffer.from([0])]);
      assert.equal(subjectOf(padded, policy, NOW_MS), 'ann', 'a field padded to an even length');
      const [header, , signature] = good.toString().split('.');
      const other = `${header}.${part({ ...CLAIMS, sub: 'eve' })}.${signature}`;
      assert.equal(subjectOf(Buffer.from(other), policy, NOW_MS), undefined);
    });

  test('the key decides what is believed: no signature, an HMAC with the public key, another algorithm prove nothing', () => {
    const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' });
    const confused = token('HS256', (signed) => createHmac('sha256', pem).update(signed).digest());
    assert.equal(subjectOf(confused, RSA, NOW_MS), undefined);
    assert.equal(subjectOf(Buffer.from(`${part({ alg: 'none' })}.${part(CLAIMS)}.`), RSA, NOW_MS), undefined);
    assert.equal(subjectOf(token('ES256', es256), RSA, NOW_MS), undefined);
    assert.equal(subjectOf(token('RS256', rs256), { key: secretTokenKey(SECRET) }, NOW_MS), undefined);
    assert.equal(subjectOf(token('RS256', rs256, CLAIMS, { crit: ['exp'] }), RSA, NOW_MS), undefined);
  });

  for (const [what, claims] of [
    ['that has run out', { ...CLAIMS, exp: NOW - 61 }],
    ['that never runs out', { sub: 'ann' }],
    ['that is not in force yet', { ...CLAIMS, nbf: NOW + 61 }],
    ['from another issuer', { ...CLAIMS, iss: 'https://other.example' }],
    ['for somebody else', { ...CLAIMS, aud: 'pacs' }],
    ['without a subject', { ...CLAIMS, sub: '' }],
    ['whose claims are no object', 'ann'],
  ] as const)
    test(`a token ${what} is refused`, () => {
      const policy = { ...RSA, issuer: 'https://id.example', audience: 'lethe' };
      assert.equal(subjectOf(token('RS256', rs256), policy, NOW_MS), 'ann', 'the same otherwise');
      assert.equal(subjectOf(token('RS256', rs256, claims), policy, NOW_MS), undefined);
    });

  test('what is no token is refused, whatever it is', () => {
    for (const text of ['', '.', '..', 'a.b', 'a.b.c', 'a.b.c.d', `${'x'.repeat(70_000)}.b.c`])
      assert.equal(subjectOf(Buffer.from(text), RSA, NOW_MS), undefined, text.slice(0, 10));
  });

  test('a key that is none, and a secret that could be guessed, stop the start', () => {
    assert.throws(() => publicTokenKey('no key'), { code: 'CONFIG_INVALID' });
    assert.throws(() => secretTokenKey('short'), { code: 'CONFIG_INVALID' });
  });
});
