/** What tests of a store share: a clock that is moved by hand, instances as the spool gives them, and their outputs. */
import { type TestContext, test } from 'node:test';
import type { PreparedLocation, SpooledInstance } from '../../src/queue/spool.ts';
import type { ClaimOptions, HistoryLimits, PreparedOutput, Store, StudyOfPatient } from '../../src/queue/store.ts';

export interface TestClock {
  nowMs(): number;
  monotonicMs(): number;
  advance(ms: number): void;
}

export function testClock(startMs = 1_750_000_000_000): TestClock {
  let nowMs = startMs;
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    advance: (ms) => {
      nowMs += ms;
    },
  };
}

export type OpenStore = (t: TestContext, clock: TestClock) => Promise<{ store: Store; reopen: () => Promise<Store> }>;

let counter = 0;

export function spooled(
  overrides: { customer?: string; uid?: string; digest?: string; priority?: 'high' | 'normal'; source?: string } = {},
): SpooledInstance {
  counter++;
  const id = `01J${String(counter).padStart(23, '0')}`;
  return {
    record: {
      id,
      customer: overrides.customer ?? 'default',
      sourceKind: 'dicom',
      sourceName: overrides.source ?? 'MODALITY',
      sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
      sopInstanceUid: overrides.uid ?? `2.25.${counter}`,
      transferSyntaxUid: '1.2.840.10008.1.2.1',
      receivedAtMs: 1,
      priority: overrides.priority ?? 'normal',
    },
    location: `01J00000000000000000000000:${counter}`,
    bytes: 1000,
    digest: overrides.digest ?? String(counter).padStart(64, 'a'),
  };
}

export function output(series: string, bytes = 100): PreparedOutput {
  return {
    location: `00/${series}-${counter}` as PreparedLocation,
    manifest: '{}',
    studyKey: `study of ${series}`,
    seriesKey: series,
    bytes,
  };
}

export function ofPatient(studyKey: string, patientKey: string): StudyOfPatient {
  return { studyKey, patientKey };
}

export const CLAIM: Omit<ClaimOptions, 'nowMs'> = { by: 'series', maxInstances: 10, maxBytes: 1_000_000, idleMs: 1000 };

/** One instance that is prepared and owed to `destinations`. */
export async function preparedInstance(store: Store, series: string, destinations = ['cloud'], bytes = 100) {
  const instance = spooled();
  await store.accept(instance, '2.25.99');
  await store.markPrepared(instance.record.id, output(series, bytes), destinations);
  return instance.record.id;
}

export const KEEP_ALL: HistoryLimits = {
  settledBeforeMs: 0,
  settledBeforeMsAtLeast: 0,
  instancesMax: 1000,
  linesBeforeMs: 0,
  rowsMax: 100,
};

/** Delivered, and its bytes erased. */
export async function finished(store: Store, clock: TestClock, study = '2.25.99'): Promise<string> {
  const instance = spooled();
  const { id } = instance.record;
  await store.accept(instance, study);
  await store.markPrepared(id, output(id), ['cloud']);
  clock.advance(1000);
  for (const { delivery } of await store.claim('cloud', { ...CLAIM, nowMs: clock.nowMs() }))
    await store.settle([delivery.id], 'ok');
  for (const what of ['received', 'prepared'] as const) await store.markErased([id], what);
  return id;
}

/** One case of the contract: a store of its own, and a clock that stands still. */
export type Contract = (
  what: string,
  body: (store: Store, clock: TestClock, reopen: () => Promise<Store>) => Promise<void>,
) => void;

export function contractOf(name: string, open: OpenStore): Contract {
  return (what, body) =>
    test(`${name}: ${what}`, async (t) => {
      const clock = testClock();
      const { store, reopen } = await open(t, clock);
      await body(store, clock, reopen);
    });
}
