/**
 * Pictures to measure with: structured like a projection of a body (smooth mass, edges, a plate with text-like bars) under
 * noise of a few grey levels, so that compression works about as hard as on real images. Deterministic.
 */

export interface PhantomShape {
  readonly rows: number;
  readonly columns: number;
  readonly bits: number;
}

export const CT: PhantomShape = { rows: 512, columns: 512, bits: 12 };
export const DX: PhantomShape = { rows: 2500, columns: 2048, bits: 14 };

export function phantom({ rows, columns, bits }: PhantomShape): Uint16Array {
  const white = 2 ** bits - 1;
  const pixels = new Uint16Array(rows * columns);
  let seed = 1;
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      const x = column / columns - 0.5;
      const y = row / rows - 0.5;
      const radius = Math.hypot(x, y);
      const body = radius < 0.42 ? 0.35 + 0.3 * Math.cos(radius * 9) + 0.1 * Math.sin(x * 40) * Math.cos(y * 31) : 0.02;
      const bars = row % 64 < 3 && radius < 0.3 ? 0.2 : 0;
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      const noise = (seed / 2 ** 32 - 0.5) * 0.003;
      pixels[at] = Math.min(white, Math.max(0, Math.round((body + bars + noise) * white)));
    }
  }
  return pixels;
}

/** Median of the milliseconds that `work` takes. */
export async function medianMs(rounds: number, work: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return times.toSorted((a, b) => a - b)[rounds >> 1] ?? Number.NaN;
}
