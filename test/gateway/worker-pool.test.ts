import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Logger, silentLogger } from '../../src/core/log.ts';
import { WorkerPool } from '../../src/gateway/worker-pool.ts';

/** A worker that does what its job says: answer, hang, die, or use up its memory. */
const SCRIPT = new URL(
  `data:text/javascript,${encodeURIComponent(`
    import { parentPort } from 'node:worker_threads';
    parentPort.on('message', ({ job }) => {
      if (job === 'die') process.exit(3);
      if (job === 'throw') throw new Error('broken');
      if (job === 'hang') for (;;);
      if (job === 'fill') { const all = []; for (;;) all.push(new Array(100000).fill(0.5)); }
      for (let step = 0; step < 3; step++) parentPort.postMessage({ progress: true });
      parentPort.postMessage({ outcome: job + '!' });
    });`)}`,
);

function pool(t: TestContext, options: { size?: number; progressTimeoutMs?: number; logger?: Logger } = {}) {
  const made = new WorkerPool<string, string>({
    size: options.size ?? 1,
    script: SCRIPT,
    workerData: {},
    progressTimeoutMs: options.progressTimeoutMs ?? 60_000,
    heapMegabytes: 32,
    logger: options.logger ?? silentLogger,
  });
  t.after(() => made.close());
  return made;
}

test('jobs are answered, more of them than there are workers', async (t) => {
  const workers = pool(t, { size: 2 });
  const outcomes = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((job) => workers.run(job)));
  assert.deepEqual(outcomes, ['a!', 'b!', 'c!', 'd!', 'e!']);
});

test('a worker that hangs is ended by its deadline and the next job gets another one', async (t) => {
  const replaced: string[] = [];
  const logger: Logger = { log: (_level, event, fields) => replaced.push(`${event} ${JSON.stringify(fields)}`) };
  const workers = pool(t, { progressTimeoutMs: 300, logger });
  await assert.rejects(workers.run('hang'), { code: 'IMAGING_TIMEOUT' });
  assert.equal(replaced.length, 1);
  const patient = pool(t);
  assert.equal(await patient.run('next'), 'next!');
});

test('a worker that dies, throws or runs out of memory fails its own job and no other', async (t) => {
  const workers = pool(t);
  const jobs = ['die', 'a', 'throw', 'b', 'fill', 'c'].map((job) =>
    workers.run(job).catch((error: { code: string }) => error.code),
  );
  assert.deepEqual(await Promise.all(jobs), ['WORKER_DIED', 'a!', 'WORKER_DIED', 'b!', 'WORKER_DIED', 'c!']);
});

test('closing fails what still waits and leaves no thread behind', async (t) => {
  const workers = pool(t);
  const waiting = [workers.run('hang'), workers.run('a')].map((job) =>
    job.catch((error: { code: string }) => error.code),
  );
  await workers.close();
  assert.deepEqual(await Promise.all(waiting), ['WORKER_DIED', 'WORKER_DIED']);
  await assert.rejects(workers.run('b'), { code: 'INVARIANT' });
});
