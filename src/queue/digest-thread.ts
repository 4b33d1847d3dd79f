/**
 * The thread that hashes large instances: reads what the spool has written to a segment, as it is told how far that goes,
 * and answers the digest. It holds no bytes of its own but one buffer. Started by digest-worker.ts.
 */
import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import type { DigestAnswer, DigestOrder } from './digest-worker.ts';

interface Running {
  readonly fd: number;
  readonly hash: Hash;
  position: number;
}

const running = new Map<number, Running>();
const buffer = Buffer.allocUnsafe(1024 * 1024);

function advance(digest: Running, to: number): void {
  while (digest.position < to) {
    const count = readSync(digest.fd, buffer, 0, Math.min(buffer.length, to - digest.position), digest.position);
    if (count === 0) throw new Error('the segment is shorter than what was written');
    digest.hash.update(buffer.subarray(0, count));
    digest.position += count;
  }
}

function end(id: number, digest: Running): void {
  running.delete(id);
  closeSync(digest.fd);
}

function obey(order: DigestOrder): string | undefined {
  if (order.kind === 'start') {
    running.set(order.id, { fd: openSync(order.path, 'r'), hash: createHash('sha256'), position: order.position });
    return undefined;
  }
  const digest = running.get(order.id);
  if (digest === undefined) return undefined; // it failed before, and that was said
  if (order.kind !== 'cancel') advance(digest, order.to);
  if (order.kind === 'advance') return undefined;
  end(order.id, digest);
  return order.kind === 'finish' ? digest.hash.digest('hex') : undefined;
}

parentPort?.on('message', (order: DigestOrder) => {
  let answer: DigestAnswer | undefined;
  try {
    const digest = obey(order);
    if (digest !== undefined) answer = { id: order.id, digest };
  } catch {
    const failed = running.get(order.id);
    if (failed !== undefined) end(order.id, failed);
    answer = { id: order.id };
  }
  if (answer !== undefined) parentPort?.postMessage(answer);
});
