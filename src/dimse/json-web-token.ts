/**
 * JSON Web Tokens as user identity type 5 (PS3.7 §D.3.3.7, RFC 7519, signed as RFC 7515 says). Pure: token, key and time
 * in, the name of the user out. What the key is decides which algorithms are believed, never the token alone: `none`,
 * and an HMAC made with somebody's public key, prove nothing.
 */
import { constants, createHmac, createPublicKey, type KeyObject, timingSafeEqual, verify } from 'node:crypto';
import { LetheError } from '../core/errors.ts';

export interface TokenPolicy {
  readonly key: KeyObject | { readonly secret: Uint8Array };
  /** Where given, `iss` must be this and `aud` must be or hold this. */
  readonly issuer?: string;
  readonly audience?: string;
}

const CLOCK_SKEW_SECONDS = 60;
const TOKEN_BYTES_MAX = 64 * 1024;
const HMAC_SECRET_BYTES_MIN = 32; // RFC 7518 §3.2
const HASH: Readonly<Record<string, string>> = { '256': 'sha256', '384': 'sha384', '512': 'sha512' };

/** @throws CONFIG_INVALID for what is no public key */
export function publicTokenKey(pem: string): KeyObject {
  try {
    return createPublicKey(pem);
  } catch (error) {
    throw new LetheError(
      'CONFIG_INVALID',
      { key: 'dicom.userIdentity.jwt', problem: 'no public key' },
      { cause: error },
    );
  }
}

/** @throws CONFIG_INVALID for a secret that could be guessed */
export function secretTokenKey(secret: string): { readonly secret: Uint8Array } {
  const bytes = Buffer.from(secret, 'utf8');
  if (bytes.length < HMAC_SECRET_BYTES_MIN)
    throw new LetheError('CONFIG_INVALID', { key: 'dicom.userIdentity.jwt.secret', problem: 'shorter than 32 bytes' });
  return { secret: bytes };
}

/** The subject (`sub`) of a token that is signed, in force, from the issuer and for us; undefined otherwise. */
export function subjectOf(token: Uint8Array, policy: TokenPolicy, nowMs: number): string | undefined {
  if (token.length > TOKEN_BYTES_MAX) return undefined;
  const parts = Buffer.from(token).toString('latin1').replace(/\0+$/, '').split('.');
  const [header = '', payload = '', signature = ''] = parts;
  if (parts.length !== 3 || signature === '') return undefined;
  const { alg, crit } = objectOf(header);
  if (typeof alg !== 'string' || crit !== undefined) return undefined; // an extension we do not know must be refused
  const signed = Buffer.from(`${header}.${payload}`, 'latin1');
  if (!isSigned(alg, signed, Buffer.from(signature, 'base64url'), policy.key)) return undefined;
  return subjectInForce(objectOf(payload), policy, nowMs / 1000);
}

function isSigned(alg: string, signed: Buffer, signature: Buffer, key: TokenPolicy['key']): boolean {
  const family = alg.slice(0, 2);
  const hash = HASH[alg.slice(2)];
  if ('secret' in key) {
    if (family !== 'HS' || hash === undefined) return false;
    const expected = createHmac(hash, key.secret).update(signed).digest();
    return expected.length === signature.length && timingSafeEqual(expected, signature);
  }
  const type = key.asymmetricKeyType;
  if (alg === 'EdDSA' && type === 'ed25519') return verify(undefined, signed, key, signature);
  if (hash === undefined) return false;
  if (family === 'RS' && type === 'rsa') return verify(hash, signed, key, signature);
  if (family === 'PS' && (type === 'rsa' || type === 'rsa-pss'))
    return verify(
      hash,
      signed,
      { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
      signature,
    );
  return family === 'ES' && type === 'ec' && verify(hash, signed, { key, dsaEncoding: 'ieee-p1363' }, signature);
}

type Claims = Readonly<Record<string, unknown>>;

function subjectInForce(claims: Claims, { issuer, audience }: TokenPolicy, now: number): string | undefined {
  const { exp, nbf, iss, aud, sub } = claims;
  if (typeof exp !== 'number' || now > exp + CLOCK_SKEW_SECONDS) return undefined; // for ever is too long
  if (nbf !== undefined && !(typeof nbf === 'number' && now >= nbf - CLOCK_SKEW_SECONDS)) return undefined;
  if (issuer !== undefined && iss !== issuer) return undefined;
  if (audience !== undefined && aud !== audience && !(Array.isArray(aud) && aud.includes(audience))) return undefined;
  return typeof sub === 'string' && sub !== '' ? sub : undefined;
}

function objectOf(part: string): Claims {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {}; // no token of ours: it proves nothing, and nobody is told why
  }
}
