/** The flushes of the log that run ahead of SQLite: they disturb nothing and leave nothing open. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { LogFlush } from '../../src/queue/log-flush.ts';
import { SqliteDatabase } from '../../src/queue/sqlite-database.ts';

const folder = mkdtempSync(join(tmpdir(), 'lethe-log-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function openFiles(path: string): number {
  const links = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ''; // the folder\'s own, which is closed again
    }
  });
  return links.filter((link) => link === path).length;
}

test('many rounds one after the other are written, the log is opened once more and closed with the database', {
  skip: existsSync('/proc/self/fd') ? false : 'no /proc',
}, async () => {
  const path = join(folder, 'lethe.db');
  const database = new SqliteDatabase(path);
  const insert = () => database.run('UPDATE history SET pruned = pruned + 1');
  const before = openFiles(`${path}-wal`);
  let rounds = 0;
  for (; rounds < 200 || (openFiles(`${path}-wal`) === before && rounds < 5000); rounds++)
    await database.write(false, insert);
  assert.equal(database.first('SELECT pruned FROM history')?.['pruned'], rounds);
  assert.equal(openFiles(`${path}-wal`), before + 1);
  await database.close();
  assert.equal(openFiles(`${path}-wal`), 0);
  const again = new SqliteDatabase(path);
  assert.equal(again.first('SELECT pruned FROM history')?.['pruned'], rounds);
  await again.close();
});

test('where there is no log nothing happens', async () => {
  const log = new LogFlush(join(folder, 'none.db'));
  for (let round = 0; round < 100; round++) log.wrote();
  await log.close();
  for (let round = 0; round < 100; round++) log.wrote();
  await log.close();
  assert.equal(existsSync(join(folder, 'none.db-wal')), false);
});
