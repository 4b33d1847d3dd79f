/** Signs the end of the audit chain: at the start, once a day (as configured), and when the gateway stops. */
import type { KeyObject } from 'node:crypto';
import {
  appendCheckpoint,
  checkpointsPath,
  loadOrMakeSigningKey,
  readCheckpoints,
  signCheckpoint,
} from '../audit/checkpoint.ts';
import type { Clock } from '../core/clock.ts';
import { toLetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { Store } from '../queue/store.ts';
import { Wake } from './signal.ts';

export interface AuditKeeperDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

const LOOK_MS = 60_000; // a laptop that slept is noticed within this

export class AuditKeeper {
  readonly #dataDir: string;
  readonly #everyMs: number;
  readonly #deps: AuditKeeperDeps;
  readonly #key: KeyObject;
  readonly #wake = new Wake();
  #running: Promise<void> | undefined;

  /** @throws AUDIT_KEY_UNREADABLE */
  constructor(options: { dataDir: string; everyMs: number }, deps: AuditKeeperDeps) {
    this.#dataDir = options.dataDir;
    this.#everyMs = options.everyMs;
    this.#deps = deps;
    this.#key = loadOrMakeSigningKey(options.dataDir);
  }

  start(): void {
    this.#running = this.#loop();
  }

  async stop(): Promise<void> {
    this.#wake.close();
    await this.#running;
    await this.#sign().catch((error: unknown) => this.#warn(error));
  }

  async #loop(): Promise<void> {
    while (!this.#wake.closed) {
      await this.#signWhenDue().catch((error: unknown) => this.#warn(error));
      await this.#wake.wait(Math.min(LOOK_MS, this.#everyMs));
    }
  }

  #warn(error: unknown): void {
    this.#deps.logger.log('error', 'gateway.warning', { what: 'audit checkpoint', code: toLetheError(error).code });
  }

  async #signWhenDue(): Promise<void> {
    const last = readCheckpoints(checkpointsPath(this.#dataDir)).at(-1);
    if (last === undefined || this.#deps.clock.nowMs() - last.atMs >= this.#everyMs) await this.#sign();
  }

  async #sign(): Promise<void> {
    const { store, clock, logger } = this.#deps;
    const head = await store.auditHead();
    const last = readCheckpoints(checkpointsPath(this.#dataDir)).at(-1);
    if (head === undefined || head.sequence === last?.sequence) return;
    const facts = { ...head, atMs: clock.nowMs(), previous: last?.signature ?? '' };
    appendCheckpoint(this.#dataDir, signCheckpoint(facts, this.#key));
    logger.log('info', 'audit.checkpoint', { entries: head.sequence });
  }
}
