/**
 * Traces, optional: what happened to an instance as spans of one trace (OpenTelemetry), sent by OTLP over HTTP as JSON
 * (opentelemetry-proto 1.x, `POST {url}/v1/traces`). Off unless configured. An instance's trace id is made of our own
 * id, so that spans from before and after a restart meet. Attributes are names and counts of ours, never a value.
 *
 * Traces are worth nothing in an emergency: spans beyond the bound are dropped and counted, a collector that is away
 * costs them, and nothing waits for any of it.
 */
import { createHash } from 'node:crypto';
import type { Clock, Random } from '../core/clock.ts';
import { toLetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { VERSION } from '../core/version.ts';
import { HttpClient, type HttpOptions } from '../delivery/http-client.ts';
import { Wake } from './signal.ts';

export interface Span {
  readonly instance: string;
  readonly name: 'receive' | 'prepare' | 'deliver';
  readonly endMs: number;
  readonly durationMs: number;
  readonly failed: boolean;
  readonly attributes: Readonly<Record<string, string | number>>;
}

export interface Tracer {
  record(span: Span): void;
}

const WAITING_MAX = 8192; // spans of some 300 bytes
const BATCH_MAX = 512;
const FLUSH_MS = 2000;
/** Span kinds and status codes of opentelemetry-proto trace.proto. */
const KIND = { receive: 2, prepare: 1, deliver: 3 } as const; // SERVER, INTERNAL, CLIENT
const STATUS_ERROR = 2;

export class OtlpTracer implements Tracer {
  readonly #client: HttpClient;
  readonly #deps: { readonly clock: Clock; readonly random: Random; readonly logger: Logger };
  readonly #wake = new Wake();
  #waiting: Span[] = [];
  #failing = false;
  #running: Promise<void> | undefined;
  /** Spans that were given up, since the start. */
  dropped = 0;

  constructor(options: HttpOptions, deps: { clock: Clock; random: Random; logger: Logger }) {
    this.#client = new HttpClient(options);
    this.#deps = deps;
  }

  record(span: Span): void {
    if (this.#waiting.length < WAITING_MAX) this.#waiting.push(span);
    else this.dropped++;
  }

  start(): void {
    this.#running = this.#loop();
  }

  async stop(): Promise<void> {
    this.#wake.close();
    await this.#running;
    await this.#flush();
    this.dropped += this.#waiting.length;
    this.#waiting = [];
    await this.#client.close();
  }

  async #loop(): Promise<void> {
    while (!this.#wake.closed) {
      await this.#wake.wait(FLUSH_MS);
      await this.#flush();
    }
  }

  /** Never rejects. */
  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const spans = this.#waiting.splice(0, BATCH_MAX);
      const sent = await this.#send(spans);
      if (sent) continue;
      this.dropped += spans.length;
      return;
    }
  }

  async #send(spans: readonly Span[]): Promise<boolean> {
    const bytes = Buffer.from(JSON.stringify(tracesOf(spans, this.#deps.random)), 'utf8');
    try {
      const { status } = await this.#client.request({
        method: 'POST',
        path: '/v1/traces',
        headers: { 'content-type': 'application/json' },
        body: { length: bytes.length, chunks: () => [bytes] },
        signal: AbortSignal.timeout(5 * FLUSH_MS),
      });
      this.#failing = status >= 300;
      return !this.#failing;
    } catch (error) {
      if (!this.#failing)
        this.#deps.logger.log('warn', 'gateway.warning', { what: 'traces', code: toLetheError(error).code });
      this.#failing = true;
      return false;
    }
  }
}

/** ExportTraceServiceRequest in the JSON form of OTLP: ids in hexadecimal, 64-bit numbers as text. */
export function tracesOf(spans: readonly Span[], random: Random) {
  return {
    resourceSpans: [
      {
        resource: { attributes: attributesOf({ 'service.name': 'lethe', 'service.version': VERSION }) },
        scopeSpans: [{ scope: { name: 'lethe', version: VERSION }, spans: spans.map((span) => spanOf(span, random)) }],
      },
    ],
  };
}

function spanOf({ instance, name, endMs, durationMs, failed, attributes }: Span, random: Random) {
  return {
    traceId: createHash('sha256').update(instance).digest('hex').slice(0, 32),
    spanId: Buffer.from(random.bytes(8)).toString('hex'),
    name,
    kind: KIND[name],
    startTimeUnixNano: nanoseconds(endMs - durationMs),
    endTimeUnixNano: nanoseconds(endMs),
    attributes: attributesOf({ 'lethe.instance': instance, ...attributes }),
    ...(failed ? { status: { code: STATUS_ERROR } } : {}),
  };
}

function nanoseconds(ms: number): string {
  return String(BigInt(Math.round(ms * 1000)) * 1000n);
}

function attributesOf(values: Readonly<Record<string, string | number>>) {
  return Object.entries(values).map(([key, value]) => ({
    key,
    value: typeof value === 'number' ? { intValue: String(Math.round(value)) } : { stringValue: value },
  }));
}
