/** What becomes of an instance whose worker dies or hangs: one more try, then held, and the others go on. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock, systemRandom } from '../../src/core/clock.ts';
import { newInstanceId } from '../../src/core/identifier.ts';
import { silentLogger } from '../../src/core/log.ts';
import { PrepareLoop } from '../../src/gateway/prepare.ts';
import type { ProcessJob, ProcessOutcome } from '../../src/gateway/process-job.ts';
import { WorkerPool } from '../../src/gateway/worker-pool.ts';
import { SqliteStore } from '../../src/queue/sqlite-store.ts';

/** Does what the place of the bytes says: `die:1`, `hang:1`, or answers that a rule discards the instance. */
const SCRIPT = new URL(
  `data:text/javascript,${encodeURIComponent(`
    import { parentPort } from 'node:worker_threads';
    parentPort.on('message', ({ job, number }) => {
      if (job.location.startsWith('die')) process.exit(3);
      if (job.location.startsWith('hang')) for (;;);
      parentPort.postMessage({ outcome: { kind: 'discarded', rule: job.location }, number });
    });`)}`,
);

async function prepare(t: TestContext, locations: readonly string[]) {
  const dataDir = mkdtempSync(join(tmpdir(), 'lethe-prepare-'));
  const store = new SqliteStore(join(dataDir, 'store.db'), systemClock);
  const outcomes: ProcessOutcome['kind'][] = [];
  const { promise: done, resolve } = Promise.withResolvers<void>();
  const ids: string[] = [];
  for (const [index, location] of locations.entries()) {
    const id = newInstanceId(systemClock, systemRandom);
    ids.push(id);
    const record = {
      id,
      customer: 'default',
      sourceKind: 'dicom',
      sourceName: 'MODALITY',
      sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
      sopInstanceUid: `2.25.${index + 1}`,
      transferSyntaxUid: '1.2.840.10008.1.2.1',
      receivedAtMs: index,
      priority: 'normal',
    } as const;
    await store.accept({ record, location, bytes: 10, digest: String(index).padStart(64, 'a') }, '2.25.9');
  }
  const pool = new WorkerPool<ProcessJob, ProcessOutcome>({
    size: 1,
    script: SCRIPT,
    workerData: {},
    progressTimeoutMs: 1000, // a worker that starts beside much else takes longer than it looks
    heapMegabytes: 32,
    logger: silentLogger,
  });
  let tries = 0;
  const run = pool.run.bind(pool);
  pool.run = (job) => {
    tries++;
    return run(job);
  };
  const loop = new PrepareLoop({
    store,
    pool,
    clock: systemClock,
    logger: silentLogger,
    onPrepared: () => undefined,
    onOutcome: (_id, kind) => {
      outcomes.push(kind);
      if (outcomes.length === locations.length) resolve();
    },
    onPreparedAnew: () => undefined,
    erasePrepared: async () => undefined,
  });
  t.after(async () => {
    await pool.close();
    await store.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  loop.start();
  await done;
  await loop.stop();
  const rows = await Promise.all(ids.map((id) => store.instance(id)));
  return { tries, rows: rows.map((row) => [row?.state, row?.reason]) };
}

test('a worker that dies over an instance is replaced; the second time the instance is held', async (t) => {
  const { tries, rows } = await prepare(t, ['die:1', 'fine:2']);
  assert.deepEqual(rows, [
    ['held', 'WORKER_DIED'],
    ['discarded', 'fine:2'],
  ]);
  assert.equal(tries, 3);
});

test('a worker that hangs over an instance is ended; the second time the instance is held', async (t) => {
  const { tries, rows } = await prepare(t, ['hang:1', 'fine:2']);
  assert.deepEqual(rows, [
    ['held', 'IMAGING_TIMEOUT'],
    ['discarded', 'fine:2'],
  ]);
  assert.equal(tries, 3);
});
