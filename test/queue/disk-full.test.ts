/** A file system that is really full: what was committed stays, what was not is refused with its type, and it recovers. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock, systemRandom } from '../../src/core/clock.ts';
import { LocalSpool } from '../../src/queue/local-spool.ts';
import type { SpooledInstance } from '../../src/queue/spool.ts';
import { receivedRecord } from '../build/record.ts';

const DEPS = { clock: systemClock, random: systemRandom };
const INSTANCE_BYTES = 300_000;

/** A file system of four megabytes; undefined where mounting is not allowed. */
function smallFileSystem(t: TestContext): string | undefined {
  const dir = mkdtempSync(join(tmpdir(), 'lethe-small-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', dir]).status === 0;
  t.after(() => {
    if (mounted) spawnSync('umount', ['-l', dir]);
    rmSync(dir, { recursive: true, force: true });
  });
  return mounted ? dir : undefined;
}

async function store(spool: LocalSpool, number: number): Promise<SpooledInstance> {
  const writer = spool.writer();
  const record = receivedRecord({ sopInstanceUid: `2.25.${number}` });
  const incoming = writer.begin(record, new Uint8Array(0));
  try {
    incoming.write(new Uint8Array(INSTANCE_BYTES).fill(number));
    return await incoming.commit();
  } finally {
    await writer.close();
  }
}

test('when the disk is full the next instance is refused as SPOOL_FULL, all committed ones stay, and room makes it work again', async (t) => {
  const dataDir = smallFileSystem(t);
  if (dataDir === undefined) {
    t.skip('mounting a small file system is not allowed here');
    return;
  }
  const spool = await LocalSpool.open({ dataDir, minFreeDiskBytes: 0, freeBytes: () => 1e12 }, DEPS);
  const committed: SpooledInstance[] = [];
  await assert.rejects(
    async () => {
      for (let number = 1; number < 100; number++) committed.push(await store(spool, number));
    },
    { code: 'SPOOL_FULL' },
  );
  assert.ok(committed.length >= 8, `${committed.length} fitted`);
  await assert.rejects(store(spool, 100), { code: 'SPOOL_FULL' });
  for (const [index, { location }] of committed.entries()) {
    const source = spool.openReceived(location);
    assert.deepEqual(Buffer.from(source.read(0, source.size)), Buffer.alloc(INSTANCE_BYTES, index + 1));
    source.close();
  }
  for (const { location } of committed) await spool.eraseReceived([location]);
  await spool.close();
  const again = await LocalSpool.open({ dataDir, minFreeDiskBytes: 0, freeBytes: () => 1e12 }, DEPS);
  t.after(() => again.close());
  for await (const _ of again.recover()) assert.fail('an erased instance came back');
  const { location } = await store(again, 7);
  assert.match((await again.digestOf(location)) ?? '', /^[0-9a-f]{64}$/);
});
