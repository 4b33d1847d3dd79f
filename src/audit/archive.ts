/**
 * The older part of the audit chain, moved out of the database: files of some thousand entries each, one JSON object a
 * line with its hash, compressed, named by the number of the first. Never changed once written; only read to verify.
 * A file is under its name when it is on the medium, not before. The chain and its checkpoints go on as if it had not moved.
 */
import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { AuditEntry } from '../core/chain.ts';
import { flushFolder, writePrivateFile } from '../core/private-file.ts';

export type ArchivedEntry = AuditEntry & { readonly hash: string };

const NAME = /^\d{15}\.jsonl\.gz$/;
const NUMBER_DIGITS = 15; // names sort like numbers
/** What a file may unpack to: some hundred times what is written, so that a forged one cannot fill the memory. */
const UNPACKED_BYTES_MAX = 256 * 1024 * 1024;
const compress = promisify(gzip);
const unpack = promisify(gunzip);

export function archiveFolder(dataDir: string): string {
  return join(dataDir, 'audit', 'archive');
}

/** Flushed when it resolves. The same entries again, or more of them, take the place of what a crash left. */
export async function writeArchive(dataDir: string, entries: readonly ArchivedEntry[]): Promise<void> {
  const [first] = entries;
  if (first === undefined) return;
  const folder = archiveFolder(dataDir);
  const name = `${String(first.sequence).padStart(NUMBER_DIGITS, '0')}.jsonl.gz`;
  writePrivateFile(join(folder, name), await compress(`${entries.map((entry) => JSON.stringify(entry)).join('\n')}\n`));
  for (const made of [join(dataDir, 'audit'), dataDir]) flushFolder(made); // their names, the first time
}

/**
 * Entries up to and including `through`, oldest first; what is behind it is in the database still. A file that cannot be
 * unpacked or read ends where it is broken: whoever verifies misses the next entry. Memory does not grow with the chain.
 */
export async function* readArchive(dataDir: string, through: number): AsyncGenerator<ArchivedEntry> {
  const folder = archiveFolder(dataDir);
  if (!existsSync(folder)) return;
  const names = readdirSync(folder).filter((name) => NAME.test(name));
  for (const name of names.toSorted()) {
    for (const line of await linesOf(join(folder, name))) {
      const entry = entryOf(line);
      if (entry === undefined) break;
      if (entry.sequence > through) return;
      yield entry;
    }
  }
}

/** Who has the rest of the chain. */
export interface ChainSource {
  archivedAudit(): Promise<{ readonly sequence: number }>;
  auditEntries(after: number): AsyncIterable<ArchivedEntry>;
}

/** What was moved to files, then what is in the database. */
export async function* wholeChain(store: ChainSource, dataDir: string): AsyncGenerator<ArchivedEntry> {
  const { sequence } = await store.archivedAudit();
  yield* readArchive(dataDir, sequence);
  yield* store.auditEntries(sequence);
}

async function linesOf(path: string): Promise<string[]> {
  const packed = await readFile(path);
  const text = await unpack(packed, { maxOutputLength: UNPACKED_BYTES_MAX }).catch(() => Buffer.alloc(0));
  return text
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '');
}

function entryOf(line: string): ArchivedEntry | undefined {
  try {
    return JSON.parse(line) as ArchivedEntry;
  } catch {
    return undefined;
  }
}
