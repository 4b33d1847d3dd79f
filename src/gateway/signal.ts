/** Waiting that can be woken: loops that watch the store sleep here until there is work, time is up, or all ends. */

export class Wake {
  readonly #waiters = new Set<() => void>();
  #pending = false;
  #closed = false;

  /** Ends all current waits, or the next one when nobody waits. */
  wake(): void {
    this.#pending = this.#waiters.size === 0;
    for (const finish of [...this.#waiters]) finish();
  }

  close(): void {
    this.#closed = true;
    this.wake();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Resolves when woken, closed, or after `timeoutMs`. */
  async wait(timeoutMs: number): Promise<void> {
    if (this.#closed) return;
    if (this.#pending) {
      this.#pending = false;
      return;
    }
    await new Promise<void>((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        this.#waiters.delete(finish);
        resolve();
      };
      const timer = setTimeout(finish, timeoutMs);
      this.#waiters.add(finish);
    });
  }
}
