/**
 * What a start does before it takes anything: the journal (the spool's records) and the index (the store's rows) are
 * brought together. A record without a row gets one if its data are whole; a row whose bytes are gone is held with that reason, unless it was
 * settled; deliveries that a crash interrupted are owed again. What was found is said.
 */
import { LetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { Spool, SpooledInstance } from '../queue/spool.ts';
import type { Store } from '../queue/store.ts';
import { HeadReader } from './head.ts';

export interface Recovery {
  /** Instances whose bytes are in the spool. */
  readonly found: number;
  /** Rows made anew from the journal. */
  readonly repaired: number;
  /** Records that nothing owns any more (duplicates, discarded or settled instances, torn data) and that were erased. */
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
}

const HEAD_CHUNK_BYTES = 64 * 1024;
const PAGE = 1000;

export async function recover(deps: RecoverDeps): Promise<Recovery> {
  const { spool, store, logger } = deps;
  const present = new Set<string>();
  let repaired = 0;
  let removed = 0;
  for await (const spooled of spool.recover()) {
    const verdict = await reconcile(spooled, deps);
    if (verdict === 'removed') removed++;
    else present.add(spooled.record.id);
    if (verdict === 'repaired') repaired++;
  }
  removed += await sweepPacks(deps);
  const lost = await holdLost(store, present);
  const { requeued } = await store.requeueAfterRestart(deps.idempotent);
  const recovery = { found: present.size, repaired, removed, lost, requeued };
  logger.log(lost > 0 ? 'error' : 'info', 'recovery.finished', recovery);
  return recovery;
}

async function reconcile(
  spooled: SpooledInstance,
  { spool, store, logger }: RecoverDeps,
): Promise<'known' | 'repaired' | 'removed'> {
  const row = await store.instance(spooled.record.id);
  if (row !== undefined) {
    if (row.location !== undefined) return 'known';
    await spool.eraseReceived(spooled.location); // erased in the store; the crash came before the spool knew
    return 'removed';
  }
  // After a power cut the fixed part may be on disk without all of its data: the flush that would have allowed the
  // answer never ended, so the sender still has the instance.
  if (!spool.isWhole(spooled.location)) {
    logger.log('warn', 'recovery.torn', { instance: spooled.record.id });
    await spool.eraseReceived(spooled.location);
    return 'removed';
  }
  const outcome = await store.accept(spooled, studyOf(spool, spooled));
  if (outcome.kind === 'accepted') return 'repaired';
  await spool.eraseReceived(spooled.location);
  return 'removed';
}

/** A pack that was sealed and never recorded: its instance is processed again. */
async function sweepPacks({ spool, store }: RecoverDeps): Promise<number> {
  let removed = 0;
  for (const { location, id } of spool.sealedPacks()) {
    const row = await store.instance(id);
    if (row?.prepared?.location === location) continue;
    await spool.erasePrepared(location);
    removed++;
  }
  return removed;
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

/** Received but without bytes: nothing can be made of them, and saying so is all that is left. */
async function holdLost(store: Store, present: ReadonlySet<string>): Promise<number> {
  let lost = 0;
  let beforeId: string | undefined;
  for (;;) {
    const rows = await store.list({ state: 'received', limit: PAGE, ...(beforeId === undefined ? {} : { beforeId }) });
    for (const row of rows) {
      if (present.has(row.id)) continue;
      await store.hold(row.id, 'SPOOL_CORRUPT', 'bytes are missing');
      lost++;
    }
    if (rows.length < PAGE) return lost;
    beforeId = rows.at(-1)?.id;
  }
}
