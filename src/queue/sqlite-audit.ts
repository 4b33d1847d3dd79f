/** Reading the audit chain; called by the store. Appending is part of each operation, in the store itself. */
import type { AuditEntry } from '../core/chain.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { number, text } from './sqlite-rows.ts';

const PAGE = 1000;

/** Oldest first, from behind `after`; pages, so that memory does not grow with the chain. */
export async function* readAudit(
  database: SqliteDatabase,
  after: number,
): AsyncGenerator<AuditEntry & { readonly hash: string }> {
  for (let last = after; ; ) {
    const rows = database.all(
      `SELECT sequence, at_ms, event, instance, detail, hash FROM audit WHERE sequence > ? ORDER BY sequence LIMIT ${PAGE}`,
      last,
    );
    if (rows.length === 0) return;
    for (const row of rows) {
      last = number(row, 'sequence');
      yield {
        sequence: last,
        atMs: number(row, 'at_ms'),
        event: text(row, 'event'),
        instance: text(row, 'instance'),
        detail: text(row, 'detail'),
        hash: text(row, 'hash'),
      };
    }
  }
}

/** Of the last entry; undefined while there is none. */
export function auditHead(database: SqliteDatabase): { sequence: number; hash: string } | undefined {
  const row = database.first('SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1');
  return row === undefined ? undefined : { sequence: number(row, 'sequence'), hash: text(row, 'hash') };
}
