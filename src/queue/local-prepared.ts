/**
 * The prepared area on a local disk: what may leave. One pack an instance and attempt, in a file of its own or, where it is
 * small and a worker writes it, in one with others (`prepared-bundle.ts`): the members' bytes one after the
 * other, then an index, then a fixed tail
 *
 *   members ... | index: JSON [{ name, position, bytes, crc }] | u32 index length | u32 CRC-32 of the index | "LPRP"
 *
 * A pack is in memory until its commit, which writes it in one go and does not flush: what a power cut takes can be made
 * again, the same, from the received bytes, and those stay until nothing is owed. So that nothing half written ever
 * leaves, each member carries its CRC-32 (`crc`) and is compared with it when it is opened.
 *
 * What is too large for the memory is written under a temporary name, flushed, renamed, its folder flushed; its members
 * have no `crc`, and nor have those of packs that earlier versions flushed. Synchronous on purpose: workers write it. A
 * file with a temporary name after a start is the rest of a crash and is removed.
 */
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join, sep } from 'node:path';
import { crc32 } from 'node:zlib';
import { type ByteSource, bytesSource } from '../core/bytes.ts';
import { LetheError } from '../core/errors.ts';
import type { InstanceId } from '../core/identifier.ts';
import { flushFolder } from '../core/private-file.ts';
import { borrowScratch, giveBackScratch, SCRATCH_BYTES_MAX } from '../core/scratch.ts';
import { diskError, FILE_MODE, isMissing, makeFolder, readFullySync } from './disk.ts';
import {
  BUNDLE_SUFFIX,
  BUNDLED_BYTES_MAX,
  BundleWriter,
  bundledIn,
  bundledLocation,
  isBundled,
  markBundledErased,
  parseBundledLocation,
  readBundled,
  thinBundle,
} from './prepared-bundle.ts';
import type { PreparedLocation, PreparedWriter } from './spool.ts';

const FOLDER = 'prepared';
const TEMPORARY = '.part';
const MAGIC = 'LPRP';
const TAIL_BYTES = 12;
/** Read at once when a pack is opened: the tail, and of most packs the whole index. */
const END_BYTES = 4096;
/** Once a pack is on disk, what is longer passes by the memory. */
const DIRECT_BYTES_MIN = 64 * 1024;
/** A member up to this size is checked and answered from one reading; a larger one is read for each. */
const CHECKED_IN_MEMORY_BYTES_MAX = 1024 * 1024;
const INDEX_BYTES_MAX = 64 * 1024 * 1024; // a hundred bytes a frame, for a very long film
/** One character of the id that differs between neighbours: 32 folders keep each small, and are made only once. */
const SHARD = { from: 25, to: 26 } as const;
/** Of a location: the id behind the shard. */
const ID = { from: 2, to: 28 } as const;
const LOCATION = /^[0-9A-Z]\/[0-9A-Z]{26}-[0-9a-z-]{1,40}$/;

interface Member {
  readonly name: string;
  readonly position: number;
  readonly bytes: number;
  /** Of its bytes; absent where the file was flushed. */
  readonly crc?: number;
}

export interface PackMark {
  readonly members: number;
  readonly position: number;
}

export type OpenFile = ByteSource & { close(): void };

export class LocalPreparedArea {
  readonly #root: string;
  readonly #bundles: BundleWriter | undefined;

  /** `bundled`: small packs that are committed here within a second share a file. */
  constructor(dataDir: string, { bundled = false }: { readonly bundled?: boolean } = {}) {
    this.#root = join(dataDir, FOLDER);
    this.#bundles = bundled ? new BundleWriter(this.#root) : undefined;
  }

  /** @throws SPOOL_IO, SPOOL_FULL */
  prepared(id: InstanceId, attempt: string): PreparedPack {
    const shard = id.slice(SHARD.from, SHARD.to);
    const folder = join(this.#root, shard);
    if (!existsSync(folder)) {
      makeFolder(folder);
      flushFolder(this.#root);
    }
    const location = `${shard}/${id}-${attempt}`;
    const bundles = this.#bundles;
    return new PreparedPack(folder, location, bundles && ((pack) => bundles.append(id, location, pack)));
  }

  /** One member, by its name, whole. The caller closes. @throws SPOOL_IO; SPOOL_CORRUPT where it is not what was written */
  open(location: PreparedLocation, name: string): OpenFile {
    const bundled = parseBundledLocation(location);
    if (bundled !== undefined) return bundledSource(readBundled(this.#root, bundled), name);
    const path = this.#path(location);
    const fd = attempt('open', () => openSync(path, 'r'));
    try {
      const member = memberOf(readIndex(fd), name);
      return member.crc === undefined ? memberSource(fd, member) : checkedSource(fd, member, member.crc);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** Idempotent. Answers the file that keeps its bytes until `thin`, where it shares one. @throws SPOOL_IO */
  erase(location: PreparedLocation): string | undefined {
    const bundled = parseBundledLocation(location);
    if (bundled === undefined) attempt('unlink', () => rmSync(this.#path(location), { force: true }));
    else markBundledErased(this.#root, bundled);
    return bundled?.name;
  }

  /** Has the bytes of erased packs go from a file of several, a good second after the first of them was erased. @throws SPOOL_IO */
  thin(file: string): void {
    thinBundle(this.#root, file);
  }

  /** Removes what a crash left unfinished; answers how many. */
  removeUnfinished(): number {
    if (!existsSync(this.#root)) return 0;
    let removed = 0;
    for (const name of readdirSync(this.#root, { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith(TEMPORARY)) continue;
      rmSync(join(this.#root, name), { force: true });
      removed++;
    }
    return removed;
  }

  /** Every sealed pack with the instance it is of, for reconciliation at a start: nobody may write meanwhile. */
  *sealed(): Generator<{ location: PreparedLocation; id: InstanceId }> {
    if (!existsSync(this.#root)) return;
    for (const name of readdirSync(this.#root, { recursive: true, encoding: 'utf8' })) {
      const location = name.split(sep).join('/');
      if (location.endsWith(BUNDLE_SUFFIX)) yield* this.#sealedIn(location);
      if (!LOCATION.test(location)) continue;
      yield { location: location as PreparedLocation, id: location.slice(ID.from, ID.to) };
    }
  }

  *#sealedIn(file: string): Generator<{ location: PreparedLocation; id: InstanceId }> {
    this.thin(file);
    for (const place of bundledIn(this.#root, file))
      yield { location: bundledLocation(place) as PreparedLocation, id: place.id };
  }

  /** Whether the file is there and whole, for reconciliation. */
  exists(location: PreparedLocation): boolean {
    const bundled = parseBundledLocation(location);
    if (bundled !== undefined) return isBundled(this.#root, bundled);
    try {
      return statSync(this.#path(location)).size >= TAIL_BYTES;
    } catch (error) {
      if (isMissing(error)) return false;
      throw diskError(error, 'stat');
    }
  }

  #path(location: PreparedLocation): string {
    if (!LOCATION.test(location)) throw new LetheError('SPOOL_CORRUPT', { what: 'location' });
    return join(this.#root, location);
  }
}

export class PreparedPack implements PreparedWriter {
  readonly #folder: string;
  readonly #location: string;
  readonly #path: string;
  readonly #bundle: ((pack: Uint8Array) => string) | undefined;
  readonly #members: Member[] = [];
  /** What was written and is not on disk yet; most instances stay here whole until the commit. */
  #memory = borrowScratch(0);
  readonly #outgrown: Uint8Array[] = [];
  /** Where in the file the first byte of the memory belongs. */
  #memoryStart = 0;
  #fd: number | undefined;
  #position = 0;
  #start = -1;
  #ended = false;

  /** `bundle`: puts a small pack into a file with others, and answers its location. */
  constructor(folder: string, location: string, bundle?: (pack: Uint8Array) => string) {
    this.#bundle = bundle;
    this.#folder = folder;
    this.#location = location;
    this.#path = join(folder, location.slice(location.indexOf('/') + 1));
  }

  file(name: string): { write(bytes: Uint8Array): void; end(): void } {
    if (this.#start >= 0 || this.#ended) throw new LetheError('INVARIANT', { what: 'one member after the other' });
    this.#start = this.#position;
    return {
      write: (bytes) => this.#write(bytes),
      end: () => {
        this.#members.push({ name, position: this.#start, bytes: this.#position - this.#start });
        this.#start = -1;
      },
    };
  }

  /** A member that was ended, before the commit: verification and rendering read what will leave. */
  source(name: string): ByteSource {
    const member = this.#members.find((one) => one.name === name);
    if (member === undefined) throw new LetheError('INVARIANT', { what: 'no such member' });
    const end = member.position + member.bytes;
    if (this.#fd === undefined) return bytesSource(this.#memory.subarray(member.position, end));
    return { size: member.bytes, read: reader(this.#spill(), member) };
  }

  /** Where the pack stands now, for `rewind`. Between members only. */
  mark(): PackMark {
    return { members: this.#members.length, position: this.#position };
  }

  /** Forgets every member since the mark, a half-written one too: what was not verified is never sealed. */
  rewind(mark: PackMark): void {
    this.#members.length = mark.members;
    this.#position = mark.position;
    this.#start = -1;
    if (mark.position >= this.#memoryStart) return;
    this.#memoryStart = mark.position;
    const fd = this.#fd;
    if (fd !== undefined) attempt('truncate', () => ftruncateSync(fd, mark.position));
  }

  /** Bytes of all members. */
  get bytes(): number {
    return this.#position;
  }

  commit(): PreparedLocation {
    const isFlushed = this.#fd !== undefined;
    this.#writeIndex(isFlushed ? this.#members : this.#members.map((member) => this.#withCrc(member)));
    let location = this.#location;
    if (isFlushed || this.#fd !== undefined) this.#flush();
    else if (this.#bundle !== undefined && this.#position <= BUNDLED_BYTES_MAX)
      location = this.#bundle(this.#memory.subarray(0, this.#position));
    else this.#writeWhole();
    this.#end();
    // The brand is given here and nowhere else: this was written by the process that de-identified.
    return location as PreparedLocation;
  }

  #withCrc(member: Member): Member {
    return { ...member, crc: crc32(this.#memory.subarray(member.position, member.position + member.bytes)) };
  }

  #writeIndex(members: readonly Member[]): void {
    const index = Buffer.from(JSON.stringify(members), 'utf8');
    const tail = Buffer.alloc(TAIL_BYTES);
    tail.writeUInt32LE(index.length, 0);
    tail.writeUInt32LE(crc32(index), 4);
    tail.write(MAGIC, 8, 'latin1');
    this.#write(index);
    this.#write(tail);
  }

  /** Under its own name at once: no row names it before this returns, and what does not verify is not opened. */
  #writeWhole(): void {
    this.#fd = attempt('open', () => openSync(this.#path, 'wx', FILE_MODE));
    try {
      this.#writeAt(this.#memory.subarray(0, this.#position), 0);
    } catch (error) {
      rmSync(this.#path, { force: true });
      throw error;
    }
  }

  #flush(): void {
    const fd = this.#spill();
    attempt('commit', () => {
      fdatasyncSync(fd);
      renameSync(this.#path + TEMPORARY, this.#path);
      flushFolder(this.#folder);
    });
  }

  abort(): void {
    if (this.#ended) return;
    const isOnDisk = this.#fd !== undefined;
    this.#end();
    if (isOnDisk) rmSync(this.#path + TEMPORARY, { force: true });
  }

  #end(): void {
    this.#ended = true;
    for (const memory of [this.#memory, ...this.#outgrown]) giveBackScratch(memory);
    if (this.#fd !== undefined) closeSync(this.#fd);
  }

  #write(bytes: Uint8Array): void {
    const used = this.#position - this.#memoryStart;
    const isDirect = this.#fd !== undefined && bytes.length >= DIRECT_BYTES_MIN;
    if (!isDirect && (used + bytes.length <= this.#memory.length || this.#grow(used + bytes.length))) {
      this.#memory.set(bytes, used);
      this.#position += bytes.length;
      return;
    }
    this.#spill();
    this.#writeAt(bytes, this.#position);
    this.#position += bytes.length;
    this.#memoryStart = this.#position;
  }

  /** Answers whether the memory now holds `bytes`; once something is on disk it does not grow any more. */
  #grow(bytes: number): boolean {
    if (bytes > SCRATCH_BYTES_MAX || this.#fd !== undefined) return false;
    const larger = borrowScratch(bytes);
    larger.set(this.#memory.subarray(0, this.#position));
    this.#outgrown.push(this.#memory); // `source` may have given views of it
    this.#memory = larger;
    return true;
  }

  /** Puts what is in memory on disk; answers the file. */
  #spill(): number {
    this.#fd ??= attempt('open', () => openSync(this.#path + TEMPORARY, 'w+', FILE_MODE));
    this.#writeAt(this.#memory.subarray(0, this.#position - this.#memoryStart), this.#memoryStart);
    this.#memoryStart = this.#position;
    return this.#fd;
  }

  #writeAt(bytes: Uint8Array, position: number): void {
    const fd = this.#fd;
    if (fd === undefined) throw new LetheError('INVARIANT', { what: 'no file' });
    attempt('write', () => {
      for (let done = 0; done < bytes.length; )
        done += writeSync(fd, bytes, done, bytes.length - done, position + done);
    });
  }
}

function attempt<Result>(step: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw diskError(error, step);
  }
}

function readIndex(fd: number): readonly Member[] {
  const size = attempt('stat', () => fstatSync(fd).size);
  const space = Buffer.allocUnsafe(Math.min(END_BYTES, size));
  const end = attempt('read', () => Buffer.from(readFullySync(fd, space, size - space.length)));
  return parseIndex(end, size, (length) =>
    attempt('read', () => readFullySync(fd, Buffer.alloc(length), size - TAIL_BYTES - length)),
  );
}

/** From the end of a pack of `size` bytes; `read` answers an index that is longer than what is there of it. */
function parseIndex(end: Buffer, size: number, read: (length: number) => Uint8Array): readonly Member[] {
  const tail = end.subarray(-TAIL_BYTES);
  if (tail.length < TAIL_BYTES || tail.toString('latin1', 8) !== MAGIC)
    throw new LetheError('SPOOL_CORRUPT', { what: 'tail' });
  const length = tail.readUInt32LE(0);
  if (length > INDEX_BYTES_MAX || length + TAIL_BYTES > size)
    throw new LetheError('SPOOL_CORRUPT', { what: 'index length' });
  const isThere = length + TAIL_BYTES <= end.length;
  const index = isThere ? end.subarray(end.length - TAIL_BYTES - length, end.length - TAIL_BYTES) : read(length);
  if (crc32(index) !== tail.readUInt32LE(4)) throw new LetheError('SPOOL_CORRUPT', { what: 'index' });
  return JSON.parse(Buffer.from(index).toString('utf8')) as Member[];
}

function memberOf(index: readonly Member[], name: string): Member {
  const member = index.find((one) => one.name === name);
  if (member === undefined) throw new LetheError('SPOOL_CORRUPT', { what: 'member' });
  return member;
}

/** Of a pack that was read whole. */
function bundledSource(pack: Buffer, name: string): OpenFile {
  const { position, bytes, crc } = memberOf(
    parseIndex(pack, pack.length, () => pack),
    name,
  );
  const member = pack.subarray(position, position + bytes);
  if (member.length < bytes || crc32(member) !== crc) throw new LetheError('SPOOL_CORRUPT', { what: 'prepared bytes' });
  return { ...bytesSource(member), close: () => undefined };
}

/** Compares before anything is answered: whoever opened it may send what it reads. */
function checkedSource(fd: number, member: Member, crc: number): OpenFile {
  const source = memberSource(fd, member);
  const isSmall = member.bytes <= CHECKED_IN_MEMORY_BYTES_MAX;
  const piece = Buffer.allocUnsafe(isSmall ? member.bytes : CHECKED_IN_MEMORY_BYTES_MAX);
  let found = 0;
  let done = 0;
  while (done < member.bytes) {
    const bytes = source.read(done, piece.length, piece.subarray(0, Math.min(piece.length, member.bytes - done)));
    if (bytes.length === 0) break;
    found = crc32(bytes, found);
    done += bytes.length;
  }
  if (done < member.bytes || found !== crc) throw new LetheError('SPOOL_CORRUPT', { what: 'prepared bytes' });
  return isSmall ? { ...bytesSource(piece), close: source.close } : source;
}

function memberSource(fd: number, member: Member): OpenFile {
  return { size: member.bytes, read: reader(fd, member), close: () => closeSync(fd) };
}

/** Reads a range of a file; each answer is a buffer of its own, or `into`. */
export function reader(fd: number, range: { position: number; bytes: number }): ByteSource['read'] {
  return (position, length, into) => {
    const wanted = Math.max(0, Math.min(length, range.bytes - position));
    if (wanted === 0) return new Uint8Array(0);
    const space = into?.subarray(0, wanted) ?? Buffer.allocUnsafe(wanted);
    return attempt('read', () => readFullySync(fd, space, range.position + position));
  };
}
