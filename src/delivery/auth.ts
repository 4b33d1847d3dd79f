/**
 * How a destination knows us: not at all, HTTP Basic (RFC 7617), a bearer token (RFC 6750), a key in a header, or
 * OAuth 2.0 client credentials (RFC 6749 §4.4). Mutual TLS belongs to the connection, see `HttpClient`.
 *
 * A secret in a file is read for every request, so that whoever rotates it need not restart us. No secret ever
 * reaches an error, a log line or `toString`.
 */
import type { Dispatcher } from 'undici';
import { readTextFile, SECRET_BYTES_MAX } from '../core/bounded-file.ts';
import { type Clock, systemClock } from '../core/clock.ts';
import { LetheError } from '../core/errors.ts';
import { orAborted } from './aborted.ts';
import { codeOfStatus } from './http-failure.ts';

/** The secret itself, or where it is kept. */
export type Secret = string | { readonly file: string };

export type AuthOptions =
  | { readonly type: 'none' }
  | { readonly type: 'basic'; readonly user: string; readonly password: Secret }
  | { readonly type: 'bearer'; readonly token: Secret }
  | { readonly type: 'api-key'; readonly header: string; readonly key: Secret }
  | OAuth2Options;

export interface OAuth2Options {
  readonly type: 'oauth2';
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  readonly scope?: string;
  readonly audience?: string;
  /** Client authentication in the header (RFC 6749 §2.3.1, default) or in the body. */
  readonly credentialsIn?: 'header' | 'body';
}

export interface Authorizer {
  /** Headers for one request. @throws DELIVERY_AUTH_FAILED, DELIVERY_UNREACHABLE */
  headers(signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
  /** After a 401: forgets what it held; true when the next `headers` may give something better. */
  renew(): boolean;
}

const TOKEN_BYTES_MAX = 64 * 1024;
/** A token is renewed this long before it ends, so that it does not end on the way. */
const RENEW_BEFORE_MS = 60_000;
/** RFC 6749 §5.1 only recommends `expires_in`. */
const TOKEN_LIFE_DEFAULT_MS = 300_000;
const CONTROL_CHARACTER = /\p{Cc}/u;

/** `dispatcher` is the destination's own, so that the token comes through the same proxy and trust. */
export function authorizerOf(options: AuthOptions, dispatcher: Dispatcher, clock: Clock = systemClock): Authorizer {
  switch (options.type) {
    case 'none':
      return fixed(async () => ({}));
    case 'basic':
      return fixed(async () => ({ authorization: basic(options.user, await openSecret(options.password)) }));
    case 'bearer':
      return fixed(async () => ({ authorization: `Bearer ${await openSecret(options.token)}` }));
    case 'api-key':
      return fixed(async () => ({ [options.header.toLowerCase()]: await openSecret(options.key) }));
    case 'oauth2':
      return new ClientCredentials(options, dispatcher, clock);
  }
}

function fixed(headers: () => Promise<Record<string, string>>): Authorizer {
  return { headers, renew: () => false };
}

interface Token {
  readonly text: string;
  readonly renewAtMs: number;
}

/** One token at a time; requests that come together wait for the same one. */
class ClientCredentials implements Authorizer {
  readonly #options: OAuth2Options;
  readonly #dispatcher: Dispatcher;
  readonly #clock: Clock;
  #token: Token | undefined;
  #asking: Promise<Token> | undefined;

  constructor(options: OAuth2Options, dispatcher: Dispatcher, clock: Clock) {
    this.#options = options;
    this.#dispatcher = dispatcher;
    this.#clock = clock;
  }

  async headers(signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    const held = this.#token;
    const valid = held !== undefined && this.#clock.monotonicMs() < held.renewAtMs;
    const token = valid ? held : await orAborted(this.#fresh(), signal); // others may wait for the same token
    return { authorization: `Bearer ${token.text}` };
  }

  renew(): boolean {
    const held = this.#token !== undefined;
    this.#token = undefined;
    return held;
  }

  async #fresh(): Promise<Token> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    this.#token = await this.#asking;
    return this.#token;
  }

  /** Not aborted by the request that happened to need it first: others wait for the same answer. */
  async #ask(): Promise<Token> {
    const { tokenUrl, clientId, clientSecret, scope, audience, credentialsIn } = this.#options;
    const secret = await openSecret(clientSecret);
    const form = new URLSearchParams({ grant_type: 'client_credentials' });
    if (scope !== undefined) form.set('scope', scope);
    if (audience !== undefined) form.set('audience', audience);
    const headers: Record<string, string> = {
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'application/json',
    };
    if (credentialsIn === 'body') {
      form.set('client_id', clientId);
      form.set('client_secret', secret);
    } else {
      headers['authorization'] = basic(encodeURIComponent(clientId), encodeURIComponent(secret));
    }
    const url = new URL(tokenUrl);
    const answer = await this.#dispatcher.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method: 'POST',
      headers,
      body: form.toString(),
    });
    const text = await boundedText(answer.body);
    if (answer.statusCode !== 200) throw refused(answer.statusCode);
    return tokenOf(text, this.#clock.monotonicMs());
  }
}

function refused(status: number): LetheError {
  const code = codeOfStatus(status);
  return new LetheError(code === 'DELIVERY_REJECTED' ? 'DELIVERY_AUTH_FAILED' : code, { tokenStatus: status });
}

/** The access token response, RFC 6749 §5.1. */
function tokenOf(text: string, nowMs: number): Token {
  const answer = parsed(text);
  const token = answer['access_token'];
  if (typeof token !== 'string' || token === '')
    throw new LetheError('DELIVERY_AUTH_FAILED', { what: 'the token endpoint gave no access token' });
  const seconds = answer['expires_in'];
  const lifeMs = typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : TOKEN_LIFE_DEFAULT_MS;
  // A token that lives shorter than the margin is used for half its life rather than never.
  return { text: token, renewAtMs: nowMs + Math.max(lifeMs - RENEW_BEFORE_MS, lifeMs / 2) };
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    // The caller says that there is no token in it.
    return {};
  }
}

async function boundedText(body: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    if (!Buffer.isBuffer(chunk)) continue;
    length += chunk.length;
    if (length > TOKEN_BYTES_MAX)
      throw new LetheError('DELIVERY_AUTH_FAILED', { what: 'the token endpoint answered too much' });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
}

/**
 * The secret itself; a file is read now. One that cannot be read, or cannot stand in a header, is owed to the operator
 * and not to the instance: it is tried again, so that the moment of a rotation holds nothing.
 * @throws DELIVERY_AUTH_FAILED
 */
export async function openSecret(secret: Secret): Promise<string> {
  const text =
    typeof secret === 'string' ? secret : readTextFile(secret.file, SECRET_BYTES_MAX, 'DELIVERY_AUTH_FAILED').trim();
  if (text === '' || CONTROL_CHARACTER.test(text)) {
    throw new LetheError('DELIVERY_AUTH_FAILED', { what: 'a secret is empty or holds control characters' });
  }
  return text;
}
