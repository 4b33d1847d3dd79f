/**
 * Forgetting what is settled, a bounded number of rows at a time; each function is the body of one operation of the
 * store. Only rows go whose bytes went before. The ledger is not touched by it: its lines were kept by triggers when
 * things happened, and a line goes only into the sum of its source, when no row stands behind it any more.
 */
import { newestIdBefore } from '../core/identifier.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import type { Audit } from './sqlite-recovery.ts';
import { number, text } from './sqlite-rows.ts';
import type { HistoryLimits, Pruned } from './store.ts';

const SETTLED = 'settled_at_ms IS NOT NULL AND location IS NULL AND prepared_location IS NULL';
/** A study that is seen all the time is noted again this often. */
export const SEEN_AGAIN_MS = 60_000;

export function pruneHistory(database: SqliteDatabase, limits: HistoryLimits, audit: Audit): Pruned {
  const instances = pruneInstances(database, limits);
  const studies = database.run(
    `DELETE FROM study_patient WHERE (customer, study_key) IN
       (SELECT customer, study_key FROM study_patient WHERE seen_at_ms < ? ORDER BY seen_at_ms LIMIT ?)`,
    limits.settledBeforeMs - SEEN_AGAIN_MS,
    limits.rowsMax,
  );
  const lines = foldLedger(database, limits);
  if (instances > 0) audit('history.pruned', '', `instances=${instances}`);
  return { instances, studies, lines };
}

function pruneInstances(database: SqliteDatabase, limits: HistoryLimits): number {
  const { settledBeforeMs, settledBeforeMsAtLeast, instancesMax, rowsMax } = limits;
  const ever = number(database.first('SELECT sum(number) AS number FROM instance_count') ?? {}, 'number');
  const gone = number(database.first('SELECT pruned FROM history') ?? {}, 'pruned');
  const tooMany = Math.min(rowsMax, ever - gone - instancesMax);
  const old = oldestSettled(database, settledBeforeMs, rowsMax);
  const going = old.length >= tooMany ? old : oldestSettled(database, settledBeforeMsAtLeast, tooMany);
  // The newest delivery stays, or its number would be given again to another one.
  const newest = database.first('SELECT instance FROM delivery ORDER BY id DESC LIMIT 1');
  const ids = going.filter((id) => newest === undefined || id !== text(newest, 'instance'));
  for (const id of ids) {
    database.run('DELETE FROM delivery WHERE instance = ?', id);
    database.run('DELETE FROM instance WHERE id = ?', id);
  }
  if (ids.length > 0) database.run('UPDATE history SET pruned = pruned + ?', ids.length);
  return ids.length;
}

function oldestSettled(database: SqliteDatabase, beforeMs: number, limit: number): string[] {
  return database
    .all(
      `SELECT id FROM instance WHERE ${SETTLED} AND settled_at_ms <= ? ORDER BY settled_at_ms LIMIT ?`,
      beforeMs,
      limit,
    )
    .map((row) => text(row, 'id'));
}

/**
 * Lines of which nothing is held or on its way and whose newest instance is older than every settled row that is left: no
 * row stands behind them, so nothing can happen to them any more.
 */
function foldLedger(database: SqliteDatabase, { linesBeforeMs, rowsMax }: HistoryLimits): number {
  const oldest = database.first('SELECT id FROM instance WHERE settled_at_ms IS NOT NULL ORDER BY id LIMIT 1');
  const before = newestIdBefore(linesBeforeMs);
  const lines = database.all(
    `SELECT customer, source_name, study_instance_uid, received, delivered, discarded FROM ledger
     WHERE newest < ? AND held = 0 AND way = 0 ORDER BY newest LIMIT ?`,
    oldest === undefined || text(oldest, 'id') > before ? before : text(oldest, 'id'),
    rowsMax,
  );
  for (const line of lines) {
    const source = [text(line, 'customer'), text(line, 'source_name')] as const;
    database.run(
      `INSERT INTO ledger_earlier VALUES (?, ?, 1, ?, ?, ?) ON CONFLICT (customer, source_name) DO UPDATE SET
         studies = studies + 1, received = received + excluded.received, delivered = delivered + excluded.delivered,
         discarded = discarded + excluded.discarded`,
      ...source,
      number(line, 'received'),
      number(line, 'delivered'),
      number(line, 'discarded'),
    );
    database.run(
      'DELETE FROM ledger WHERE customer = ? AND source_name = ? AND study_instance_uid = ?',
      ...source,
      text(line, 'study_instance_uid'),
    );
  }
  return lines.length;
}

export function archivedAudit(database: SqliteDatabase): { sequence: number; hash: string } {
  const row = database.first('SELECT archived, archived_hash FROM history') ?? {};
  return { sequence: number(row, 'archived'), hash: text(row, 'archived_hash') };
}

/** The last entry of all stays in the table, because the next one follows from it. */
export function noteArchived(database: SqliteDatabase, through: { sequence: number; hash: string }): void {
  database.run(
    `UPDATE history SET archived = ?, archived_hash = ?
     WHERE archived < ? AND EXISTS (SELECT 1 FROM audit WHERE sequence = ? AND hash = ?) AND EXISTS (SELECT 1 FROM audit WHERE sequence > ?)`,
    through.sequence,
    through.hash,
    through.sequence,
    through.sequence,
    through.hash,
    through.sequence,
  );
}

export function dropArchived(database: SqliteDatabase, limit: number): number {
  return database.run(
    `DELETE FROM audit WHERE sequence IN
       (SELECT sequence FROM audit WHERE sequence <= (SELECT archived FROM history) ORDER BY sequence LIMIT ?)`,
    limit,
  );
}
