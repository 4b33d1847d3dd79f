/** Storage commitment requests, kept until they are answered. Each function is the body of one operation of the store. */
import type { SqliteDatabase } from './sqlite-database.ts';
import type { Audit } from './sqlite-recovery.ts';
import { text } from './sqlite-rows.ts';

export interface CommitmentRequest {
  readonly peer: string;
  readonly transactionUid: string;
  readonly request: string;
  readonly nowMs: number;
}

/** Answers the request that is kept under this UID already. */
export function rememberCommitment(
  database: SqliteDatabase,
  { peer, transactionUid, request, nowMs }: CommitmentRequest,
  audit: Audit,
): string | undefined {
  const earlier = database.first(
    'SELECT request FROM commitment WHERE peer = ? AND transaction_uid = ?',
    peer,
    transactionUid,
  );
  if (earlier !== undefined) return text(earlier, 'request');
  database.run('INSERT INTO commitment VALUES (?, ?, ?, ?, NULL)', peer, transactionUid, request, nowMs);
  audit('commitment.requested', '', peer);
  return undefined;
}

export function settleCommitment(
  database: SqliteDatabase,
  { peer, transactionUid, outcome }: { peer: string; transactionUid: string; outcome: string },
  audit: Audit,
): void {
  database.run(
    'UPDATE commitment SET outcome = ? WHERE peer = ? AND transaction_uid = ?',
    outcome,
    peer,
    transactionUid,
  );
  audit('commitment.settled', '', `${peer} ${outcome}`);
}

/** Oldest first. */
export function owedCommitments(database: SqliteDatabase): string[] {
  return database
    .all('SELECT request FROM commitment WHERE outcome IS NULL ORDER BY asked_at_ms')
    .map((row) => text(row, 'request'));
}
