/**
 * The bound on bytes that were handed to the spool and are not yet written: one for each instance and one for all
 * writers together. Whoever exceeds either is asked to stop reading its socket, which is what keeps memory flat.
 */

export const IN_FLIGHT_BYTES_MAX = 8 * 1024 * 1024;
/** Four megabytes each for eight associations of large objects; a faster disk than that gains nothing from more. */
export const IN_FLIGHT_TOTAL_BYTES_MAX = 32 * 1024 * 1024;

export class InFlight {
  readonly #limitBytes: number;
  /** Those that have bytes in flight: how to make them write. */
  readonly #writers = new Set<() => void>();
  #bytes = 0;
  #waiting: (() => void)[] = [];

  constructor(limitBytes: number = IN_FLIGHT_TOTAL_BYTES_MAX) {
    this.#limitBytes = limitBytes;
  }

  get exceeded(): boolean {
    return this.#bytes > this.#limitBytes;
  }

  /**
   * Beyond the limit everyone writes what it has, or many who wait for their senders would keep the rest waiting for
   * them. `writeNow` may be called until `leave`.
   */
  add(bytes: number, writeNow: () => void): void {
    const before = this.exceeded;
    this.#bytes += bytes;
    this.#writers.add(writeNow);
    if (this.exceeded && !before) for (const write of this.#writers) write();
  }

  leave(writeNow: () => void): void {
    this.#writers.delete(writeNow);
  }

  remove(bytes: number): void {
    this.#bytes -= bytes;
    if (this.exceeded || this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
  }

  /** Resolves when the total is within its limit. */
  async room(): Promise<void> {
    while (this.exceeded) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
