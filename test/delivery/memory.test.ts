/**
 * A batch is streamed: a receiver that does not read stops the reading of the files, so that what is in memory does not
 * grow with the batch. Shown by construction: the files are made when they are read, and every byte read is counted.
 */
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { DeliverableInstance, Destination } from '../../src/delivery/destination.ts';
import { imageApiDestination } from '../../src/delivery/image-api/image-api.ts';
import { stowRsDestination } from '../../src/delivery/stow-rs/stow-rs.ts';
import { deliverable } from './deliverable.ts';

const INSTANCES = 100;
const FILE_BYTES = 4 * 1024 * 1024;
/** The buffers of two sockets, a stream's, a slice, and the head of each file that is looked at before. */
const IN_MEMORY_BYTES_MAX = 24 * 1024 * 1024;
const STILL_FOR_MS = 1000;

/** 100 instances of 4 MiB each that exist only while they are read. */
function batch(count: { bytes: number }): DeliverableInstance[] {
  return Array.from({ length: INSTANCES }, () => {
    const made = deliverable({ image: { bytes: FILE_BYTES } });
    const open = () => ({
      size: FILE_BYTES,
      read: (position: number, length: number) => {
        const wanted = Math.max(0, Math.min(length, FILE_BYTES - position));
        count.bytes += wanted;
        return new Uint8Array(wanted);
      },
      close: () => undefined,
    });
    return { ...made, open } as DeliverableInstance;
  });
}

/** Takes connections, and reads nothing until it is told to; then counts. */
async function lazyServer(t: TestContext) {
  const sockets: Socket[] = [];
  const received = { bytes: 0 };
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const read = () => {
    for (const socket of sockets) {
      socket.on('data', (chunk) => {
        received.bytes += chunk.length;
      });
      socket.resume();
    }
  };
  return { url: `http://127.0.0.1:${port}`, read, received };
}

const LIMITS = { maxImages: INSTANCES, maxBytes: INSTANCES * FILE_BYTES };
const KINDS: readonly [string, (url: string) => Destination][] = [
  ['image-api', (url) => imageApiDestination('one', { url, ...LIMITS })],
  ['stow-rs', (url) => stowRsDestination('one', { url })],
];

for (const [name, open] of KINDS) {
  test(`${name}: a batch of 100 instances of 4 MiB is never in memory as a whole`, async (t) => {
    const count = { bytes: 0 };
    const { url, read, received } = await lazyServer(t);
    const destination = open(url);
    const stop = new AbortController();
    const delivered = destination.deliver(batch(count), stop.signal);
    await standsStill(() => count.bytes);
    assert.ok(
      count.bytes > 0 && count.bytes < IN_MEMORY_BYTES_MAX,
      `${count.bytes} bytes were read for a receiver that reads none`,
    );
    read();
    // Once it reads, all of it goes: the limit above is back-pressure, and not a sender that hangs.
    while (received.bytes < INSTANCES * FILE_BYTES) await new Promise((done) => setTimeout(done, 20));
    stop.abort();
    await delivered;
    await destination.close();
  });
}

async function standsStill(value: () => number): Promise<void> {
  for (let last = -1; value() !== last || value() === 0; ) {
    last = value();
    await new Promise((done) => setTimeout(done, STILL_FOR_MS));
  }
}
