/**
 * Whatever happens to instances and deliveries, in whatever order and with restarts between, the ledger adds up, each
 * instance has one fate, what was delivered stays delivered, and nothing may be erased that is owed. What is expected is
 * kept by a model here that knows the rules and not the store.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { CHAIN_START, chainHash } from '../../src/core/chain.ts';
import { SqliteStore } from '../../src/queue/sqlite-store.ts';
import type { ClaimedDelivery, InstanceRow } from '../../src/queue/store.ts';
import { output, spooled, type TestClock, testClock } from './store-rig.ts';

const DESTINATIONS = ['cloud', 'pacs'];
const INSTANCES_MAX = 3;
const STUDIES = ['2.25.100', '2.25.200', undefined];

const step = fc.record({
  what: fc.constantFrom(
    ...['accept', 'again', 'prepare', 'prepare', 'hold', 'hold', 'discard', 'release', 'release', 'claim', 'claim'],
    ...[
      'inflight',
      'settle',
      'settle',
      'settle',
      'defer',
      'holdDelivery',
      'unclaim',
      'restart',
      'prepareAgain',
      'erase',
      'prune',
      'hasten',
    ],
  ),
  pick: fc.nat(1000),
  two: fc.boolean(),
});
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

interface Modelled {
  readonly id: string;
  readonly line: string;
  /** Destinations that took it. */
  readonly taken: Set<string>;
  discarded: boolean;
  /** What it had come to when its row went. */
  forgotten: string | undefined;
}

class World {
  readonly clock: TestClock = testClock();
  readonly instances: Modelled[] = [];
  readonly #path: string;
  store: SqliteStore;
  #claimed: ClaimedDelivery[] = [];
  #last: ReturnType<typeof spooled> | undefined;

  constructor(path: string) {
    this.#path = path;
    this.store = new SqliteStore(path, this.clock);
  }

  async take({ what, pick, two }: Step): Promise<void> {
    const { store } = this;
    this.clock.advance(500);
    const one = this.instances[pick % Math.max(1, this.instances.length)];
    const delivery = this.#claimed[pick % Math.max(1, this.#claimed.length)];
    if (what === 'accept') return this.#accept(pick);
    if (what === 'again' && this.#last !== undefined && !this.#isForgotten(this.#last.record.id))
      await store.accept({ ...this.#last, location: 'x:1' }, undefined);
    if (what === 'claim') return this.#claim(pick);
    if (what === 'restart') return this.#restart(two);
    if (what === 'prune') return this.#prune();
    if (what === 'hasten') return store.hasten('cloud');
    if (what === 'erase') return this.#erase(two ? 'received' : 'prepared');
    if (one !== undefined && one.forgotten === undefined) await this.#onInstance({ what, pick, two }, one);
    if (delivery !== undefined) await this.#onDelivery(what, delivery);
  }

  /** Few, so that histories of one instance are long. */
  async #accept(pick: number): Promise<void> {
    if (this.instances.length >= INSTANCES_MAX) return;
    const one = spooled({ source: pick % 2 === 0 ? 'A' : 'B' });
    const study = STUDIES[pick % 3];
    this.#last = one;
    await this.store.accept(one, study);
    const line = `${one.record.sourceName} ${study ?? ''}`;
    this.instances.push({ id: one.record.id, line, taken: new Set(), discarded: false, forgotten: undefined });
  }

  async #onInstance({ what, pick, two }: Step, one: Modelled): Promise<void> {
    const { store } = this;
    if (what === 'prepare')
      await store.markPrepared(one.id, output(`s${one.id.slice(-1)}`), two ? DESTINATIONS : ['cloud']);
    if (what === 'hold') await store.hold(one.id, 'INSTANCE_HELD_BY_RULE', undefined);
    if (what === 'release') await store.release(one.id, 'somebody');
    if (what === 'prepareAgain') await store.prepareAgain(one.id);
    if (what === 'discard' && pick % 8 === 0) {
      await store.discard(one.id, 'rule');
      one.discarded = true;
    }
  }

  async #claim(pick: number): Promise<void> {
    const options = { nowMs: this.clock.nowMs(), by: 'series', maxInstances: 3, maxBytes: 1e6, idleMs: 0 } as const;
    this.#claimed.push(...(await this.store.claim(DESTINATIONS[pick % 2] ?? 'cloud', options)));
  }

  async #onDelivery(what: Step['what'], { delivery, instance }: ClaimedDelivery): Promise<void> {
    const { store } = this;
    const ids = [delivery.id];
    const forget = () => {
      this.#claimed = this.#claimed.filter((other) => other.delivery.id !== delivery.id);
    };
    if (what === 'inflight') await store.markInflight(ids);
    if (what === 'settle') {
      await store.settle(ids, 'ok');
      this.instances.find(({ id }) => id === instance.id)?.taken.add(delivery.destination);
      forget();
    }
    if (what === 'defer') await store.defer(ids, this.clock.nowMs() + 3000, 'DELIVERY_BUSY', undefined).then(forget);
    if (what === 'holdDelivery') await store.holdDeliveries(ids, 'DELIVERY_REJECTED', undefined).then(forget);
    if (what === 'unclaim') await store.unclaim(ids).then(forget);
  }

  async #restart(idempotent: boolean): Promise<void> {
    await this.store.close();
    this.store = new SqliteStore(this.#path, this.clock);
    this.#claimed = [];
    await this.store.requeueAfterRestart(() => idempotent);
  }

  async #erase(what: 'received' | 'prepared'): Promise<void> {
    const rows = await this.store.erasable(what, this.clock.nowMs(), 10);
    for (const { id } of rows) {
      const model = this.instances.find((one) => one.id === id);
      const owed = (await this.store.deliveriesOf(id)).filter(
        ({ destination }) => model?.taken.has(destination) !== true,
      );
      assert.ok(model?.discarded === true || owed.length === 0, 'what is owed is never erased');
    }
    await this.store.markErased(
      rows.map(({ id }) => id),
      what,
    );
  }

  #isForgotten(id: string): boolean {
    return this.instances.some((one) => one.id === id && one.forgotten !== undefined);
  }

  /** All that may go, which is what nothing is owed of and whose bytes are gone. */
  async #prune(): Promise<void> {
    const rows = new Map<string, InstanceRow | undefined>();
    const fates = new Map<string, string>();
    for (const one of this.instances) {
      rows.set(one.id, await this.store.instance(one.id));
      fates.set(one.id, await this.#fateOf(one));
    }
    const now = this.clock.nowMs();
    const limits = { settledBeforeMs: now, settledBeforeMsAtLeast: now, instancesMax: 100, linesBeforeMs: 0 };
    await this.store.prune({ ...limits, rowsMax: 100 });
    for (const one of this.instances) {
      const row = rows.get(one.id);
      if (row === undefined || (await this.store.instance(one.id)) !== undefined) continue;
      one.forgotten = fates.get(one.id);
      assert.ok(one.forgotten === 'delivered' || one.forgotten === 'discarded', 'what is owed is never forgotten');
      assert.equal(row.location ?? row.prepared, undefined, 'nor what has bytes');
    }
  }

  async check(): Promise<void> {
    const lines = await this.store.ledger({ limit: 100 });
    const expected = new Map<string, Record<string, number>>();
    for (const model of this.instances) {
      const fate = await this.#fateOf(model);
      const line = expected.get(model.line) ?? { received: 0, delivered: 0, held: 0, discarded: 0, onTheWay: 0 };
      expected.set(model.line, { ...line, received: (line['received'] ?? 0) + 1, [fate]: (line[fate] ?? 0) + 1 });
    }
    assert.equal(lines.length, expected.size);
    for (const { customer: _customer, sourceName, studyInstanceUid, ...numbers } of lines) {
      assert.equal(numbers.received, numbers.delivered + numbers.held + numbers.discarded + numbers.onTheWay);
      assert.deepEqual(numbers, expected.get(`${sourceName} ${studyInstanceUid ?? ''}`));
    }
  }

  async #fateOf(model: Modelled): Promise<string> {
    if (model.forgotten !== undefined) return model.forgotten;
    const row = await this.store.instance(model.id);
    assert.ok(row !== undefined);
    const deliveries = await this.store.deliveriesOf(model.id);
    for (const { destination, state } of deliveries)
      assert.equal(state === 'delivered', model.taken.has(destination), 'delivered is what was settled, for good');
    if (model.discarded) return 'discarded';
    if (row.state === 'held' || deliveries.some(({ state }) => state === 'held')) return 'held';
    return isDone(row, deliveries.length, model) ? 'delivered' : 'onTheWay';
  }

  async checkChain(): Promise<void> {
    let previous = CHAIN_START;
    for await (const { hash, ...entry } of this.store.auditEntries()) {
      assert.equal(hash, chainHash(previous, entry));
      previous = hash;
    }
  }
}

function isDone(row: InstanceRow, deliveries: number, model: Modelled): boolean {
  return row.state === 'prepared' && deliveries > 0 && model.taken.size === deliveries;
}

test('the ledger adds up after every step of any history, and what was delivered stays so', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'lethe-ledger-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  let run = 0;
  const long = process.env['LETHE_LONG'] === '1';
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 80, maxLength: 120 }), async (steps) => {
      run++;
      const world = new World(join(dir, `${run}.db`));
      try {
        for (const one of steps) {
          await world.take(one);
          await world.check();
        }
        await world.checkChain();
      } finally {
        await world.store.close();
      }
    }),
    { numRuns: long ? 3000 : 60 },
  );
});
