/**
 * Making erased bytes really go: a segment that live instances keep on disk is copied without those that were erased, and
 * unlinked. The copy is written under a temporary name, flushed, renamed, its folder flushed; whoever keeps the rows
 * points them to it in one flushed transaction; the old file goes a while later, when nobody reads it any more.
 *
 * A crash at any step leaves at most two copies of an instance, and the row says which one counts (`recover`).
 */
import { constants } from 'node:fs';
import { rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { closeFile, diskError, flushData, flushFolder, openFile, readFully, writeFully } from './disk.ts';
import { type FoundRecord, locationOf, walkSegment } from './local-received.ts';
import { isBlockwise, recordBytes } from './record.ts';
import { SEGMENT_SUFFIX } from './segment.ts';
import type { Relocation } from './spool.ts';

export const COPY_SUFFIX = '.copy';
const PIECE_BYTES = 1024 * 1024;

/** Since when a segment holds erased instances beside live ones (monotonic). */
export class Sparse {
  readonly #sinceMs = new Map<string, number>();

  note(segment: string, nowMs: number): void {
    if (!this.#sinceMs.has(segment)) this.#sinceMs.set(segment, nowMs);
  }

  forget(segment: string): void {
    this.#sinceMs.delete(segment);
  }

  since(beforeMs: number): string[] {
    return [...this.#sinceMs].filter(([, sinceMs]) => sinceMs <= beforeMs).map(([segment]) => segment);
  }
}

/**
 * Copies the live records of `segment` into `copy`, durable under its name. Undefined where that cannot be done: records
 * of version 1 are not whole blocks, and their segments go with their last instance. @throws SPOOL_FULL, SPOOL_IO
 */
export async function copyLive(folder: string, segment: string, copy: string): Promise<Relocation[] | undefined> {
  const { records } = walkSegment(join(folder, segment + SEGMENT_SUFFIX));
  if (!records.every(({ head }) => isBlockwise(head))) return undefined;
  const live = records.filter(({ head }) => !head.erased);
  const path = join(folder, copy + COPY_SUFFIX);
  try {
    await copyRecords(join(folder, segment + SEGMENT_SUFFIX), path, live);
    await rename(path, join(folder, copy + SEGMENT_SUFFIX));
    await flushFolder(folder);
  } catch (error) {
    await unlink(path).catch(() => undefined); // the next start removes what cannot be removed now
    throw diskError(error, 'copy');
  }
  let position = 0;
  return live.map(({ record, position: from, head }) => {
    const to = position;
    position += recordBytes(head);
    return { id: record.id, from: locationOf(segment, from), to: locationOf(copy, to) };
  });
}

async function copyRecords(from: string, to: string, records: readonly FoundRecord[]): Promise<void> {
  const source = await openFile(from, 'r');
  try {
    const target = await openFile(to, constants.O_CREAT | constants.O_TRUNC | constants.O_WRONLY);
    try {
      let position = 0;
      for (const { position: at, head } of records) {
        const bytes = recordBytes(head);
        await copyRange({ source, target }, { from: at, to: position, bytes });
        position += bytes;
      }
      await flushData(target);
    } finally {
      await closeFile(target);
    }
  } finally {
    await closeFile(source);
  }
}

async function copyRange(
  files: { readonly source: number; readonly target: number },
  range: { readonly from: number; readonly to: number; readonly bytes: number },
): Promise<void> {
  const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, range.bytes));
  for (let done = 0; done < range.bytes; done += piece.length) {
    const part = piece.subarray(0, Math.min(piece.length, range.bytes - done));
    const read = await readFully(files.source, part, range.from + done);
    await writeFully(files.target, [read], range.to + done);
  }
}
