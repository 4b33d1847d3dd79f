/** Large instances are read past the page cache where that can be done, to the same bytes and the same verdicts. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock, systemRandom } from '../../src/core/clock.ts';
import { openVerified } from '../../src/queue/local-received.ts';
import { LocalSpool } from '../../src/queue/local-spool.ts';
import type { SpooledInstance, SpoolWriter } from '../../src/queue/spool.ts';
import { receivedRecord } from '../build/record.ts';

const DEPS = { clock: systemClock, random: systemRandom };
const HEADER = new Uint8Array(132).fill(7);

async function openSpool(t: TestContext) {
  const dataDir = mkdtempSync(join(tmpdir(), 'lethe-verified-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const spool = await LocalSpool.open({ minFreeDiskBytes: 0, dataDir }, DEPS);
  t.after(() => spool.close());
  return { spool, dataDir };
}

function bytesOf(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * index * 31 + length) & 0xff);
}

async function store(writer: SpoolWriter, data: Uint8Array): Promise<SpooledInstance> {
  const record = receivedRecord({
    sourceName: 'X'.repeat(data.length % 7), // rows of any length
    sopClassUid: '1.2.840.10008.5.1.4.1.1.1.1',
  });
  const incoming = writer.begin(record, HEADER);
  for (let at = 0; at < data.length; at += 100_000)
    if (!incoming.write(data.slice(at, at + 100_000))) await incoming.drained();
  return incoming.commit();
}

async function verdict(dataDir: string, location: string, expectedBytes: number) {
  const opened = await openVerified(dataDir, location, expectedBytes);
  const [{ contentDigest }, bytes] = [opened, opened.read(0, opened.size)];
  const content = Buffer.from(bytes);
  opened.close();
  return { contentDigest, content, begins: bytes.byteOffset };
}

test('what is large has the same bytes and the same digest, whatever follows it in its file', async (t) => {
  const { spool, dataDir } = await openSpool(t);
  const writer = spool.writer();
  const data = [3_000_001, 5_000_000, 2_100_003].map((length) => bytesOf(length));
  const all: SpooledInstance[] = [];
  for (const one of data) all.push(await store(writer, one));
  const look = async () => {
    for (const [index, { location, bytes }] of all.entries()) {
      const expected = Buffer.concat([HEADER, data[index] ?? new Uint8Array()]);
      const { contentDigest, content, begins } = await verdict(dataDir, location, bytes);
      assert.ok(expected.equals(content));
      assert.equal(contentDigest, createHash('sha256').update(expected.subarray(HEADER.length)).digest('hex'));
      assert.equal(begins % 8, 0, 'its words are not split');
    }
  };
  await look(); // the file is longer than its records
  await writer.close();
  await spool.close();
  await look(); // it ends with the last one
});

test('the record says how long an instance is, whatever was expected', async (t) => {
  const { spool, dataDir } = await openSpool(t);
  const writer = spool.writer();
  const [{ location, bytes }] = [await store(writer, bytesOf(5_000_000)), await store(writer, bytesOf(10))];
  const first = await verdict(dataDir, location, 0);
  for (const expected of [bytes - 10_000, bytes + 100, 12_000_000])
    assert.deepEqual((await verdict(dataDir, location, expected)).contentDigest, first.contentDigest);
  await writer.close();
});

test('a large instance that changed on the disk has no digest; one that was erased is not opened', async (t) => {
  const { spool, dataDir } = await openSpool(t);
  const writer = spool.writer();
  const one = await store(writer, bytesOf(3_000_000));
  const two = await store(writer, bytesOf(4_000_000));
  await spool.eraseReceived([one.location]);
  await assert.rejects(openVerified(dataDir, one.location, one.bytes), { code: 'SPOOL_CORRUPT' });
  await writer.close();
  await spool.close();
  const [name = ''] = readdirSync(join(dataDir, 'received'));
  const file = readFileSync(join(dataDir, 'received', name));
  const at = Number(two.location.split(':')[1]) + 2_000_000;
  file[at] = (file[at] ?? 0) ^ 1;
  writeFileSync(join(dataDir, 'received', name), file);
  assert.equal((await verdict(dataDir, two.location, two.bytes)).contentDigest, undefined);
});
