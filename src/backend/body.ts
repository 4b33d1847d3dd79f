/** Reads request bodies, JSON or raw, within a limit that also holds for what a compressed body unpacks to. */
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

export type Body = { readonly json: unknown } | { readonly refused: 400 | 413 | 415; readonly message: string };

/** The body as it is; undefined when there is more than allowed. @throws what the connection throws when it breaks */
export async function readRawBody(request: IncomingMessage, bytesMax: number): Promise<Buffer | undefined> {
  return Number(request.headers['content-length'] ?? 0) > bytesMax ? undefined : collected(request, bytesMax);
}

/** @throws what the connection throws when it breaks */
export async function readJsonBody(request: IncomingMessage, bytesMax: number): Promise<Body> {
  const type = request.headers['content-type'] ?? '';
  if (!/^application\/json(\s*;|$)/i.test(type.trim())) return refuse(415, 'the body must be application/json');
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity' && encoding !== 'gzip')
    return refuse(415, 'the content encoding must be identity or gzip');
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) return tooLarge(bytesMax);
  const bytes = encoding === 'gzip' ? await unpacked(request, bytesMax) : await collected(request, bytesMax);
  if (bytes === undefined) return tooLarge(bytesMax);
  try {
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return { json };
  } catch {
    return refuse(400, 'the body is not JSON in UTF-8');
  }
}

async function unpacked(request: IncomingMessage, bytesMax: number): Promise<Buffer | undefined> {
  const gunzip = createGunzip();
  request.once('error', (error) => gunzip.destroy(error));
  try {
    return await collected(request.pipe(gunzip), bytesMax);
  } catch (error) {
    if (request.destroyed && !request.complete) throw error;
    // Not gzip after all: an empty body is refused as JSON.
    return Buffer.alloc(0);
  }
}

/** Undefined when there is more than allowed. */
async function collected(stream: Readable, bytesMax: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  // Not destroyed on an early return: the connection is still needed for the refusal.
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    if (!Buffer.isBuffer(chunk)) continue;
    length += chunk.length;
    if (length > bytesMax) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(bytesMax: number): Body {
  return refuse(413, `the body is larger than ${bytesMax} bytes`);
}

function refuse(refused: 400 | 413 | 415, message: string): Body {
  return { refused, message };
}
