/** Which patient a study belongs to, by keyed hashes: the body of one operation of the store. */
import type { SqliteDatabase } from './sqlite-database.ts';
import { SEEN_AGAIN_MS } from './sqlite-history.ts';
import { text } from './sqlite-rows.ts';
import type { StudyOfPatient } from './store.ts';

/** Nothing is recorded of a study that was another patient's under a key of before. */
export function bindStudy(
  database: SqliteDatabase,
  customer: string,
  [recorded, ...before]: readonly StudyOfPatient[],
  nowMs: number,
): boolean {
  const isAnothers = ({ studyKey, patientKey }: StudyOfPatient) => {
    const row = database.first(
      'SELECT patient_key FROM study_patient WHERE customer = ? AND study_key = ?',
      customer,
      studyKey,
    );
    return row !== undefined && text(row, 'patient_key') !== patientKey;
  };
  if (recorded === undefined || before.some(isAnothers)) return false;
  database.run(
    `INSERT INTO study_patient VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET seen_at_ms = excluded.seen_at_ms
       WHERE seen_at_ms < excluded.seen_at_ms - ${SEEN_AGAIN_MS}`,
    customer,
    recorded.studyKey,
    recorded.patientKey,
    nowMs,
  );
  return !isAnothers(recorded);
}
