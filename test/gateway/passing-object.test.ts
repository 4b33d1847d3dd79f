/** An object that nobody gets reads as the bytes it was written with, whether they were copied or referred to. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { bytesSource } from '../../src/core/bytes.ts';
import { passingObject } from '../../src/gateway/passing-object.ts';
import { LocalPreparedArea } from '../../src/queue/local-prepared.ts';

const ID = '01J00000000000000000000000';
const RECEIVED = Uint8Array.from({ length: 5000 }, (_, index) => (index * 7) & 0xff);
const MADE = Uint8Array.from({ length: 300 }, (_, index) => 255 - (index & 0xff));

function packIn(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'lethe-passing-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return new LocalPreparedArea(folder).prepared(ID, 'one');
}

test('pieces of what was received are read from there, and all others from what was written', (t) => {
  const pack = packIn(t);
  const memory = new Uint8Array(6000).fill(3);
  memory.set(RECEIVED, 500);
  const received = memory.subarray(500, 5500);
  const object = passingObject(pack, 'instance.dcm', bytesSource(received));
  const cleared = Uint8Array.from({ length: 100 }, () => 1);
  object.sink.write(MADE);
  object.sink.later?.(1110, function* () {
    yield received.subarray(2000, 2400);
    yield received.subarray(2400, 2700);
    yield cleared;
    cleared.fill(9); // a piece is its maker's again when the next is asked for
    yield received.subarray(2800, 3000);
    yield memory.subarray(400, 510); // not all of it was received
    memory.fill(4, 400, 500);
  });
  object.sink.write(MADE.subarray(0, 3));
  object.sink.end();
  const expected = Buffer.concat([
    MADE,
    RECEIVED.subarray(2000, 2700),
    new Uint8Array(100).fill(1),
    RECEIVED.subarray(2800, 3000),
    new Uint8Array(100).fill(3),
    RECEIVED.subarray(0, 10),
    MADE.subarray(0, 3),
  ]);
  const source = object.source();
  assert.equal(source.size, expected.length);
  for (let at = 0; at < expected.length; at += 37)
    for (const length of [0, 1, 90, 650, 5000])
      assert.deepEqual(Buffer.from(source.read(at, length)), expected.subarray(at, at + length), `${length} at ${at}`);
  const pixels = source.read(MADE.length, 700);
  assert.equal(pixels.buffer, received.buffer, 'nothing was copied');
  pack.abort();
});

test('where what was received is not in memory, everything is written', (t) => {
  const pack = packIn(t);
  const { size, read } = bytesSource(RECEIVED);
  const object = passingObject(pack, 'instance.dcm', { size, read });
  assert.equal(object.sink.later, undefined);
  object.sink.write(RECEIVED);
  object.sink.end();
  assert.deepEqual(Buffer.from(object.source().read(0, size)), Buffer.from(RECEIVED));
  pack.abort();
});
