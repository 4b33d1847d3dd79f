/**
 * What a start does before it takes anything: the journal (the spool's records) and the index (the store's rows) are
 * brought together, both ways. A record without a row gets one if its data are whole; where other content is on record
 * under its UID, nobody can say any more which of them was answered, and it is held. A row whose prepared output is gone
 * is prepared again; one whose bytes are gone altogether is held with that reason. Deliveries that a crash interrupted are
 * owed again. What was found is said.
 */
import { LetheError } from '../core/errors.ts';
import type { InstanceId } from '../core/identifier.ts';
import type { Logger } from '../core/log.ts';
import type { Spool, SpooledInstance, SpoolLocation } from '../queue/spool.ts';
import type { DeliveryState, InstanceRow, InstanceState, OtherContent, Store } from '../queue/store.ts';
import { acceptContent } from './content.ts';
import { HeadReader } from './head.ts';
import { withoutObject } from './manifests.ts';

export interface Recovery {
  /** Instances whose bytes are in the spool. */
  readonly found: number;
  /** Rows made anew from the journal, pointed to where their bytes are, or prepared again. */
  readonly repaired: number;
  /** Records and packs that nothing owns any more (duplicates, copies, settled instances, torn data): erased. */
  readonly removed: number;
  /** Instances that are owed although their bytes are gone: held. */
  readonly lost: number;
  readonly requeued: number;
}

export interface RecoverDeps {
  readonly spool: Spool;
  readonly store: Store;
  readonly logger: Logger;
  readonly idempotent: (destination: string) => boolean;
  /** Whether the DICOM object goes to that destination, as it is configured now. */
  readonly wantsObject: (destination: string) => boolean;
  /** Of a record without a row whose UID is on record with other content. */
  readonly otherContent: Exclude<OtherContent, 'refuse'>;
}

const HEAD_CHUNK_BYTES = 64 * 1024;
const PAGE = 1000;

export async function recover(deps: RecoverDeps): Promise<Recovery> {
  const { spool, store, logger } = deps;
  const present = new Set<string>();
  let repaired = 0;
  let removed = 0;
  for await (const spooled of spool.recover()) {
    const { verdict, id } = await reconcile(spooled, deps);
    if (verdict === 'removed') removed++;
    else present.add(id);
    if (verdict === 'repaired') repaired++;
  }
  const packs = await sweepPacks(deps);
  removed += packs.removed;
  const prepared = await settleLostPacks(deps, packs.present, present);
  repaired += prepared.again;
  const lost = prepared.lost + (await holdLost(store, present));
  const { requeued } = await store.requeueAfterRestart(deps.idempotent);
  const recovery = { found: present.size, repaired, removed, lost, requeued };
  logger.log(lost > 0 ? 'error' : 'info', 'recovery.finished', recovery);
  return recovery;
}

interface Reconciled {
  readonly verdict: 'known' | 'repaired' | 'removed';
  /** Of the row: another than the record's where these bytes took the place of lost ones. */
  readonly id: InstanceId;
}

async function reconcile(spooled: SpooledInstance, deps: RecoverDeps): Promise<Reconciled> {
  const { spool, store, logger } = deps;
  const { id } = spooled.record;
  const row = await store.instance(spooled.record.id);
  if (row !== undefined) return reconcileKnown(spooled, row, deps);
  // After a power cut the fixed part may be on disk without all of its data: the flush that would have allowed the
  // answer never ended, so the sender still has the instance.
  const digest = await spool.digestOf(spooled.location);
  if (digest === undefined) {
    logger.log('warn', 'recovery.torn', { instance: spooled.record.id });
    await spool.eraseReceived([spooled.location]);
    return { verdict: 'removed', id };
  }
  const offer = { spooled: { ...spooled, digest }, studyInstanceUid: studyOf(spool, spooled) };
  const outcome = await acceptContent({ ...offer, otherContent: deps.otherContent }, deps);
  if (outcome.kind === 'accepted') return { verdict: 'repaired', id };
  if (outcome.kind === 'restored') return { verdict: 'repaired', id: outcome.of };
  const owner = await store.instance(outcome.of);
  if (owner?.location === spooled.location) return { verdict: 'known', id: owner.id };
  await spool.eraseReceived([spooled.location]);
  return { verdict: 'removed', id };
}

async function reconcileKnown(
  { location }: SpooledInstance,
  row: InstanceRow,
  { spool, store }: RecoverDeps,
): Promise<Reconciled> {
  const { id } = row;
  if (row.location === location) return { verdict: 'known', id };
  // Erased in the store, and the crash came before the spool knew; or a copy whose other one is on record.
  if (row.location === undefined || (await isThere(spool, row.location))) {
    await spool.eraseReceived([location]);
    return { verdict: 'removed', id };
  }
  await store.relocate([{ id, from: row.location, to: location }]);
  return { verdict: 'repaired', id };
}

async function isThere(spool: Spool, location: SpoolLocation): Promise<boolean> {
  try {
    return (await spool.digestOf(location)) !== undefined;
  } catch (error) {
    if (error instanceof LetheError) return false;
    throw error;
  }
}

/** A pack that was sealed and never recorded goes: its instance is processed again. */
async function sweepPacks({ spool, store }: RecoverDeps): Promise<{ removed: number; present: ReadonlySet<string> }> {
  let removed = 0;
  const present = new Set<string>();
  for (const { location, id } of spool.sealedPacks()) {
    const row = await store.instance(id);
    if (row?.prepared?.location === location) {
      present.add(id);
      continue;
    }
    await spool.erasePrepared(location);
    removed++;
  }
  return { removed, present };
}

/** The study's UID for the ledger; an instance that cannot be read goes without and is held later, with its reason. */
function studyOf(spool: Spool, spooled: SpooledInstance): string | undefined {
  const source = spool.openReceived(spooled.location);
  try {
    const reader = new HeadReader();
    for (let position = 0; position < source.size; position += HEAD_CHUNK_BYTES) {
      const head = reader.push(source.read(position, HEAD_CHUNK_BYTES).slice());
      if (head !== undefined) return head.studyInstanceUid;
    }
    return reader.end().studyInstanceUid;
  } catch (error) {
    if (error instanceof LetheError) return undefined;
    throw error;
  } finally {
    source.close();
  }
}

/** Prepared, but its pack is gone, or lacks the object that a destination has come to want: prepared again where the received bytes allow it, else held. */
async function settleLostPacks(
  deps: RecoverDeps,
  packs: ReadonlySet<string>,
  received: ReadonlySet<string>,
): Promise<{ again: number; lost: number }> {
  let again = 0;
  let lost = 0;
  const { spool, store } = deps;
  for await (const row of unsettled(store, 'prepared')) {
    const { id, prepared } = row;
    if (packs.has(id) && !(await lacksObject(row, deps))) continue;
    if (received.has(id)) {
      await store.prepareAgain(id);
      if (packs.has(id) && prepared !== undefined) await spool.erasePrepared(prepared.location);
      again++;
    } else {
      await store.hold(id, 'SPOOL_CORRUPT', 'bytes are missing');
      lost++;
    }
  }
  return { again, lost };
}

/** What a person or the destination decided about is not touched. */
const ON_THE_WAY: ReadonlySet<DeliveryState> = new Set(['queued', 'claimed', 'inflight', 'deferred']);

/** Whether something is owed as a DICOM object that was prepared as images only, under another configuration. */
async function lacksObject({ id, prepared }: InstanceRow, { store, wantsObject }: RecoverDeps): Promise<boolean> {
  const lacking = prepared === undefined ? [] : withoutObject(prepared.manifest).filter(wantsObject);
  if (lacking.length === 0) return false;
  const deliveries = await store.deliveriesOf(id);
  return deliveries.some(({ destination, state }) => ON_THE_WAY.has(state) && lacking.includes(destination));
}

/** Received but without bytes: nothing can be made of them, and saying so is all that is left. */
async function holdLost(store: Store, present: ReadonlySet<string>): Promise<number> {
  let lost = 0;
  for await (const { id } of unsettled(store, 'received')) {
    if (present.has(id)) continue;
    await store.hold(id, 'SPOOL_CORRUPT', 'bytes are missing');
    lost++;
  }
  return lost;
}

/** In pages, so that a long queue is not in memory; what leaves the state meanwhile is behind the reader already. */
async function* unsettled(store: Store, state: InstanceState): AsyncGenerator<InstanceRow> {
  let after: string | undefined;
  for (;;) {
    const rows = await store.unsettled(state, PAGE, after);
    yield* rows;
    if (rows.length < PAGE) return;
    after = rows.at(-1)?.id;
  }
}
