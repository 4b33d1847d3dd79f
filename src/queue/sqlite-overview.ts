/** What people look at: counts, the ledger, lists. Reads only; called by the store. */
import type { SqliteDatabase } from './sqlite-database.ts';
import { columns, INSTANCE_COLUMNS, instanceOf, number, optional, text } from './sqlite-rows.ts';
import type { DeliveryState, FlowCounts, InstanceRow, LedgerLine, ListOptions } from './store.ts';

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

/** A line a customer, source and study, newest first; each instance has exactly one fate. */
export function readLedger(database: SqliteDatabase, options: { customer?: string; limit: number }): LedgerLine[] {
  const rows = database.all(
    `SELECT customer, source_name, study_instance_uid, count(*) AS received,
         sum(fate = 'delivered') AS delivered, sum(fate = 'held') AS held, sum(fate = 'discarded') AS discarded, sum(fate = 'way') AS way
       FROM (SELECT customer, source_name, study_instance_uid, id, CASE
           WHEN state = 'discarded' THEN 'discarded'
           WHEN state = 'held' OR EXISTS (SELECT 1 FROM delivery WHERE delivery.instance = instance.id AND delivery.state IN ('held', 'rejected')) THEN 'held'
           WHEN settled_at_ms IS NOT NULL THEN 'delivered' ELSE 'way' END AS fate
         FROM instance WHERE ? IS NULL OR customer = ?)
       GROUP BY customer, source_name, study_instance_uid ORDER BY max(id) DESC LIMIT ?`,
    options.customer ?? null,
    options.customer ?? null,
    options.limit,
  );
  return rows.map((row) => ({
    customer: text(row, 'customer'),
    sourceName: text(row, 'source_name'),
    studyInstanceUid: optional(row, 'study_instance_uid'),
    received: number(row, 'received'),
    delivered: number(row, 'delivered'),
    held: number(row, 'held'),
    discarded: number(row, 'discarded'),
    onTheWay: number(row, 'way'),
  }));
}

/** Newest first. */
export function listInstances(database: SqliteDatabase, options: ListOptions): InstanceRow[] {
  const terms = ['1 = 1'];
  const values: (string | number)[] = [];
  const term = (sql: string, value: string | undefined) => {
    if (value === undefined) return;
    terms.push(sql);
    values.push(value);
  };
  term('state = ?', options.state);
  term('customer = ?', options.customer);
  term('id < ?', options.beforeId);
  term(
    'EXISTS (SELECT 1 FROM delivery WHERE delivery.instance = instance.id AND delivery.state = ?)',
    options.deliveryState,
  );
  term(
    'EXISTS (SELECT 1 FROM delivery WHERE delivery.instance = instance.id AND delivery.destination = ?)',
    options.destination,
  );
  return database
    .all(
      `SELECT ${INSTANCE} FROM instance WHERE ${terms.join(' AND ')} ORDER BY id DESC LIMIT ?`,
      ...values,
      options.limit,
    )
    .map(instanceOf);
}

function noDeliveries(): Record<DeliveryState, number> {
  return Object.fromEntries(DELIVERY_STATES.map((state) => [state, 0])) as Record<DeliveryState, number>;
}
