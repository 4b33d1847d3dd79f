/** Who hears of each step of an instance: the metrics always, the traces where they are configured. */
import type { Clock } from '../core/clock.ts';
import type { DeliveryOutcome } from '../delivery/destination.ts';
import type { ReceivedRecord } from '../queue/spool.ts';
import type { InstanceRow } from '../queue/store.ts';
import type { Metrics } from './metrics.ts';
import type { ProcessOutcome } from './process-job.ts';
import type { Tracer } from './traces.ts';

export class FlowObserver {
  readonly #metrics: Metrics;
  readonly #tracer: Tracer | undefined;
  readonly #clock: Clock;

  constructor(metrics: Metrics, tracer: Tracer | undefined, clock: Clock) {
    this.#metrics = metrics;
    this.#tracer = tracer;
    this.#clock = clock;
  }

  received({ id, sourceKind, receivedAtMs }: ReceivedRecord, bytes: number): void {
    this.#metrics.received.inc({ source: sourceKind });
    this.#metrics.receivedBytes.inc({ source: sourceKind }, bytes);
    const endMs = this.#clock.nowMs();
    const durationMs = Math.max(0, endMs - receivedAtMs);
    this.#tracer?.record({
      instance: id,
      name: 'receive',
      endMs,
      durationMs,
      failed: false,
      attributes: { source: sourceKind, bytes },
    });
  }

  processed(id: string, outcome: ProcessOutcome['kind'], ms: number): void {
    this.#metrics.processed.inc({ outcome });
    this.#metrics.processSeconds.observe(ms / 1000);
    const failed = outcome === 'held' || outcome === 'retry';
    this.#tracer?.record({
      instance: id,
      name: 'prepare',
      endMs: this.#clock.nowMs(),
      durationMs: ms,
      failed,
      attributes: { outcome },
    });
  }

  /** One request to a destination; outcomes in the order of its instances. */
  sent(
    destination: string,
    instances: readonly InstanceRow[],
    result: { outcomes: readonly DeliveryOutcome[]; ms: number },
  ): void {
    const { outcomes, ms } = result;
    const endMs = this.#clock.nowMs();
    this.#metrics.deliverySeconds.observe({ destination }, ms / 1000);
    for (const [index, { id, receivedAtMs }] of instances.entries()) {
      const outcome = outcomes[index];
      if (outcome === undefined) continue;
      this.#metrics.deliveries.inc({ destination, outcome: outcome.kind });
      if (outcome.kind === 'delivered')
        this.#metrics.latencySeconds.observe({ destination }, Math.max(0, endMs - receivedAtMs) / 1000);
      const failed = outcome.kind === 'failed';
      const attributes = { destination, instances: instances.length, ...(failed ? { code: outcome.code } : {}) };
      this.#tracer?.record({ instance: id, name: 'deliver', endMs, durationMs: ms, failed, attributes });
    }
  }
}
