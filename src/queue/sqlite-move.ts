/** Deliveries from one state to the next. Each function is the body of (part of) one operation of the store. */
import type { InstanceId } from '../core/identifier.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import type { Audit } from './sqlite-recovery.ts';
import { text } from './sqlite-rows.ts';
import type { DeliveryState } from './store.ts';

/** Ids that are given as one JSON array: a statement for all of them costs little more than for one. */
export const GIVEN = 'SELECT value FROM json_each(?)';

export interface Move {
  /** Undefined: the step is none that the audit tells. */
  readonly audit: string | undefined;
  readonly dueAtMs?: number;
  readonly reason?: string;
  readonly detail?: string | undefined;
  readonly attempts?: number;
  readonly flushed?: boolean;
}

/** Those that are in one of the states `from`. */
export function moveDeliveries(
  database: SqliteDatabase,
  { ids, to, from }: { ids: readonly number[]; to: DeliveryState; from: readonly DeliveryState[] },
  how: Move,
  audit: Audit,
): void {
  const states = from.map((state) => `'${state}'`).join(', ');
  const move = (given: readonly number[]) =>
    database.run(
      `UPDATE delivery SET state = ?, due_at_ms = coalesce(?, due_at_ms), reason = ?, reason_detail = ?, attempts = max(0, attempts + ?)
       WHERE id IN (${GIVEN}) AND state IN (${states})`,
      to,
      how.dueAtMs ?? null,
      how.reason ?? null,
      how.detail ?? null,
      how.attempts ?? 0,
      JSON.stringify(given),
    );
  if (how.audit === undefined) {
    move(ids);
    return;
  }
  for (const id of ids) {
    const row =
      move([id]) === 0 ? undefined : database.first('SELECT instance, destination FROM delivery WHERE id = ?', id);
    if (row === undefined) continue;
    const said = [text(row, 'destination'), how.reason, how.detail].filter((part) => part !== undefined);
    audit(how.audit, text(row, 'instance'), said.join(' '));
  }
}

/** Taken by their destination. */
export function settleDeliveries(
  database: SqliteDatabase,
  { deliveries, receipt, nowMs }: { deliveries: readonly number[]; receipt: string; nowMs: number },
  audit: Audit,
): void {
  const given = JSON.stringify(deliveries);
  database.run(
    `UPDATE delivery SET state = 'delivered', receipt = ?, reason = NULL, reason_detail = NULL WHERE id IN (${GIVEN})`,
    receipt,
    given,
  );
  const rows = database.all(`SELECT instance, destination FROM delivery WHERE id IN (${GIVEN}) ORDER BY id`, given);
  const instances = rows.map((row) => text(row, 'instance'));
  settleInstances(database, instances, nowMs);
  for (const [index, id] of instances.entries())
    audit('delivery.delivered', id, text(rows[index] ?? {}, 'destination'));
}

/** Nothing is owed of an instance any more when every destination has it. */
export function settleInstances(database: SqliteDatabase, ids: readonly InstanceId[], nowMs: number): void {
  database.run(
    `UPDATE instance SET settled_at_ms = ? WHERE id IN (${GIVEN}) AND state = 'prepared' AND settled_at_ms IS NULL
       AND EXISTS (SELECT 1 FROM delivery WHERE delivery.instance = instance.id)
       AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.instance = instance.id AND delivery.state <> 'delivered')`,
    nowMs,
    JSON.stringify(ids),
  );
}
