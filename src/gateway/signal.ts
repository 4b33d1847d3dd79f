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

  /** Resolves when woken or closed (true), or after `timeoutMs` (false). */
  async wait(timeoutMs: number): Promise<boolean> {
    if (this.#closed) return true;
    if (this.#pending) {
      this.#pending = false;
      return true;
    }
    return new Promise<boolean>((resolve) => {
      const end = (isWoken: boolean) => {
        clearTimeout(timer);
        this.#waiters.delete(finish);
        resolve(isWoken);
      };
      const finish = () => end(true);
      const timer = setTimeout(() => end(false), timeoutMs);
      this.#waiters.add(finish);
    });
  }
}
