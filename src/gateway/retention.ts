/**
 * Erasing: identified bytes go as soon as the last delivery of an instance is settled (plus a delay the site may set),
 * de-identified output after its own delay. Nothing undelivered is ever erased by age. The row says so first, flushed:
 * after a power cut bytes may be left that no row names (recovery erases them), never a row whose bytes are gone.
 */
import type { Clock } from '../core/clock.ts';
import { toLetheError } from '../core/errors.ts';
import type { InstanceId } from '../core/identifier.ts';
import type { Logger } from '../core/log.ts';
import type { PreparedLocation, Relocation, Spool } from '../queue/spool.ts';
import type { Store } from '../queue/store.ts';
import { noteDigestOf } from './content.ts';
import { DiskWatch } from './disk-watch.ts';
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
  readonly #disk: DiskWatch;
  /** Outputs whose instance was prepared anew, by the instance; what a crash forgets of them the next start sweeps. */
  readonly #superseded = new Map<PreparedLocation, InstanceId>();
  #running: Promise<void> | undefined;

  constructor(options: RetentionOptions, deps: { store: Store; spool: Spool; clock: Clock; logger: Logger }) {
    this.#options = options;
    this.#deps = deps;
    this.#disk = new DiskWatch(deps.logger);
  }

  start(): void {
    this.#running = this.#loop();
  }

  async stop(): Promise<void> {
    this.#wake.close();
    await this.#running;
  }

  /** Outputs that an instance had: all but the one it has now go, as soon as no delivery of it is on its way. */
  supersede(id: InstanceId, outputs: readonly PreparedLocation[]): void {
    for (const location of outputs) this.#superseded.set(location, id);
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
    const received = await store.erasable('received', nowMs - this.#options.receivedMs, BATCH);
    for (const { id, digest, location } of received)
      if (digest === undefined && location !== undefined) await noteDigestOf(id, location, { spool, store });
    if (received.length > 0)
      await store.markErased(
        received.map(({ id }) => id),
        'received',
      );
    await spool.eraseReceived(received.flatMap(({ location }) => location ?? []));
    for (const { id } of received) logger.log('debug', 'instance.erased', { instance: id });
    const prepared = await store.erasable('prepared', nowMs - this.#options.preparedMs, BATCH);
    if (prepared.length > 0)
      await store.markErased(
        prepared.map(({ id }) => id),
        'prepared',
      );
    for (const row of prepared) if (row.prepared !== undefined) await spool.erasePrepared(row.prepared.location);
    await this.#eraseSuperseded();
    await spool.reclaim((moves) => this.#relocate(moves));
    this.#disk.look(spool.space());
    return Math.max(received.length, prepared.length);
  }

  async #eraseSuperseded(): Promise<void> {
    const { store, spool } = this.#deps;
    for (const [location, id] of [...this.#superseded]) {
      if ((await store.instance(id))?.prepared?.location === location) {
        this.#superseded.delete(location); // decided otherwise meanwhile; it goes with its instance
        continue;
      }
      const deliveries = await store.deliveriesOf(id);
      if (deliveries.some(({ state }) => state === 'claimed' || state === 'inflight')) continue;
      await spool.erasePrepared(location);
      this.#superseded.delete(location);
    }
  }

  /** Whoever has no row yet, or left, cannot be moved: the spool tries again later. */
  async #relocate(moves: readonly Relocation[]): Promise<boolean> {
    try {
      await this.#deps.store.relocate(moves);
      return true;
    } catch (error) {
      if (toLetheError(error).code === 'SPOOL_CORRUPT') return false;
      throw error;
    }
  }
}
