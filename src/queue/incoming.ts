/**
 * One instance on its way into a segment: slices are queued without copying, written in large gathered writes while
 * more arrive, hashed as they pass, and sealed at commit by the record's fixed part and a flush.
 *
 * The slices given to `write` are kept by reference until they are on their way to the disk: a caller that reuses its
 * buffer must copy. Every failure ends the record: its bytes are cut off and nothing of it can be committed.
 */
import { createHash, type Hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { LetheError } from '../core/errors.ts';
import { diskError } from './disk.ts';
import { IN_FLIGHT_BYTES_MAX, type InFlight } from './in-flight.ts';
import { encodeMeta, encodeRecordHead, RECORD_FIXED_BYTES, RECORD_META_BYTES_MAX } from './record.ts';
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
  readonly #hash: Hash = createHash('sha256');
  readonly #over = Promise.withResolvers<void>();
  readonly #placed = Promise.withResolvers<void>();
  #phase: Phase = 'open';
  #queue: Uint8Array[];
  #queuedBytes = 0;
  #dataBytes = 0;
  /** Bytes of the record handed to the segment so far; the fixed part is counted from the start and written last. */
  #written = RECORD_FIXED_BYTES;
  #segment: Segment | undefined;
  #start = 0;
  #failure: LetheError | undefined;
  #pumping: Promise<void> | undefined;

  constructor(record: ReceivedRecord, header: Uint8Array, deps: IncomingDeps, refusal: LetheError | undefined) {
    this.#record = record;
    this.#deps = deps;
    this.#meta = encodeMeta(record);
    this.#headerBytes = header.length;
    this.#queue = [this.#meta, header];
    this.#failure = refusal;
    if (this.#meta.length > RECORD_META_BYTES_MAX) this.#failure ??= new LetheError('INVARIANT', { what: 'record' });
  }

  get ended(): boolean {
    return this.#phase !== 'open';
  }

  write(bytes: Uint8Array): boolean {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#phase !== 'open') throw new LetheError('INVARIANT', { what: 'write after the end of an instance' });
    this.#hash.update(bytes);
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    this.#dataBytes += bytes.length;
    this.#deps.inFlight.add(bytes.length);
    const room = this.#hasRoom();
    // Beyond the common limit even a few bytes are written at once, or many small writers could wait for each other.
    if (this.#queuedBytes >= WRITE_BYTES_MIN || !room) this.#startPump();
    return room;
  }

  async drained(): Promise<void> {
    while (this.#failure === undefined && !this.#hasRoom()) {
      this.#startPump();
      await (this.#queuedBytes > 0 ? this.#pumping : this.#deps.inFlight.room());
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

  #hasRoom(): boolean {
    return this.#queuedBytes < IN_FLIGHT_BYTES_MAX && !this.#deps.inFlight.exceeded;
  }

  #end(): void {
    if (this.#phase !== 'open') throw new LetheError('INVARIANT', { what: 'an instance ends once' });
    this.#phase = 'ending';
  }

  async #seal(): Promise<SpooledInstance> {
    if (this.#failure !== undefined) throw this.#failure;
    await this.#place();
    const segment = this.#placedSegment();
    const bytes = RECORD_FIXED_BYTES + this.#meta.length + this.#headerBytes + this.#dataBytes;
    // From here on the writer may begin the next record behind this one.
    segment.end = this.#start + bytes;
    const digest = this.#hash.digest('hex');
    const fixed = encodeRecordHead({
      erased: false,
      metaBytes: this.#meta.length,
      headerBytes: this.#headerBytes,
      dataBytes: this.#dataBytes,
      digest,
      metaCrc: crc32(this.#meta),
    });
    await this.#sealInOrder(segment, fixed);
    await segment.flush();
    this.#finish(true, bytes);
    const location = this.#deps.location(segment, this.#start);
    return { record: this.#record, location, bytes: this.#headerBytes + this.#dataBytes, digest };
  }

  async #sealInOrder(segment: Segment, fixed: Uint8Array): Promise<void> {
    const before = segment.sealed;
    const own = Promise.withResolvers<void>();
    segment.sealed = own.promise;
    this.#placed.resolve();
    try {
      if (this.#isUnwritten) await before;
      if (this.#isUnwritten) {
        await this.#writeWhole(segment, fixed);
      } else {
        await this.#drain();
        await before;
        await segment.write([fixed], this.#start);
      }
    } finally {
      own.resolve();
    }
  }

  get #isUnwritten(): boolean {
    return this.#pumping === undefined && this.#written === RECORD_FIXED_BYTES;
  }

  /** A write that is cut short leaves a record that ends behind its file: recovery takes that for no record. */
  #writeWhole(segment: Segment, fixed: Uint8Array): Promise<void> {
    const slices = this.#queue;
    this.#queue = [];
    return this.#writeCounted(segment, [fixed, ...slices], this.#start);
  }

  /** Resolves when it is committed or gone. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Resolves when the next record of the same writer may be placed: this one's end is known, or it is gone. */
  get placed(): Promise<void> {
    return this.#placed.promise;
  }

  /** Waits for the segment and for the room that an earlier record may still be giving back. */
  async #place(): Promise<void> {
    if (this.#segment !== undefined) return;
    const segment = await this.#deps.segment;
    await segment.settled;
    if (segment.failure !== undefined) throw segment.failure;
    this.#start = segment.end;
    this.#segment = segment;
  }

  #placedSegment(): Segment {
    if (this.#segment === undefined) throw new LetheError('INVARIANT', { what: 'record without a place' });
    return this.#segment;
  }

  #startPump(): void {
    if (this.#pumping !== undefined) return;
    this.#pumping = this.#pump().finally(() => {
      this.#pumping = undefined;
    });
  }

  async #drain(): Promise<void> {
    while (this.#pumping !== undefined || this.#queue.length > 0) {
      this.#startPump();
      await this.#pumping;
      if (this.#failure !== undefined) throw this.#failure;
    }
  }

  /** Writes what is queued until too little is left; never rejects, the failure is kept for the caller's next step. */
  async #pump(): Promise<void> {
    try {
      await this.#place();
      while (this.#failure === undefined && this.#queue.length > 0) await this.#writeQueued();
    } catch (error) {
      this.#failure ??= diskError(error, 'write');
    }
    if (this.#failure !== undefined) this.#forget();
  }

  async #writeQueued(): Promise<void> {
    const slices = this.#queue;
    this.#queue = [];
    const position = this.#start + this.#written;
    for (const slice of slices) this.#written += slice.length;
    await this.#writeCounted(this.#placedSegment(), slices, position);
  }

  /** Writes what was queued until now; its bytes are in flight until then. */
  async #writeCounted(segment: Segment, slices: readonly Uint8Array[], position: number): Promise<void> {
    const dataBytes = this.#queuedBytes;
    try {
      await segment.write(slices, position);
    } finally {
      this.#queuedBytes -= dataBytes;
      this.#deps.inFlight.remove(dataBytes);
    }
  }

  /** Drops what is queued, so that a failed instance holds no memory and blocks nobody. */
  #forget(): void {
    this.#queue = [];
    this.#deps.inFlight.remove(this.#queuedBytes);
    this.#queuedBytes = 0;
  }

  async #discard(): Promise<void> {
    await this.#pumping;
    this.#forget();
    const segment = this.#segment;
    if (segment !== undefined) await segment.cut(this.#start);
    this.#finish(false, 0);
  }

  #finish(committed: boolean, bytes: number): void {
    this.#phase = 'ended';
    this.#placed.resolve();
    this.#over.resolve();
    this.#deps.ended(committed, this.#segment, bytes);
  }
}
