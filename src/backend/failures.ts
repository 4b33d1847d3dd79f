/**
 * Failures to order: how the reference backend plays a backend that is unwell, so that whoever delivers to it can be
 * watched. Each upload takes the next failure that applies; without one it is served.
 */

export type Failure =
  /** Refuses with this status and stores nothing. */
  | { readonly kind: 'status'; readonly status: number; readonly retryAfterSeconds?: number }
  /** Reads the request and never answers. */
  | { readonly kind: 'hang' }
  /** Breaks the connection in the middle of the request. */
  | { readonly kind: 'reset' }
  /** Stores everything, then breaks the connection instead of answering. */
  | { readonly kind: 'accept-then-reset' };

export interface OrderedFailure {
  readonly failure: Failure;
  /** How many uploads it strikes before it is used up; for ever when absent. */
  readonly times?: number;
  /** Share of the uploads that it strikes, 0 to 1; all when absent. */
  readonly share?: number;
}

export class Failures {
  #orders: { failure: Failure; left: number; share: number }[] = [];
  readonly #fraction: () => number;

  constructor(orders: readonly OrderedFailure[] = [], fraction: () => number = Math.random) {
    this.#fraction = fraction;
    for (const order of orders) this.add(order);
  }

  add({ failure, times, share }: OrderedFailure): void {
    this.#orders.push({ failure, left: times ?? Number.POSITIVE_INFINITY, share: share ?? 1 });
  }

  clear(): void {
    this.#orders = [];
  }

  /** What happens to the upload that begins now. */
  next(): Failure | undefined {
    const order = this.#orders.find(({ share }) => share >= 1 || this.#fraction() < share);
    if (order === undefined) return undefined;
    order.left -= 1;
    if (order.left <= 0) this.#orders = this.#orders.filter((other) => other !== order);
    return order.failure;
  }
}

/** Reads an order from JSON; undefined when it is none. */
export function orderedFailureOf(value: unknown): OrderedFailure | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { kind, status, retryAfterSeconds, times, share }: Record<string, unknown> = { ...value };
  const failure = failureOf(kind, status, retryAfterSeconds);
  if (failure === undefined) return undefined;
  return {
    failure,
    ...(typeof times === 'number' ? { times } : {}),
    ...(typeof share === 'number' ? { share } : {}),
  };
}

function failureOf(kind: unknown, status: unknown, retryAfterSeconds: unknown): Failure | undefined {
  if (kind === 'hang' || kind === 'reset' || kind === 'accept-then-reset') return { kind };
  if (kind !== 'status' || typeof status !== 'number' || !Number.isInteger(status) || status < 200 || status > 599)
    return undefined;
  return { kind, status, ...(typeof retryAfterSeconds === 'number' ? { retryAfterSeconds } : {}) };
}
