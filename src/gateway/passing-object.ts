/**
 * The bytes of a de-identified object that is checked and rendered from, and then forgotten: those that were made are in a
 * member of a pack; pixels that are in memory as they were received, and stay there while the instance is worked on, are
 * referred to. Copying them would be most of what such an object costs.
 *
 * A member that is to be kept is written as it is: nothing is left for later.
 */
import { type ByteSink, type ByteSource, bytesSource, joinedSource, rangeSource } from '../core/bytes.ts';
import type { PreparedPack } from '../queue/local-prepared.ts';

/** Received bytes that stand before position `at` of the member. */
interface Span {
  readonly at: number;
  readonly start: number;
  end: number;
}

export interface WrittenBytes {
  readonly sink: ByteSink & { end(): void };
  /** After `end`, as long as the pack and what was received are there. To be asked for anew after the pack was written to. */
  source(): ByteSource;
}

export function keptObject(pack: PreparedPack, name: string): WrittenBytes {
  return { sink: pack.file(name), source: () => pack.source(name) };
}

export function passingObject(pack: PreparedPack, name: string, { bytes: received }: ByteSource): WrittenBytes {
  if (received === undefined) return keptObject(pack, name);
  const file = pack.file(name);
  const spans: Span[] = [];
  let at = 0;
  const write = (bytes: Uint8Array): void => {
    file.write(bytes);
    at += bytes.length;
  };
  const refer = (start: number, end: number): void => {
    const last = spans.at(-1);
    if (last?.at === at && last.end === start) last.end = end;
    else spans.push({ at, start, end });
  };
  const later: ByteSink['later'] = (_length, pieces) => {
    for (const piece of pieces()) {
      const start = piece.byteOffset - received.byteOffset;
      const isReceived = piece.buffer === received.buffer && start >= 0 && start + piece.length <= received.length;
      if (isReceived) refer(start, start + piece.length);
      else write(piece);
    }
  };
  const source = (): ByteSource => {
    const made = pack.source(name);
    const parts: ByteSource[] = [];
    let from = 0;
    for (const { at: until, start, end } of spans) {
      parts.push(rangeSource(made, from, until - from), bytesSource(received.subarray(start, end)));
      from = until;
    }
    return joinedSource([...parts, rangeSource(made, from, at - from)]);
  };
  return { sink: { write, later, end: () => file.end() }, source };
}
