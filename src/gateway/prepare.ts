/**
 * The first leg: takes received instances from the store, has workers process them, and records what came of each. At
 * most a few more than there are workers are in hand, so memory does not grow with the queue. A worker that dies or hangs
 * costs its instance one more try; the second failure holds it.
 */
import type { Clock } from '../core/clock.ts';
import { type ErrorCode, type LetheError, toLetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { PreparedLocation } from '../queue/spool.ts';
import type { InstanceRow, Store } from '../queue/store.ts';
import { persist } from './persist.ts';
import type { ProcessJob, ProcessOutcome } from './process-job.ts';
import { Wake } from './signal.ts';
import type { WorkerPool } from './worker-pool.ts';

export interface PrepareDeps {
  readonly store: Store;
  readonly pool: WorkerPool<ProcessJob, ProcessOutcome>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Prepared output is on record: whoever delivers may look. */
  onPrepared(destinations: readonly string[]): void;
  onOutcome(id: string, outcome: ProcessOutcome['kind'], ms: number): void;
  /** One of these two outputs is not the instance's any more, or never was. */
  onPreparedAnew(id: string, outputs: readonly PreparedLocation[]): void;
  /** Erases a prepared output that will never be sent. */
  erasePrepared(outcome: ProcessOutcome & { kind: 'prepared' }): Promise<void>;
}

const POLL_MS = 1000;
const RETRY_MS = 5000;
/** Beside those that the workers have, so that none idles while the store is asked or outcomes are noted. */
const WAITING_MAX = 4;
const TRIES_MAX = 2;

export class PrepareLoop {
  readonly #deps: PrepareDeps;
  readonly #wake = new Wake();
  readonly #inHand = new Map<string, Promise<void>>();
  /** Instances that wait before another try, by the time (monotonic) it is due. */
  readonly #resting = new Map<string, number>();
  #running: Promise<void> | undefined;
  #attempts = 0;

  constructor(deps: PrepareDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#running = this.#loop();
  }

  wake(): void {
    this.#wake.wake();
  }

  /** Takes nothing new; what is in hand finishes or, when the pool is closed under it, stays received. */
  async stop(): Promise<void> {
    this.#wake.close();
    await this.#running;
    await Promise.all(this.#inHand.values());
  }

  async #loop(): Promise<void> {
    while (!this.#wake.closed) {
      const taken = await this.#turn().catch((error: unknown) => this.#warn(error));
      if (taken === 0) await this.#wake.wait(POLL_MS);
    }
  }

  #warn(error: unknown): number {
    this.#deps.logger.log('error', 'gateway.warning', { what: 'prepare', code: toLetheError(error).code });
    return 0;
  }

  async #turn(): Promise<number> {
    const { store, pool } = this.#deps;
    const room = pool.size + WAITING_MAX - this.#inHand.size;
    // One outcome at a time would ask the store for each; the workers have enough until there is room for some.
    if (room <= 0 || (room < WAITING_MAX && this.#inHand.size >= pool.size)) return 0;
    // What is in hand or resting is still `received` in the store.
    const resting = [...this.#resting.keys()].filter((id) => this.#rests(id));
    const rows = await store.takeReceived(room, new Set([...this.#inHand.keys(), ...resting]));
    for (const row of rows) this.#begin(row);
    return rows.length;
  }

  #rests(id: string): boolean {
    const untilMs = this.#resting.get(id);
    if (untilMs === undefined) return false;
    if (this.#deps.clock.monotonicMs() < untilMs) return true;
    this.#resting.delete(id);
    return false;
  }

  #begin(row: InstanceRow): void {
    const work = this.#process(row)
      .catch((error: unknown) => {
        this.#warn(error);
        this.#rest(row.id);
      })
      .finally(() => {
        this.#inHand.delete(row.id);
        this.#wake.wake();
      });
    this.#inHand.set(row.id, work);
  }

  #rest(id: string): void {
    this.#resting.set(id, this.#deps.clock.monotonicMs() + RETRY_MS);
  }

  async #process(row: InstanceRow): Promise<void> {
    const { clock } = this.#deps;
    const startedMs = clock.monotonicMs();
    const outcome = await this.#outcomeOf(row);
    if (outcome === undefined) return; // closing: the instance stays received
    const ms = clock.monotonicMs() - startedMs;
    await Promise.all([this.#noteDigest(row, outcome.contentDigest), this.#record(row, outcome, ms)]);
    this.#deps.onOutcome(row.id, outcome.kind, ms);
  }

  async #outcomeOf(row: InstanceRow): Promise<ProcessOutcome | undefined> {
    if (row.location === undefined) return { kind: 'held', code: 'SPOOL_CORRUPT', detail: 'no bytes are recorded' };
    const { id, customer, sourceKind, sourceName, receivedAtMs, profile, location, bytes } = row;
    const job = { id, customer, sourceKind, sourceName, receivedAtMs, profile, location, bytes };
    let last: LetheError | undefined;
    for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
      try {
        return await this.#deps.pool.run({ ...job, attempt: this.#attemptName() });
      } catch (error) {
        if (this.#wake.closed) return undefined;
        last = toLetheError(error);
      }
    }
    return { kind: 'held', code: last?.code ?? 'WORKER_DIED', detail: undefined };
  }

  #attemptName(): string {
    this.#attempts++;
    return `${Math.floor(this.#deps.clock.nowMs()).toString(36)}-${this.#attempts.toString(36)}`;
  }

  async #noteDigest(row: InstanceRow, digest: string | undefined): Promise<void> {
    if (row.digest === undefined && digest !== undefined) await this.#deps.store.noteDigest(row.id, digest);
  }

  async #record(row: InstanceRow, outcome: ProcessOutcome, ms: number): Promise<void> {
    const { store, logger } = this.#deps;
    switch (outcome.kind) {
      case 'retry':
        this.#rest(row.id);
        return;
      case 'discarded':
        await this.#persist(() => store.discard(row.id, outcome.rule));
        logger.log('info', 'instance.discarded', { instance: row.id, customer: row.customer, rule: outcome.rule });
        return;
      case 'held':
        await this.#hold(row, outcome.code, outcome.detail);
        return;
      case 'prepared':
        await this.#prepared(row, outcome, ms);
        return;
    }
  }

  /** Or each try would leave another output that no row names. */
  #persist<Result>(work: () => Promise<Result>): Promise<Result> {
    return persist(work, this.#wake);
  }

  async #hold(row: InstanceRow, code: ErrorCode, detail: string | undefined): Promise<void> {
    await this.#persist(() => this.#deps.store.hold(row.id, code, detail));
    const fields = { instance: row.id, customer: row.customer, code };
    this.#deps.logger.log('warn', 'instance.held', detail === undefined ? fields : { ...fields, detail });
  }

  async #prepared(row: InstanceRow, outcome: ProcessOutcome & { kind: 'prepared' }, ms: number): Promise<void> {
    const { store, logger } = this.#deps;
    const { destinations, unprepared, urgent } = outcome;
    const patient = { customer: row.customer, studies: outcome.studies };
    const decision = { urgent, unprepared, patient };
    if (!(await this.#persist(() => store.markPrepared(row.id, outcome.output, destinations, decision)))) {
      await this.#deps.erasePrepared(outcome);
      return this.#hold(row, 'DEID_STUDY_TWO_PATIENTS', undefined);
    }
    if (row.prepared !== undefined) this.#deps.onPreparedAnew(row.id, [row.prepared.location, outcome.output.location]);
    for (const { destinations: without, reason, detail } of unprepared) {
      const fields = { instances: 1, code: reason as ErrorCode, ...(detail === undefined ? {} : { detail }) };
      for (const destination of without) logger.log('warn', 'delivery.held', { destination, ...fields });
    }
    logger.log('info', 'instance.prepared', {
      instance: row.id,
      customer: row.customer,
      images: outcome.images,
      ms: Math.round(ms),
    });
    this.#deps.onPrepared(destinations);
  }
}
