/**
 * Slower as the disk fills: between twice the free-space mark and the mark a sender is read from with pauses that grow, so
 * that most senders never meet the refusal at the mark, and the queue behind gets time to drain and erase.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { IncomingInstance, SpooledInstance, SpoolSpace } from './spool.ts';

/** At the mark, for each mebibyte: five a second for each sender. */
const PAUSE_MS_MAX = 200;
const MEBIBYTE = 1024 * 1024;
/** Shorter debts are put together. */
const WORTH_MS = 20;

/** For each byte; 0 while there is room enough. */
export function pauseMsPerByte({ low, freeBytes, limitBytes }: SpoolSpace): number {
  if (!low || limitBytes <= 0) return 0;
  const share = Math.min(1, Math.max(0, (2 * limitBytes - freeBytes) / limitBytes));
  return (share * PAUSE_MS_MAX) / MEBIBYTE;
}

export class PacedIncoming implements IncomingInstance {
  readonly #inner: IncomingInstance;
  readonly #msPerByte: number;
  #owedMs = 0;

  constructor(inner: IncomingInstance, msPerByte: number) {
    this.#inner = inner;
    this.#msPerByte = msPerByte;
  }

  write(bytes: Uint8Array): boolean {
    this.#owedMs += bytes.length * this.#msPerByte;
    return this.#inner.write(bytes) && this.#owedMs < WORTH_MS;
  }

  async drained(): Promise<void> {
    await this.#inner.drained();
    await this.#pause();
  }

  /** What is owed by a small instance is paid before its answer. */
  async commit(): Promise<SpooledInstance> {
    await this.#pause();
    return this.#inner.commit();
  }

  abort(): Promise<void> {
    return this.#inner.abort();
  }

  async #pause(): Promise<void> {
    const pauseMs = this.#owedMs;
    this.#owedMs = 0;
    if (pauseMs > 0) await sleep(pauseMs);
  }
}
