/**
 * Claiming: which deliveries of a destination make the next batch. Urgent ones first, then oldest. A batch is what shares
 * a key (series, study, or just itself) and is due; one that is not full waits until nothing was added to it for a
 * while, except when it is urgent or being repeated. Work is bounded whatever the table's size: a claim looks at a
 * few groups from the front of the queue.
 */
import type { SqliteDatabase } from './sqlite-database.ts';
import { GIVEN } from './sqlite-move.ts';
import { columns, DELIVERY_COLUMNS, deliveryOf, INSTANCE_COLUMNS, instanceOf, number, text } from './sqlite-rows.ts';
import type { ClaimedDelivery, ClaimOptions } from './store.ts';

const OWED = "state IN ('queued', 'deferred')";
const HEADS_MAX = 256; // rows looked at to find a group that is ready
const GROUPS_MAX = 32;

/** Inside an operation of the store. */
export function claimDeliveries(
  database: SqliteDatabase,
  destination: string,
  options: ClaimOptions,
): ClaimedDelivery[] {
  for (const urgent of [1, 0]) {
    const claimed = claimLane(database, destination, urgent, options);
    if (claimed.length > 0) return claimed;
  }
  return [];
}

function claimLane(
  database: SqliteDatabase,
  destination: string,
  urgent: number,
  options: ClaimOptions,
): ClaimedDelivery[] {
  const ready = readyMembers(database, destination, urgent, options);
  return ready === undefined ? [] : claimMembers(database, ready);
}

/** Of the first group that makes a batch now; rows are read only as far as that takes. */
function readyMembers(
  database: SqliteDatabase,
  destination: string,
  urgent: number,
  options: ClaimOptions,
): Members | undefined {
  const heads = database.rows(
    `SELECT id, study_key, series_key FROM delivery WHERE destination = ? AND urgent = ? AND due_at_ms <= ? AND ${OWED} ORDER BY due_at_ms, id LIMIT ${HEADS_MAX}`,
    destination,
    urgent,
    options.nowMs,
  );
  const seen = new Set<string>();
  for (const head of heads) {
    const key = groupOf(head, options);
    if (seen.has(key)) continue;
    if (seen.size >= GROUPS_MAX) return undefined;
    seen.add(key);
    const members = membersOf(database, destination, head, options);
    if (urgent === 1 || isReady(members, options)) return members;
  }
  return undefined;
}

type Row = ReturnType<SqliteDatabase['all']>[number];

function groupOf(row: Row, options: ClaimOptions): string {
  if (options.by === 'instance') return text(row, 'id');
  return text(row, options.by === 'series' ? 'series_key' : 'study_key');
}

interface Members {
  readonly ids: readonly number[];
  readonly full: boolean;
  readonly newestAtMs: number;
  readonly repeated: boolean;
}

function membersOf(database: SqliteDatabase, destination: string, head: Row, options: ClaimOptions): Members {
  const term = options.by === 'instance' ? 'id' : options.by === 'series' ? 'series_key' : 'study_key';
  const value = options.by === 'instance' ? number(head, 'id') : groupOf(head, options);
  // The limit is not bound: the engine would plan the statement anew each time.
  const rows = database.all(
    `SELECT id, bytes, created_at_ms, attempts FROM delivery WHERE destination = ? AND ${term} = ? AND due_at_ms <= ? AND ${OWED} ORDER BY id LIMIT ${options.maxInstances}`,
    destination,
    value,
    options.nowMs,
  );
  const ids: number[] = [];
  let bytes = 0;
  for (const row of rows) {
    bytes += number(row, 'bytes');
    if (ids.length > 0 && bytes > options.maxBytes) break;
    ids.push(number(row, 'id'));
  }
  return {
    ids,
    full: ids.length >= options.maxInstances || ids.length < rows.length || bytes >= options.maxBytes,
    newestAtMs: Math.max(...rows.map((row) => number(row, 'created_at_ms'))),
    repeated: rows.some((row) => number(row, 'attempts') > 0),
  };
}

function isReady(members: Members, options: ClaimOptions): boolean {
  return (
    members.full ||
    members.repeated ||
    options.by === 'instance' ||
    options.nowMs - members.newestAtMs >= options.idleMs
  );
}

function claimMembers(database: SqliteDatabase, members: Members): ClaimedDelivery[] {
  const given = JSON.stringify(members.ids);
  const instances = database.all(
    `SELECT ${columns(INSTANCE_COLUMNS, 'instance')} FROM delivery JOIN instance ON instance.id = delivery.instance WHERE delivery.id IN (${GIVEN}) ORDER BY delivery.id`,
    given,
  );
  const byId = new Map(instances.map(instanceOf).map((instance) => [instance.id, instance]));
  database.run(`UPDATE delivery SET state = 'claimed' WHERE id IN (${GIVEN})`, given);
  const deliveries = database.all(
    `SELECT ${columns(DELIVERY_COLUMNS, 'delivery')} FROM delivery WHERE id IN (${GIVEN}) ORDER BY id`,
    given,
  );
  return deliveries.map(deliveryOf).flatMap((delivery) => {
    const instance = byId.get(delivery.instance);
    if (instance?.prepared !== undefined && instance.state === 'prepared')
      return [{ delivery, instance, prepared: instance.prepared }];
    // Held while this delivery was on its way: it waits for whoever releases the instance.
    database.run("UPDATE delivery SET state = 'held', reason = ? WHERE id = ?", instance?.reason ?? null, delivery.id);
    return [];
  });
}
