/** A small seeded generator (mulberry32): samples must be the same on every machine, so that they can be compared. */

export class Seeded {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  /** Roughly normal, mean 0, deviation 1: the sum of three uniforms is near enough for detector noise. */
  noise(): number {
    return (this.next() + this.next() + this.next() - 1.5) * 2;
  }
}
