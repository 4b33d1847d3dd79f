/**
 * The reference backend: an independent implementation of `contracts/backend.openapi.yaml` for demonstrations and tests.
 * It imports nothing of the sending side, so that the two check each other.
 *
 *   POST /v1/images/upload          the contract; all of a request is accepted or nothing
 *   GET  /                          a page with what was accepted
 *   GET  /v1/studies                the same for scripts
 *   GET  /v1/images/{uid}           one image's metadata; .../file the picture itself
 *   POST /dicom-web/studies[/{uid}] STOW-RS, for objects without an image, which the contract cannot say
 *   GET  /v1/objects                what came that way; /v1/objects/{uid}/file the object itself
 *   GET  /healthz
 *   POST, DELETE /v1/failures       orders failures (`Failures`); only with `failureEndpoint`
 *
 * API: `startBackend({ host, port, dir, failures? }) -> { port, failures, close() }`; port 0 picks a free one.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readJsonBody, readRawBody } from './body.ts';
import { type Failure, Failures, type OrderedFailure, orderedFailureOf } from './failures.ts';
import { ImageStore, type StoredImage } from './image-store.ts';
import { ObjectStore } from './object-store.ts';
import { PAGE_POLICY, page } from './page.ts';
import { FAILURE_REASON, type PartResult, partsOf, readObject, responseModule, statusOf } from './stow.ts';
import { validateUpload } from './validate.ts';

export interface BackendOptions {
  readonly host: string;
  readonly port: number;
  /** Where accepted images are kept; made when missing. */
  readonly dir: string;
  /** Failures to play from the start. */
  readonly failures?: readonly OrderedFailure[];
  /** Lets whoever reaches the port order failures. Never outside of demonstrations and tests. */
  readonly failureEndpoint?: boolean;
  readonly bodyBytesMax?: number;
}

export interface Backend {
  readonly port: number;
  readonly failures: Failures;
  close(): Promise<void>;
}

/** The whole body is in memory while it is parsed. */
const BODY_BYTES_MAX = 384 * 1024 * 1024;
const ORDER_BYTES_MAX = 64 * 1024;

export async function startBackend(options: BackendOptions): Promise<Backend> {
  const backend = new ReferenceBackend(
    await ImageStore.open(options.dir),
    await ObjectStore.open(options.dir),
    options,
  );
  const server = createServer((request, response) => void backend.serve(request, response));
  // The default of five minutes would cut a large upload over a slow line.
  server.requestTimeout = 0;
  await listen(server, options);
  const { port } = server.address() as AddressInfo;
  return { port, failures: backend.failures, close: () => close(server) };
}

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Undefined: the request gets no answer, because a failure was ordered. */
type Route = (request: IncomingMessage, parameter: string) => Promise<Reply | undefined> | Reply;

class ReferenceBackend {
  readonly failures: Failures;
  readonly #store: ImageStore;
  readonly #objects: ObjectStore;
  readonly #bodyBytesMax: number;
  readonly #routes: readonly (readonly [method: string, pattern: RegExp, route: Route])[];

  constructor(store: ImageStore, objects: ObjectStore, options: BackendOptions) {
    this.failures = new Failures(options.failures);
    this.#store = store;
    this.#objects = objects;
    this.#bodyBytesMax = options.bodyBytesMax ?? BODY_BYTES_MAX;
    const orders: [string, RegExp, Route][] = [
      ['POST', /^\/v1\/failures$/, (request) => this.#order(request)],
      ['DELETE', /^\/v1\/failures$/, () => this.#forgive()],
    ];
    this.#routes = [
      ['POST', /^\/v1\/images\/upload$/, (request) => this.#upload(request)],
      ['GET', /^\/$/, () => this.#page()],
      ['POST', /^\/dicom-web\/studies(?:\/[0-9.]+)?$/, (request) => this.#stow(request)],
      ['GET', /^\/v1\/objects$/, () => json(200, { objects: [...this.#objects.objects()] })],
      ['GET', /^\/v1\/objects\/([0-9.]+)\/file$/, (_request, uid) => this.#object(uid)],
      ['GET', /^\/healthz$/, () => json(200, { status: 'ok' })],
      ['GET', /^\/v1\/studies$/, () => json(200, listing([...this.#store.images()]))],
      ['GET', /^\/v1\/images\/(?!upload$)([^/]+)$/, (_request, uid) => this.#image(uid)],
      ['GET', /^\/v1\/images\/([^/]+)\/file$/, (_request, uid) => this.#file(uid)],
      ...(options.failureEndpoint === true ? orders : []),
    ];
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const reply = await this.#reply(request);
      if (reply !== undefined) send(request, response, reply);
    } catch {
      // The connection broke, and there is nobody to tell, or the disk did.
      if (!request.socket.destroyed) send(request, response, failure(500, 'the backend could not store the images'));
    }
  }

  #reply(request: IncomingMessage): Promise<Reply | undefined> | Reply {
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    const matching = this.#routes.filter(([, pattern]) => pattern.test(path));
    if (matching.length === 0) return failure(404, 'there is nothing at this path');
    const found = matching.find(([allowed]) => allowed === method);
    if (found === undefined) {
      const allow = matching.map(([allowed]) => allowed).join(', ');
      return { ...failure(405, 'this path does not take that method'), headers: { allow } };
    }
    const [, pattern, route] = found;
    return route(request, decoded(pattern.exec(path)?.[1] ?? ''));
  }

  async #upload(request: IncomingMessage): Promise<Reply | undefined> {
    const ordered = this.failures.next();
    if (ordered !== undefined && ordered.kind !== 'accept-then-reset') return play(ordered, request);
    const body = await readJsonBody(request, this.#bodyBytesMax);
    if (!('json' in body)) return failure(body.refused, body.message);
    const validation = validateUpload(body.json);
    if ('findings' in validation) return failure(400, validation.findings.join('; '));
    const result = await this.#store.accept(validation.upload, new Date());
    if (ordered !== undefined) {
      request.socket.resetAndDestroy();
      return undefined;
    }
    if (!('conflicts' in result)) return json(200, { success: 'ok' });
    const message = `${result.conflicts.length} images are stored with other content`;
    return json(409, { status: 'error', message, conflicts: result.conflicts });
  }

  async #stow(request: IncomingMessage): Promise<Reply | undefined> {
    const ordered = this.failures.next();
    if (ordered !== undefined && ordered.kind !== 'accept-then-reset') return play(ordered, request);
    const body = await readRawBody(request, this.#bodyBytesMax);
    if (body === undefined) return failure(413, `the body is larger than ${this.#bodyBytesMax} bytes`);
    const parts = partsOf(request.headers['content-type'] ?? '', body);
    if (parts === undefined || parts.length === 0) return failure(400, 'the body is not multipart/related');
    const results: PartResult[] = [];
    for (const part of parts) results.push(await this.#storeObject(part));
    if (ordered !== undefined) {
      request.socket.resetAndDestroy();
      return undefined;
    }
    return { ...json(statusOf(results), responseModule(results)), type: 'application/dicom+json' };
  }

  async #storeObject(part: Buffer): Promise<PartResult> {
    const object = readObject(part);
    if (object === undefined)
      return { sopClassUid: '', sopInstanceUid: '', failureReason: FAILURE_REASON.cannotUnderstand };
    const stored = await this.#objects.accept(object);
    const { sopClassUid, sopInstanceUid } = object;
    return { sopClassUid, sopInstanceUid, failureReason: stored ? 0 : FAILURE_REASON.duplicate };
  }

  async #object(uid: string): Promise<Reply> {
    const body = await this.#objects.read(uid);
    return body === undefined
      ? failure(404, 'there is no such object')
      : { status: 200, type: 'application/dicom', body };
  }

  async #order(request: IncomingMessage): Promise<Reply> {
    const body = await readJsonBody(request, ORDER_BYTES_MAX);
    const order = 'json' in body ? orderedFailureOf(body.json) : undefined;
    if (order === undefined) return failure(400, 'not a failure that can be ordered');
    this.failures.add(order);
    return json(200, { success: 'ok' });
  }

  #forgive(): Reply {
    this.failures.clear();
    return json(200, { success: 'ok' });
  }

  #page(): Reply {
    const body = Buffer.from(page([...this.#store.images()], [...this.#objects.objects()]), 'utf8');
    return { status: 200, type: 'text/html; charset=utf-8', body, headers: { 'content-security-policy': PAGE_POLICY } };
  }

  #image(uid: string): Reply {
    const image = this.#store.image(uid);
    return image === undefined ? failure(404, 'there is no such image') : json(200, image);
  }

  async #file(uid: string): Promise<Reply> {
    const image = this.#store.image(uid);
    if (image === undefined) return failure(404, 'there is no such image');
    return { status: 200, type: image.file.mediaType, body: await this.#store.read(image) };
  }
}

/** The ordered failure instead of the upload. */
async function play(
  ordered: Exclude<Failure, { kind: 'accept-then-reset' }>,
  request: IncomingMessage,
): Promise<Reply | undefined> {
  if (ordered.kind === 'reset') {
    request.socket.resetAndDestroy();
    return undefined;
  }
  for await (const _chunk of request) {
    // Read to the end, so that what follows is what the sender sees, not a broken connection.
  }
  if (ordered.kind === 'hang') return undefined;
  const wait = ordered.retryAfterSeconds;
  const reply = failure(ordered.status, 'a failure that was ordered');
  return wait === undefined ? reply : { ...reply, headers: { 'retry-after': String(wait) } };
}

/** Studies, their series and their images, for scripts. */
function listing(images: readonly StoredImage[]) {
  const studies = [...Map.groupBy(images, (image) => image.study.studyInstanceUid).values()];
  return {
    studies: studies.map((ofStudy) => ({
      ...ofStudy[0]?.study,
      series: [...Map.groupBy(ofStudy, (image) => image.seriesInstanceUid)].map(([seriesInstanceUid, ofSeries]) => ({
        seriesInstanceUid,
        images: ofSeries.map(({ image, file, receivedAt }) => ({ ...image, file, receivedAt })),
      })),
    })),
  };
}

function failure(status: number, message: string): Reply {
  return json(status, { status: 'error', message });
}

function json(status: number, body: object): Reply {
  return { status, type: 'application/json; charset=utf-8', body: Buffer.from(JSON.stringify(body), 'utf8') };
}

function send(request: IncomingMessage, response: ServerResponse, { status, type, body, headers }: Reply): void {
  // A request that was not read to its end leaves a connection that cannot be used again.
  const unread = !request.complete;
  request.resume();
  response.writeHead(status, {
    'content-type': type,
    'content-length': body.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    ...(unread ? { connection: 'close' } : {}),
    ...headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A broken percent sequence names no image; the raw text will not be found either.
    return text;
  }
}

function listen(server: Server, { host, port }: BackendOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(port, host, resolve);
  return promise;
}

function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections();
  return promise;
}
