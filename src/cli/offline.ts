/** The store of a data folder, for verbs that look at or act on a gateway's queue, whether it runs or not (WAL mode). */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfiguration } from '../config/load.ts';
import { systemClock } from '../core/clock.ts';
import { LetheError } from '../core/errors.ts';
import { SqliteStore } from '../queue/sqlite-store.ts';
import { type Invocation, textOption } from './command.ts';

export function storePath(dataDir: string): string {
  return join(dataDir, 'lethe.db');
}

/** @throws CONFIG_*, STORE_UNAVAILABLE where there is no store yet */
export async function withStore<Result>(
  invocation: Invocation,
  work: (store: SqliteStore, dataDir: string) => Promise<Result>,
): Promise<Result> {
  const { configuration } = loadConfiguration({
    path: textOption(invocation.options, 'config'),
    cwd: invocation.cwd,
    env: invocation.env,
  });
  const path = storePath(configuration.dataDir);
  if (!existsSync(path))
    throw new LetheError('STORE_UNAVAILABLE', { path, problem: 'no gateway has run with this data folder yet' });
  const store = new SqliteStore(path, systemClock);
  try {
    return await work(store, configuration.dataDir);
  } finally {
    await store.close();
  }
}
