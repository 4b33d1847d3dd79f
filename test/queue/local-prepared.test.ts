import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { systemClock, systemRandom } from '../../src/core/clock.ts';
import { newInstanceId } from '../../src/core/identifier.ts';
import { LocalPreparedArea } from '../../src/queue/local-prepared.ts';

const MIB = 1024 * 1024;

function openArea(t: TestContext) {
  const dataDir = mkdtempSync(join(tmpdir(), 'lethe-pack-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const area = new LocalPreparedArea(dataDir);
  const files = () =>
    readdirSync(dataDir, { recursive: true, encoding: 'utf8' }).filter((name) => name.split('/').length === 3);
  const path = (location: string) => join(dataDir, 'prepared', location);
  return { area, files, path, pack: () => area.prepared(newInstanceId(systemClock, systemRandom), '1') };
}

function member(bytes: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => (index * 7 + seed) & 0xff);
}

/** In memory, grown in memory, gone to disk with the first member, gone to disk with the last. */
const SHAPES = {
  small: [100, 2000],
  growing: [600_000, 900_000, 3 * MIB],
  large: [20 * MIB, 100, 70_000, 5 * MIB],
  'large at the end': [100, 3 * MIB, 17 * MIB, 10],
};

for (const [name, sizes] of Object.entries(SHAPES)) {
  test(`${name} members read the same before and after the commit`, (t) => {
    const { area, files, pack } = openArea(t);
    const writer = pack();
    const members = sizes.map((bytes, index) => ({ name: `m${index}`, bytes: member(bytes, index) }));
    const views: { source: { read(position: number, length: number): Uint8Array }; bytes: Uint8Array }[] = [];
    for (const { name: file, bytes } of members) {
      const out = writer.file(file);
      for (let at = 0; at < bytes.length; at += 50_000) out.write(bytes.subarray(at, at + 50_000));
      out.end();
      views.push({ source: writer.source(file), bytes });
      // What was opened before the pack grew or went to disk still answers the same.
      for (const view of views) assert.ok(Buffer.from(view.bytes).equals(view.source.read(0, view.bytes.length)));
    }
    const location = writer.commit();
    for (const { name: file, bytes } of members) {
      const source = area.open(location, file);
      assert.equal(source.size, bytes.length);
      assert.ok(Buffer.from(source.read(0, source.size)).equals(bytes));
      source.close();
    }
    assert.equal(files().length, 1);
  });
}

test('an aborted pack leaves nothing, in memory or on disk', (t) => {
  const { files, pack } = openArea(t);
  for (const size of [100, 20 * MIB]) {
    const writer = pack();
    writer.file('m').write(member(size, 1));
    writer.abort();
  }
  assert.deepEqual(files(), []);
});

test('a rewound pack holds what was written before the mark and after the rewind, and nothing between', (t) => {
  const { area, pack } = openArea(t);
  for (const between of [1000, 20 * MIB]) {
    const writer = pack();
    const put = (name: string, bytes: Uint8Array) => {
      const out = writer.file(name);
      out.write(bytes);
      out.end();
    };
    put('first', member(5000, 1));
    const mark = writer.mark();
    put('between', member(between, 2));
    writer.rewind(mark);
    put('second', member(3000, 3));
    const location = writer.commit();
    assert.throws(() => area.open(location, 'between'), { code: 'SPOOL_CORRUPT' });
    for (const [name, bytes] of [
      ['first', member(5000, 1)],
      ['second', member(3000, 3)],
    ] as const) {
      const source = area.open(location, name);
      assert.deepEqual(Buffer.from(source.read(0, source.size)), Buffer.from(bytes));
      source.close();
    }
  }
});

/** Without flipping everything: the beginning and the end of each member, of the index and of the tail. */
function places(bytes: Uint8Array, sizes: readonly number[]): number[] {
  let at = 0;
  const members = sizes.flatMap((size) => {
    at += size;
    return [at - size, at - 1];
  });
  return [...members, at, bytes.length - 13, bytes.length - 12, bytes.length - 8, bytes.length - 1];
}

test('a pack that is not what was written is not read: any bit of what is opened, any length', (t) => {
  const { area, path, pack } = openArea(t);
  for (const sizes of [
    [100, 2000],
    [700_000, 3 * MIB],
  ]) {
    const writer = pack();
    for (const [index, size] of sizes.entries()) {
      const out = writer.file(`m${index}`);
      out.write(member(size, index));
      out.end();
    }
    const location = writer.commit();
    const whole = readFileSync(path(location));
    const isRead = (name: string): boolean => {
      try {
        area.open(location, name).close();
        return true;
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'SPOOL_CORRUPT');
        return false;
      }
    };
    for (const at of places(whole, sizes)) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 4;
      writeFileSync(path(location), damaged);
      const first = at < (sizes[0] ?? 0);
      const second = !first && at < (sizes[0] ?? 0) + (sizes[1] ?? 0);
      // A member is read whatever became of the other one.
      assert.deepEqual([isRead('m0'), isRead('m1')], [second, first], `byte ${at} of ${whole.length}`);
    }
    for (const length of [0, 1, 11, 12, 13, whole.length >> 1, whole.length - 1]) {
      writeFileSync(path(location), whole.subarray(0, length));
      assert.deepEqual([isRead('m0'), isRead('m1')], [false, false], `${length} of ${whole.length} bytes`);
    }
    writeFileSync(path(location), whole);
    assert.deepEqual([isRead('m0'), isRead('m1')], [true, true]);
  }
});

test('a pack of an earlier version, without checksums of its members, is read', (t) => {
  const { area, path, pack } = openArea(t);
  const writer = pack();
  const out = writer.file('m');
  out.write(member(5000, 1));
  out.end();
  const location = writer.commit();
  const index = Buffer.from('[{"name":"m","position":0,"bytes":5000}]', 'utf8');
  const tail = Buffer.alloc(12);
  tail.writeUInt32LE(index.length, 0);
  tail.writeUInt32LE(crc32(index), 4);
  tail.write('LPRP', 8, 'latin1');
  writeFileSync(path(location), Buffer.concat([member(5000, 1), index, tail]));
  const source = area.open(location, 'm');
  assert.ok(Buffer.from(source.read(0, source.size)).equals(member(5000, 1)));
  source.close();
});
