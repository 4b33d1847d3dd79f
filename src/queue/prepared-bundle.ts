/**
 * Packs of small instances together in a file. To make a file costs some file systems more than to write a slice into it:
 * where many were removed shortly before (Linux ext4 without a journal), a search through all of these. A file takes packs
 * for a second at the most; each stands behind a head of its own:
 *
 *   0  4  magic "LPCK"      6   2  flags (bit 0: erased, bit 1: its bytes are zeros)    12  26  id of the instance
 *   4  2  version, 1        8   4  length of the pack                                   60   4  CRC-32 of bytes 0-59, flags as zero
 *
 * then the pack as `local-prepared.ts` has it. Integers are little endian, lengths in bytes. The head is written last. As
 * a pack's own file it is not flushed: what is behind a head that does not verify was never there, or is made again.
 *
 * What is erased is marked at once; a while later the file goes, or, where another pack in it still lives, zeros are put
 * in the place of those that do not.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { LetheError } from '../core/errors.ts';
import { type InstanceId, isInstanceId } from '../core/identifier.ts';
import { diskError, FILE_MODE, isMissing, readFullySync } from './disk.ts';

export const BUNDLE_SUFFIX = '.packs';
/** A larger pack has a file of its own. */
export const BUNDLED_BYTES_MAX = 256 * 1024;
/** A file that is longer takes no further pack: the most that one which is not delivered keeps of others' room. */
const BUNDLE_BYTES_MAX = 1024 * 1024;
/** A file that is older takes no further pack. */
const BUNDLE_MS = 1000;

const HEAD_BYTES = 64;
const MAGIC = 0x4b43504c; // "LPCK"
const VERSION = 1;
const FLAG_ERASED = 1;
const FLAG_CLEARED = 2;
const FLAGS = { at: 6, bytes: 2 } as const;
const ID = { from: 12, to: 38 } as const;
const CRC_AT = 60;
const LOCATION = /^([0-9A-Z]\/[0-9A-Z]{26}-[0-9a-z-]{1,40}\.packs):([0-9]{1,10}):([0-9]{1,10})$/;

/** Where a pack is: its head and what follows. */
export interface BundledPlace {
  /** Of the file, below the prepared area. */
  readonly name: string;
  readonly position: number;
  readonly bytes: number;
}

interface Head {
  readonly flags: number;
  readonly id: InstanceId;
  /** Of head and pack. */
  readonly bytes: number;
}

export function bundledLocation({ name, position, bytes }: BundledPlace): string {
  return `${name}:${position}:${bytes}`;
}

/** Undefined: it is none of a bundle. */
export function parseBundledLocation(location: string): BundledPlace | undefined {
  const match = LOCATION.exec(location);
  return match === null ? undefined : { name: match[1] ?? '', position: Number(match[2]), bytes: Number(match[3]) };
}

interface Open {
  readonly name: string;
  readonly fd: number;
  readonly sinceMs: number;
  readonly timer: NodeJS.Timeout;
  end: number;
}

/** One a thread. */
export class BundleWriter {
  readonly #root: string;
  #open: Open | undefined;

  /** `root`: of the prepared area. */
  constructor(root: string) {
    this.#root = root;
  }

  /**
   * Appends a pack. `name` is a location for a file of its own, whose folder is there; a new bundle is called after it.
   * Answers its location. @throws SPOOL_IO, SPOOL_FULL
   */
  append(id: InstanceId, name: string, pack: Uint8Array): string {
    const file = this.#fileFor(name, HEAD_BYTES + pack.length);
    const position = file.end;
    try {
      writeWhole(file.fd, pack, position + HEAD_BYTES);
      writeWhole(file.fd, encodeHead(id, pack.length), position);
    } catch (error) {
      this.#giveUp(file);
      throw diskError(error, 'write');
    }
    file.end += HEAD_BYTES + pack.length;
    return bundledLocation({ name: file.name, position, bytes: HEAD_BYTES + pack.length });
  }

  #fileFor(name: string, bytes: number): Open {
    const open = this.#open;
    const isOld = open !== undefined && performance.now() - open.sinceMs >= BUNDLE_MS;
    if (open !== undefined && !isOld && open.end + bytes <= BUNDLE_BYTES_MAX) return open;
    this.#close();
    const { O_CREAT, O_EXCL, O_RDWR } = constants;
    const path = join(this.#root, name + BUNDLE_SUFFIX);
    const fd = attempt('open', () => openSync(path, O_CREAT | O_EXCL | O_RDWR, FILE_MODE));
    const timer = setTimeout(() => this.#close(), BUNDLE_MS).unref();
    this.#open = { name: name + BUNDLE_SUFFIX, fd, sinceMs: performance.now(), timer, end: 0 };
    return this.#open;
  }

  /** What is left of the pack that could not be written is cut off; the next one begins another file. */
  #giveUp(file: Open): void {
    try {
      if (file.end > 0) ftruncateSync(file.fd, file.end);
      else rmSync(join(this.#root, file.name), { force: true });
    } catch {
      // A pack without its head is none, and goes with its file.
    }
    this.#close();
  }

  #close(): void {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    clearTimeout(open.timer);
    closeSync(open.fd);
  }
}

/** Head and pack, read at once; the pack is answered. @throws SPOOL_IO; SPOOL_CORRUPT where none is there (any more) */
export function readBundled(root: string, { name, position, bytes }: BundledPlace): Buffer {
  const read = withFile(join(root, name), 'r', (fd) => readFullySync(fd, Buffer.allocUnsafe(bytes), position));
  const head = read === undefined ? undefined : parseHead(read);
  if (read === undefined || head === undefined || head.bytes !== read.length || read.length !== bytes)
    throw new LetheError('SPOOL_CORRUPT', { what: 'bundled pack' });
  if (head.flags !== 0) throw new LetheError('SPOOL_CORRUPT', { what: 'erased pack' });
  return Buffer.from(read.buffer, read.byteOffset + HEAD_BYTES, bytes - HEAD_BYTES);
}

/** Whether a pack is there that was not erased. @throws SPOOL_IO */
export function isBundled(root: string, place: BundledPlace): boolean {
  const heads = withFile(join(root, place.name), 'r', (fd) => headsOf(fd)) ?? [];
  return heads.some(({ position, head }) => position === place.position && head.flags === 0);
}

/** Idempotent; does nothing where there is no such pack. @throws SPOOL_IO */
export function markBundledErased(root: string, { name, position }: BundledPlace): void {
  withFile(join(root, name), 'r+', (fd) => {
    const head = parseHead(readFullySync(fd, Buffer.alloc(HEAD_BYTES), position));
    if (head !== undefined) writeFlags(fd, position, head.flags | FLAG_ERASED);
  });
}

/** Those that are not erased, in their order; none where there is no such file. @throws SPOOL_IO */
export function bundledIn(root: string, name: string): (BundledPlace & { readonly id: InstanceId })[] {
  const heads = withFile(join(root, name), 'r', (fd) => headsOf(fd)) ?? [];
  return heads
    .filter(({ head }) => head.flags === 0)
    .map(({ position, head: { id, bytes } }) => ({ name, position, bytes, id }));
}

/**
 * Has erased packs go: with their file where none is left, else by zeros. Only for a file to which nothing is added any
 * more (a good second after it was made). Idempotent. @throws SPOOL_IO
 */
export function thinBundle(root: string, name: string): void {
  const isLeft = withFile(join(root, name), 'r+', (fd) => {
    const heads = headsOf(fd);
    if (heads.every(({ head }) => head.flags !== 0)) return false;
    for (const { position, head } of heads) {
      if (head.flags !== FLAG_ERASED) continue;
      writeWhole(fd, Buffer.alloc(head.bytes - HEAD_BYTES), position + HEAD_BYTES);
      writeFlags(fd, position, FLAG_ERASED | FLAG_CLEARED);
    }
    return true;
  });
  if (isLeft === false) attempt('unlink', () => rmSync(join(root, name), { force: true }));
}

interface FoundHead {
  readonly position: number;
  readonly head: Head;
}

function headsOf(fd: number): FoundHead[] {
  const { size } = fstatSync(fd);
  const found: FoundHead[] = [];
  for (let position = 0; position + HEAD_BYTES <= size; ) {
    const head = parseHead(readFullySync(fd, Buffer.alloc(HEAD_BYTES), position));
    if (head === undefined || position + head.bytes > size) break;
    found.push({ position, head });
    position += head.bytes;
  }
  return found;
}

function encodeHead(id: InstanceId, bytes: number): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(MAGIC, 0);
  head.writeUInt16LE(VERSION, 4);
  head.writeUInt32LE(bytes, 8);
  head.write(id, ID.from, 'latin1');
  head.writeUInt32LE(crc32(head.subarray(0, CRC_AT)), CRC_AT);
  return head;
}

/** Undefined where no head stands. */
function parseHead(bytes: Uint8Array): Head | undefined {
  if (bytes.length < HEAD_BYTES) return undefined;
  const head = Buffer.from(bytes.subarray(0, HEAD_BYTES));
  const flags = head.readUInt16LE(FLAGS.at);
  head.fill(0, FLAGS.at, FLAGS.at + FLAGS.bytes);
  if (head.readUInt32LE(0) !== MAGIC || head.readUInt16LE(4) !== VERSION) return undefined;
  if (head.readUInt32LE(CRC_AT) !== crc32(head.subarray(0, CRC_AT))) return undefined;
  const id = head.toString('latin1', ID.from, ID.to);
  return isInstanceId(id) ? { flags, id, bytes: HEAD_BYTES + head.readUInt32LE(8) } : undefined;
}

function writeFlags(fd: number, position: number, flags: number): void {
  const bytes = Buffer.alloc(FLAGS.bytes);
  bytes.writeUInt16LE(flags, 0);
  writeWhole(fd, bytes, position + FLAGS.at);
}

function writeWhole(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}

/** Undefined where there is no such file. @throws SPOOL_IO, SPOOL_FULL */
function withFile<Result>(path: string, flags: string, work: (fd: number) => Result): Result | undefined {
  let fd: number;
  try {
    fd = openSync(path, flags);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw diskError(error, 'open');
  }
  try {
    return attempt('bundle', () => work(fd));
  } finally {
    closeSync(fd);
  }
}

function attempt<Result>(step: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw diskError(error, step);
  }
}
