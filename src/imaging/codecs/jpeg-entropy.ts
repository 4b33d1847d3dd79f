/**
 * Entropy-coded data of JPEG made plain: cut at restart markers, with stuffed zero bytes taken out (ITU-T T.81 §B.1.1.5,
 * §F.1.2.3), so that a decoder's inner loop can read bits without looking for either.
 */
import { invalidCodestream } from '../codestream.ts';

/** Zeros behind each interval, so that reading a whole word never leaves the array. */
export const READ_AHEAD_BYTES = 8;

/** Positions in bits have to stay below 2^32. */
const INTERVAL_BYTES_MAX = 2 ** 28;

/** @throws IMAGING_CODESTREAM_INVALID where restart markers are out of order */
export function entropyIntervals(data: Uint8Array): Uint8Array[] {
  if (data.length > INTERVAL_BYTES_MAX)
    throw invalidCodestream('has more entropy-coded data than we read', { bytes: data.length });
  const intervals: Uint8Array[] = [];
  const plain = new Uint8Array(data.length + READ_AHEAD_BYTES);
  let length = 0;
  let from = 0;
  const close = (): void => {
    plain.fill(0, length, length + READ_AHEAD_BYTES);
    intervals.push(plain.slice(0, length + READ_AHEAD_BYTES));
    length = 0;
  };
  const take = (to: number): void => {
    plain.set(data.subarray(from, to), length);
    length += to - from;
  };
  for (let at = data.indexOf(0xff); at >= 0; at = data.indexOf(0xff, from)) {
    const next = data[at + 1];
    if (next === 0) {
      take(at + 1);
      from = at + 2;
    } else if (next !== undefined && next >= 0xd0 && next <= 0xd7) {
      take(at);
      if ((next & 7) !== (intervals.length & 7)) throw invalidCodestream('has restart markers out of order');
      close();
      from = at + 2;
    } else {
      // A fill byte before a marker (§B.1.1.2).
      take(at);
      from = at + 1;
    }
  }
  take(data.length);
  close();
  return intervals;
}
