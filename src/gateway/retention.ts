/**
 * Erasing: identified bytes go as soon as the last delivery of an instance is settled (plus a delay the site may set),
 * de-identified output after its own delay. Nothing undelivered is ever erased by age.
 */
import type { Clock } from '../core/clock.ts';
import { toLetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { Spool } from '../queue/spool.ts';
import type { Store } from '../queue/store.ts';
import { Wake } from './signal.ts';

export interface RetentionOptions {
  readonly receivedMs: number;
  readonly preparedMs: number;
  readonly pollMs: number;
}

const BATCH = 200; // bounds one pass; the next follows at once while there is more

export class Retention {
  readonly #options: RetentionOptions;
  readonly #deps: { readonly store: Store; readonly spool: Spool; readonly clock: Clock; readonly logger: Logger };
  readonly #wake = new Wake();
  #running: Promise<void> | undefined;

  constructor(options: RetentionOptions, deps: { store: Store; spool: Spool; clock: Clock; logger: Logger }) {
    this.#options = options;
    this.#deps = deps;
  }

  start(): void {
    this.#running = this.#loop();
  }

  async stop(): Promise<void> {
    this.#wake.close();
    await this.#running;
  }

  async #loop(): Promise<void> {
    while (!this.#wake.closed) {
      const erased = await this.pass().catch((error: unknown) => this.#warn(error));
      if (erased < BATCH) await this.#wake.wait(this.#options.pollMs);
    }
  }

  #warn(error: unknown): number {
    this.#deps.logger.log('warn', 'gateway.warning', { what: 'retention', code: toLetheError(error).code });
    return 0;
  }

  /** Erases what may go; answers how many things it erased. */
  async pass(): Promise<number> {
    const { store, spool, clock, logger } = this.#deps;
    const nowMs = clock.nowMs();
    let erased = 0;
    for (const row of await store.erasable('received', nowMs - this.#options.receivedMs, BATCH)) {
      if (row.location !== undefined) await spool.eraseReceived(row.location);
      await store.markErased(row.id, 'received');
      logger.log('debug', 'instance.erased', { instance: row.id });
      erased++;
    }
    for (const row of await store.erasable('prepared', nowMs - this.#options.preparedMs, BATCH)) {
      if (row.prepared !== undefined) await spool.erasePrepared(row.prepared.location);
      await store.markErased(row.id, 'prepared');
      erased++;
    }
    return erased;
  }
}
