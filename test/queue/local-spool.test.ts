import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { systemClock, systemRandom } from '../../src/core/clock.ts';
import { newInstanceId } from '../../src/core/identifier.ts';
import { LocalSpool, type LocalSpoolOptions } from '../../src/queue/local-spool.ts';
import type { ReceivedRecord, SpooledInstance, SpoolWriter } from '../../src/queue/spool.ts';
import { receivedRecord } from '../build/record.ts';

const DEPS = { clock: systemClock, random: systemRandom };

async function openSpool(t: TestContext, options: Partial<LocalSpoolOptions> = {}) {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'lethe-spool-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const spool = await LocalSpool.open({ minFreeDiskBytes: 0, ...options, dataDir }, DEPS);
  t.after(() => spool.close());
  return { spool, dataDir };
}

function bytesOf(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + seed * 17) & 0xff);
}

async function store(writer: SpoolWriter, data: Uint8Array, header = bytesOf(132, 0)): Promise<SpooledInstance> {
  const incoming = writer.begin(receivedRecord(), header);
  for (let at = 0; at < data.length; at += 10_000)
    if (!incoming.write(data.slice(at, at + 10_000))) await incoming.drained();
  return incoming.commit();
}

async function found(spool: LocalSpool): Promise<SpooledInstance[]> {
  const all: SpooledInstance[] = [];
  for await (const one of spool.recover()) all.push(one);
  return all;
}

function contentOf(spool: LocalSpool, spooled: SpooledInstance): Buffer {
  const source = spool.openReceived(spooled.location);
  try {
    return Buffer.from(source.read(0, source.size));
  } finally {
    source.close();
  }
}

function segments(dataDir: string): string[] {
  return readdirSync(join(dataDir, 'received'));
}

test('what was committed is read back whole, with the digest of the data alone', async (t) => {
  const { spool } = await openSpool(t);
  const writer = spool.writer();
  const data = bytesOf(1_000_000, 3);
  const spooled = await store(writer, data);
  await writer.close();
  assert.equal(await spool.digestOf(spooled.location), createHash('sha256').update(data).digest('hex'));
  assert.deepEqual(contentOf(spool, spooled), Buffer.concat([bytesOf(132, 0), data]));
});

test('instances of one association share a segment, and so do associations after each other', async (t) => {
  const { spool, dataDir } = await openSpool(t);
  const all: SpooledInstance[] = [];
  for (let association = 0; association < 3; association++) {
    const writer = spool.writer();
    for (let number = 0; number < 5; number++) all.push(await store(writer, bytesOf(5000 + number, number)));
    await writer.close();
  }
  assert.equal(segments(dataDir).length, 1);
  for (const [index, spooled] of all.entries())
    assert.deepEqual(contentOf(spool, spooled).subarray(132), Buffer.from(bytesOf(5000 + (index % 5), index % 5)));
});

test('associations at the same time write to segments of their own', async (t) => {
  const { spool, dataDir } = await openSpool(t);
  const writers = [spool.writer(), spool.writer(), spool.writer()];
  const all = await Promise.all(writers.map((writer, index) => store(writer, bytesOf(300_000, index))));
  assert.equal(segments(dataDir).length, 3);
  for (const [index, spooled] of all.entries())
    assert.deepEqual(contentOf(spool, spooled).subarray(132), Buffer.from(bytesOf(300_000, index)));
});

test('an aborted instance leaves no trace and the next one is whole', async (t) => {
  const { spool, dataDir } = await openSpool(t);
  const writer = spool.writer();
  const first = await store(writer, bytesOf(1000, 1));
  const aborted = writer.begin(receivedRecord(), new Uint8Array(0));
  aborted.write(bytesOf(900_000, 9));
  await aborted.abort();
  const second = await store(writer, bytesOf(2000, 2));
  await writer.close();
  assert.deepEqual(contentOf(spool, second).subarray(132), Buffer.from(bytesOf(2000, 2)));
  await spool.close();
  const again = await openSpool(t, { dataDir });
  assert.deepEqual(
    (await found(again.spool)).map(({ location }) => location),
    [first.location, second.location],
  );
});

test('after a start every committed instance is found with its record, and a torn tail is cut off', async (t) => {
  const { spool, dataDir } = await openSpool(t);
  const writer = spool.writer();
  const kept = [await store(writer, bytesOf(70_000, 1)), await store(writer, bytesOf(80_000, 2))];
  await writer.close();
  await spool.close();
  const [segment = ''] = segments(dataDir);
  const path = join(dataDir, 'received', segment);
  const size = statSync(path).size;
  appendFileSync(path, bytesOf(5000, 8)); // an instance that was on its way when the power went
  const again = await openSpool(t, { dataDir });
  assert.deepEqual(await found(again.spool), kept);
  assert.equal(statSync(path).size, size);
});

test('a record whose data were cut short is not believed', async (t) => {
  const { spool, dataDir } = await openSpool(t);
  const writer = spool.writer();
  const first = await store(writer, bytesOf(70_000, 1));
  await store(writer, bytesOf(80_000, 2));
  await writer.close();
  await spool.close();
  const [segment = ''] = segments(dataDir);
  const path = join(dataDir, 'received', segment);
  truncateSync(path, statSync(path).size - 1);
  const again = await openSpool(t, { dataDir });
  assert.deepEqual(
    (await found(again.spool)).map(({ location }) => location),
    [first.location],
  );
});

test('data that a power cut left with a hole do not have their digest', async (t) => {
  const { spool, dataDir } = await openSpool(t);
  const writer = spool.writer();
  const kept = await store(writer, bytesOf(70_000, 1));
  const torn = await store(writer, bytesOf(80_000, 2));
  await writer.close();
  await spool.close();
  const [segment = ''] = segments(dataDir);
  const path = join(dataDir, 'received', segment);
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(4096), 0, 4096, statSync(path).size - 8192);
  closeSync(file);
  const again = await openSpool(t, { dataDir });
  assert.deepEqual(await found(again.spool), [kept, torn]);
  assert.match((await again.spool.digestOf(kept.location)) ?? '', /^[0-9a-f]{64}$/);
  assert.equal(await again.spool.digestOf(torn.location), undefined);
});

test('an abort while the commit runs takes nothing away from it', async (t) => {
  const { spool, dataDir } = await openSpool(t);
  const writer = spool.writer();
  const incoming = writer.begin(receivedRecord(), bytesOf(132, 0));
  incoming.write(bytesOf(200_000, 3));
  const committing = incoming.commit();
  await incoming.abort();
  const spooled = await committing;
  await writer.close();
  assert.deepEqual(contentOf(spool, spooled).subarray(132), Buffer.from(bytesOf(200_000, 3)));
  await spool.close();
  const again = await openSpool(t, { dataDir });
  assert.deepEqual(await found(again.spool), [spooled]);
});

test('erasing the last instance of a segment removes its bytes from the disk', async (t) => {
  const { spool, dataDir } = await openSpool(t);
  const writer = spool.writer();
  const one = await store(writer, bytesOf(1000, 1));
  const two = await store(writer, bytesOf(1000, 2));
  await writer.close();
  await spool.eraseReceived([one.location]);
  assert.equal(segments(dataDir).length, 1);
  assert.throws(() => spool.openReceived(one.location), { code: 'SPOOL_CORRUPT' });
  await spool.eraseReceived([two.location]);
  await spool.eraseReceived([two.location]);
  assert.deepEqual(segments(dataDir), []);
});

test('erasing several at once, some of them twice: those stay that were not named, at once and after a start', async (t) => {
  const { spool, dataDir } = await openSpool(t, { segmentBytesMax: 200_000 });
  const writer = spool.writer();
  const all: SpooledInstance[] = [];
  for (let number = 0; number < 8; number++) all.push(await store(writer, bytesOf(60_000, number)));
  const locations = all.map(({ location }) => location);
  const going = [0, 1, 2, 3, 5, 5].map((index) => locations[index] ?? '');
  // The first segment is full and goes as a whole; the second is still written by its owner.
  await Promise.all([spool.eraseReceived(going), spool.eraseReceived(going.slice(2))]);
  const isThere = (location: string): boolean => {
    try {
      spool.openReceived(location).close();
      return true;
    } catch {
      return false;
    }
  };
  assert.deepEqual(locations.map(isThere), [false, false, false, false, true, false, true, true]);
  await writer.close();
  await spool.close();
  const again = await openSpool(t, { dataDir });
  assert.deepEqual(
    (await found(again.spool)).map(({ location }) => location),
    [4, 6, 7].map((index) => locations[index]),
  );
  await again.spool.eraseReceived([4, 6, 7, 5].map((index) => locations[index] ?? ''));
  assert.deepEqual(segments(dataDir), []);
});

test('an erased instance stays erased after a start', async (t) => {
  const { spool, dataDir } = await openSpool(t);
  const writer = spool.writer();
  const one = await store(writer, bytesOf(1000, 1));
  const two = await store(writer, bytesOf(1000, 2));
  await writer.close();
  await spool.eraseReceived([one.location]);
  await spool.close();
  const again = await openSpool(t, { dataDir });
  assert.deepEqual(
    (await found(again.spool)).map(({ location }) => location),
    [two.location],
  );
});

test('a full segment is followed by another one', async (t) => {
  const { spool, dataDir } = await openSpool(t, { segmentBytesMax: 100_000 });
  const writer = spool.writer();
  for (let number = 0; number < 4; number++) await store(writer, bytesOf(60_000, number));
  await writer.close();
  assert.equal(segments(dataDir).length, 2);
});

test('commits may overlap: the next instance begins while the one before is being flushed', async (t) => {
  const { spool, dataDir } = await openSpool(t);
  const writer = spool.writer();
  const commits: Promise<SpooledInstance>[] = [];
  for (let number = 0; number < 20; number++) {
    const incoming = writer.begin(receivedRecord(), new Uint8Array(4));
    incoming.write(bytesOf(number * 37_000, number));
    commits.push(incoming.commit());
  }
  const all = await Promise.all(commits);
  await writer.close();
  await spool.close();
  const again = await openSpool(t, { dataDir });
  assert.deepEqual(await found(again.spool), all);
  for (const [number, spooled] of all.entries())
    assert.deepEqual(contentOf(again.spool, spooled).subarray(4), Buffer.from(bytesOf(number * 37_000, number)));
});

test('below the free-space mark an instance is refused before a byte is kept', async (t) => {
  const { spool } = await openSpool(t, { minFreeDiskBytes: 1000, freeBytes: () => 999 });
  const writer = spool.writer();
  const incoming = writer.begin(receivedRecord(), new Uint8Array(0));
  assert.throws(() => incoming.write(bytesOf(10, 1)), { code: 'SPOOL_FULL' });
  await incoming.abort();
  await writer.close();
  assert.equal(spool.space().full, true);
});

test('prepared members are read back by name before and after the commit', async (t) => {
  const { spool, dataDir } = await openSpool(t);
  const id = newInstanceId(systemClock, systemRandom);
  const pack = spool.prepared(id, 'a-1');
  for (const [name, seed] of [
    ['instance.dcm', 1],
    ['frame-1.jpg', 2],
  ] as const) {
    const file = pack.file(name);
    file.write(bytesOf(5000, seed));
    file.write(bytesOf(50, seed));
    file.end();
  }
  const location = pack.commit();
  const source = spool.openPrepared(location, 'frame-1.jpg');
  assert.deepEqual(Buffer.from(source.read(0, source.size)), Buffer.concat([bytesOf(5000, 2), bytesOf(50, 2)]));
  source.close();
  assert.throws(() => spool.openPrepared(location, 'frame-2.jpg'), { code: 'SPOOL_CORRUPT' });
  await spool.erasePrepared(location);
  assert.throws(() => spool.openPrepared(location, 'frame-1.jpg'), { code: 'SPOOL_IO' });
  assert.equal(
    readdirSync(join(dataDir, 'prepared'), { recursive: true }).filter((name) => String(name).includes(id)).length,
    0,
  );
});

test('an aborted preparation, and one cut off by a crash, leave nothing', async (t) => {
  const { spool, dataDir } = await openSpool(t);
  const id = newInstanceId(systemClock, systemRandom);
  const aborted = spool.prepared(id, 'a-1');
  aborted.file('instance.dcm').write(bytesOf(10, 1));
  aborted.abort();
  spool.prepared(id, 'a-2').file('instance.dcm').write(bytesOf(10, 1)); // never ended
  const again = await openSpool(t, { dataDir });
  await found(again.spool);
  assert.equal(
    readdirSync(join(dataDir, 'prepared'), { recursive: true }).filter((name) => String(name).includes(id)).length,
    0,
  );
});

/** A record as earlier versions wrote them: SHA-256 in the fixed part, the next record right behind it. */
function recordOfVersion1(meta: ReceivedRecord, header: Uint8Array, data: Uint8Array): Buffer {
  const json = Buffer.from(JSON.stringify(meta));
  const fixed = Buffer.alloc(64);
  fixed.write('LREC', 0, 'latin1');
  fixed.writeUInt16LE(1, 4);
  fixed.writeUInt32LE(json.length, 8);
  fixed.writeUInt32LE(header.length, 12);
  fixed.writeBigUInt64LE(BigInt(data.length), 16);
  createHash('sha256').update(data).digest().copy(fixed, 24);
  fixed.writeUInt32LE(crc32(json), 56);
  fixed.writeUInt32LE(crc32(fixed.subarray(0, 60)), 60);
  return Buffer.concat([fixed, json, header, data]);
}

test('records of the version before this one are found, read, checked and erased', async (t) => {
  const { dataDir } = await openSpool(t);
  const header = bytesOf(132, 0);
  const [one, two] = [bytesOf(5001, 1), bytesOf(7003, 2)];
  const records = [one, two].map((data) => recordOfVersion1(receivedRecord(), header, data));
  writeFileSync(join(dataDir, 'received', '01J00000000000000000000000.seg'), Buffer.concat(records));
  const { spool } = await openSpool(t, { dataDir });
  const [first, second, ...more] = await found(spool);
  assert.ok(first !== undefined && second !== undefined);
  assert.equal(more.length, 0);
  assert.equal(first.digest, createHash('sha256').update(one).digest('hex'));
  assert.deepEqual(contentOf(spool, second).subarray(132), Buffer.from(two));
  assert.equal(await spool.digestOf(second.location), second.digest);
  await spool.eraseReceived([first.location]);
  assert.equal(await spool.digestOf(second.location), second.digest);
  await spool.eraseReceived([second.location]);
  assert.deepEqual(segments(dataDir), []);
});

test('a record begins at a block, and what stands behind it in its last block is nobody\u2019s', async (t) => {
  const { spool, dataDir } = await openSpool(t);
  const writer = spool.writer();
  await store(writer, new Uint8Array(300_000).fill(0xaa));
  await store(writer, new Uint8Array(5).fill(0xbb));
  await writer.close();
  await spool.close();
  const [segment = ''] = segments(dataDir);
  const bytes = readFileSync(join(dataDir, 'received', segment));
  assert.equal(bytes.length % 4096, 0);
  const last = bytes.subarray(-4096);
  assert.equal(last.toString('latin1', 0, 4), 'LREC');
  const rest = last.subarray(last.lastIndexOf(0xbb) + 1);
  assert.ok(rest.length > 0);
  assert.ok(
    rest.every((byte) => byte === 0),
    'bytes of an earlier instance',
  );
});

test('the bytes given to write may be changed as soon as it returns', async (t) => {
  const { spool } = await openSpool(t);
  const writer = spool.writer();
  const incoming = writer.begin(receivedRecord(), bytesOf(132, 0));
  const data = bytesOf(3_000_000, 5);
  const buffer = new Uint8Array(70_000);
  for (let at = 0; at < data.length; at += buffer.length) {
    const part = data.subarray(at, at + buffer.length);
    buffer.set(part);
    if (!incoming.write(buffer.subarray(0, part.length))) await incoming.drained();
    buffer.fill(0);
  }
  const spooled = await incoming.commit();
  await writer.close();
  assert.deepEqual(contentOf(spool, spooled).subarray(132), Buffer.from(data));
});

test('instances are erased while their segment is written behind them, and the others stay whole', async (t) => {
  const { spool } = await openSpool(t);
  const writer = spool.writer();
  const sizes = Array.from({ length: 40 }, (_, index) => 1000 + index * 9001);
  const kept: { spooled: SpooledInstance; data: Uint8Array }[] = [];
  const erasing: Promise<void>[] = [];
  for (const [index, size] of sizes.entries()) {
    const data = bytesOf(size, index);
    const spooled = await store(writer, data);
    if (index % 2 === 0) erasing.push(spool.eraseReceived([spooled.location]));
    else kept.push({ spooled, data });
  }
  await Promise.all(erasing);
  await writer.close();
  for (const { spooled, data } of kept) {
    assert.deepEqual(contentOf(spool, spooled).subarray(132), Buffer.from(data));
    assert.equal(await spool.digestOf(spooled.location), createHash('sha256').update(data).digest('hex'));
  }
});

test('many that stopped half-way do not keep another from being written', async (t) => {
  const { spool } = await openSpool(t);
  // Each holds almost a whole write's worth; together they are beyond what all may have in flight.
  const stopped = Array.from({ length: 90 }, () => {
    const writer = spool.writer();
    const incoming = writer.begin(receivedRecord(), bytesOf(132, 0));
    incoming.write(new Uint8Array(1_100_000));
    return { writer, incoming };
  });
  const writer = spool.writer();
  const data = bytesOf(2_500_000, 1);
  const spooled = await store(writer, data);
  await writer.close();
  assert.deepEqual(contentOf(spool, spooled).subarray(132), Buffer.from(data));
  for (const one of stopped) await one.writer.close();
});

test('a segment that is open has room behind its records; when it is closed or found again nothing is behind them', async (t) => {
  const { spool, dataDir } = await openSpool(t);
  const writer = spool.writer();
  const kept = [await store(writer, bytesOf(70_000, 1)), await store(writer, bytesOf(2_500_000, 2))];
  const [segment = ''] = segments(dataDir);
  const path = join(dataDir, 'received', segment);
  const copy = await openSpool(t);
  mkdirSync(join(copy.dataDir, 'received'), { recursive: true });
  cpSync(path, join(copy.dataDir, 'received', segment)); // as a killed process leaves it
  await writer.close();
  await spool.close();
  assert.deepEqual(await found(copy.spool), kept);
  const { size } = statSync(path);
  assert.equal(size % 4096, 0);
  assert.ok(size > 2_570_000 && size < 2_600_000, String(size));
  assert.equal(statSync(join(copy.dataDir, 'received', segment)).size, size);
});

test('an instance given up leaves nothing, and the next one is as durable as any', async (t) => {
  const { spool, dataDir } = await openSpool(t);
  const writer = spool.writer();
  const first = await store(writer, bytesOf(70_000, 1));
  const given = writer.begin(receivedRecord(), bytesOf(132, 0));
  if (!given.write(new Uint8Array(3_000_000).fill(0x5a))) await given.drained();
  await given.abort();
  const second = await store(writer, bytesOf(80_000, 2));
  await writer.close();
  await spool.close();
  const [segment = ''] = segments(dataDir);
  assert.equal(readFileSync(join(dataDir, 'received', segment)).includes(Buffer.alloc(64, 0x5a)), false);
  const again = await openSpool(t, { dataDir });
  assert.deepEqual(await found(again.spool), [first, second]);
});

test('the record that ends behind what a segment has room for is whole as well', async (t) => {
  const { spool, dataDir } = await openSpool(t);
  const writer = spool.writer();
  const large = await store(writer, bytesOf(64 * 1024 * 1024 - 100_000, 1));
  const small = await store(writer, bytesOf(300_000, 2));
  await writer.close();
  await spool.close();
  assert.equal(segments(dataDir).length, 1);
  const again = await openSpool(t, { dataDir });
  assert.deepEqual(await found(again.spool), [large, small]);
  for (const { location } of [large, small])
    assert.match((await again.spool.digestOf(location)) ?? '', /^[0-9a-f]{64}$/);
});
