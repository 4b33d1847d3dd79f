/** The gateway's admin face (`admin.ts`) over its parts. Every act of a person is in the audit with that person's name. */
import type { Clock } from '../core/clock.ts';

import { ERRORS, type ErrorCode, LetheError, toLetheError } from '../core/errors.ts';
import type { InstanceId } from '../core/identifier.ts';
import type { Logger } from '../core/log.ts';
import { VERSION } from '../core/version.ts';
import { explain } from '../deid/explain.ts';
import { compileProfile } from '../deid/profile.ts';
import { uidName } from '../dicom/uids.ts';
import type { StorageScp } from '../dimse/storage-scp.ts';
import type { LocalReviews } from '../queue/local-review.ts';
import type { Spool } from '../queue/spool.ts';
import type { InstanceRow, LedgerLine, ListOptions, Store } from '../queue/store.ts';
import type {
  DestinationStatus,
  ExplainLine,
  GatewayAdmin,
  GatewayStatus,
  InstanceDetail,
  InstanceSummary,
  ReceiveOrigin,
  ReceiveResult,
  UserEvent,
} from './admin.ts';
import type { Dispatcher } from './dispatch.ts';
import { customerKey } from './keys.ts';
import { RefusalRecord } from './listener-events.ts';
import type { Look } from './look.ts';
import { mainManifest } from './manifests.ts';
import type { Metrics, Observed } from './metrics.ts';
import type { Receiver } from './receive.ts';
import { decideReview, type Review, type ReviewDecision, readReview } from './review.ts';

export interface AdminDeps {
  readonly store: Store;
  readonly spool: Spool;
  readonly reviews: LocalReviews;
  readonly receiver: Receiver;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly dispatchers: ReadonlyMap<string, Dispatcher>;
  readonly host: string;
  readonly scp: () => StorageScp | undefined;
  /** There may be something to process or to send. */
  readonly wake: () => void;
  /** Renders a frame of what was received. */
  readonly look: Look;
  readonly logger: Logger;
  /** Audit entries that the repository was not told yet; undefined where there is none. */
  readonly auditUnsent: () => Promise<number | undefined>;
  /** Spans that no collector got; undefined where none is configured. */
  readonly tracesDropped: () => number | undefined;
  readonly explainWith: {
    readonly profile: string;
    /** That sources pick, by name. */
    readonly profiles: Readonly<Record<string, string>>;
    readonly key: Uint8Array;
    readonly generation: number;
  };
}

const PREVIEW_BYTES_MAX = 64 * 1024 * 1024;

export class AdminFace implements GatewayAdmin {
  readonly #deps: AdminDeps;
  readonly #startedAtMs: number;
  readonly #refusals: RefusalRecord;

  constructor(deps: AdminDeps) {
    this.#deps = deps;
    this.#refusals = new RefusalRecord(deps);
    this.#startedAtMs = deps.clock.nowMs();
  }

  async status(): Promise<GatewayStatus> {
    const { store, spool, scp, host } = this.#deps;
    const listener = scp();
    const listeners: GatewayStatus['listeners'][number][] = [];
    if (listener !== undefined && listener.ports.plain !== 0)
      for (const port of [listener.ports.plain, ...listener.ports.further])
        listeners.push({ kind: 'dicom', host, port });
    if (listener?.ports.tls !== undefined) listeners.push({ kind: 'dicom-tls', host, port: listener.ports.tls });
    return {
      version: VERSION,
      startedAtMs: this.#startedAtMs,
      counts: await store.counts(),
      space: spool.space(),
      associations: listener?.associationCount ?? 0,
      listeners,
      destinations: await this.#destinations(),
    };
  }

  async #destinations(): Promise<DestinationStatus[]> {
    const statuses: DestinationStatus[] = [];
    for (const [name, dispatcher] of this.#deps.dispatchers) {
      const oldestOwedAtMs = await this.#deps.store.oldestOwedAtMs(name);
      statuses.push({
        name,
        type: dispatcher.destination.type,
        breaker: dispatcher.breaker,
        oldestOwedAtMs,
        lastError: dispatcher.lastError,
      });
    }
    return statuses;
  }

  async readiness(): Promise<{ ready: boolean; reasons: readonly string[] }> {
    const reasons: string[] = [];
    try {
      if (this.#deps.spool.space().full) reasons.push(`SPOOL_FULL: ${ERRORS.SPOOL_FULL.message}`);
      await this.#deps.store.counts();
    } catch (error) {
      const { code, row } = toLetheError(error);
      reasons.push(`${code}: ${row.message}`);
    }
    return { ready: reasons.length === 0, reasons };
  }

  ledger(options: { customer?: string; limit: number }): Promise<LedgerLine[]> {
    return this.#deps.store.ledger(options);
  }

  async list(options: ListOptions): Promise<InstanceSummary[]> {
    return (await this.#deps.store.list(options)).map(summaryOf);
  }

  async detail(id: InstanceId): Promise<InstanceDetail | undefined> {
    const row = await this.#deps.store.instance(id);
    if (row === undefined) return undefined;
    const [deliveries, history] = await Promise.all([this.#deps.store.deliveriesOf(id), this.#deps.store.history(id)]);
    return { ...summaryOf(row), deliveries, history };
  }

  async release(id: InstanceId, by: string): Promise<void> {
    await this.#require(id);
    await this.#deps.store.release(id, by);
    this.#wakeAll();
  }

  /** Deferred deliveries at once, held ones again. */
  async retry(id: InstanceId, by: string): Promise<void> {
    await this.release(id, by);
  }

  async hold(id: InstanceId, by: string): Promise<void> {
    await this.#require(id);
    await this.#deps.store.hold(id, 'INSTANCE_HELD_BY_RULE', `by ${by}`);
  }

  review(id: InstanceId): Promise<Review> {
    return readReview(this.#deps, id);
  }

  async decideReview(id: InstanceId, decision: ReviewDecision, by: string): Promise<void> {
    await decideReview(this.#deps, id, decision, by);
    this.#wakeAll();
  }

  async discard(id: InstanceId, by: string): Promise<void> {
    await this.#require(id);
    await this.#deps.store.discard(id, `operator ${by}`);
  }

  async #require(id: InstanceId): Promise<InstanceRow> {
    const row = await this.#deps.store.instance(id);
    if (row === undefined) throw new LetheError('INSTANCE_UNKNOWN');
    return row;
  }

  #wakeAll(): void {
    this.#deps.wake();
    for (const dispatcher of this.#deps.dispatchers.values()) dispatcher.wake();
  }

  async explain(id: InstanceId, by: string): Promise<readonly ExplainLine[] | undefined> {
    const row = await this.#deps.store.instance(id);
    if (row?.location === undefined) return undefined;
    await this.#deps.store.note('instance.explained', `by ${by}`, id);
    const source = this.#deps.spool.openReceived(row.location);
    try {
      const { profile, profiles, key, generation } = this.#deps.explainWith;
      const text = row.profile === undefined ? profile : (profiles[row.profile] ?? profile);
      return explain(source, {
        profile: compileProfile(text),
        key: { bytes: customerKey(key, row.customer), generation },
        source: row.sourceName,
      });
    } finally {
      source.close();
    }
  }

  async preview(id: InstanceId, frame: number): Promise<{ bytes: Uint8Array; mediaType: string } | undefined> {
    const row = await this.#deps.store.instance(id);
    if (row?.prepared === undefined) return undefined;
    const manifest = mainManifest(row.prepared.manifest);
    const image = manifest.images.find((one) => one.frame === frame);
    if (image === undefined || image.bytes > PREVIEW_BYTES_MAX) return undefined;
    const source = this.#deps.spool.openPrepared(row.prepared.location, image.file);
    try {
      return { bytes: source.read(0, source.size), mediaType: image.mediaType };
    } finally {
      source.close();
    }
  }

  async receivedPreview(id: InstanceId, frame: number, by: string): Promise<Uint8Array | undefined> {
    const row = await this.#deps.store.instance(id);
    if (row?.location === undefined) return undefined;
    await this.#deps.store.note('instance.viewed', `frame ${frame} by ${by}`, id);
    return this.#deps.look({ location: row.location, frame });
  }

  receive(bytes: AsyncIterable<Uint8Array>, from: ReceiveOrigin): Promise<ReceiveResult> {
    return this.#deps.receiver.receive(bytes, from);
  }

  noteUser(event: UserEvent, detail: string): void {
    this.#refusals.note(event, detail);
  }

  metrics(): Promise<string> {
    return this.#deps.metrics.text();
  }

  async observe(): Promise<Observed> {
    const { counts, space, associations, destinations } = await this.status();
    const nowMs = this.#deps.clock.nowMs();
    return {
      certificateDays: this.#certificateDays(nowMs),
      counts,
      space,
      associations,
      oldestOwedSeconds: Object.fromEntries(
        destinations.map(({ name, oldestOwedAtMs }) => [
          name,
          oldestOwedAtMs === undefined ? 0 : Math.max(0, (nowMs - oldestOwedAtMs) / 1000),
        ]),
      ),
      auditUnsent: await this.#deps.auditUnsent(),
      tracesDropped: this.#deps.tracesDropped(),
      breakers: Object.fromEntries(destinations.map(({ name, breaker }) => [name, breaker])),
    };
  }

  /** A file that cannot be read just now is no reason to have no metrics at all. */
  #certificateDays(nowMs: number): number | undefined {
    try {
      return this.#deps.scp()?.tlsExpiresInDays(nowMs);
    } catch {
      return undefined;
    }
  }
}

export function summaryOf(row: InstanceRow): InstanceSummary {
  const known = row.reason !== undefined && row.reason in ERRORS ? ERRORS[row.reason as ErrorCode].message : undefined;
  const manifest = row.prepared === undefined ? undefined : mainManifest(row.prepared.manifest);
  return {
    id: row.id,
    customer: row.customer,
    sourceKind: row.sourceKind,
    sourceName: row.sourceName,
    sopClassUid: row.sopClassUid,
    sopClassName: uidName(row.sopClassUid) ?? 'private or unknown SOP class',
    bytes: row.bytes,
    receivedAtMs: row.receivedAtMs,
    state: row.state,
    delivered: row.state === 'prepared' && row.settledAtMs !== undefined,
    reason: row.reason,
    reasonDetail: row.reasonDetail,
    advice: known,
    images: manifest?.images.length ?? 0,
    pixels: manifest?.pixels,
  };
}
