/**
 * Keeps one poisonous instance from deciding the fate of its neighbours when several travel in one request.
 *
 * A request refused for good as a whole is sent again member by member, at once: the guilty one is held, the others
 * arrive. Where a request failed in a way that its content may have caused (the other side broke on it, hung on it,
 * hung up on it), its members are remembered, and after the second time each goes alone. Bounded: the oldest are
 * forgotten, which only costs one more shared attempt; kept in memory for the same reason.
 *
 * API: `new Isolation().deliver(batch, requests, exchange, signal) -> outcomes in the order of the batch`.
 */
import type { ErrorCode } from '../core/errors.ts';
import type { DeliverableInstance, DeliveryOutcome } from './destination.ts';
import type { FailedOutcome } from './http-failure.ts';

/** How one kind of destination makes and sends its requests. */
export interface Exchange<Request> {
  /** Indices into the batch, each once. */
  members(request: Request): readonly number[];
  /** One request a member. */
  split(request: Request): readonly Request[];
  /** The outcome of the request as a whole, or one a member in the order of `members`. Never throws. */
  attempt(request: Request): Promise<DeliveryOutcome | readonly DeliveryOutcome[]>;
}

const FAILURES_TOGETHER = 2;
const REMEMBERED_MAX = 10_000;

export class Isolation {
  readonly #failures = new Map<string, number>();

  /** Members that no request carries have no outcome here; the caller fills them in. */
  async deliver<Request>(
    batch: readonly DeliverableInstance[],
    requests: readonly Request[],
    exchange: Exchange<Request>,
    signal: AbortSignal,
  ): Promise<Map<number, DeliveryOutcome>> {
    const outcomes = new Map<number, DeliveryOutcome>();
    const waiting = requests.flatMap((request) =>
      idsOf(exchange.members(request), batch).some((id) => this.#suspected(id)) ? exchange.split(request) : [request],
    );
    for (let request = waiting.shift(); request !== undefined; request = waiting.shift()) {
      const members = exchange.members(request);
      const result = await exchange.attempt(request);
      if (!isList(result) && members.length > 1 && result.kind === 'failed' && isRefusal(result.code)) {
        waiting.unshift(...exchange.split(request));
        continue;
      }
      if (!isList(result) && !signal.aborted) this.#remember(result, idsOf(members, batch));
      members.forEach((member, index) => {
        const outcome = isList(result) ? result[index] : result;
        // A member of several requests is delivered when all of them are; its first failure stays.
        if (outcome !== undefined && outcomes.get(member)?.kind !== 'failed') outcomes.set(member, outcome);
      });
    }
    return outcomes;
  }

  #suspected(id: string): boolean {
    return (this.#failures.get(id) ?? 0) >= FAILURES_TOGETHER;
  }

  #remember(outcome: DeliveryOutcome, ids: readonly string[]): void {
    if (outcome.kind === 'delivered') {
      for (const id of ids) this.#failures.delete(id);
    } else if (mayBeTheirDoing(outcome)) {
      for (const id of ids) this.#add(id);
    }
  }

  #add(id: string): void {
    const failures = (this.#failures.get(id) ?? 0) + 1;
    this.#failures.delete(id);
    this.#failures.set(id, failures);
    if (this.#failures.size <= REMEMBERED_MAX) return;
    const [oldest] = this.#failures.keys();
    if (oldest !== undefined) this.#failures.delete(oldest);
  }
}

function idsOf(members: readonly number[], batch: readonly DeliverableInstance[]): string[] {
  return members.flatMap((member) => batch[member]?.id ?? []);
}

/** Sent again it would fail again, but perhaps not each of its members. Our own bugs count: they may hit one only. */
function isRefusal(code: ErrorCode): boolean {
  return ['DELIVERY_REJECTED', 'DELIVERY_PAYLOAD_INVALID', 'SPOOL_CORRUPT', 'SPOOL_IO', 'INVARIANT'].includes(code);
}

function mayBeTheirDoing(outcome: FailedOutcome): boolean {
  if (outcome.code === 'DELIVERY_TIMEOUT' || outcome.code === 'DELIVERY_CONNECTION_LOST') return true;
  return outcome.code === 'DELIVERY_BUSY' && outcome.detail === 'status=500';
}

function isList(result: DeliveryOutcome | readonly DeliveryOutcome[]): result is readonly DeliveryOutcome[] {
  return Array.isArray(result);
}
