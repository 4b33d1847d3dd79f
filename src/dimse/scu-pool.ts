/**
 * Associations that rest between two uses instead of being released and asked for anew: each costs a negotiation, over TLS
 * a handshake too. What rests is kept alive by C-ECHO, released when nobody wanted it for long, and tried before it is
 * used again, because a peer closes what it finds idle without telling.
 */
import { VERIFICATION } from './negotiation.ts';
import type { ProposedContext, StorageScu } from './storage-scu.ts';

export interface ScuPoolOptions {
  connect(contexts: readonly ProposedContext[], signal: AbortSignal | undefined): Promise<StorageScu>;
  /** Rests at most this long; 0: nothing rests. */
  readonly idleMs: number;
  /** A C-ECHO on what rests this often. */
  readonly keepAliveMs: number;
  readonly restingMax: number;
}

interface Resting {
  readonly scu: StorageScu;
  readonly proposed: ReadonlySet<string>;
  readonly sinceMs: number;
}

/** An association that was used this recently is believed without a C-ECHO. */
const FRESH_MS = 1000;
const IMPLICIT_VR_LITTLE_ENDIAN = '1.2.840.10008.1.2';
/** The context of the C-ECHO takes one of the 128. */
const ECHO_CONTEXT: ProposedContext = { abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_VR_LITTLE_ENDIAN] };

export class ScuPool {
  readonly #options: ScuPoolOptions;
  readonly #resting = new Set<Resting>();
  readonly #proposals = new WeakMap<StorageScu, ReadonlySet<string>>();
  /** Associations on their way out. */
  readonly #releasing = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ScuPoolOptions) {
    this.#options = options;
  }

  /** One that rests and proposed all of these contexts, else a new one. @throws as `connect` */
  async take(contexts: readonly ProposedContext[], signal?: AbortSignal): Promise<StorageScu> {
    const wanted = keysOf(contexts);
    for (const resting of this.#resting) {
      if (![...wanted].every((key) => resting.proposed.has(key))) continue;
      this.#resting.delete(resting);
      if (await isAlive(resting)) return resting.scu;
      resting.scu.abort();
    }
    const proposals = wanted.has(keyOf(VERIFICATION, IMPLICIT_VR_LITTLE_ENDIAN))
      ? contexts
      : [...contexts, ECHO_CONTEXT];
    const scu = await this.#options.connect(proposals, signal);
    this.#proposals.set(scu, keysOf(proposals));
    return scu;
  }

  /** After use. One that broke is let go. */
  giveBack(scu: StorageScu): void {
    const proposed = this.#proposals.get(scu);
    const { idleMs, restingMax } = this.#options;
    if (!scu.usable || proposed === undefined || idleMs === 0 || this.#closed || this.#resting.size >= restingMax) {
      this.#release(scu);
      return;
    }
    this.#resting.add({ scu, proposed, sinceMs: performance.now() });
    this.#watch();
  }

  /** Releases what rests. Resolves when every peer agreed or was aborted. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const { scu } of this.#resting) this.#release(scu);
    this.#resting.clear();
    await Promise.all(this.#releasing);
  }

  /** Nobody waits for a peer that is slow to agree. */
  #release(scu: StorageScu): void {
    const released = scu
      .release()
      .catch(() => scu.abort())
      .finally(() => this.#releasing.delete(released));
    this.#releasing.add(released);
  }

  #watch(): void {
    const everyMs = Math.min(this.#options.keepAliveMs, this.#options.idleMs);
    this.#timer ??= setInterval(() => this.#tend(), everyMs).unref();
  }

  #tend(): void {
    for (const resting of this.#resting) {
      if (performance.now() - resting.sinceMs >= this.#options.idleMs) {
        this.#resting.delete(resting);
        this.#release(resting.scu);
      } else void this.#keepAlive(resting);
    }
    if (this.#resting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #keepAlive(resting: Resting): Promise<void> {
    const answered = await echoes(resting.scu);
    if (answered || !this.#resting.delete(resting)) return;
    resting.scu.abort();
  }
}

/** A peer that does not do Verification cannot be asked: it is believed as long as the connection stands. */
async function echoes(scu: StorageScu): Promise<boolean> {
  if (!scu.usable) return false;
  if (!scu.accepts(VERIFICATION, IMPLICIT_VR_LITTLE_ENDIAN)) return true;
  return scu.echo().then(
    () => scu.usable,
    () => false,
  );
}

function isAlive({ scu, sinceMs }: Resting): Promise<boolean> {
  return performance.now() - sinceMs < FRESH_MS ? Promise.resolve(scu.usable) : echoes(scu);
}

function keysOf(contexts: readonly ProposedContext[]): Set<string> {
  return new Set(
    contexts.flatMap(({ abstractSyntax, transferSyntaxes }) =>
      transferSyntaxes.map((uid) => keyOf(abstractSyntax, uid)),
    ),
  );
}

function keyOf(abstractSyntax: string, transferSyntax: string): string {
  return `${abstractSyntax} ${transferSyntax}`;
}
