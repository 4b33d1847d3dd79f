/**
 * Keeps the store from growing for ever: settled instances whose bytes are erased are forgotten after a time, or when
 * there are too many of them; the ledger keeps their numbers, and the audit of that time moves to files. In small steps
 * with pauses between, so that receiving and delivering do not notice. Each step may be cut off anywhere and is repeated:
 * an archive file is on the medium before the store says so, and the store says so before an entry leaves it.
 *
 * What a sender sends again after that is new: it is processed to the same output under the same pseudonyms, and a
 * destination that knows it says so.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { type ArchivedEntry, writeArchive } from '../audit/archive.ts';
import type { Clock } from '../core/clock.ts';
import { toLetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { Store } from '../queue/store.ts';
import { Wake } from './signal.ts';

export interface HistoryOptions {
  readonly dataDir: string;
  /** How long a settled instance is known. */
  readonly knownMs: number;
  /** How long at least, however many there are: as long as peers may still ask whether it is committed. */
  readonly knownMsMin: number;
  readonly instancesMax: number;
  /** How long a study has a ledger line of its own. */
  readonly linesMs: number;
  readonly pollMs: number;
}

export interface HistoryDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Audit entries that a repository was not told yet; they stay. Undefined where there is none. */
  readonly auditUnsent: () => Promise<number | undefined>;
}

const ROWS_MAX = 100; // a transaction of a few milliseconds
const PAUSE_MS = 100; // between two of them: up to 1000 instances/s, more than come
const ENTRIES_MAX = 5000; // a file of some 300 KB
const PAGE = 500; // entries read or removed before others get their turn
/** The audit of an instance has six entries as a rule; a bound for sites that deliver to several destinations. */
const ENTRIES_PER_INSTANCE = 12;

export class History {
  readonly #options: HistoryOptions;
  readonly #deps: HistoryDeps;
  readonly #wake = new Wake();
  #running: Promise<void> | undefined;

  constructor(options: HistoryOptions, deps: HistoryDeps) {
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
      const more = await this.pass().catch((error: unknown) => this.#warn(error));
      await this.#wake.wait(more ? PAUSE_MS : this.#options.pollMs);
    }
  }

  #warn(error: unknown): boolean {
    this.#deps.logger.log('warn', 'gateway.warning', { what: 'history', code: toLetheError(error).code });
    return false;
  }

  /** One step of each kind; answers whether there is more to do. */
  async pass(): Promise<boolean> {
    const { store, clock } = this.#deps;
    const { knownMs, knownMsMin, instancesMax, linesMs } = this.#options;
    const nowMs = clock.nowMs();
    const { instances, studies, lines } = await store.prune({
      settledBeforeMs: nowMs - knownMs,
      settledBeforeMsAtLeast: nowMs - knownMsMin,
      instancesMax,
      linesBeforeMs: nowMs - linesMs,
      rowsMax: ROWS_MAX,
    });
    const dropped = await store.dropArchived(PAGE);
    const archived = dropped === PAGE ? false : await this.#archive(nowMs);
    return archived || dropped === PAGE || Math.max(instances, studies, lines) >= ROWS_MAX - 1;
  }

  /** Whole files only: the rest waits until there is enough for one. */
  async #archive(nowMs: number): Promise<boolean> {
    const { store, auditUnsent } = this.#deps;
    const base = await store.archivedAudit();
    const head = (await store.auditHead())?.sequence ?? 0;
    const told = head - ((await auditUnsent()) ?? 0);
    if (base.sequence + ENTRIES_MAX >= head || base.sequence + ENTRIES_MAX > told) return false;
    const tooMany = head - base.sequence > this.#options.instancesMax * ENTRIES_PER_INSTANCE;
    const entries = await this.#oldest(base.sequence);
    const last = entries.at(-1);
    if (last === undefined || entries.length < ENTRIES_MAX) return false;
    // Dated in the future: the clock was wrong then, and waiting for it would be waiting for years.
    const old = last.atMs <= nowMs - this.#options.knownMs || last.atMs > nowMs;
    if (!old && !tooMany) return false;
    await writeArchive(this.#options.dataDir, entries);
    await store.noteArchived(last);
    return true;
  }

  async #oldest(after: number): Promise<ArchivedEntry[]> {
    const entries: ArchivedEntry[] = [];
    for await (const entry of this.#deps.store.auditEntries(after)) {
      entries.push(entry);
      if (entries.length === ENTRIES_MAX) break;
      if (entries.length % PAGE === 0) await turn();
    }
    return entries;
  }
}
