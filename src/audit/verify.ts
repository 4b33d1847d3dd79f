/**
 * Proves an audit whole, or names the first thing that is not: each entry follows from the one before, and each
 * checkpoint is signed, follows from the one before, and says of its entry what the chain says. Reads once; memory does
 * not grow with the chain.
 */
import type { KeyObject } from 'node:crypto';
import { type AuditEntry, CHAIN_START, chainHash } from '../core/chain.ts';
import { type Checkpoint, isSigned } from './checkpoint.ts';

export type Verdict =
  | { readonly whole: true; readonly entries: number; readonly checkpoints: number; readonly lastHash: string }
  | {
      readonly whole: false;
      readonly entries: number;
      /** Number of the first entry that is not what it should be. */
      readonly firstBroken: number;
      readonly problem:
        | 'changed'
        | 'missing'
        | 'not what the checkpoint says'
        | 'checkpoint not signed by a known key'
        | 'checkpoint missing';
    };

export async function verifyAudit(
  entries: AsyncIterable<AuditEntry & { readonly hash: string }>,
  checkpoints: readonly Checkpoint[],
  keys: readonly KeyObject[],
): Promise<Verdict> {
  const signed = firstUnsigned(checkpoints, keys);
  if (signed !== undefined) return { whole: false, entries: 0, ...signed };
  const expected = new Map(checkpoints.map(({ sequence, hash }) => [sequence, hash]));
  let previous = CHAIN_START;
  let count = 0;
  for await (const { hash, ...entry } of entries) {
    const broken = (problem: (Verdict & { whole: false })['problem'], firstBroken: number): Verdict => ({
      whole: false,
      entries: count,
      firstBroken,
      problem,
    });
    if (entry.sequence !== count + 1) return broken('missing', count + 1);
    if (chainHash(previous, entry) !== hash) return broken('changed', entry.sequence);
    const checkpoint = expected.get(entry.sequence);
    if (checkpoint !== undefined && checkpoint !== hash) return broken('not what the checkpoint says', entry.sequence);
    previous = hash;
    count++;
  }
  const last = checkpoints.at(-1);
  if (last !== undefined && last.sequence > count)
    return { whole: false, entries: count, firstBroken: count + 1, problem: 'missing' };
  return { whole: true, entries: count, checkpoints: checkpoints.length, lastHash: previous };
}

function firstUnsigned(checkpoints: readonly Checkpoint[], keys: readonly KeyObject[]) {
  let before: Checkpoint | undefined;
  for (const checkpoint of checkpoints) {
    const { sequence: firstBroken } = checkpoint;
    if (!isSigned(checkpoint, keys)) return { firstBroken, problem: 'checkpoint not signed by a known key' } as const;
    const follows = checkpoint.previous === (before?.signature ?? '') && checkpoint.sequence >= (before?.sequence ?? 0);
    if (!follows) return { firstBroken, problem: 'checkpoint missing' } as const;
    before = checkpoint;
  }
  return undefined;
}
