import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HttpClient } from '../../src/delivery/http-client.ts';
import { Pacer } from '../../src/delivery/pacer.ts';
import { scriptedServer } from './scripted-server.ts';

function simulated() {
  let now = 0;
  const clock = { nowMs: () => now, monotonicMs: () => now };
  const wait = async (ms: number) => {
    now += ms;
  };
  return { clock, wait, nowMs: () => now };
}

async function drain(chunks: AsyncIterable<Uint8Array>): Promise<Buffer[]> {
  const pieces: Buffer[] = [];
  for await (const piece of chunks) pieces.push(Buffer.from(piece));
  return pieces;
}

test('bytes come out unchanged, in pieces, no faster than the rate', async () => {
  const { clock, wait, nowMs } = simulated();
  const pacer = new Pacer(80_000, clock, wait);
  const bytes = Buffer.from(Array.from({ length: 200_000 }, (_value, index) => index % 251));
  const pieces = await drain(
    pacer.through([bytes.subarray(0, 150_000), bytes.subarray(150_000)], AbortSignal.timeout(5_000)),
  );
  assert.ok(Buffer.concat(pieces).equals(bytes));
  assert.ok(pieces.every((piece) => piece.length <= 10_000));
  assert.ok(nowMs() >= 2_250 && nowMs() <= 2_500, `${nowMs()} ms for 200,000 bytes at 80,000 a second`);
});

test('several requests share one limit', async () => {
  const { clock, wait, nowMs } = simulated();
  const pacer = new Pacer(10_000, clock, wait);
  const signal = AbortSignal.timeout(5_000);
  await drain(pacer.through([Buffer.alloc(10_000)], signal));
  await drain(pacer.through([Buffer.alloc(10_000)], signal));
  assert.ok(nowMs() >= 1_600);
});

test('waiting ends when the delivery is stopped', async () => {
  const pacer = new Pacer(1, undefined, undefined);
  await assert.rejects(drain(pacer.through([Buffer.alloc(5_000)], AbortSignal.abort())), { name: 'AbortError' });
});

test('a limited destination still sends the whole body', async () => {
  const server = await scriptedServer();
  const client = new HttpClient({ url: server.url, bytesPerSecond: 50_000_000 });
  const body = Buffer.alloc(3_000_000, 0x61);
  const request = { method: 'POST', path: '/', signal: AbortSignal.timeout(5_000) } as const;
  await client.request({ ...request, body: { length: body.length, chunks: () => [body] } });
  assert.ok(server.requests[0]?.body.equals(body));
  await client.close();
  await server.close();
});
