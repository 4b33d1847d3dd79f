/** Sockets that read into one buffer: each gets its own bytes, pauses and ends like any other. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { readShared } from '../../src/dimse/shared-read.ts';

const SENDERS = 3;
const BYTES = 3_000_000;

interface Taken {
  readonly hash: ReturnType<typeof createHash>;
  bytes: number;
  first: number | undefined;
}

async function serve(t: TestContext, onSocket: (socket: Socket) => void): Promise<number> {
  const server = createServer(onSocket).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function send(port: number, content: Buffer): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.end(content);
  socket.resume();
  await once(socket, 'close');
}

test('an accepted socket of this Node.js reads into the shared buffer', {
  skip: process.platform === 'win32',
}, async (t) => {
  const offered: boolean[] = [];
  const port = await serve(t, (socket) => {
    offered.push(readShared(socket, () => undefined));
    socket.on('end', () => socket.end());
  });
  await send(port, Buffer.from('x'));
  assert.deepEqual(offered, [true]);
});

test('bytes of several senders at once do not mix, whoever pauses between', async (t) => {
  const all: Taken[] = [];
  const port = await serve(t, (socket) => {
    const taken: Taken = { hash: createHash('sha256'), bytes: 0, first: undefined };
    all.push(taken);
    const take = (bytes: Uint8Array) => {
      taken.first ??= bytes[0];
      taken.hash.update(bytes);
      taken.bytes += bytes.length;
      socket.pause();
      setImmediate(() => socket.resume());
    };
    if (!readShared(socket, take)) socket.on('data', take);
    socket.on('end', () => socket.end());
  });
  const contents = Array.from({ length: SENDERS }, (_, index) => Buffer.alloc(BYTES, index + 1));
  await Promise.all(contents.map((content) => send(port, content)));
  assert.equal(all.length, SENDERS);
  for (const { hash, bytes, first = 0 } of all) {
    assert.equal(bytes, BYTES);
    assert.equal(hash.digest('hex'), createHash('sha256').update(Buffer.alloc(BYTES, first)).digest('hex'));
  }
  assert.deepEqual(all.map(({ first }) => first).toSorted(), [1, 2, 3]);
});
