/** Makes a delivery owed, or held from the start where nothing could be prepared for it. Inside an operation of the store. */
import type { InstanceId } from '../core/identifier.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

export interface Owed {
  readonly destination: string;
  readonly bytes: number;
  readonly nowMs: number;
  readonly held?: { readonly reason: string; readonly detail: string | undefined };
}

/** One that is delivered or on its way stays as it is. */
export function owe(database: SqliteDatabase, id: InstanceId, { destination, bytes, nowMs, held }: Owed): void {
  database.run(
    `INSERT INTO delivery (instance, destination, state, created_at_ms, due_at_ms, urgent, study_key, series_key, bytes, prepared, reason, reason_detail)
     SELECT id, ?, ?, ?, ?, urgent, study_key, series_key, ?, ?, ?, ? FROM instance WHERE id = ?
     ON CONFLICT (instance, destination) DO UPDATE SET state = excluded.state, due_at_ms = excluded.due_at_ms, attempts = 0,
       bytes = excluded.bytes, prepared = excluded.prepared, reason = excluded.reason, reason_detail = excluded.reason_detail
       WHERE state NOT IN ('delivered', 'claimed', 'inflight')`,
    destination,
    held === undefined ? 'queued' : 'held',
    nowMs,
    nowMs,
    bytes,
    held === undefined ? 1 : 0,
    held?.reason ?? null,
    held?.detail ?? null,
    id,
  );
}
