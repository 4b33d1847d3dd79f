/**
 * Bodies as they stand on the wire, whatever type they claim to be. What a server that refuses large uploads has to get
 * right:
 *
 * `Expect: 100-continue` (RFC 9110 §10.1.1) is answered when the first byte is wanted and not before, so a sender that
 * waits for it learns of a full disk without sending a gigabyte. A reader that stops early does not break the
 * connection, so the answer arrives. And what is still coming after the answer is thrown away for a short while
 * (lingering close): closing at once would reset the connection and take the unread answer with it.
 */
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** Long enough for a sender to look up from its upload; short enough that nobody holds a connection by it. */
const LINGER_MS = 2_000;

/** The framework refuses types it cannot parse, so the header is kept here, by request and gone with it. */
const contentTypes = new WeakMap<IncomingMessage, string | undefined>();

/** No route takes JSON or forms: every body is for the handler that streams it. */
export function leaveBodiesOnTheWire(app: FastifyInstance): void {
  app.server.on('checkContinue', (request, response) => app.routing(request, response));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.addHook('onRequest', async ({ raw }) => {
    contentTypes.set(raw, raw.headers['content-type']);
    delete raw.headers['content-type'];
  });
  app.addHook('onSend', async (request, reply) => {
    if (isWaitingToSend(request.raw)) reply.header('connection', 'close');
  });
  app.addHook('onResponse', async (request) => discardRest(request.raw));
}

export function contentTypeOf(request: FastifyRequest): string | undefined {
  return contentTypes.get(request.raw);
}

/** The bytes of a request, on demand. */
export async function* bodyOf(request: FastifyRequest, reply: FastifyReply): AsyncGenerator<Uint8Array> {
  if (expectsContinue(request.raw)) reply.raw.writeContinue();
  yield* request.raw.iterator({ destroyOnReturn: false });
}

/** The sender waits for leave to send the body and has not been given it. */
function isWaitingToSend(request: IncomingMessage): boolean {
  return expectsContinue(request) && !request.readableDidRead && !request.complete;
}

function expectsContinue(request: IncomingMessage): boolean {
  return /^100-continue$/i.test(request.headers.expect ?? '');
}

function discardRest(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  const timer = setTimeout(() => request.socket.destroy(), LINGER_MS);
  for (const event of ['end', 'close'] as const) request.once(event, () => clearTimeout(timer));
  request.resume();
}
