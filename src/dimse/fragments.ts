/**
 * A data set as the data of its PDVs: every fragment but the last has exactly the length asked for, which is even
 * (PS3.8 §E.2), however the source cuts its chunks. Chunks are handed on without copying; only what stands at the seam
 * of two chunks is joined. Pure.
 */

export interface Fragment {
  readonly bytes: Uint8Array;
  readonly last: boolean;
}

/** `lengthBytes` is even. An empty data set is one empty last fragment. */
export async function* fragmentsOf(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  lengthBytes: number,
): AsyncGenerator<Fragment> {
  // One fragment behind, so that the last one can say so; at most `lengthBytes` long.
  let held: Uint8Array = new Uint8Array(0);
  for await (const chunk of chunks) {
    let rest = chunk;
    while (held.length + rest.length > lengthBytes) {
      if (held.length === 0) {
        yield { bytes: rest.subarray(0, lengthBytes), last: false };
        rest = rest.subarray(lengthBytes);
      } else {
        const missing = lengthBytes - held.length;
        yield { bytes: missing === 0 ? held : joined(held, rest.subarray(0, missing)), last: false };
        rest = rest.subarray(missing);
        held = new Uint8Array(0);
      }
    }
    if (rest.length > 0) held = held.length === 0 ? rest : joined(held, rest);
  }
  yield { bytes: held, last: true };
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}
