/**
 * What a start sets right in the store, and what moves bytes under its rows. Each function is the body of one operation
 * of the store; reconciling with the spool is `gateway/recover.ts`.
 */
import { LetheError } from '../core/errors.ts';
import type { InstanceId } from '../core/identifier.ts';
import type { Relocation } from './spool.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { number, text } from './sqlite-rows.ts';

export type Audit = (event: string, instance: string, detail: string) => void;

/** Nothing is put off further than a day (the longest Retry-After that is believed), with room for a back-off. */
const PUT_OFF_MS_MAX = 25 * 60 * 60 * 1000;
const BUSY = "state IN ('claimed', 'inflight', 'held', 'rejected')";
const OWED = "state IN ('queued', 'deferred')";

/** Deliveries that were in hand: owed again, or held where a repetition would not be recognised. */
export function requeueBusy(
  database: SqliteDatabase,
  idempotent: (destination: string) => boolean,
  audit: Audit,
): { requeued: number; held: number } {
  const busy = database.all(
    `SELECT id, instance, destination, state FROM delivery WHERE ${BUSY} AND state IN ('claimed', 'inflight')`,
  );
  let held = 0;
  for (const row of busy) {
    const safe = text(row, 'state') === 'claimed' || idempotent(text(row, 'destination'));
    const reason = safe ? null : 'DELIVERY_CONNECTION_LOST';
    database.run(
      'UPDATE delivery SET state = ?, reason = ? WHERE id = ?',
      safe ? 'queued' : 'held',
      reason,
      number(row, 'id'),
    );
    audit(safe ? 'delivery.requeued' : 'delivery.held', text(row, 'instance'), text(row, 'destination'));
    if (!safe) held++;
  }
  return { requeued: busy.length - held, held };
}

/** Where the system's clock was set back since: what seems to be of the future is of now. */
export function correctSchedule(database: SqliteDatabase, nowMs: number): void {
  database.run(
    `UPDATE delivery SET due_at_ms = min(due_at_ms, ?), created_at_ms = ? WHERE ${OWED} AND created_at_ms > ?`,
    nowMs,
    nowMs,
    nowMs,
  );
  database.run(`UPDATE delivery SET due_at_ms = ? WHERE ${OWED} AND due_at_ms > ?`, nowMs, nowMs + PUT_OFF_MS_MAX);
  for (const bytes of ['location', 'prepared_location'])
    database.run(
      `UPDATE instance SET settled_at_ms = ? WHERE settled_at_ms IS NOT NULL AND settled_at_ms > ? AND ${bytes} IS NOT NULL`,
      nowMs,
      nowMs,
    );
}

/** prepared -> received, because the prepared output is gone and the received bytes are not. */
export function prepareAgain(database: SqliteDatabase, id: InstanceId, audit: Audit): void {
  const changed = database.run(
    `UPDATE instance SET state = 'received', prepared_location = NULL, manifest = NULL
     WHERE id = ? AND state = 'prepared' AND settled_at_ms IS NULL AND location IS NOT NULL`,
    id,
  );
  if (changed === 0) return;
  database.run(`UPDATE delivery SET state = 'held', reason = 'SPOOL_CORRUPT' WHERE instance = ? AND ${OWED}`, id);
  audit('instance.unprepared', id, '');
}

/** All of them or none. @throws SPOOL_CORRUPT where one is not on record at the place that it leaves */
export function relocate(database: SqliteDatabase, moves: readonly Relocation[]): void {
  for (const { id, from, to } of moves) {
    const changed = database.run('UPDATE instance SET location = ? WHERE id = ? AND location = ?', to, id, from);
    if (changed === 0) throw new LetheError('SPOOL_CORRUPT', { what: 'an instance to move is not on record' });
  }
}

export function discardInstance(
  database: SqliteDatabase,
  { id, rule, nowMs }: { id: InstanceId; rule: string; nowMs: number },
  audit: Audit,
): void {
  database.run(
    "UPDATE instance SET state = 'discarded', reason = ?, reason_detail = NULL, settled_at_ms = ? WHERE id = ? AND state <> 'discarded'",
    rule,
    nowMs,
    id,
  );
  database.run(
    "UPDATE delivery SET state = 'rejected', reason = ? WHERE instance = ? AND state <> 'delivered'",
    rule,
    id,
  );
  audit('instance.discarded', id, rule);
}
