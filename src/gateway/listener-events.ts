/**
 * What the listener tells of itself, counted and put on record: associations, answers and their times as metrics;
 * refusals and failed handshakes in the audit trail, each kind at once and then at most once a minute with its count, so
 * that a flood of callers does not become a flood of entries.
 */
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/log.ts';
import type { RejectedCaller, ScpEvents } from '../dimse/storage-scp.ts';
import type { Store } from '../queue/store.ts';
import type { Metrics } from './metrics.ts';

const QUIET_MS = 60_000;
/** Kinds remembered at once; the caller chooses its title, so there could be any number. */
const KINDS_MAX = 256;

export interface ListenerEventDeps {
  readonly metrics: Metrics;
  readonly store: Pick<Store, 'note'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export function listenerEvents(deps: ListenerEventDeps): ScpEvents {
  const { metrics } = deps;
  const refusals = new RefusalRecord(deps);
  return {
    onAccepted: (_facts, opaque) => {
      metrics.associations.inc({ outcome: 'accepted' });
      if (opaque > 0) metrics.opaqueContexts.inc(opaque);
    },
    onResponse: (status, ms) => {
      metrics.storeResponses.inc({ status: status.toString(16).toUpperCase().padStart(4, '0') });
      metrics.responseSeconds.observe(ms / 1000);
    },
    onRejected: ({ result, source, reason }, caller) => {
      metrics.associations.inc({ outcome: 'rejected' });
      metrics.rejections.inc({ reason: `${result}/${source}/${reason}` });
      refusals.note('association.rejected', `${result}/${source}/${reason} ${callerText(caller)}`);
    },
    onEnded: (kind) => metrics.associations.inc({ outcome: kind }),
    onTlsFailed: (remoteAddress, code) => {
      metrics.tlsFailures.inc();
      refusals.note('tls.failed', `${code} from ${remoteAddress}`);
    },
  };
}

function callerText(caller: RejectedCaller | undefined): string {
  if (caller === undefined) return 'connection beyond the limit';
  return `${caller.callingAeTitle} from ${caller.remoteAddress} to ${caller.calledAeTitle}`;
}

interface Kind {
  readonly sinceMs: number;
  /** Seen since it was last noted. */
  more: number;
}

export class RefusalRecord {
  readonly #deps: Omit<ListenerEventDeps, 'metrics'>;
  readonly #kinds = new Map<string, Kind>();

  constructor(deps: Omit<ListenerEventDeps, 'metrics'>) {
    this.#deps = deps;
  }

  note(event: string, detail: string): void {
    const nowMs = this.#deps.clock.monotonicMs();
    const key = `${event} ${detail}`;
    const kind = this.#kinds.get(key);
    if (kind !== undefined && nowMs - kind.sinceMs < QUIET_MS) {
      kind.more++;
      return;
    }
    this.#forgetOld(nowMs);
    if (this.#kinds.size >= KINDS_MAX && detail !== OTHERS) {
      this.note(event, OTHERS);
      return;
    }
    this.#kinds.set(key, { sinceMs: nowMs, more: 0 });
    this.#write(event, detail);
  }

  /** Those that were not heard of for long; what was counted of them and not noted is noted now. */
  #forgetOld(nowMs: number): void {
    for (const [key, { sinceMs, more }] of this.#kinds) {
      if (nowMs - sinceMs < QUIET_MS) continue;
      this.#kinds.delete(key);
      const [event = '', ...detail] = key.split(' ');
      if (more > 0) this.#write(event, `${detail.join(' ')} (${more} times more)`);
    }
  }

  #write(event: string, detail: string): void {
    const failed = () => this.#deps.logger.log('error', 'gateway.warning', { what: 'audit of refusals' });
    this.#deps.store.note(event, detail).catch(failed);
  }
}

/** Stands for all kinds beyond those that are remembered. */
const OTHERS = 'other callers';
