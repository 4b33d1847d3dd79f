/**
 * The inverse DCT of ITU-T T.81 §A.3.3 in integers, by the factorization of Loeffler, Ligtenberg and Moschytz (ICASSP
 * 1989): 11 multiplications a line. T.81 leaves the arithmetic open; the scaling and rounding here are the ones that
 * nearly every decoder uses, so that lossy pixels are the same numbers everywhere and not one off here and there.
 */

/** Fraction bits of the constants. */
const FRACTION_BITS = 13;

/** Constants of the factorization: sums and differences of √2·cos(kπ/16), as fixed point. */
const C = {
  even: fixed(0.5411961),
  evenLess: fixed(1.847759065),
  evenMore: fixed(0.765366865),
  odd: fixed(1.175875602),
  seven: fixed(0.298631336),
  five: fixed(2.053119869),
  three: fixed(3.072711026),
  one: fixed(1.50132111),
  sevenOne: fixed(0.899976223),
  fiveThree: fixed(2.562915447),
  sevenThree: fixed(1.96157056),
  fiveOne: fixed(0.390180644),
} as const;

function fixed(value: number): number {
  return Math.round(value * 2 ** FRACTION_BITS);
}

/**
 * Transforms one block in place, columns then rows.
 * @param block dequantized coefficients in, samples around 0 out, row by row
 * @param precision bits a sample: wider ones leave fewer bits for intermediate fractions
 */
export function inverseDct(block: Int32Array, precision: number): void {
  const kept = precision > 8 ? 1 : 2;
  for (let column = 0; column < 8; column++) inverseLine(block, column, 8, FRACTION_BITS - kept);
  // Three bits more are the factor 8 by which two unnormalized passes are too large.
  for (let row = 0; row < 64; row += 8) inverseLine(block, row, 1, FRACTION_BITS + kept + 3);
}

function inverseLine(block: Int32Array, start: number, step: number, shift: number): void {
  const i0 = block[start] ?? 0;
  const i1 = block[start + step] ?? 0;
  const i2 = block[start + 2 * step] ?? 0;
  const i3 = block[start + 3 * step] ?? 0;
  const i4 = block[start + 4 * step] ?? 0;
  const i5 = block[start + 5 * step] ?? 0;
  const i6 = block[start + 6 * step] ?? 0;
  const i7 = block[start + 7 * step] ?? 0;
  const round = 2 ** (shift - 1);
  const even = (i2 + i6) * C.even;
  const sum = (i0 + i4) * 2 ** FRACTION_BITS + round;
  const difference = (i0 - i4) * 2 ** FRACTION_BITS + round;
  const evenMore = even + i2 * C.evenMore;
  const evenLess = even - i6 * C.evenLess;
  const odd = (i7 + i3 + i5 + i1) * C.odd;
  const sevenThree = odd - (i7 + i3) * C.sevenThree;
  const fiveOne = odd - (i5 + i1) * C.fiveOne;
  const sevenOne = (i7 + i1) * C.sevenOne;
  const fiveThree = (i5 + i3) * C.fiveThree;
  const o0 = i1 * C.one - sevenOne + fiveOne;
  const o1 = i3 * C.three - fiveThree + sevenThree;
  const o2 = i5 * C.five - fiveThree + fiveOne;
  const o3 = i7 * C.seven - sevenOne + sevenThree;
  block[start] = (sum + evenMore + o0) >> shift;
  block[start + 7 * step] = (sum + evenMore - o0) >> shift;
  block[start + step] = (difference + evenLess + o1) >> shift;
  block[start + 6 * step] = (difference + evenLess - o1) >> shift;
  block[start + 2 * step] = (difference - evenLess + o2) >> shift;
  block[start + 5 * step] = (difference - evenLess - o2) >> shift;
  block[start + 3 * step] = (sum - evenMore + o3) >> shift;
  block[start + 4 * step] = (sum - evenMore - o3) >> shift;
}
