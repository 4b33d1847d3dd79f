/**
 * The mark of an erased record, in the flags of its fixed part: for a start that finds the record and no row of it any
 * more. What erases is that the segment goes, or is copied without it.
 */
import { constants } from 'node:fs';
import type { LetheError } from '../core/errors.ts';
import { BLOCK_BYTES, type ChunkPool } from './chunk-pool.ts';
import { closeFile, flushData, isMissing, openFile, readFully, writeFully } from './disk.ts';
import { encodeRecordHead, isBlockwise, parseRecordHead } from './record.ts';

export interface MarkingDeps {
  /** As the segment is written (`DIRECT`). */
  readonly flags: number;
  readonly chunks: ChunkPool;
}

/** Durable when it resolves: one flush for all. Those that are marked already, or no records, are left. @throws SPOOL_IO */
export async function markErased(path: string, positions: readonly number[], deps: MarkingDeps): Promise<void> {
  const chunk = deps.chunks.take();
  try {
    const block = chunk.subarray(0, BLOCK_BYTES);
    await withFile(path, constants.O_RDONLY, async (source) => {
      // A segment may still be written behind these records, directly: a page in the cache that holds both would tear.
      // Whole blocks are written back the way they came; the unaligned records of version 1 are of segments nobody writes.
      const unaligned: number[] = [];
      await withFile(path, constants.O_WRONLY | deps.flags, async (target) => {
        for (const position of positions) {
          const fixed = await erasedHead(source, position, block);
          if (fixed === undefined) continue;
          if (fixed.isBlockwise) await writeFully(target, [block], position);
          else unaligned.push(position);
        }
        await flushData(target);
      });
      if (unaligned.length === 0) return;
      await withFile(path, constants.O_WRONLY, async (target) => {
        for (const position of unaligned) {
          const fixed = await erasedHead(source, position, block);
          if (fixed !== undefined) await writeFully(target, [fixed.bytes], position);
        }
        await flushData(target);
      });
    });
  } finally {
    deps.chunks.give(chunk);
  }
}

/** The fixed part with its mark; `block` then holds it and what stands behind it. Undefined where there is nothing to mark. */
async function erasedHead(source: number, position: number, block: Uint8Array) {
  block.fill(0);
  const head = parseRecordHead(await readFully(source, block, position));
  if (head === undefined || head.erased) return undefined;
  const bytes = encodeRecordHead({ ...head, erased: true });
  block.set(bytes);
  return { bytes, isBlockwise: isBlockwise(head) };
}

/** Does nothing where there is no such file any more. */
async function withFile(path: string, flags: number, work: (fd: number) => Promise<void>): Promise<void> {
  let fd: number;
  try {
    fd = await openFile(path, flags);
  } catch (error) {
    if (isMissing((error as LetheError).cause)) return;
    throw error;
  }
  try {
    await work(fd);
  } finally {
    await closeFile(fd);
  }
}
