/**
 * Prometheus metrics, names by convention: `lethe_` prefix, base units, `_total` for counters. Labels are few and
 * bounded: destinations, states, outcome kinds, status codes; never anything a sender chooses.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { SpoolSpace } from '../queue/spool.ts';
import type { FlowCounts } from '../queue/store.ts';

export interface Observed {
  readonly counts: FlowCounts;
  readonly space: SpoolSpace;
  readonly associations: number;
  /** Undefined without a TLS port, or where its file cannot be read now. */
  readonly certificateDays: number | undefined;
  readonly oldestOwedSeconds: Readonly<Record<string, number>>;
  /** Undefined: nothing is exported. */
  readonly auditUnsent: number | undefined;
  /** Undefined: no collector is configured. */
  readonly tracesDropped: number | undefined;
  readonly breakers: Readonly<Record<string, 'closed' | 'open' | 'half-open'>>;
}

/** An instance may wait for a night's window, or for a destination that was away for a day. */
const LATENCY_SECONDS = [1, 5, 15, 60, 300, 900, 3600, 14_400, 43_200, 86_400];
const SECONDS = [0.005, 0.02, 0.1, 0.5, 2, 10, 60];

export class Metrics {
  readonly #registry = new Registry();
  readonly #observe: () => Promise<Observed>;
  readonly received: Counter<'source'>;
  readonly receivedBytes: Counter<'source'>;
  readonly storeResponses: Counter<'status'>;
  readonly rejections: Counter<'reason'>;
  readonly associations: Counter<'outcome'>;
  readonly opaqueContexts: Counter;
  readonly tlsFailures: Counter;
  readonly responseSeconds: Histogram;
  readonly processed: Counter<'outcome'>;
  readonly processSeconds: Histogram;
  readonly deliveries: Counter<'destination' | 'outcome'>;
  readonly deliverySeconds: Histogram<'destination'>;
  readonly latencySeconds: Histogram<'destination'>;

  /** Registered once there is one: 0 would mean that it expires today. */
  readonly #certificate = new Gauge({
    name: 'lethe_tls_certificate_days',
    help: 'Days until the first certificate of the DICOM-TLS port expires; negative when it has.',
    registers: [],
  });

  constructor(observe: () => Promise<Observed>) {
    this.#observe = observe;
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    this.received = new Counter({
      name: 'lethe_instances_received_total',
      help: 'Instances in custody, by kind of source.',
      labelNames: ['source'],
      registers,
    });
    this.receivedBytes = new Counter({
      name: 'lethe_received_bytes_total',
      help: 'Bytes in custody, by kind of source.',
      labelNames: ['source'],
      registers,
    });
    this.storeResponses = new Counter({
      name: 'lethe_store_responses_total',
      help: 'C-STORE responses by status (hexadecimal).',
      labelNames: ['status'],
      registers,
    });
    this.rejections = new Counter({
      name: 'lethe_associations_rejected_total',
      help: 'A-ASSOCIATE-RJ sent, by result/source/reason (PS3.8 Table 9-21).',
      labelNames: ['reason'],
      registers,
    });
    this.associations = new Counter({
      name: 'lethe_associations_total',
      help: 'Associations accepted, rejected, released, and ended by an abort of the peer, of ours, or a broken connection.',
      labelNames: ['outcome'],
      registers,
    });
    this.opaqueContexts = new Counter({
      name: 'lethe_opaque_contexts_total',
      help: 'Presentation contexts accepted for SOP classes or transfer syntaxes that PS3.6 does not list.',
      registers,
    });
    this.tlsFailures = new Counter({
      name: 'lethe_tls_failures_total',
      help: 'TLS handshakes on the DICOM port that failed.',
      registers,
    });
    this.responseSeconds = new Histogram({
      name: 'lethe_response_seconds',
      help: 'Time from a DIMSE request to its response.',
      buckets: SECONDS,
      registers,
    });
    this.processed = new Counter({
      name: 'lethe_instances_processed_total',
      help: 'Instances by what processing made of them.',
      labelNames: ['outcome'],
      registers,
    });
    this.processSeconds = new Histogram({
      name: 'lethe_process_seconds',
      help: 'Time from a worker taking an instance to its outcome.',
      buckets: SECONDS,
      registers,
    });
    this.deliveries = new Counter({
      name: 'lethe_deliveries_total',
      help: 'Delivery outcomes by destination.',
      labelNames: ['destination', 'outcome'],
      registers,
    });
    this.latencySeconds = new Histogram({
      name: 'lethe_delivery_latency_seconds',
      help: 'Time from when an instance came to when a destination had taken it.',
      labelNames: ['destination'],
      buckets: LATENCY_SECONDS,
      registers,
    });
    this.deliverySeconds = new Histogram({
      name: 'lethe_delivery_seconds',
      help: 'Time of one request to a destination.',
      labelNames: ['destination'],
      buckets: SECONDS,
      registers,
    });
    this.#gauges();
  }

  #gauges(): void {
    const registers = [this.#registry];
    const instances = new Gauge({
      name: 'lethe_instances',
      help: 'Instances by state.',
      labelNames: ['state'],
      registers,
    });
    const queue = new Gauge({
      name: 'lethe_delivery_queue',
      help: 'Deliveries by destination and state.',
      labelNames: ['destination', 'state'],
      registers,
    });
    const oldest = new Gauge({
      name: 'lethe_oldest_unsent_seconds',
      help: 'Age of the oldest delivery still owed.',
      labelNames: ['destination'],
      registers,
    });
    const breaker = new Gauge({
      name: 'lethe_destination_open',
      help: '1 while the circuit to a destination is open.',
      labelNames: ['destination'],
      registers,
    });
    const free = new Gauge({ name: 'lethe_disk_free_bytes', help: 'Free space where the spool is.', registers });
    const full = new Gauge({
      name: 'lethe_disk_full',
      help: '1 while free space is below the limit and nothing is accepted.',
      registers,
    });
    const associations = new Gauge({ name: 'lethe_associations', help: 'Associations open now.', registers });
    const unsent = new Gauge({
      name: 'lethe_audit_unsent_entries',
      help: 'Audit entries that the audit repository was not told yet.',
      registers,
    });
    const dropped = new Counter({
      name: 'lethe_trace_spans_dropped_total',
      help: 'Spans that were not sent: the collector did not take them, or too many waited for it.',
      registers,
    });
    this.#apply = (observed) => {
      dropped.reset();
      dropped.inc(observed.tracesDropped ?? 0);
      if (observed.auditUnsent !== undefined) unsent.set(observed.auditUnsent);
      for (const state of ['received', 'prepared', 'held', 'discarded'] as const)
        instances.set({ state }, observed.counts[state]);
      for (const [destination, states] of Object.entries(observed.counts.deliveries)) {
        for (const [state, count] of Object.entries(states)) queue.set({ destination, state }, count);
      }
      for (const [destination, seconds] of Object.entries(observed.oldestOwedSeconds))
        oldest.set({ destination }, seconds);
      for (const [destination, kind] of Object.entries(observed.breakers))
        breaker.set({ destination }, kind === 'open' ? 1 : 0);
      free.set(observed.space.freeBytes);
      full.set(observed.space.full ? 1 : 0);
      associations.set(observed.associations);
      if (observed.certificateDays === undefined) return;
      this.#certificate.set(observed.certificateDays);
      this.#registry.registerMetric(this.#certificate);
    };
  }

  #apply: (observed: Observed) => void = () => undefined;

  /** All of ours, by name, whether they have a value yet or not. */
  describe(): { readonly name: string; readonly type: string; readonly help: string }[] {
    const further = new Registry();
    further.registerMetric(this.#certificate);
    return Registry.merge([this.#registry, further])
      .getMetricsAsArray()
      .filter(({ name }) => name.startsWith('lethe_'))
      .map(({ name, type, help }) => ({ name, type: String(type), help }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Prometheus text exposition format. */
  async text(): Promise<string> {
    this.#apply(await this.#observe());
    return this.#registry.metrics();
  }
}
