/** The schema of a database as text, in an order that does not depend on how it came about. */
import { DatabaseSync } from 'node:sqlite';

export function dumpOf(path: string): string {
  const database = new DatabaseSync(path);
  try {
    const rows = database
      .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type, name")
      .all();
    return `${rows.map((row) => `${String(row['sql'])};`).join('\n\n')}\n`;
  } finally {
    database.close();
  }
}
