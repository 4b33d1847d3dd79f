/**
 * One instance on its way into a segment: what arrives is copied into chunks that direct I/O can write, checked as it
 * passes, written in large gathered writes while more arrives, and sealed at commit by the record's fixed part and a
 * flush. The first chunk, where the fixed part has its place, waits for the commit.
 *
 * The bytes given to `write` are the caller's again when it returns. Every failure ends the record: its bytes are cut
 * off and nothing of it can be committed.
 */
import { crc32 } from 'node:zlib';
import { LetheError } from '../core/errors.ts';
import { alignedUp, CHUNK_BYTES, type ChunkPool } from './chunk-pool.ts';
import { diskError } from './disk.ts';
import { IN_FLIGHT_BYTES_MAX, type InFlight } from './in-flight.ts';
import { contentBytes, encodeMeta, encodeRecordHead, RECORD_FIXED_BYTES, RECORD_META_BYTES_MAX } from './record.ts';
import type { Segment } from './segment.ts';
import type { IncomingInstance, ReceivedRecord, SpooledInstance } from './spool.ts';

/**
 * Gathered before a write is worth its system call and its turn in the thread pool. Most instances of a CT or MR are
 * smaller: they are written whole, fixed part and all, by one call at commit.
 */
const WRITE_BYTES_MIN = 1024 * 1024;

export interface IncomingDeps {
  readonly segment: Promise<Segment>;
  readonly inFlight: InFlight;
  readonly chunks: ChunkPool;
  /** Called once with the outcome; `bytes` is the whole record. */
  readonly ended: (committed: boolean, segment: Segment | undefined, bytes: number) => void;
  readonly location: (segment: Segment, position: number) => string;
}

type Phase = 'open' | 'ending' | 'ended';

export class SegmentIncoming implements IncomingInstance {
  readonly #record: ReceivedRecord;
  readonly #deps: IncomingDeps;
  readonly #meta: Buffer;
  readonly #headerBytes: number;
  readonly #over = Promise.withResolvers<void>();
  readonly #placed = Promise.withResolvers<void>();
  #phase: Phase = 'open';
  #crc = 0;
  #dataBytes = 0;
  /** The first chunk, kept until the commit, and the one that is being filled; for a while they are the same. */
  #first: Uint8Array | undefined;
  #filling: Uint8Array | undefined;
  #filled = 0;
  /** Full chunks that wait for their write; with those that are being written they are what is in flight. */
  #full: Uint8Array[] = [];
  #inFlightBytes = 0;
  /** Where in the record the first of `#full` belongs. */
  #fullAt = CHUNK_BYTES;
  #segment: Segment | undefined;
  #start = 0;
  #failure: LetheError | undefined;
  #pumping: Promise<void> | undefined;

  constructor(record: ReceivedRecord, header: Uint8Array, deps: IncomingDeps, refusal: LetheError | undefined) {
    this.#record = record;
    this.#deps = deps;
    this.#meta = encodeMeta(record);
    this.#headerBytes = header.length;
    this.#failure = refusal;
    if (this.#meta.length > RECORD_META_BYTES_MAX) this.#failure ??= new LetheError('INVARIANT', { what: 'record' });
    if (this.#failure !== undefined) return;
    this.#filled = RECORD_FIXED_BYTES;
    this.#first = deps.chunks.take();
    this.#filling = this.#first;
    this.#append(this.#meta);
    this.#crc = crc32(header);
    this.#append(header);
  }

  get ended(): boolean {
    return this.#phase !== 'open';
  }

  write(bytes: Uint8Array): boolean {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#phase !== 'open') throw new LetheError('INVARIANT', { what: 'write after the end of an instance' });
    this.#crc = crc32(bytes, this.#crc);
    this.#dataBytes += bytes.length;
    this.#append(bytes);
    const room = this.#hasRoom();
    if (this.#isWorthWriting()) this.#startPump();
    return room;
  }

  async drained(): Promise<void> {
    while (this.#failure === undefined && !this.#hasRoom()) {
      this.#startPump();
      await (this.#inFlightBytes > 0 ? this.#pumping : this.#deps.inFlight.room());
    }
  }

  async commit(): Promise<SpooledInstance> {
    this.#end();
    try {
      return await this.#seal();
    } catch (error) {
      await this.#discard();
      throw diskError(error, 'commit');
    }
  }

  async abort(): Promise<void> {
    if (this.#phase !== 'open') return; // a running commit owns the bytes: what it promises must not be discarded
    this.#end();
    this.#failure ??= new LetheError('INVARIANT', { what: 'aborted instance used' });
    await this.#discard();
  }

  /** Resolves when it is committed or gone. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Resolves when the next record of the same writer may be placed: this one's end is known, or it is gone. */
  get placed(): Promise<void> {
    return this.#placed.promise;
  }

  #append(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const chunk = this.#chunkWithRoom();
      const part = Math.min(bytes.length - done, CHUNK_BYTES - this.#filled);
      chunk.set(part === bytes.length ? bytes : bytes.subarray(done, done + part), this.#filled);
      this.#filled += part;
      done += part;
    }
  }

  #chunkWithRoom(): Uint8Array {
    if (this.#filling !== undefined && this.#filled < CHUNK_BYTES) return this.#filling;
    const next = this.#deps.chunks.take();
    const full = this.#filling;
    this.#filling = next;
    this.#filled = 0;
    if (full === undefined || full === this.#first) return next;
    this.#full.push(full);
    this.#inFlightBytes += CHUNK_BYTES;
    this.#deps.inFlight.add(CHUNK_BYTES, this.#writeNow);
    return next;
  }

  /** Too much is in flight everywhere: what is full is written, whether it is worth a write or not. */
  readonly #writeNow = (): void => {
    if (this.#full.length > 0) this.#startPump();
  };

  #hasRoom(): boolean {
    return this.#inFlightBytes < IN_FLIGHT_BYTES_MAX && !this.#deps.inFlight.exceeded;
  }

  #isWorthWriting(): boolean {
    return this.#full.length * CHUNK_BYTES >= WRITE_BYTES_MIN || (this.#full.length > 0 && !this.#hasRoom());
  }

  #end(): void {
    if (this.#phase !== 'open') throw new LetheError('INVARIANT', { what: 'an instance ends once' });
    this.#phase = 'ending';
  }

  async #seal(): Promise<SpooledInstance> {
    if (this.#failure !== undefined) throw this.#failure;
    const segment = await this.#place();
    const [headerBytes, dataBytes] = [this.#headerBytes, this.#dataBytes];
    const counts = { metaBytes: this.#meta.length, headerBytes, dataBytes };
    const bytes = alignedUp(contentBytes(counts));
    // From here on the writer may begin the next record behind this one.
    segment.end = this.#start + bytes;
    this.#first?.set(encodeRecordHead({ ...counts, erased: false, check: this.#crc, metaCrc: crc32(this.#meta) }));
    const isAlone = segment.beginCommit();
    try {
      const isDurable = await this.#sealInOrder(segment, isAlone);
      if (!isDurable) await segment.flush();
    } finally {
      segment.endCommit();
    }
    this.#finish(true, bytes);
    const location = this.#deps.location(segment, this.#start);
    return { record: this.#record, location, bytes: headerBytes + dataBytes, digest: undefined };
  }

  /** Answers whether the record is durable already. */
  async #sealInOrder(segment: Segment, isAlone: boolean): Promise<boolean> {
    const before = segment.sealed;
    const own = Promise.withResolvers<void>();
    segment.sealed = own.promise;
    this.#placed.resolve();
    try {
      await this.#pumping;
      if (this.#failure !== undefined) throw this.#failure;
      const rest = this.#takeRest();
      const first = this.#first === undefined ? [] : [this.#first];
      // A write that is cut short leaves a record that ends behind its file: recovery takes that for no record.
      if (this.#fullAt === CHUNK_BYTES) {
        await before;
        const whole = [...first.map((chunk) => this.#trimmed(chunk)), ...rest];
        if (isAlone) return await segment.writeDurably(whole, this.#start);
        await segment.write(whole, this.#start);
      } else {
        await both(
          segment.write(rest, this.#start + this.#fullAt),
          before.then(() => segment.write(first, this.#start)),
        );
      }
      return false;
    } finally {
      own.resolve();
    }
  }

  /** What is not written yet behind the first chunk, the last one as far as it is filled. */
  #takeRest(): Uint8Array[] {
    const last = this.#filling;
    return last === undefined || last === this.#first ? this.#full : [...this.#full, this.#trimmed(last)];
  }

  /** Whole blocks; what is behind the record in the last one is another instance's from earlier, and is cleared. */
  #trimmed(chunk: Uint8Array): Uint8Array {
    if (chunk !== this.#filling) return chunk;
    const end = alignedUp(this.#filled);
    chunk.fill(0, this.#filled, end);
    return chunk.subarray(0, end);
  }

  /** Waits for the segment and for the room that an earlier record may still be giving back. */
  async #place(): Promise<Segment> {
    if (this.#segment !== undefined) return this.#segment;
    const segment = await this.#deps.segment;
    await segment.settled;
    if (segment.failure !== undefined) throw segment.failure;
    if (this.#segment === undefined) {
      this.#start = segment.end;
      this.#segment = segment;
    }
    return segment;
  }

  #startPump(): void {
    if (this.#pumping !== undefined) return;
    this.#pumping = this.#pump().finally(() => {
      this.#pumping = undefined;
    });
  }

  /** Writes full chunks until too few are left; never rejects, the failure is kept for the caller's next step. */
  async #pump(): Promise<void> {
    try {
      const segment = await this.#place();
      while (this.#failure === undefined && this.#isWorthWriting()) await this.#writeFull(segment);
    } catch (error) {
      this.#failure ??= diskError(error, 'write');
    }
    if (this.#failure !== undefined) this.#release(this.#takeFull());
  }

  async #writeFull(segment: Segment): Promise<void> {
    const chunks = this.#full;
    const position = this.#start + this.#fullAt;
    this.#full = [];
    this.#fullAt += chunks.length * CHUNK_BYTES;
    try {
      await segment.write(chunks, position);
    } finally {
      this.#release(chunks);
    }
  }

  #takeFull(): Uint8Array[] {
    const chunks = this.#full;
    this.#full = [];
    return chunks;
  }

  /** Chunks that were in flight and are not any more. */
  #release(chunks: readonly Uint8Array[]): void {
    for (const chunk of chunks) this.#deps.chunks.give(chunk);
    this.#inFlightBytes -= chunks.length * CHUNK_BYTES;
    this.#deps.inFlight.remove(chunks.length * CHUNK_BYTES);
  }

  async #discard(): Promise<void> {
    await this.#pumping;
    const segment = this.#segment;
    if (segment !== undefined) await segment.cut(this.#start);
    this.#finish(false, 0);
  }

  #finish(committed: boolean, bytes: number): void {
    this.#phase = 'ended';
    this.#release(this.#takeFull());
    this.#deps.inFlight.leave(this.#writeNow);
    if (this.#first !== undefined) this.#deps.chunks.give(this.#first);
    if (this.#filling !== undefined && this.#filling !== this.#first) this.#deps.chunks.give(this.#filling);
    this.#first = undefined;
    this.#filling = undefined;
    this.#placed.resolve();
    this.#over.resolve();
    this.#deps.ended(committed, this.#segment, bytes);
  }
}

/** Both have ended, whichever way: their chunks may be used again. */
async function both(one: Promise<void>, other: Promise<void>): Promise<void> {
  for (const outcome of await Promise.allSettled([one, other])) if (outcome.status === 'rejected') throw outcome.reason;
}
