/**
 * Which instances were in requests that failed in a way their content may have caused. After the second time an
 * instance is sent alone, so that its neighbours no longer share its fate. Bounded: the oldest are forgotten, which
 * only costs one more shared attempt. Kept in memory for the same reason.
 */

const FAILURES_TOGETHER = 2;
const REMEMBERED_MAX = 10_000;

export class Suspects {
  readonly #failures = new Map<string, number>();

  any(ids: readonly string[]): boolean {
    return ids.some((id) => (this.#failures.get(id) ?? 0) >= FAILURES_TOGETHER);
  }

  add(ids: readonly string[]): void {
    for (const id of ids) {
      const failures = (this.#failures.get(id) ?? 0) + 1;
      this.#failures.delete(id);
      this.#failures.set(id, failures);
    }
    for (const id of this.#failures.keys()) {
      if (this.#failures.size <= REMEMBERED_MAX) break;
      this.#failures.delete(id);
    }
  }

  clear(ids: readonly string[]): void {
    for (const id of ids) this.#failures.delete(id);
  }
}
