import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
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
  return { area, files, pack: () => area.prepared(newInstanceId(systemClock, systemRandom), '1') };
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
