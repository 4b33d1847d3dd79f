/**
 * What every HTTP pipeline of `end-to-end.ts` delivers to, in a process of its own: reads and throws away, counts the
 * images by their UID's key in the raw bytes (whether the JSON is nested once more or not) and answers as the contract
 * demands. It validates and stores nothing, so that its cost is small and the same for all. `GET /count` tells the count.
 *
 *   node bench/end-to-end-sink.ts PORT
 */
import { createServer, type IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

const KEY = Buffer.from('imageInstanceUid', 'latin1');
const OK = Buffer.from('{"success":"ok"}', 'latin1');

let images = 0;

/** A key may lie across two chunks: the end of the last one is looked at again with the beginning of the next. */
async function count(request: IncomingMessage): Promise<number> {
  const body: Readable = request.headers['content-encoding'] === 'gzip' ? request.pipe(createGunzip()) : request;
  let found = 0;
  let tail: Buffer = Buffer.alloc(0);
  for await (const chunk of body as AsyncIterable<Buffer>) {
    const border = Buffer.concat([tail, chunk.subarray(0, KEY.length - 1)]);
    found += keysIn(border) + keysIn(chunk);
    tail =
      chunk.length >= KEY.length - 1
        ? Buffer.from(chunk.subarray(chunk.length - KEY.length + 1))
        : border.subarray(-KEY.length + 1);
  }
  return found;
}

function keysIn(bytes: Buffer): number {
  let keys = 0;
  for (let at = bytes.indexOf(KEY); at >= 0; at = bytes.indexOf(KEY, at + KEY.length)) keys++;
  return keys;
}

createServer((request, response) => {
  const answer = (body: Buffer) =>
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
  if (request.method === 'GET') return answer(Buffer.from(String(images), 'latin1'));
  count(request).then(
    (found) => {
      images += found;
      answer(OK);
    },
    () => response.destroy(),
  );
}).listen(Number(process.argv[2]), '127.0.0.1');
