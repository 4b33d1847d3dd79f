/** Several packs in a file: each reads, is damaged and goes as if it had one of its own. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock, systemRandom } from '../../src/core/clock.ts';
import { newInstanceId } from '../../src/core/identifier.ts';
import { LocalPreparedArea } from '../../src/queue/local-prepared.ts';
import { LocalSpool } from '../../src/queue/local-spool.ts';
import type { PreparedLocation } from '../../src/queue/spool.ts';

const KIB = 1024;
const HEAD_BYTES = 64;

function openArea(t: TestContext) {
  const dataDir = mkdtempSync(join(tmpdir(), 'lethe-bundle-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const area = new LocalPreparedArea(dataDir, { bundled: true });
  const files = () =>
    readdirSync(dataDir, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.split('/').length === 3)
      .map((name) => join(dataDir, name));
  return { dataDir, area, files };
}

function content(bytes: number, seed: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: bytes }, (_, index) => (index * 7 + seed * 31 + 1) & 0xff));
}

function commit(area: LocalPreparedArea, bytes: Uint8Array) {
  const id = newInstanceId(systemClock, systemRandom);
  const pack = area.prepared(id, '1');
  const out = pack.file('frame-1.jpg');
  out.write(bytes);
  out.end();
  return { id, location: pack.commit(), bytes };
}

function read(area: LocalPreparedArea, location: PreparedLocation): Buffer | string {
  try {
    const source = area.open(location, 'frame-1.jpg');
    const bytes = Buffer.from(source.read(0, source.size));
    source.close();
    return bytes;
  } catch (error) {
    return String((error as { code?: string }).code);
  }
}

/** `count` packs in one file, in its order. */
function bundle(t: TestContext, count: number) {
  const opened = openArea(t);
  const packs = Array.from({ length: count }, (_, index) => commit(opened.area, content(2000 + index, index)));
  const [path, ...others] = opened.files();
  assert.ok(path !== undefined && others.length === 0, 'one file');
  // As the reader finds it after a start; the one that wrote has nothing in memory either.
  const reader = new LocalPreparedArea(opened.dataDir);
  const starts = packs.map(({ location }) => Number(location.split(':')[1]));
  return { ...opened, packs, path, starts, reader };
}

test('small packs that follow each other share a file, and each is answered by its own location', (t) => {
  const { packs, reader } = bundle(t, 5);
  assert.equal(new Set(packs.map(({ location }) => location)).size, 5);
  for (const { location, bytes } of packs) assert.deepEqual(read(reader, location), bytes);
  const [one] = packs;
  assert.throws(() => reader.open(one?.location ?? ('' as PreparedLocation), 'frame-2.jpg'), {
    code: 'SPOOL_CORRUPT',
  });
});

test('a pack of more than 256 KiB has a file of its own, and a file of several ends at a mebibyte', (t) => {
  const { area, files } = openArea(t);
  const large = commit(area, content(300 * KIB, 1));
  assert.ok(!large.location.includes(':'));
  const small = Array.from({ length: 12 }, (_, index) => commit(area, content(200 * KIB, index)));
  for (const { location, bytes } of [large, ...small]) assert.deepEqual(read(area, location), bytes);
  const sizes = files().map((path) => statSync(path).size);
  assert.equal(sizes.length, 1 + 3, 'five of 200 KiB in each');
  assert.ok(Math.max(...sizes) <= 1024 * KIB);
});

test('a file takes no further pack a second after it was made', (t) => {
  t.mock.method(performance, 'now', () => nowMs);
  let nowMs = 5000;
  const { area, files } = openArea(t);
  const count = (afterMs: number): number => {
    nowMs += afterMs;
    commit(area, content(100, 1));
    return files().length;
  };
  assert.deepEqual([count(0), count(999), count(1), count(500), count(500)], [1, 1, 2, 2, 3]);
});

test('any damage to a pack is refused, and its neighbours are read all the same', (t) => {
  const { packs, path, starts, reader } = bundle(t, 3);
  const whole = readFileSync(path);
  const [from, to] = [starts[1] ?? 0, starts[2] ?? 0];
  const length = packs[1]?.bytes.length ?? 0;
  // In the head: its magic, version, length, id, checksum. In the pack: member, index, tail.
  const places = [0, 4, 8, 12, 37, 60, HEAD_BYTES, HEAD_BYTES + length - 1, HEAD_BYTES + length, to - from - 1];
  for (const at of places) {
    const damaged = Buffer.from(whole);
    damaged[from + at] = (damaged[from + at] ?? 0) ^ 4;
    writeFileSync(path, damaged);
    assert.deepEqual(
      packs.map(({ location }) => read(reader, location)),
      [packs[0]?.bytes, 'SPOOL_CORRUPT', packs[2]?.bytes],
      `byte ${at}`,
    );
  }
  writeFileSync(path, whole.subarray(0, to - 1));
  assert.deepEqual(
    packs.map(({ location }) => read(reader, location)),
    [packs[0]?.bytes, 'SPOOL_CORRUPT', 'SPOOL_CORRUPT'],
  );
  rmSync(path);
  assert.deepEqual(
    packs.map(({ location }) => read(reader, location)),
    Array.from({ length: 3 }, () => 'SPOOL_CORRUPT'),
  );
});

test('a start finds every whole pack, as far as their heads can be followed', (t) => {
  const { packs, path, starts, reader } = bundle(t, 4);
  const found = () => [...reader.sealed()].map(({ location, id }) => ({ location, id }));
  const expected = packs.map(({ location, id }) => ({ location, id }));
  assert.deepEqual(found(), expected);
  const whole = readFileSync(path);
  writeFileSync(path, whole.subarray(0, whole.length - 1));
  assert.deepEqual(found(), expected.slice(0, 3), 'cut in the last one');
  writeFileSync(path, Buffer.concat([whole, Buffer.alloc(5000)]));
  assert.deepEqual(found(), expected, 'bytes behind, as a write that was not finished leaves them');
  writeFileSync(path, Buffer.from(whole).fill(0, starts[2], (starts[2] ?? 0) + HEAD_BYTES));
  assert.deepEqual(found(), expected.slice(0, 2), 'a head that is gone');
  writeFileSync(path, '');
  assert.deepEqual(found(), []);
  assert.throws(() => readFileSync(path), { code: 'ENOENT' }, 'nothing can be in it');
});

test('an erased pack is not read any more, its bytes go while its neighbours stay, and the file goes with the last', (t) => {
  const { packs, path, starts, reader } = bundle(t, 3);
  const erase = (index: number) => reader.erase(packs[index]?.location ?? ('' as PreparedLocation)) ?? '';
  const file = erase(1);
  assert.equal(erase(1), file, 'again');
  assert.deepEqual(
    packs.map(({ location }) => read(reader, location)),
    [packs[0]?.bytes, 'SPOOL_CORRUPT', packs[2]?.bytes],
  );
  assert.deepEqual(
    packs.map(({ location }) => reader.exists(location)),
    [true, false, true],
  );
  reader.thin(file);
  const left = readFileSync(path).subarray((starts[1] ?? 0) + HEAD_BYTES, starts[2]);
  assert.ok(left.equals(Buffer.alloc(left.length)), 'zeros');
  assert.deepEqual(read(reader, packs[2]?.location ?? ('' as PreparedLocation)), packs[2]?.bytes);
  erase(0);
  erase(2);
  reader.thin(file);
  assert.throws(() => statSync(path), { code: 'ENOENT' });
  assert.equal(erase(0), file, 'erasing what is gone does nothing');
  reader.thin(file);
});

test('what a crash left between the mark and the end of its bytes, the next start finishes', (t) => {
  const { packs, path, starts, reader, dataDir } = bundle(t, 2);
  reader.erase(packs[0]?.location ?? ('' as PreparedLocation));
  const again = new LocalPreparedArea(dataDir);
  assert.deepEqual(
    [...again.sealed()].map(({ id }) => id),
    [packs[1]?.id],
  );
  const left = readFileSync(path).subarray(HEAD_BYTES, starts[1]);
  assert.ok(left.equals(Buffer.alloc(left.length)));
  again.erase(packs[1]?.location ?? ('' as PreparedLocation));
  assert.deepEqual([...new LocalPreparedArea(dataDir).sealed()], []);
  assert.throws(() => statSync(path), { code: 'ENOENT' });
});

test('the spool has a file of several go a while after its last pack was erased', async (t) => {
  const { packs, path, dataDir } = bundle(t, 2);
  let nowMs = 1000;
  const clock = { ...systemClock, nowMs: () => nowMs, monotonicMs: () => nowMs };
  const spool = await LocalSpool.open({ dataDir, minFreeDiskBytes: 0 }, { clock, random: systemRandom });
  t.after(() => spool.close());
  const pass = (afterMs: number) => {
    nowMs += afterMs;
    return spool.reclaim(async () => true);
  };
  for (const { location } of packs) await spool.erasePrepared(location);
  await pass(29_999);
  assert.ok(statSync(path).size > 0, 'a worker may still have it open');
  await pass(1);
  assert.throws(() => statSync(path), { code: 'ENOENT' });
});
