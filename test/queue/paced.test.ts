import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock, systemRandom } from '../../src/core/clock.ts';
import type { LogEvents } from '../../src/core/log.ts';
import { DiskWatch } from '../../src/gateway/disk-watch.ts';
import { LocalSpool } from '../../src/queue/local-spool.ts';
import { pauseMsPerByte } from '../../src/queue/paced.ts';
import type { SpoolSpace } from '../../src/queue/spool.ts';
import { receivedRecord } from '../build/record.ts';

const LIMIT = 1_000_000_000;
const MEBIBYTE = 1024 * 1024;

function space(freeBytes: number): SpoolSpace {
  return { freeBytes, limitBytes: LIMIT, full: freeBytes < LIMIT, low: freeBytes < 2 * LIMIT };
}

test('senders are not slowed above twice the mark, and the more the nearer it is', () => {
  const perMebibyte = [3 * LIMIT, 2 * LIMIT, 1.5 * LIMIT, LIMIT].map((free) => pauseMsPerByte(space(free)) * MEBIBYTE);
  assert.deepEqual(perMebibyte.map(Math.round), [0, 0, 100, 200]);
});

test('between twice the mark and the mark instances are taken whole, with pauses; above without', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'lethe-paced-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  let freeBytes = 1.5 * LIMIT;
  let nowMs = 0;
  const spool = await LocalSpool.open(
    { dataDir, minFreeDiskBytes: LIMIT, freeBytes: () => freeBytes },
    { clock: { nowMs: () => systemClock.nowMs(), monotonicMs: () => nowMs }, random: systemRandom },
  );
  t.after(() => spool.close());
  const writer = spool.writer();
  const store = async () => {
    const incoming = writer.begin(receivedRecord(), new Uint8Array(0));
    let asked = 0;
    for (let slice = 0; slice < 8; slice++)
      if (!incoming.write(new Uint8Array(MEBIBYTE / 4))) {
        asked++;
        await incoming.drained();
      }
    const { bytes } = await incoming.commit();
    assert.equal(bytes, 2 * MEBIBYTE);
    return asked;
  };
  const startMs = performance.now();
  assert.equal(await store(), 8, 'each quarter of a mebibyte costs 25 ms, which is worth a pause');
  assert.ok(performance.now() - startMs >= 190, 'two mebibytes at 100 ms each');
  freeBytes = 10 * LIMIT;
  nowMs = 10_000;
  assert.equal(await store(), 0);
  await writer.close();
});

test('that the disk gets full is said once, and once that it has room again', () => {
  const said: (keyof LogEvents)[] = [];
  const watch = new DiskWatch({ log: (_level, event) => void said.push(event) });
  for (const free of [3, 1.5, 1.2, 0.5, 1.9, 2.5, 3]) watch.look(space(free * LIMIT));
  assert.deepEqual(said, ['disk.low', 'disk.recovered']);
});
