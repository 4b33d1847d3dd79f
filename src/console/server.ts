/**
 * The HTTP server: intake (`POST /receive_dicom`, STOW-RS), health, metrics, the API and the console page. Bodies of
 * instances are streamed, never collected; everything else is small and bounded. Loopback only unless there are users.
 */
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Clock } from '../core/clock.ts';
import { LetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { GatewayAdmin, ReceiveOrigin } from '../gateway/admin.ts';
import { registerApi } from './api.ts';
import { type Access, Authenticator, type HttpUser, type Principal } from './auth.ts';
import { checkHost, checkOrigin, isLoopback, securityHeaders } from './guard.ts';
import { receiveInstances } from './intake.ts';
import { PROBLEM_MEDIA_TYPE, problemOf } from './problem.ts';
import { storeInstances } from './stow.ts';

export interface HttpServerOptions {
  readonly host: string;
  readonly port: number;
  /** PEM texts. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly users: readonly HttpUser[];
  /** Of one instance. */
  readonly bodyLimitBytes: number;
  /** Names beside loopback and addresses under which browsers may reach the console. */
  readonly allowedHosts?: readonly string[];
}

export interface HttpServerDeps {
  readonly logger: Logger;
  readonly clock: Clock;
}

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

const WEB = join(import.meta.dirname, 'web');
const ASSETS: readonly (readonly [path: string, file: string, type: string])[] = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/app.css', 'app.css', 'text/css; charset=utf-8'],
  ['/icon.svg', 'icon.svg', 'image/svg+xml'],
  ['/app.js', 'app.ts', 'text/javascript; charset=utf-8'],
];
const RETRY_AFTER_SECONDS = 30;
const CUSTOMER = /^[a-zA-Z0-9_.-]{1,64}$/;
const DEFAULT_CUSTOMER = 'default';

/** @throws CONFIG_INVALID where the port is taken or users are missing beyond loopback */
export async function startHttp(
  options: HttpServerOptions,
  admin: GatewayAdmin,
  deps: HttpServerDeps,
): Promise<HttpServer> {
  if (!isLoopback(options.host) && options.users.length === 0) {
    throw new LetheError('CONFIG_INVALID', { key: 'http.users', problem: 'a console beyond loopback needs users' });
  }
  const server = new ConsoleServer(options, admin, deps);
  return server.listen();
}

/** What a route handler gets besides the request: who asks, after the checks that every request passes. */
export type Guarded = (request: FastifyRequest, reply: FastifyReply, principal: Principal) => Promise<unknown>;

class ConsoleServer {
  readonly #options: HttpServerOptions;
  readonly #admin: GatewayAdmin;
  readonly #deps: HttpServerDeps;
  readonly #authenticator: Authenticator;
  readonly #app: FastifyInstance;

  constructor(options: HttpServerOptions, admin: GatewayAdmin, deps: HttpServerDeps) {
    this.#options = options;
    this.#admin = admin;
    this.#deps = deps;
    this.#authenticator = new Authenticator(options.users, deps.clock);
    this.#app = fastify({
      ...(options.tls === undefined ? {} : { https: { ...options.tls, minVersion: 'TLSv1.2' as const } }),
      bodyLimit: 64 * 1024, // of JSON; instances are not parsed here
      forceCloseConnections: 'idle',
      routerOptions: { maxParamLength: 200 },
    }) as unknown as FastifyInstance;
    this.#prepare();
    this.#routes();
  }

  async listen(): Promise<HttpServer> {
    const { host, port } = this.#options;
    try {
      await this.#app.listen({ host, port });
    } catch (error) {
      throw new LetheError(
        'CONFIG_INVALID',
        { key: 'http.port', host, port, problem: (error as NodeJS.ErrnoException).code ?? 'cannot listen' },
        { cause: error },
      );
    }
    const address = this.#app.server.address();
    return {
      port: typeof address === 'object' && address !== null ? address.port : port,
      close: () => this.#app.close(),
    };
  }

  #prepare(): void {
    const headers = securityHeaders(this.#options.tls !== undefined);
    // Bodies of any type are left on the wire for the handler that streams them; JSON alone is parsed.
    this.#app.removeAllContentTypeParsers();
    this.#app.addContentTypeParser(
      'application/json',
      { parseAs: 'string' },
      this.#app.getDefaultJsonParser('error', 'error'),
    );
    this.#app.addContentTypeParser('*', (_request, _payload, done) => done(null));
    this.#app.addHook('onRequest', async (request, reply) => {
      reply.headers(headers);
      if (this.#options.users.length === 0) checkHost(request.headers, this.#options.allowedHosts ?? []);
      checkOrigin(request.method, request.headers);
    });
    this.#app.setErrorHandler((error, request, reply) => this.#failed(error, request, reply));
    this.#app.setNotFoundHandler((request, reply) => this.#failed(new LetheError('HTTP_NOT_FOUND'), request, reply));
  }

  #failed(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const problem = problemOf(error);
    const route = request.routeOptions.url ?? 'unknown'; // the pattern: a path may carry identifiers
    const fields = { method: request.method, route, status: problem.status };
    if (problem.status >= 500)
      this.#deps.logger.log('error', 'http.failed', { ...fields, code: problem.code as never });
    else this.#deps.logger.log('debug', 'http.refused', { ...fields, remote: request.ip });
    if (problem.status === 503) reply.header('retry-after', String(RETRY_AFTER_SECONDS));
    if (problem.status === 401) reply.header('www-authenticate', 'Basic realm="lethe", charset="UTF-8"');
    return reply.status(problem.status).type(PROBLEM_MEDIA_TYPE).send(problem);
  }

  #guard(access: Access, handler: Guarded) {
    return async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
      const principal = await this.#authenticator.authorize(request.headers.authorization, request.ip, access);
      return handler(request, reply, principal);
    };
  }

  #routes(): void {
    const app = this.#app;
    app.get('/healthz', async () => ({ status: 'ok' }));
    app.get('/readyz', async (_request, reply) => {
      const { ready, reasons } = await this.#admin.readiness();
      return reply.status(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready', reasons });
    });
    app.get(
      '/metrics',
      this.#guard('view', async (_request, reply) =>
        reply.type('text/plain; version=0.0.4; charset=utf-8').send(await this.#admin.metrics()),
      ),
    );
    app.post(
      '/receive_dicom',
      this.#guard('send', (request, reply, principal) => this.#receive(request, reply, principal)),
    );
    for (const path of ['/dicom-web/studies', '/dicom-web/studies/:study']) {
      app.post(
        path,
        this.#guard('send', (request, reply, principal) => this.#stow(request, reply, principal)),
      );
    }
    for (const [path, file, type] of ASSETS) {
      const text = asset(file);
      app.get(
        path,
        this.#guard('view', async (_request, reply) => reply.type(type).header('cache-control', 'no-cache').send(text)),
      );
    }
    registerApi(app, this.#admin, (access, handler) => this.#guard(access, handler));
  }

  async #receive(request: FastifyRequest, reply: FastifyReply, principal: Principal): Promise<FastifyReply> {
    const answer = await receiveInstances({ ...this.#intake(request, principal, 'http') }, this.#admin);
    if (answer.status === 503) reply.header('retry-after', String(RETRY_AFTER_SECONDS));
    return reply.status(answer.status).send(answer.body);
  }

  async #stow(request: FastifyRequest, reply: FastifyReply, principal: Principal): Promise<FastifyReply> {
    const { study } = request.params as { study?: string };
    const answer = await storeInstances({ ...this.#intake(request, principal, 'stow'), study }, this.#admin);
    if (answer.status === 503) reply.header('retry-after', String(RETRY_AFTER_SECONDS));
    return reply
      .status(answer.status)
      .type('application/dicom+json')
      .send(Buffer.from(JSON.stringify(answer.body)));
  }

  #intake(request: FastifyRequest, principal: Principal, kind: 'http' | 'stow') {
    const length = request.headers['content-length'];
    return {
      contentType: request.headers['content-type'],
      contentLength: length === undefined ? undefined : Number(length),
      contentEncoding: request.headers['content-encoding'],
      body: request.raw as IncomingMessage,
      origin: originOf(request, principal, kind),
      bodyLimitBytes: this.#options.bodyLimitBytes,
    };
  }
}

/** Customer: the user's own, else what the request names (`customer` in the query), else the default one. */
function originOf(request: FastifyRequest, principal: Principal, kind: ReceiveOrigin['kind']): ReceiveOrigin {
  const asked = (request.query as { customer?: unknown }).customer;
  if (asked !== undefined && (typeof asked !== 'string' || !CUSTOMER.test(asked)))
    throw new LetheError('HTTP_CUSTOMER_UNKNOWN');
  if (principal.customer !== undefined && asked !== undefined && asked !== principal.customer)
    throw new LetheError('HTTP_FORBIDDEN', { access: 'customer' });
  const name = principal.authenticated ? principal.name : request.ip;
  return { kind, name, customer: principal.customer ?? asked ?? DEFAULT_CUSTOMER };
}

/** The page's script is written in TypeScript and sent without its types. */
function asset(file: string): string {
  const text = readFileSync(join(WEB, file), 'utf8');
  return file.endsWith('.ts') ? stripTypeScriptTypes(text) : text;
}
