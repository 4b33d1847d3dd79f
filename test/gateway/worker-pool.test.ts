import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Logger, silentLogger } from '../../src/core/log.ts';
import { WorkerPool } from '../../src/gateway/worker-pool.ts';

/** A worker that does what its job says: answer, hang, die, or use up its memory. */
const SCRIPT = new URL(
  `data:text/javascript,${encodeURIComponent(`
    import { parentPort } from 'node:worker_threads';
    const held = [];
    parentPort.on('message', ({ job, number }) => {
      if (job === 'wait') return held.push(number);
      if (job === 'let go') for (const other of held) parentPort.postMessage({ outcome: 'waited', number: other });
      if (job === 'die') process.exit(3);
      if (job === 'throw') throw new Error('broken');
      if (job === 'hang') for (;;);
      if (job === 'fill') { const all = []; for (;;) all.push(new Array(100000).fill(0.5)); }
      for (let step = 0; step < 3; step++) parentPort.postMessage({ progress: true });
      parentPort.postMessage({ outcome: job + '!', number });
    });`)}`,
);

interface Options {
  readonly size?: number;
  readonly progressTimeoutMs?: number;
  readonly logger?: Logger;
  readonly isSmall?: (job: string) => boolean;
}

function pool(t: TestContext, options: Options = {}) {
  const made = new WorkerPool<string, string>({
    size: options.size ?? 1,
    script: SCRIPT,
    workerData: {},
    progressTimeoutMs: options.progressTimeoutMs ?? 60_000,
    heapMegabytes: 32,
    logger: options.logger ?? silentLogger,
    ...(options.isSmall === undefined ? {} : { isSmall: options.isSmall }),
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

test('while one small job waits for something its worker does the next one', async (t) => {
  const workers = pool(t, { isSmall: () => true });
  assert.equal(workers.size, 8);
  const outcomes = await Promise.all(['wait', 'let go'].map((job) => workers.run(job)));
  assert.deepEqual(outcomes, ['waited', 'let go!']);
});

test('a job that is not small has its worker for itself', async (t) => {
  const workers = pool(t, { isSmall: (job) => job !== 'let go', progressTimeoutMs: 300 });
  const jobs = ['wait', 'let go', 'a'].map((job) => workers.run(job).catch((error: { code: string }) => error.code));
  // Nobody lets it go, since the other one is never there at the same time.
  assert.deepEqual(await Promise.all(jobs), ['IMAGING_TIMEOUT', 'let go!', 'a!']);
});

test('of two small jobs in a worker that hangs or dies, only the one that does it again alone fails', async (t) => {
  for (const [culprit, code] of [
    ['die', 'WORKER_DIED'],
    ['throw', 'WORKER_DIED'],
    ['hang', 'IMAGING_TIMEOUT'],
  ] as const) {
    const workers = pool(t, { isSmall: () => true, progressTimeoutMs: 500 });
    const jobs = ['a', culprit, 'b', 'c', culprit, 'd'].map((job) =>
      workers.run(job).catch((error: { code: string }) => error.code),
    );
    assert.deepEqual(await Promise.all(jobs), ['a!', code, 'b!', 'c!', code, 'd!'], culprit);
  }
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
