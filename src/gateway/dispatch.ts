/**
 * The second leg: takes what one destination is owed from the store, sends it, records what came of it. One dispatcher a
 * destination, so that a slow or dead one touches no other. The order of steps is the custody rule: inflight is
 * recorded before a byte leaves (flushed where the other side would not recognise a repetition); the receipt is flushed
 * before anything may be erased.
 *
 * The circuit breaker gates claiming: while it is open nothing is claimed, so no attempt is counted and receiving does
 * not notice. After a failure the retry decision looks at the error's disposition alone (delivery/retry.ts).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock, Random } from '../core/clock.ts';
import { type ErrorCode, LetheError, toLetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import {
  admit,
  afterFailure,
  afterSuccess,
  type BreakerOptions,
  type BreakerState,
  CLOSED,
} from '../delivery/breaker.ts';
import type { DeliverableInstance, DeliveryOutcome, Destination } from '../delivery/destination.ts';
import { decideRetry, destinationFault, type RetryPolicy } from '../delivery/retry.ts';
import type { ClaimedDelivery, ClaimOptions, InstanceRow, Store } from '../queue/store.ts';
import { persist } from './persist.ts';
import { Wake } from './signal.ts';

export interface DispatchOptions {
  readonly batching: Omit<ClaimOptions, 'nowMs'>;
  readonly retry: RetryPolicy;
  readonly breaker: BreakerOptions;
  /** Requests to this destination at once. */
  readonly lanes: number;
  /** Until it may be sent to; 0: now. */
  opensInMs(nowMs: number): number;
}

export interface DispatchDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Makes what a destination may see of a claimed delivery. @throws SPOOL_IO, SPOOL_CORRUPT */
  deliverable(claimed: ClaimedDelivery): DeliverableInstance;
  /** Called for a delivery that is held because its prepared bytes are not what was written. */
  onCorrupt?(claimed: ClaimedDelivery): Promise<void>;
  /** Called before a batch is sent; what it throws leaves the batch owed. */
  onBegun?(destination: string, instances: readonly string[]): Promise<void>;
  /** Called after each settled batch, for retention and metrics. */
  onOutcome(
    destination: string,
    instances: readonly InstanceRow[],
    result: { outcomes: readonly DeliveryOutcome[]; ms: number },
  ): void;
}

/** Between looks at a batch that waits to fall idle; of a shorter time an eighth. */
const IDLE_LOOK_MS_MAX = 100;
/** Instances are prepared by the hundred a second, and each says so: to look for a batch costs more than to wait for the next. */
const GATHER_MS = 20;
const POLL_MS_MAX = 1000; // a batch that waits for its idle time, or work of another process, is seen within this

export class Dispatcher {
  readonly destination: Destination;
  readonly #options: DispatchOptions;
  readonly #deps: DispatchDeps;
  readonly #wake = new Wake();
  readonly #abort = new AbortController();
  #breaker: BreakerState = CLOSED;
  #lastError: string | undefined;
  #running: Promise<unknown> | undefined;

  constructor(destination: Destination, options: DispatchOptions, deps: DispatchDeps) {
    this.destination = destination;
    this.#options = options;
    this.#deps = deps;
  }

  get breaker(): BreakerState['kind'] {
    return this.#breaker.kind;
  }

  get lastError(): string | undefined {
    return this.#lastError;
  }

  start(): void {
    this.#running = Promise.all(Array.from({ length: this.#options.lanes }, () => this.#lane()));
  }

  /** There may be work. */
  wake(): void {
    this.#wake.wake();
  }

  /** Takes nothing new, lets what is on its way finish until `graceMs`, then aborts it (it stays owed). */
  async stop(graceMs: number): Promise<void> {
    this.#wake.close();
    const timer = setTimeout(() => this.#abort.abort(), graceMs);
    await this.#running;
    clearTimeout(timer);
    await this.destination.close();
  }

  async #lane(): Promise<void> {
    while (!this.#wake.closed) {
      const waitMs = await this.#turn().catch((error: unknown) => this.#failedTurn(error));
      if (waitMs > 0) await this.#rest(Math.min(waitMs, POLL_MS_MAX));
    }
  }

  async #rest(ms: number): Promise<void> {
    const isWoken = await this.#wake.wait(ms);
    if (isWoken && !this.#wake.closed) await sleep(GATHER_MS);
  }

  /** A store that does not answer must not end the lane: it is asked again. */
  #failedTurn(error: unknown): number {
    const { code } = toLetheError(error);
    this.#lastError = code;
    this.#deps.logger.log('error', 'gateway.warning', { what: 'dispatch', code });
    return POLL_MS_MAX;
  }

  /** One claim and its delivery. Answers how long to wait when there is nothing to do. */
  async #turn(): Promise<number> {
    const { store, clock } = this.#deps;
    const nowMs = clock.nowMs();
    const closedMs = this.#options.opensInMs(nowMs);
    if (closedMs > 0) return closedMs;
    const { state, admission } = admit(this.#breaker, nowMs);
    if (admission.kind === 'wait') return Math.max(1, admission.untilMs - nowMs);
    // Kept before anything is awaited: another lane must not send a second probe meanwhile.
    const before = this.#breaker;
    this.#breaker = state;
    try {
      const claimed = await store.claim(this.destination.name, { ...this.#options.batching, nowMs });
      if (claimed.length === 0) return await this.#idleMs(nowMs);
      await this.#deliver(claimed);
      return 0;
    } finally {
      // Nothing went out after all, so nothing was learned: the next turn may probe.
      if (this.#breaker === state) this.#breaker = before;
    }
  }

  async #idleMs(nowMs: number): Promise<number> {
    const due = await this.#deps.store.nextDueAtMs(this.destination.name);
    // What is due and was not claimed waits for its batch to fill or to fall idle: look again soon, not at once.
    const lookMs = Math.min(IDLE_LOOK_MS_MAX, Math.max(1, this.#options.batching.idleMs / 8));
    return due === undefined ? POLL_MS_MAX : Math.max(lookMs, due - nowMs);
  }

  async #deliver(claimed: readonly ClaimedDelivery[]): Promise<void> {
    const { store, clock } = this.#deps;
    const ready: { claimed: ClaimedDelivery; instance: DeliverableInstance }[] = [];
    for (const one of claimed) {
      const instance = this.#open(one);
      if (instance instanceof LetheError) await this.#hold(one, instance.code, undefined);
      else ready.push({ claimed: one, instance });
    }
    if (ready.length === 0) return;
    const ids = ready.map((one) => one.claimed.delivery.id);
    await this.#persist(() => store.markInflight(ids, !this.destination.idempotent));
    try {
      await this.#deps.onBegun?.(
        this.destination.name,
        ready.map((one) => one.claimed.instance.id),
      );
    } catch (error) {
      await this.#persist(() => store.unclaim(ids));
      throw error;
    }
    const startedMs = clock.monotonicMs();
    const outcomes = await this.#send(ready.map((one) => one.instance));
    const ms = clock.monotonicMs() - startedMs;
    await this.#record(
      ready.map((one) => one.claimed),
      outcomes,
      ms,
    );
    this.#deps.onOutcome(
      this.destination.name,
      ready.map((one) => one.claimed.instance),
      { outcomes, ms },
    );
  }

  #persist<Result>(work: () => Promise<Result>): Promise<Result> {
    return persist(work, this.#wake);
  }

  #open(claimed: ClaimedDelivery): DeliverableInstance | LetheError {
    try {
      return this.#deps.deliverable(claimed);
    } catch (error) {
      return toLetheError(error);
    }
  }

  /** A destination that throws has a bug: its batch is held with INVARIANT, its neighbours go on. */
  async #send(batch: readonly DeliverableInstance[]): Promise<DeliveryOutcome[]> {
    try {
      const outcomes = await this.destination.deliver(batch, this.#abort.signal);
      if (outcomes.length === batch.length) return outcomes;
      throw new LetheError('INVARIANT', {
        what: 'outcomes do not match the batch',
        destination: this.destination.name,
      });
    } catch (error) {
      const { code } = toLetheError(error);
      return batch.map(() => ({ kind: 'failed', code }));
    }
  }

  async #record(claimed: readonly ClaimedDelivery[], outcomes: readonly DeliveryOutcome[], ms: number): Promise<void> {
    const { store, logger } = this.#deps;
    const delivered = claimed.filter((_, index) => outcomes[index]?.kind === 'delivered');
    if (delivered.length > 0) {
      const first = outcomes.find((outcome) => outcome.kind === 'delivered');
      const ids = delivered.map((one) => one.delivery.id);
      await this.#persist(() => store.settle(ids, first?.receipt ?? ''));
      const bytes = delivered.reduce((sum, one) => sum + one.prepared.bytes, 0);
      logger.log('info', 'delivery.sent', {
        destination: this.destination.name,
        instances: delivered.length,
        bytes,
        ms: Math.round(ms),
      });
    }
    for (const [index, one] of claimed.entries()) {
      const outcome = outcomes[index];
      if (outcome?.kind === 'failed') await this.#failed(one, outcome);
    }
    await this.#learn(outcomes);
  }

  async #failed(claimed: ClaimedDelivery, outcome: DeliveryOutcome & { kind: 'failed' }): Promise<void> {
    const { store, clock, random, logger } = this.#deps;
    const { delivery } = claimed;
    const fields = {
      destination: this.destination.name,
      instances: 1,
      code: outcome.code,
      ...(outcome.detail === undefined ? {} : { detail: outcome.detail }),
    };
    if (this.#abort.signal.aborted && !this.destination.idempotent) return; // stays inflight: ambiguous, decided at the next start
    if (this.#abort.signal.aborted) return this.#persist(() => store.unclaim([delivery.id]));
    const history = {
      attempts: delivery.attempts + 1,
      ageMs: clock.nowMs() - delivery.createdAtMs,
      idempotent: this.destination.idempotent,
    };
    const decision = decideRetry(outcome, history, this.#options.retry, random);
    if (decision.kind === 'hold') {
      logger.log('warn', 'delivery.held', { ...fields, code: decision.code });
      return this.#hold(claimed, decision.code, outcome.detail);
    }
    const dueAtMs = clock.nowMs() + decision.delayMs;
    await this.#persist(() => store.defer([delivery.id], dueAtMs, outcome.code, outcome.detail));
    logger.log('info', 'delivery.deferred', { ...fields, attempt: history.attempts, delayMs: decision.delayMs });
  }

  async #hold(claimed: ClaimedDelivery, code: ErrorCode, detail: string | undefined): Promise<void> {
    const { store, onCorrupt } = this.#deps;
    await this.#persist(() => store.holdDeliveries([claimed.delivery.id], code, detail));
    if (code === 'SPOOL_CORRUPT' && onCorrupt !== undefined) await this.#persist(() => onCorrupt(claimed));
  }

  /** One batch is one experience of the destination, however many instances were in it. */
  async #learn(outcomes: readonly DeliveryOutcome[]): Promise<void> {
    const { clock, random, logger } = this.#deps;
    const name = this.destination.name;
    const before = this.breaker;
    const fault = destinationFault(outcomes);
    if (fault === undefined || fault.kind !== 'failed') {
      this.#breaker = afterSuccess();
      this.#lastError = undefined;
    } else {
      this.#lastError = fault.code;
      const at = { nowMs: clock.nowMs(), ...(fault.retryAfterMs === undefined ? {} : { askedMs: fault.retryAfterMs }) };
      this.#breaker = afterFailure(this.#breaker, at, this.#options.breaker, random);
    }
    if (before !== 'open' && this.breaker === 'open')
      logger.log('warn', 'destination.opened', { destination: name, failures: this.#options.breaker.failuresMax });
    if (before !== 'closed' && this.breaker === 'closed') {
      logger.log('info', 'destination.closed', { destination: name });
      // What was put off while it was unwell comes first, or studies would arrive in the order of their jitter.
      await this.#persist(() => this.#deps.store.hasten(name));
    }
  }
}
