/**
 * The spool on a local disk. The received area is a set of append-only segments that are their own journal (record.ts);
 * a record on disk is a committed instance. The prepared area is a pack an instance (local-prepared.ts).
 *
 * A segment belongs to one writer at a time (an association, a request); when the writer closes, the next one continues
 * it, so that a thousand short associations do not make a thousand files. A segment that is full is closed; when its
 * last instance is erased it is unlinked, which is when identified bytes leave the disk. Where live instances would keep
 * the bytes of erased ones for longer than a minute, the live ones are copied elsewhere (`reclaim`).
 */

import { existsSync, readdirSync } from 'node:fs';
import { truncate, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Random } from '../core/clock.ts';
import { LetheError } from '../core/errors.ts';
import { newInstanceId } from '../core/identifier.ts';
import { ChunkPool } from './chunk-pool.ts';
import { COPY_SUFFIX, copyLive, Sparse } from './compaction.ts';
import { canWriteDirectly, DIRECT, diskError, flushFolder, isMissing, makeFolder } from './disk.ts';
import { markErased } from './erasing.ts';
import { InFlight } from './in-flight.ts';
import { SegmentIncoming } from './incoming.ts';
import { LocalPreparedArea } from './local-prepared.ts';
import {
  digestOf,
  type FoundRecord,
  locationOf,
  openReceived,
  parseLocation,
  receivedFolder,
  walkSegment,
} from './local-received.ts';
import { PacedIncoming, pauseMsPerByte } from './paced.ts';
import { SEGMENT_BYTES_MAX, SEGMENT_SUFFIX, Segment } from './segment.ts';
import { type FreeBytes, freeBytesOf, SpaceGauge } from './space.ts';
import type {
  IncomingInstance,
  PreparedLocation,
  PreparedWriter,
  ReceivedRecord,
  Relocation,
  Spool,
  SpooledInstance,
  SpoolLocation,
  SpoolSpace,
  SpoolWriter,
} from './spool.ts';

export interface LocalSpoolOptions {
  readonly dataDir: string;
  readonly minFreeDiskBytes: number;
  /** A segment that is longer takes no further instance. */
  readonly segmentBytesMax?: number;
  /** How long erased bytes may stay because of live neighbours. */
  readonly sparseMs?: number;
  /** How long a segment that was copied stays for those who read it. */
  readonly leavingMs?: number;
  /** Tests only: what the file system would answer. */
  readonly freeBytes?: FreeBytes;
}

export interface LocalSpoolDeps {
  readonly clock: Clock;
  readonly random: Random;
}

const SPARSE_MS = 60_000;
/** Longer than any reader holds on to a location that it was told. */
const LEAVING_MS = 30_000;
/** Segments that wait for the next writer; more are closed. */
const IDLE_SEGMENTS_MAX = 4;

export class LocalSpool implements Spool {
  readonly #options: LocalSpoolOptions;
  readonly #deps: LocalSpoolDeps;
  readonly #folder: string;
  readonly #gauge: SpaceGauge;
  readonly #inFlight = new InFlight();
  readonly #chunks: ChunkPool;
  /** For files of the received area that are written: direct, where the file system can. */
  readonly #flags: number;
  readonly #preparedArea: LocalPreparedArea;
  readonly #idle: Segment[] = [];
  readonly #writing = new Set<string>();
  /** Committed and not erased instances by segment. */
  readonly #live = new Map<string, number>();
  /** Positions of those that are erased in segments that are still there. */
  readonly #erased = new Map<string, Set<number>>();
  readonly #sparse = new Sparse();
  /** Files of several packs that hold erased ones. */
  readonly #sparsePacks = new Sparse();
  /** Who writes a segment. */
  readonly #holders = new Map<string, SegmentWriter>();
  /** Segments whose live instances were copied elsewhere, and since when. */
  readonly #leaving = new Map<string, number>();

  private constructor(options: LocalSpoolOptions, deps: LocalSpoolDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#folder = receivedFolder(options.dataDir);
    this.#gauge = new SpaceGauge(options.freeBytes ?? freeBytesOf(this.#folder), options.minFreeDiskBytes, deps.clock);
    this.#preparedArea = new LocalPreparedArea(options.dataDir);
    this.#chunks = new ChunkPool((chunk) => canWriteDirectly(this.#folder, chunk));
    const chunk = this.#chunks.take();
    this.#flags = canWriteDirectly(this.#folder, chunk) ? DIRECT : 0;
    this.#chunks.give(chunk);
  }

  /** Makes the folders where they are missing. @throws SPOOL_IO */
  static async open(options: LocalSpoolOptions, deps: LocalSpoolDeps): Promise<LocalSpool> {
    try {
      makeFolder(receivedFolder(options.dataDir));
      makeFolder(join(options.dataDir, 'prepared'));
      await flushFolder(options.dataDir);
    } catch (error) {
      throw diskError(error, 'open');
    }
    return new LocalSpool(options, deps);
  }

  writer(): SpoolWriter {
    const writer: SegmentWriter = new SegmentWriter({
      take: async () => {
        const segment = await this.#takeSegment();
        this.#holders.set(segment.name, writer);
        return segment;
      },
      give: (segment) => this.#giveSegment(segment),
      incoming: (record, header, segment) => this.#incoming(record, header, segment),
      paced: (incoming) => {
        const msPerByte = pauseMsPerByte(this.#gauge.space());
        return msPerByte === 0 ? incoming : new PacedIncoming(incoming, msPerByte);
      },
      isFull: (segment) => segment.end >= (this.#options.segmentBytesMax ?? SEGMENT_BYTES_MAX),
    });
    return writer;
  }

  #incoming(record: ReceivedRecord, header: Uint8Array, segment: Promise<Segment>): SegmentIncoming {
    const space = this.#gauge.space();
    const refusal = space.full
      ? new LetheError('SPOOL_FULL', { freeBytes: space.freeBytes, limitBytes: space.limitBytes })
      : undefined;
    return new SegmentIncoming(
      record,
      header,
      {
        segment,
        inFlight: this.#inFlight,
        chunks: this.#chunks,
        ended: (committed, on, bytes) => {
          this.#gauge.wrote(bytes);
          if (on?.failure !== undefined) this.#gauge.invalidate();
          if (committed && on !== undefined) this.#live.set(on.name, (this.#live.get(on.name) ?? 0) + 1);
        },
        location: (on, position) => locationOf(on.name, position),
      },
      refusal,
    );
  }

  async #takeSegment(): Promise<Segment> {
    const { clock, random } = this.#deps;
    const segment =
      this.#idle.pop() ??
      (await Segment.create(this.#folder, newInstanceId(clock, random), clock.nowMs(), this.#flags));
    this.#writing.add(segment.name);
    return segment;
  }

  async #giveSegment(segment: Segment): Promise<void> {
    this.#holders.delete(segment.name);
    const full = segment.end >= (this.#options.segmentBytesMax ?? SEGMENT_BYTES_MAX);
    if (!full && segment.failure === undefined && this.#idle.length < IDLE_SEGMENTS_MAX) {
      this.#writing.delete(segment.name);
      this.#idle.push(segment);
      return;
    }
    await segment.close();
    this.#writing.delete(segment.name);
    await this.#unlinkIfEmpty(segment.name);
  }

  openReceived(location: SpoolLocation) {
    return openReceived(this.#options.dataDir, location);
  }

  digestOf(location: SpoolLocation): Promise<string | undefined> {
    return digestOf(this.#options.dataDir, location);
  }

  async eraseReceived(locations: readonly SpoolLocation[]): Promise<void> {
    const bySegment = Map.groupBy(locations.map(parseLocation), ({ segment }) => segment);
    for (const [segment, records] of bySegment) {
      await this.#eraseIn(
        segment,
        records.map(({ position }) => position),
      );
    }
  }

  async #eraseIn(segment: string, positions: readonly number[]): Promise<void> {
    const erased = this.#erased.get(segment) ?? new Set();
    const going = positions.filter((position) => !erased.has(position));
    const live = this.#live.get(segment);
    if (live === undefined || going.length === 0) return; // it went with its last instance
    // Before anything is waited for, so that each counts once.
    for (const position of going) erased.add(position);
    this.#erased.set(segment, erased);
    this.#live.set(segment, live - going.length);
    this.#sparse.note(segment, this.#deps.clock.monotonicMs());
    const isLast = live <= going.length;
    if (isLast) await this.#closeIdle(segment);
    // A segment that goes needs no marks: until it is gone the rows say what is erased.
    if (!isLast || this.#writing.has(segment)) await this.#mark(segment, going);
    await this.#unlinkIfEmpty(segment);
  }

  #mark(segment: string, positions: readonly number[]): Promise<void> {
    const path = join(this.#folder, segment + SEGMENT_SUFFIX);
    return markErased(path, positions, { flags: this.#flags, chunks: this.#chunks });
  }

  async #closeIdle(segment: string): Promise<void> {
    const index = this.#idle.findIndex((one) => one.name === segment);
    const [closing] = index < 0 ? [] : this.#idle.splice(index, 1);
    await closing?.close();
  }

  async reclaim(moved: (moves: readonly Relocation[]) => Promise<boolean>): Promise<void> {
    const nowMs = this.#deps.clock.monotonicMs();
    for (const [segment, sinceMs] of [...this.#leaving])
      if (nowMs - sinceMs >= (this.#options.leavingMs ?? LEAVING_MS)) await this.#leave(segment);
    for (const segment of this.#sparse.since(nowMs - (this.#options.sparseMs ?? SPARSE_MS)))
      await this.#compact(segment, moved);
    this.#thinPacks(nowMs - (this.#options.leavingMs ?? LEAVING_MS));
  }

  /** Long after a worker has added the last one to them. */
  #thinPacks(beforeMs: number): void {
    for (const file of this.#sparsePacks.since(beforeMs)) {
      this.#preparedArea.thin(file);
      this.#sparsePacks.forget(file);
      this.#gauge.invalidate();
    }
  }

  async #compact(segment: string, moved: (moves: readonly Relocation[]) => Promise<boolean>): Promise<void> {
    await this.#holders.get(segment)?.rest();
    await this.#closeIdle(segment);
    if (this.#writing.has(segment)) return; // in the middle of an instance: at the next pass
    if ((this.#live.get(segment) ?? 0) <= 0) return this.#unlinkIfEmpty(segment);
    const copy = newInstanceId(this.#deps.clock, this.#deps.random);
    const moves = await copyLive(this.#folder, segment, copy);
    this.#sparse.forget(segment);
    if (moves === undefined) return;
    this.#live.set(copy, moves.length);
    // Where this throws nobody knows: both stay, and the next start finds out.
    if (!(await moved(moves))) {
      this.#live.delete(copy);
      await this.#unlink(copy);
      this.#sparse.note(segment, this.#deps.clock.monotonicMs());
      return;
    }
    this.#live.delete(segment);
    this.#erased.delete(segment);
    this.#leaving.set(segment, this.#deps.clock.monotonicMs());
  }

  async #leave(segment: string): Promise<void> {
    await this.#unlink(segment);
    this.#leaving.delete(segment);
  }

  async #unlinkIfEmpty(segment: string): Promise<void> {
    const inUse = this.#writing.has(segment) || this.#idle.some((one) => one.name === segment);
    if (inUse || (this.#live.get(segment) ?? 0) > 0) return;
    this.#live.delete(segment);
    this.#erased.delete(segment);
    this.#sparse.forget(segment);
    await this.#unlink(segment);
  }

  async #unlink(segment: string): Promise<void> {
    await unlink(join(this.#folder, segment + SEGMENT_SUFFIX)).catch((error: unknown) => {
      if (!isMissing(error)) throw diskError(error, 'unlink');
    });
    this.#gauge.invalidate();
  }

  prepared(id: string, attempt: string): PreparedWriter {
    return this.#preparedArea.prepared(id, attempt);
  }

  openPrepared(location: PreparedLocation, name: string) {
    return this.#preparedArea.open(location, name);
  }

  async erasePrepared(location: PreparedLocation): Promise<void> {
    const file = this.#preparedArea.erase(location);
    if (file !== undefined) this.#sparsePacks.note(file, this.#deps.clock.monotonicMs());
    this.#gauge.invalidate();
  }

  space(): SpoolSpace {
    return this.#gauge.space();
  }

  /** To be read to its end once, before the first writer: it also learns which segments may go. */
  async *recover(): AsyncGenerator<SpooledInstance> {
    this.#preparedArea.removeUnfinished();
    if (!existsSync(this.#folder)) return;
    for (const name of readdirSync(this.#folder).toSorted()) {
      if (name.endsWith(COPY_SUFFIX)) await unlink(join(this.#folder, name));
      if (!name.endsWith(SEGMENT_SUFFIX)) continue;
      const segment = name.slice(0, -SEGMENT_SUFFIX.length);
      const path = join(this.#folder, name);
      const { records, end, size } = walkSegment(path);
      if (end < size) await truncate(path, end);
      const live = records.filter(({ head }) => !head.erased);
      this.#live.set(segment, live.length);
      const erased = records.filter(({ head }) => head.erased).map(({ position }) => position);
      if (erased.length > 0) this.#erased.set(segment, new Set(erased));
      if (live.length < records.length) this.#sparse.note(segment, Number.NEGATIVE_INFINITY);
      for (const found of live) yield spooledOf(segment, found);
      if (live.length === 0) await this.#unlinkIfEmpty(segment);
    }
  }

  sealedPacks() {
    return this.#preparedArea.sealed();
  }

  async close(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map((segment) => segment.close()));
    for (const segment of [...this.#leaving.keys()]) await this.#leave(segment);
  }
}

function spooledOf(segment: string, { position, head, record }: FoundRecord): SpooledInstance {
  return {
    record,
    location: locationOf(segment, position),
    bytes: head.headerBytes + head.dataBytes,
    digest: typeof head.check === 'string' ? head.check : undefined,
  };
}

interface SegmentSource {
  take(): Promise<Segment>;
  give(segment: Segment): Promise<void>;
  incoming(record: ReceivedRecord, header: Uint8Array, segment: Promise<Segment>): SegmentIncoming;
  /** Slowed down where the disk gets full. */
  paced(incoming: SegmentIncoming): IncomingInstance;
  isFull(segment: Segment): boolean;
}

/** One sender's instances, one after the other; the segment under them changes when it is full or failed. */
class SegmentWriter implements SpoolWriter {
  readonly #source: SegmentSource;
  #segment: Promise<Segment> | undefined;
  #last: SegmentIncoming | undefined;
  /** Commits may still run when the next instance begins: closing waits for all. */
  readonly #open = new Set<Promise<unknown>>();

  constructor(source: SegmentSource) {
    this.#source = source;
  }

  begin(record: ReceivedRecord, header: Uint8Array): IncomingInstance {
    if (this.#last !== undefined && !this.#last.ended)
      throw new LetheError('INVARIANT', { what: 'one instance after the other' });
    const before = this.#last?.placed ?? Promise.resolve();
    const segment = before.then(() => this.#current());
    segment.catch(() => undefined); // reported by the instance that needs it
    const incoming = this.#source.incoming(record, header, segment);
    this.#last = incoming;
    const over: Promise<unknown> = incoming.over.then(() => this.#open.delete(over));
    this.#open.add(over);
    return this.#source.paced(incoming);
  }

  async #current(): Promise<Segment> {
    const segment = await this.#segment;
    if (segment !== undefined && segment.failure === undefined && !this.#source.isFull(segment)) return segment;
    this.#segment = this.#source.take();
    this.#segment.catch(() => {
      this.#segment = undefined;
    });
    if (segment !== undefined) void this.#giveWhenQuiet(segment);
    return this.#segment;
  }

  /** A full segment may still be flushing an earlier record of ours; `Segment.close` waits for that. */
  async #giveWhenQuiet(segment: Segment): Promise<void> {
    await segment.sealed;
    await this.#source.give(segment).catch(() => undefined);
  }

  /** Gives the segment back where no instance is on its way; the next one takes another. */
  async rest(): Promise<void> {
    if (this.#open.size === 0) await this.#give();
  }

  /** Taken away before anything is waited for, so that it is given once. */
  async #give(): Promise<void> {
    const taken = this.#segment;
    this.#segment = undefined;
    const segment = await taken?.catch(() => undefined);
    if (segment !== undefined) await this.#source.give(segment);
  }

  async close(): Promise<void> {
    if (this.#last !== undefined && !this.#last.ended) await this.#last.abort();
    await Promise.all(this.#open);
    await this.#give();
  }
}
