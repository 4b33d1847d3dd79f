/** What every destination owes the dispatcher, run on each implementation against a real other side. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERRORS } from '../../src/core/errors.ts';
import type { DeliverableInstance, Destination } from '../../src/delivery/destination.ts';

export interface OtherSide {
  readonly destination: Destination;
  /** What the other side holds of an instance; undefined when it has none. */
  stored(instance: DeliverableInstance): Promise<Buffer | undefined>;
  /** What it should hold. */
  expected(instance: DeliverableInstance): Buffer;
  /** How many instances it holds. */
  count(): Promise<number>;
  /** Takes it away; what is delivered afterwards must be deferred. */
  down(): Promise<void>;
  dispose(): Promise<void>;
}

export interface ContractOptions {
  readonly skip?: string | false;
  readonly open: () => Promise<OtherSide>;
  /** An instance that the other side takes; another one each time. */
  readonly instance: () => DeliverableInstance;
}

const signal = new AbortController().signal;

export function destinationContract(type: string, { skip, open, instance }: ContractOptions): void {
  const check = (name: string, work: (side: OtherSide) => Promise<void>) => {
    test(`${type}: ${name}`, { skip: skip ?? false }, async () => {
      const side = await open();
      try {
        await work(side);
      } finally {
        await side.destination.close();
        await side.dispose();
      }
    });
  };

  check('is of its type and reachable', async ({ destination }) => {
    assert.equal(destination.type, type);
    assert.equal(await destination.probe(signal), undefined);
  });

  check('answers one outcome an instance, and what it delivered is there byte for byte', async (side) => {
    const batch = [instance(), instance(), instance()];
    const outcomes = await side.destination.deliver(batch, signal);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.kind),
      ['delivered', 'delivered', 'delivered'],
    );
    for (const one of batch) assert.ok((await side.stored(one))?.equals(side.expected(one)));
  });

  if (type !== 'image-api') {
    check('fails what was prepared without the object that it sends, and goes on', async ({ destination }) => {
      const whole = instance();
      const { dicomFile: _left, ...manifest } = whole.manifest;
      const [without] = await destination.deliver([{ ...whole, manifest }], signal);
      assert.deepEqual([without?.kind, without?.kind === 'failed' && without.code], ['failed', 'SPOOL_CORRUPT']);
      const [next] = await destination.deliver([instance()], signal);
      assert.equal(next?.kind, 'delivered');
    });
  }

  check('gives a receipt worth keeping', async ({ destination }) => {
    const [outcome] = await destination.deliver([instance()], signal);
    assert.ok(outcome?.kind === 'delivered' && outcome.receipt.length > 0);
  });

  check('an empty batch has no outcomes', async ({ destination }) => {
    assert.deepEqual(await destination.deliver([], signal), []);
  });

  check('delivering again is success and changes nothing, where it says so', async (side) => {
    if (!side.destination.idempotent) return;
    const batch = [instance(), instance()];
    for (const _time of [1, 2]) {
      const outcomes = await side.destination.deliver(batch, signal);
      assert.deepEqual(
        outcomes.map((outcome) => outcome.kind),
        ['delivered', 'delivered'],
      );
    }
    assert.equal(await side.count(), 2);
    for (const one of batch) assert.ok((await side.stored(one))?.equals(side.expected(one)));
  });

  check('several deliveries at once do not disturb each other', async (side) => {
    const batches = Array.from({ length: 5 }, () => [instance(), instance()]);
    const outcomes = await Promise.all(batches.map((batch) => side.destination.deliver(batch, signal)));
    assert.ok(outcomes.flat().every((outcome) => outcome.kind === 'delivered'));
    assert.equal(await side.count(), 10);
  });

  check('while the other side is down everything is owed again and the probe says why', async (side) => {
    await side.down();
    const outcomes = await side.destination.deliver([instance(), instance()], signal);
    assert.equal(outcomes.length, 2);
    for (const outcome of outcomes) {
      assert.equal(outcome.kind, 'failed');
      assert.ok(['retry', 'ambiguous'].includes(ERRORS[outcome.code].disposition), outcome.code);
    }
    assert.notEqual(await side.destination.probe(signal), undefined);
  });

  check('a delivery that was stopped before it began is owed again', async ({ destination }) => {
    const [outcome] = await destination.deliver([instance()], AbortSignal.abort());
    assert.ok(outcome?.kind === 'failed');
    assert.ok(['retry', 'ambiguous'].includes(ERRORS[outcome.code].disposition), outcome.code);
  });

  check('a file that cannot be read holds or defers its own instance only', async (side) => {
    const broken: DeliverableInstance = {
      ...instance(),
      open: () => {
        throw new Error('not readable');
      },
    };
    const good = instance();
    const outcomes = await side.destination.deliver([broken, good], signal);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.kind),
      ['failed', 'delivered'],
    );
  });
}
