/**
 * The second leg with a real store and destinations that do what a test says: retry, breaker, budgets, the urgent lane,
 * restarts in the middle of a study, and a store that does not answer when an outcome is to be recorded.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, systemClock, systemRandom } from '../../src/core/clock.ts';
import { type ErrorCode, LetheError } from '../../src/core/errors.ts';
import { silentLogger } from '../../src/core/log.ts';
import type { DeliverableInstance, DeliveryOutcome, Destination } from '../../src/delivery/destination.ts';
import { imageApiDestination } from '../../src/delivery/image-api/image-api.ts';
import { type DispatchDeps, Dispatcher, type DispatchOptions } from '../../src/gateway/dispatch.ts';
import { Remake } from '../../src/gateway/remake.ts';
import { SqliteStore } from '../../src/queue/sqlite-store.ts';
import { deliverable } from '../delivery/deliverable.ts';
import { scriptedServer } from '../delivery/scripted-server.ts';
import { output, spooled, testClock } from '../queue/store-rig.ts';

const DELIVERED: DeliveryOutcome = { kind: 'delivered', receipt: 'ok' };
const OPTIONS: DispatchOptions = {
  batching: { by: 'series', maxInstances: 4, maxBytes: 1e9, idleMs: 0 },
  retry: { baseMs: 20, maxMs: 50, attemptsMax: 1000, ageMaxMs: 1e9 },
  breaker: { failuresMax: 3, pauseMs: 200, pauseMaxMs: 400 },
  lanes: 1,
  opensInMs: () => 0,
};
const WAIT_MS = 20_000;

function failed(code: ErrorCode, more: { retryAfterMs?: number } = {}): DeliveryOutcome {
  return { kind: 'failed', code, ...more };
}

/** Answers each batch by `answer`, and keeps what it was sent. */
class Scripted implements Destination {
  readonly name = 'cloud';
  readonly type = 'scripted';
  readonly idempotent: boolean;
  readonly batches: string[][] = [];
  readonly atMs: number[] = [];
  answer: (ids: readonly string[]) => DeliveryOutcome[] | Promise<DeliveryOutcome[]>;

  constructor(idempotent = true) {
    this.idempotent = idempotent;
    this.answer = (ids) => ids.map(() => DELIVERED);
  }

  async deliver(batch: readonly DeliverableInstance[]): Promise<DeliveryOutcome[]> {
    const ids = batch.map(({ id }) => id);
    this.batches.push(ids);
    this.atMs.push(performance.now());
    return this.answer(ids);
  }

  async probe(): Promise<undefined> {
    return undefined;
  }

  async close(): Promise<void> {}
}

class World {
  readonly path: string;
  store: SqliteStore;
  readonly #running: Dispatcher[] = [];
  readonly #clock: Clock;

  constructor(t: TestContext, clock: Clock = systemClock) {
    this.#clock = clock;
    const dir = mkdtempSync(join(tmpdir(), 'lethe-dispatch-'));
    this.path = join(dir, 'lethe.db');
    this.store = new SqliteStore(this.path, clock);
    t.after(async () => {
      for (const dispatcher of this.#running) await dispatcher.stop(0);
      await this.store.close();
      rmSync(dir, { recursive: true, force: true });
    });
  }

  async owe(count: number, series: string, urgent = false): Promise<string[]> {
    const ids: string[] = [];
    for (let number = 0; number < count; number++) {
      const one = spooled();
      await this.store.accept(one, undefined);
      await this.store.markPrepared(one.record.id, output(series), ['cloud'], { urgent });
      ids.push(one.record.id);
    }
    return ids;
  }

  start(
    destination: Destination,
    options: Partial<DispatchOptions> = {},
    deps: Partial<DispatchDeps> = {},
  ): Dispatcher {
    const dispatcher = new Dispatcher(
      destination,
      { ...OPTIONS, ...options },
      {
        store: this.store,
        clock: this.#clock,
        random: systemRandom,
        logger: silentLogger,
        deliverable: ({ instance }) => deliverable({ id: instance.id, sopInstanceUid: `1.2.${instance.id.slice(-6)}` }),
        onOutcome: () => undefined,
        ...deps,
      },
    );
    this.#running.push(dispatcher);
    dispatcher.start();
    return dispatcher;
  }

  async states(): Promise<Readonly<Record<string, number>>> {
    const states: Readonly<Record<string, number>> = (await this.store.counts()).deliveries['cloud'] ?? {};
    return Object.fromEntries(Object.entries(states).filter(([, count]) => count > 0));
  }

  async until(expected: Readonly<Record<string, number>>): Promise<void> {
    for (const endMs = performance.now() + WAIT_MS; performance.now() < endMs; await sleep(10))
      if (JSON.stringify(await this.states()) === JSON.stringify(expected)) return;
    assert.deepEqual(await this.states(), expected);
  }
}

test('an urgent instance overtakes what waits', async (t) => {
  const world = new World(t);
  await world.owe(8, 'routine');
  const [urgent = ''] = await world.owe(1, 'stat', true);
  const destination = new Scripted();
  world.start(destination);
  await world.until({ delivered: 9 });
  assert.deepEqual(destination.batches[0], [urgent]);
});

test('a transient failure is repeated until it succeeds, an instance that is refused is held and its neighbours arrive', async (t) => {
  const world = new World(t);
  const [poison = ''] = await world.owe(4, 'a');
  const destination = new Scripted();
  let failures = 2;
  destination.answer = (ids) =>
    ids.map((id) =>
      id === poison ? failed('DELIVERY_REJECTED') : failures-- > 0 ? failed('DELIVERY_BUSY') : DELIVERED,
    );
  world.start(destination);
  await world.until({ delivered: 3, held: 1 });
  assert.equal((await world.store.deliveriesOf(poison))[0]?.reason, 'DELIVERY_REJECTED');
});

test('an instance that breaks the destination each time opens no circuit for the others and ends in held', async (t) => {
  const world = new World(t);
  const [poison = ''] = await world.owe(1, 'poison');
  await world.owe(12, 'well');
  const destination = new Scripted();
  destination.answer = (ids) => ids.map((id) => (id === poison ? failed('DELIVERY_CONNECTION_LOST') : DELIVERED));
  world.start(destination, { retry: { ...OPTIONS.retry, attemptsMax: 5 } });
  await world.until({ delivered: 12, held: 1 });
  const [delivery] = await world.store.deliveriesOf(poison);
  assert.deepEqual([delivery?.reason, delivery?.attempts], ['DELIVERY_BUDGET_EXHAUSTED', 5]);
  destination.answer = (ids) => ids.map(() => DELIVERED);
  await world.store.release(poison, 'somebody');
  await world.until({ delivered: 13 });
});

test('nothing is sent before the time that a destination asked for', async (t) => {
  const world = new World(t);
  await world.owe(1, 'a');
  const destination = new Scripted();
  destination.answer = () => [
    destination.batches.length === 1 ? failed('DELIVERY_BUSY', { retryAfterMs: 400 }) : DELIVERED,
  ];
  world.start(destination);
  await world.until({ delivered: 1 });
  const [first = 0, second = 0] = destination.atMs;
  assert.ok(second - first >= 399, `${second - first} ms`);
});

test('an ambiguous end is repeated where that is recognised, else held for a person', async (t) => {
  for (const idempotent of [true, false]) {
    const world = new World(t);
    await world.owe(1, 'a');
    const destination = new Scripted(idempotent);
    destination.answer = () => [destination.batches.length === 1 ? failed('DELIVERY_TIMEOUT') : DELIVERED];
    world.start(destination);
    await world.until(idempotent ? { delivered: 1 } : { held: 1 });
    assert.equal(destination.batches.length, idempotent ? 2 : 1);
  }
});

test('a destination that is down sees single probes, costs no budget, and gets everything in order when it is back', async (t) => {
  const world = new World(t);
  const ids = await world.owe(40, 'a');
  const destination = new Scripted();
  let isDown = true;
  let most = 0;
  let open = 0;
  destination.answer = async (batch) => {
    most = Math.max(most, ++open);
    await sleep(5);
    open--;
    return batch.map(() => (isDown ? failed('DELIVERY_UNREACHABLE') : DELIVERED));
  };
  const dispatcher = world.start(destination, { lanes: 3 });
  await sleep(1500);
  assert.notEqual(dispatcher.breaker, 'closed');
  // 3 failures and the two other lanes before it opens, then one probe each 100 to 400 ms.
  assert.ok(destination.batches.length <= 5 + 1500 / 100, `${destination.batches.length} requests while it was down`);
  const probes = destination.batches.length;
  isDown = false;
  await world.until({ delivered: 40 });
  const untouched = ids.slice(-8);
  for (const id of untouched) assert.equal((await world.store.deliveriesOf(id))[0]?.attempts, 1);
  const arrived = destination.batches.slice(probes + 1).flat();
  const lanes = 3 * OPTIONS.batching.maxInstances;
  for (const [index, id] of arrived.entries())
    assert.ok(Math.abs(arrived.toSorted().indexOf(id) - index) <= lanes, 'oldest first, as far as lanes allow');
});

/** A circuit that has opened: three lanes, three failures, and nothing on its way. */
async function opened(t: TestContext, deps: Partial<DispatchDeps> = {}) {
  const clock = testClock();
  const world = new World(t, clock);
  await world.owe(12, 'a');
  const destination = new Scripted();
  destination.answer = (ids) => ids.map(() => failed('DELIVERY_UNREACHABLE'));
  const dispatcher = world.start(destination, { lanes: 3 }, deps);
  await until(() => dispatcher.breaker === 'open');
  await world.until({ deferred: 12 });
  const sent = () => destination.batches.length;
  /** All lanes have looked at what there is to do. */
  const look = async () => {
    dispatcher.wake();
    await sleep(30);
  };
  return { clock, world, destination, dispatcher, sent, look };
}

async function until(condition: () => boolean): Promise<void> {
  for (const endMs = performance.now() + WAIT_MS; performance.now() < endMs; await sleep(5)) if (condition()) return;
  assert.fail('never so');
}

test('an open circuit sends one probe after its pause, however many lanes wait; what comes of it decides', async (t) => {
  const { clock, world, destination, dispatcher, sent, look } = await opened(t);
  const before = sent();
  await look();
  assert.equal(sent(), before, 'nothing goes out during the pause');

  const answers: ((outcome: DeliveryOutcome) => void)[] = [];
  destination.answer = async (ids) => {
    const outcome = await new Promise<DeliveryOutcome>((resolve) => answers.push(resolve));
    return ids.map(() => outcome);
  };
  clock.advance(OPTIONS.breaker.pauseMs);
  await look();
  await until(() => sent() === before + 1);
  await look();
  assert.deepEqual([sent(), dispatcher.breaker], [before + 1, 'half-open'], 'the others wait for its outcome');

  answers.shift()?.(failed('DELIVERY_UNREACHABLE'));
  await until(() => dispatcher.breaker === 'open');
  clock.advance(OPTIONS.breaker.pauseMs / 2 - 1); // half of the first pause is over; the second is longer than that
  await look();
  assert.equal(sent(), before + 1);

  destination.answer = (ids) => ids.map(() => DELIVERED);
  clock.advance(OPTIONS.breaker.pauseMaxMs);
  dispatcher.wake();
  await until(() => dispatcher.breaker === 'closed');
  await world.until({ delivered: 12 });
});

test('a probe that never went out leaves the circuit to the next one', async (t) => {
  let isBroken = false;
  const broken: string[] = [];
  const { clock, world, destination, dispatcher } = await opened(t, {
    deliverable: ({ instance: { id } }) => {
      if (!isBroken || broken.length === OPTIONS.batching.maxInstances)
        return deliverable({ id, sopInstanceUid: `1.2.${id.slice(-6)}` });
      broken.push(id);
      throw new LetheError('SPOOL_CORRUPT', { what: 'member' });
    },
  });
  isBroken = true;
  destination.answer = (ids) => ids.map(() => DELIVERED);
  clock.advance(OPTIONS.breaker.pauseMs);
  dispatcher.wake();
  await world.until({ delivered: 8, held: 4 });
  assert.equal(dispatcher.breaker, 'closed');
});

test('a delivery whose prepared bytes are not what was written is held, and said to whoever makes them again', async (t) => {
  const world = new World(t);
  const [bad = ''] = await world.owe(4, 'a');
  const destination = new Scripted();
  destination.answer = (ids) => ids.map((id) => (id === bad ? failed('SPOOL_CORRUPT') : DELIVERED));
  const told: string[] = [];
  world.start(
    destination,
    {},
    {
      onCorrupt: async ({ instance, delivery }) => {
        const [{ state } = { state: undefined }] = await world.store.deliveriesOf(instance.id);
        told.push(`${instance.id} ${delivery.destination} ${state}`);
      },
    },
  );
  await world.until({ delivered: 3, held: 1 });
  await until(() => told.length > 0);
  assert.deepEqual(told, [`${bad} cloud held`]);
});

test('prepared bytes are made again once a run: where that does not help, the delivery stays held', async (t) => {
  const world = new World(t);
  const [id = ''] = await world.owe(1, 'a');
  const destination = new Scripted();
  destination.answer = (ids) => ids.map(() => failed('SPOOL_CORRUPT'));
  const unprepared: string[] = [];
  const remake = new Remake({
    store: world.store,
    logger: silentLogger,
    onUnprepared: (one, location) => {
      unprepared.push(`${one} ${location}`);
      // As the worker would; the disk is no better for it.
      void world.store.markPrepared(one, output('a'), ['cloud']);
    },
  });
  world.start(destination, {}, { onCorrupt: (claimed) => remake.again(claimed) });
  await until(() => destination.batches.length === 2);
  await world.until({ held: 1 });
  assert.equal(unprepared.length, 1);
  assert.ok(unprepared[0]?.startsWith(`${id} `));
  assert.equal(destination.batches.length, 2);
});

test('a restart in the middle of a study goes on where it was, and what was on its way is sent again', async (t) => {
  const world = new World(t);
  const ids = await world.owe(20, 'a');
  const first = new Scripted();
  const hanging = Promise.withResolvers<DeliveryOutcome[]>();
  first.answer = (batch) => (first.batches.length < 3 ? batch.map(() => DELIVERED) : hanging.promise);
  const dispatcher = world.start(first);
  while (first.batches.length < 3) await sleep(5);
  // As after a kill: the store is opened anew while the answer never came.
  const dead = world.store;
  world.store = new SqliteStore(world.path, systemClock);
  t.after(() => dead.close());
  assert.deepEqual(await world.store.requeueAfterRestart(() => true), { requeued: 4, held: 0 });
  const second = new Scripted();
  world.start(second);
  await world.until({ delivered: 20 });
  assert.deepEqual(second.batches.flat(), ids.slice(8));
  hanging.resolve([]);
  await dispatcher.stop(0);
});

test('an outcome is recorded although the store did not answer at first', async (t) => {
  const world = new World(t);
  await world.owe(4, 'a');
  const destination = new Scripted();
  const other = new DatabaseSync(world.path);
  t.after(() => other.close());
  destination.answer = (ids) => {
    other.exec('PRAGMA busy_timeout = 1000; BEGIN IMMEDIATE');
    setTimeout(() => other.exec('ROLLBACK'), 5800); // longer than a write waits
    return ids.map(() => DELIVERED);
  };
  world.start(destination);
  await world.until({ delivered: 4 });
  assert.equal(destination.batches.length, 1, 'and nothing is sent twice');
});

test('the idempotency key of a batch is the same when it is sent again, after a restart too', async (t) => {
  const world = new World(t);
  await world.owe(3, 'a');
  const server = await scriptedServer(['hang']);
  t.after(() => server.close());
  const keys = () => server.requests.map(({ headers }) => headers['idempotency-key']);
  const first = world.start(imageApiDestination('cloud', { url: server.url }));
  while (server.requests.length < 1) await sleep(5);
  await first.stop(0);
  await world.store.requeueAfterRestart(() => true);
  server.answer({ status: 200, body: '{"success":"ok"}' });
  world.start(imageApiDestination('cloud', { url: server.url }));
  await world.until({ delivered: 3 });
  assert.equal(new Set(keys()).size, 1, JSON.stringify(keys()));
  assert.ok(keys().length >= 2);
});
