/**
 * One HTTP connection pool for one destination: keep-alive, time limits on connecting, on progress and on the answer,
 * own certificate authorities, mutual TLS, a proxy. What goes wrong comes out as a code of the error table; an answer
 * of any status is an answer. Redirects are not followed: whoever receives instances is the configuration's decision.
 *
 * API: `new HttpClient(options)`, `request({ method, path, headers, body, signal }) -> HttpAnswer`, `close()`.
 * @throws (request) DELIVERY_UNREACHABLE, DELIVERY_TIMEOUT, DELIVERY_CONNECTION_LOST, DELIVERY_AUTH_FAILED, and what the body's source throws
 */
import { Readable } from 'node:stream';
import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import { LetheError } from '../core/errors.ts';
import { type AuthOptions, type Authorizer, authorizerOf } from './auth.ts';
import { failureOf, headerText } from './http-failure.ts';
import { Pacer } from './pacer.ts';
import { connectionOptionsOf, type TlsOptions } from './tls.ts';

export interface HttpOptions {
  /** Base URL; request paths are appended to its path. */
  readonly url: string;
  readonly auth?: AuthOptions;
  readonly tls?: TlsOptions;
  /** `http://user:password@host:port`; plain HTTP goes through it as well. */
  readonly proxy?: string;
  /** More headers for every request. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeouts?: Partial<HttpTimeouts>;
  readonly connectionsMax?: number;
  /** Of request bodies, over all connections together. */
  readonly bytesPerSecond?: number;
}

export interface HttpTimeouts {
  readonly connectMs: number;
  /** Without a byte going out or coming in. */
  readonly idleMs: number;
  /** From the last byte of the request to the first of the answer. */
  readonly answerMs: number;
}

export interface HttpBody {
  /** Undefined: sent chunked (a compressed body). */
  readonly length: number | undefined;
  chunks(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'OPTIONS' | 'HEAD';
  /** Appended to the base URL's path; begins with `/`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: HttpBody;
  readonly signal: AbortSignal;
  /** Bytes of the answer that are kept; default 256 KiB. A longer answer is cut. */
  readonly answerBytesMax?: number;
}

export interface HttpAnswer {
  readonly status: number;
  /** One line of a header, lower-case name. */
  header(name: string): string | undefined;
  readonly body: Buffer;
}

const TIMEOUTS: HttpTimeouts = { connectMs: 10_000, idleMs: 30_000, answerMs: 120_000 };
const ANSWER_BYTES_MAX = 256 * 1024;
/** A body up to this size is one write; measured 2 times the rate of a stream of slices. */
const ONE_WRITE_BYTES_MAX = 1024 * 1024;
const CONNECTIONS_MAX = 8;
/** Shorter than the keep-alive of common servers and proxies (Node 5 s is announced, nginx 75 s, IIS 120 s). */
const KEEP_ALIVE_MS = 4_000;
/** Above our own idle limit, which decides; undici's is the net below it. */
const NET_FACTOR = 2;

export class HttpClient {
  readonly #origin: string;
  readonly #basePath: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeouts: HttpTimeouts;
  readonly #dispatcher: Dispatcher;
  readonly #authorizer: Authorizer;
  readonly #pacer: Pacer | undefined;

  constructor(options: HttpOptions) {
    const url = new URL(options.url);
    this.#origin = url.origin;
    this.#basePath = url.pathname.replace(/\/$/, '');
    this.#headers = options.headers ?? {};
    this.#timeouts = { ...TIMEOUTS, ...options.timeouts };
    this.#dispatcher = dispatcherOf(options, this.#timeouts);
    this.#authorizer = authorizerOf(options.auth ?? { type: 'none' }, this.#dispatcher);
    this.#pacer = options.bytesPerSecond === undefined ? undefined : new Pacer(options.bytesPerSecond);
  }

  /** Sends once; once more with fresh credentials where the first were refused and fresh ones can be had. */
  async request(request: HttpRequest): Promise<HttpAnswer> {
    const answer = await this.#send(request);
    if (answer.status !== 401 || !this.#authorizer.renew()) return answer;
    return this.#send(request);
  }

  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }

  async #send(request: HttpRequest): Promise<HttpAnswer> {
    const watch = new Watch(request.signal);
    try {
      watch.expect('progress', this.#timeouts.idleMs + this.#timeouts.connectMs);
      const authorization = await this.#authorizer.headers(watch.signal);
      const answer = await this.#dispatcher.request(this.#options(request, authorization, watch));
      watch.expect('progress', this.#timeouts.idleMs);
      return await read(answer, request.answerBytesMax ?? ANSWER_BYTES_MAX);
    } catch (error) {
      throw failureOf(error, watch.expired);
    } finally {
      watch.end();
    }
  }

  #options(
    request: HttpRequest,
    authorization: Readonly<Record<string, string>>,
    watch: Watch,
  ): Dispatcher.RequestOptions {
    const { body } = request;
    const length = body?.length;
    return {
      origin: this.#origin,
      path: this.#basePath + request.path,
      method: request.method,
      headers: {
        ...this.#headers,
        ...request.headers,
        ...(length === undefined ? {} : { 'content-length': String(length) }),
        ...authorization,
      },
      body: body === undefined ? null : this.#bodyOf(body, watch),
      signal: watch.signal,
    };
  }

  #bodyOf(body: HttpBody, watch: Watch): Readable | Buffer {
    const chunks = body.chunks();
    const short = body.length !== undefined && body.length <= ONE_WRITE_BYTES_MAX;
    if (short && this.#pacer === undefined && Symbol.iterator in chunks) {
      const all = Buffer.concat([...chunks]);
      watch.expect('answer', this.#timeouts.answerMs);
      return all;
    }
    const paced = this.#pacer?.through(chunks, watch.signal) ?? chunks;
    return Readable.from(watched(paced, watch, this.#timeouts), { objectMode: false });
  }
}

async function* watched(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  watch: Watch,
  timeouts: HttpTimeouts,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    watch.expect('progress', timeouts.idleMs);
    yield chunk;
  }
  watch.expect('answer', timeouts.answerMs);
}

/** One deadline at a time, moved forward by progress. Expiry aborts the request, and tells so. */
class Watch {
  readonly #expiry = new AbortController();
  readonly signal: AbortSignal;
  #timer: NodeJS.Timeout | undefined;
  expired = false;

  constructor(outer: AbortSignal) {
    this.signal = AbortSignal.any([outer, this.#expiry.signal]);
  }

  expect(what: 'progress' | 'answer', withinMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.expired = true;
      this.#expiry.abort(new LetheError('DELIVERY_TIMEOUT', { waitingFor: what, afterMs: withinMs }));
    }, withinMs);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

async function read(answer: Dispatcher.ResponseData, bytesMax: number): Promise<HttpAnswer> {
  const kept: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer.body) {
    if (!Buffer.isBuffer(chunk)) continue;
    kept.push(chunk.subarray(0, bytesMax - length));
    length += chunk.length;
    // A longer answer says nothing that we need; leaving the loop closes the connection.
    if (length >= bytesMax) break;
  }
  const { headers } = answer;
  return { status: answer.statusCode, header: (name) => headerText(headers[name]), body: Buffer.concat(kept) };
}

function dispatcherOf(options: HttpOptions, timeouts: HttpTimeouts): Dispatcher {
  const tls = connectionOptionsOf(options.tls);
  const agent: Agent.Options = {
    connections: options.connectionsMax ?? CONNECTIONS_MAX,
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: timeouts.answerMs * NET_FACTOR,
    bodyTimeout: timeouts.idleMs * NET_FACTOR,
    connect: { timeout: timeouts.connectMs, ...tls },
  };
  if (options.proxy === undefined) return new Agent(agent);
  const proxy = new URL(options.proxy);
  const token = proxy.username === '' ? undefined : `Basic ${proxyCredentials(proxy)}`;
  return new ProxyAgent({ ...agent, uri: proxy.origin, requestTls: tls, ...(token === undefined ? {} : { token }) });
}

function proxyCredentials(proxy: URL): string {
  const text = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return Buffer.from(text, 'utf8').toString('base64');
}
