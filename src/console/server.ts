/**
 * The HTTP server: intake (`POST /receive_dicom`, STOW-RS), health, metrics, the API and the console page. Bodies of
 * instances are streamed, never collected; everything else is small and bounded. Loopback only unless there are users.
 */
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Clock } from '../core/clock.ts';
import { LetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { GatewayAdmin } from '../gateway/admin.ts';
import { registerApi } from './api.ts';
import { type Access, Authenticator, type HttpUser, type Principal } from './auth.ts';
import { checkHost, checkOrigin, isLoopback, securityHeaders } from './guard.ts';
import { RETRY_AFTER_SECONDS, registerIntake } from './intake-routes.ts';
import { PROBLEM_MEDIA_TYPE, problemOf } from './problem.ts';
import { leaveBodiesOnTheWire } from './request-body.ts';

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
  /** A connection on which nothing moves for so long is closed. */
  readonly idleMs?: number;
  /** How long `close` waits for requests in hand before it cuts them; what was not answered was not promised. */
  readonly closeGraceMs?: number;
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
const IDLE_MS_DEFAULT = 120_000;
const CLOSE_GRACE_MS_DEFAULT = 5_000;
/** Beyond this new connections are closed at once: each may hold a file of the spool open. */
const CONNECTIONS_MAX = 256;

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
/** Makes a route's handler out of one that wants the right `access`. */
export type Guard = (
  access: Access,
  handler: Guarded,
) => (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

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
    this.#authenticator = new Authenticator(options.users, deps.clock, {
      onLogin: (name, remote) => admin.noteUser('user.login', `${name} from ${remote}`),
      onRefused: (name, remote) => admin.noteUser('user.refused', `${name} from ${remote}`),
      onForbidden: (name, remote) => admin.noteUser('user.forbidden', `${name} from ${remote}`),
    });
    this.#app = fastify({
      ...(options.tls === undefined ? {} : { https: { ...options.tls, minVersion: 'TLSv1.2' as const } }),
      forceCloseConnections: 'idle',
      connectionTimeout: options.idleMs ?? IDLE_MS_DEFAULT,
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
      close: () => this.#close(),
    };
  }

  async #close(): Promise<void> {
    const graceMs = this.#options.closeGraceMs ?? CLOSE_GRACE_MS_DEFAULT;
    const cut = setTimeout(() => this.#app.server.closeAllConnections(), graceMs);
    try {
      await this.#app.close();
    } finally {
      clearTimeout(cut);
    }
  }

  #prepare(): void {
    const headers = securityHeaders(this.#options.tls !== undefined);
    this.#app.server.maxConnections = CONNECTIONS_MAX;
    leaveBodiesOnTheWire(this.#app);
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
    if (problem.status === 503 || problem.status === 429) reply.header('retry-after', String(RETRY_AFTER_SECONDS));
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
    for (const [path, file, type] of ASSETS) {
      const text = asset(file);
      app.get(
        path,
        this.#guard('view', async (_request, reply) => reply.type(type).header('cache-control', 'no-cache').send(text)),
      );
    }
    const guard: Guard = (access, handler) => this.#guard(access, handler);
    registerIntake(app, this.#admin, { guard, bodyLimitBytes: this.#options.bodyLimitBytes });
    registerApi(app, this.#admin, guard);
  }
}

/** The page's script is written in TypeScript and sent without its types. */
function asset(file: string): string {
  const text = readFileSync(join(WEB, file), 'utf8');
  return file.endsWith('.ts') ? stripTypeScriptTypes(text) : text;
}
