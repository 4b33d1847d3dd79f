/**
 * AWS Signature Version 4 for S3 (Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header"):
 * one HMAC-SHA-256 over the request line, the headers named and the digest of the body. Pure; the time is passed in.
 * The path is encoded once and not normalised, as S3 alone of the services wants it.
 */
import { createHash, createHmac } from 'node:crypto';

export interface SigningKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly region: string;
}

export interface RequestToSign {
  readonly method: string;
  readonly host: string;
  /** Encoded with `encodeKey`; begins with `/`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Further headers to sign, lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Lower-case hexadecimal SHA-256 of the body. */
  readonly payloadSha256: string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
export const EMPTY_SHA256 = createHash('sha256').digest('hex');

/** The headers to send: those given and those of the signature; `host` is left to the connection. */
export function signedHeaders(request: RequestToSign, key: SigningKey, nowMs: number): Record<string, string> {
  const time = amzDate(nowMs);
  const headers: Record<string, string> = {
    ...request.headers,
    'x-amz-content-sha256': request.payloadSha256,
    'x-amz-date': time,
    ...(key.sessionToken === undefined ? {} : { 'x-amz-security-token': key.sessionToken }),
  };
  const toSign: [string, string][] = Object.entries({ ...headers, host: request.host });
  toSign.sort(byName);
  const names = toSign.map(([name]) => name).join(';');
  const canonical = [
    request.method,
    request.path,
    queryText(request.query ?? {}),
    ...toSign.map(([name, value]) => `${name}:${value.trim().replace(/ +/g, ' ')}`),
    '',
    names,
    request.payloadSha256,
  ].join('\n');
  const scope = `${time.slice(0, 8)}/${key.region}/s3/aws4_request`;
  const text = [ALGORITHM, time, scope, createHash('sha256').update(canonical).digest('hex')].join('\n');
  const signature = hmac(signingKey(key, time.slice(0, 8)), text).toString('hex');
  const credential = `${key.accessKeyId}/${scope}`;
  return {
    ...headers,
    authorization: `${ALGORITHM} Credential=${credential},SignedHeaders=${names},Signature=${signature}`,
  };
}

/** The canonical query, which is also what is sent. */
export function queryText(query: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(query).map(([name, value]): [string, string] => [encode(name), encode(value)]);
  return pairs
    .sort(byName)
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

/** An object key as a path, its slashes kept. */
export function encodeKey(key: string): string {
  return key.split('/').map(encode).join('/');
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function signingKey(key: SigningKey, day: string): Buffer {
  return ['s3', 'aws4_request'].reduce(hmac, hmac(hmac(`AWS4${key.secretAccessKey}`, day), key.region));
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'utf8').digest();
}

/** By code unit, as the specification sorts; names are ASCII. */
function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** ISO 8601 basic format, `20130524T000000Z`. */
function amzDate(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}
