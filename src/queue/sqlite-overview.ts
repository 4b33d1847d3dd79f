/** What people look at: counts, the ledger, lists. Reads only; called by the store. */
import type { Row, SqliteDatabase } from './sqlite-database.ts';
import { columns, INSTANCE_COLUMNS, instanceOf, number, text } from './sqlite-rows.ts';
import type { DeliveryState, FlowCounts, InstanceRow, InstanceState, LedgerLine, ListOptions } from './store.ts';

const INSTANCE = columns(INSTANCE_COLUMNS, 'instance');
const DELIVERY_STATES: readonly DeliveryState[] = [
  'queued',
  'claimed',
  'inflight',
  'delivered',
  'deferred',
  'rejected',
  'held',
];

/** By state, from the counters that triggers keep. */
export function readCounts(database: SqliteDatabase): FlowCounts {
  const instances = new Map(
    database.all('SELECT state, number FROM instance_count').map((row) => [text(row, 'state'), number(row, 'number')]),
  );
  const deliveries: Record<string, Record<DeliveryState, number>> = {};
  for (const row of database.all('SELECT destination, state, number FROM delivery_count')) {
    const destination = text(row, 'destination');
    const states = deliveries[destination] ?? noDeliveries();
    deliveries[destination] = states;
    states[text(row, 'state') as DeliveryState] = number(row, 'number');
  }
  const of = (state: string) => instances.get(state) ?? 0;
  return {
    received: of('received'),
    prepared: of('prepared'),
    held: of('held'),
    discarded: of('discarded'),
    deliveries,
  };
}

/**
 * A line a customer, source and study, newest first, as triggers keep it; each instance has exactly one fate. Then one a
 * customer and source for the studies of earlier years together.
 */
export function readLedger(database: SqliteDatabase, options: { customer?: string; limit: number }): LedgerLine[] {
  const columns = 'customer, source_name, study_instance_uid, received, delivered, held, discarded, way';
  const rows =
    options.customer === undefined
      ? database.all(`SELECT ${columns} FROM ledger ORDER BY newest DESC LIMIT ?`, options.limit)
      : database.all(
          `SELECT ${columns} FROM ledger WHERE customer = ? ORDER BY newest DESC LIMIT ?`,
          options.customer,
          options.limit,
        );
  return [...rows.map(lineOf), ...earlierLines(database, options.customer, options.limit - rows.length)];
}

function earlierLines(database: SqliteDatabase, customer: string | undefined, limit: number): LedgerLine[] {
  const columns = 'customer, source_name, studies, received, delivered, discarded';
  const rows =
    customer === undefined
      ? database.all(`SELECT ${columns} FROM ledger_earlier LIMIT ?`, limit)
      : database.all(`SELECT ${columns} FROM ledger_earlier WHERE customer = ? LIMIT ?`, customer, limit);
  return rows.map((row) => ({ ...lineOf(row), earlierStudies: number(row, 'studies') }));
}

function lineOf(row: Row): LedgerLine {
  return {
    customer: text(row, 'customer'),
    sourceName: text(row, 'source_name'),
    studyInstanceUid: text(row, 'study_instance_uid') === '' ? undefined : text(row, 'study_instance_uid'),
    received: number(row, 'received'),
    delivered: number(row, 'delivered'),
    held: number(row, 'held'),
    discarded: number(row, 'discarded'),
    onTheWay: number(row, 'way'),
  };
}

/** The states as literals, because SQLite uses a partial index only where its condition is written out. */
const BY_STATE: Readonly<Record<InstanceState, string>> = {
  received: "settled_at_ms IS NULL AND state = 'received'",
  held: "settled_at_ms IS NULL AND state = 'held'",
  prepared: "state = 'prepared'",
  discarded: "state = 'discarded'",
};
const OWED = "state IN ('queued', 'deferred')";
const BUSY = "state IN ('claimed', 'inflight', 'held', 'rejected')";
const BY_DELIVERY_STATE: Readonly<Record<DeliveryState, string>> = {
  queued: `${OWED} AND state = 'queued'`,
  deferred: `${OWED} AND state = 'deferred'`,
  claimed: `${BUSY} AND state = 'claimed'`,
  inflight: `${BUSY} AND state = 'inflight'`,
  held: `${BUSY} AND state = 'held'`,
  rejected: `${BUSY} AND state = 'rejected'`,
  delivered: "state = 'delivered'",
};

/** Newest first. */
export function listInstances(database: SqliteDatabase, options: ListOptions): InstanceRow[] {
  const { state, customer, beforeId, deliveryState, destination, limit } = options;
  const terms = ['1 = 1'];
  const values: (string | number)[] = [];
  const term = (sql: string, value: string | undefined) => {
    if (value === undefined) return;
    terms.push(sql);
    values.push(value);
  };
  if (state !== undefined) terms.push(BY_STATE[state]);
  term('customer = ?', customer);
  term('id < ?', beforeId);
  const rare = deliveryState !== undefined && deliveryState !== 'delivered';
  if (rare) terms.push(`id IN (SELECT instance FROM delivery WHERE ${BY_DELIVERY_STATE[deliveryState]})`);
  else if (deliveryState !== undefined)
    terms.push(
      "EXISTS (SELECT 1 FROM delivery WHERE delivery.instance = instance.id AND delivery.state = 'delivered')",
    );
  term(
    'EXISTS (SELECT 1 FROM delivery WHERE delivery.instance = instance.id AND delivery.destination = ?)',
    destination,
  );
  return database
    .all(`SELECT ${INSTANCE} FROM instance WHERE ${terms.join(' AND ')} ORDER BY id DESC LIMIT ?`, ...values, limit)
    .map(instanceOf);
}

function noDeliveries(): Record<DeliveryState, number> {
  return Object.fromEntries(DELIVERY_STATES.map((state) => [state, 0])) as Record<DeliveryState, number>;
}
