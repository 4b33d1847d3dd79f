/**
 * The disk as the queue sees it: whole writes, flushes that are really done, and errno turned into rows of the error
 * table (no space and no quota are SPOOL_FULL, everything else SPOOL_IO). Raw descriptors and callbacks on purpose: a
 * file handle costs a promise more for each write, and the spool writes several times for each instance.
 */
import {
  close,
  closeSync,
  constants,
  fdatasync,
  fsync,
  ftruncate,
  mkdirSync,
  open,
  openSync,
  read,
  readSync,
  rmSync,
  writeSync,
  writev,
} from 'node:fs';
import { join } from 'node:path';
import { LetheError } from '../core/errors.ts';
import { BLOCK_BYTES } from './chunk-pool.ts';

/** Identified bytes: readable by the owner alone. */
export const FILE_MODE = 0o600;
export const FOLDER_MODE = 0o700;

const NO_SPACE: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** The typed error for what the operating system said. The detail holds errno and step, never a path. */
export function diskError(cause: unknown, step: string): LetheError {
  if (cause instanceof LetheError) return cause;
  const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown';
  return new LetheError(NO_SPACE.has(errno) ? 'SPOOL_FULL' : 'SPOOL_IO', { errno, step }, { cause });
}

export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

export function openFile(path: string, flags: string | number): Promise<number> {
  return new Promise((resolve, reject) => {
    open(path, flags, FILE_MODE, (error, fd) => (error ? reject(diskError(error, 'open')) : resolve(fd)));
  });
}

/**
 * Direct I/O: what is written goes from our memory to the device and not through the page cache. Copying into the cache
 * costs more than all else that receiving does, and who writes much gains nothing by it. Zero where there is no such flag.
 */
export const DIRECT: number = constants.O_DIRECT ?? 0;

/**
 * A write through such a descriptor ends when its bytes, and what is needed to read them, are on the medium. Linux only:
 * elsewhere it may mean less than a flush does.
 */
export const SYNCHRONOUS: number = process.platform === 'linux' ? (constants.O_DSYNC ?? 0) : 0;

/** Whether files in `folder` can be written directly; some file systems (overlays, network, memory) refuse it. */
export function canWriteDirectly(folder: string, block: Uint8Array): boolean {
  if (DIRECT === 0) return false;
  const path = join(folder, '.direct');
  try {
    const fd = openSync(path, constants.O_CREAT | constants.O_WRONLY | DIRECT, FILE_MODE);
    try {
      return writeSync(fd, block, 0, BLOCK_BYTES, 0) === BLOCK_BYTES;
    } finally {
      closeSync(fd);
    }
  } catch {
    return false; // whatever it is: where it matters, the first real write says so
  } finally {
    rmSync(path, { force: true });
  }
}

export function closeFile(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    close(fd, (error) => (error ? reject(diskError(error, 'close')) : resolve()));
  });
}

/** Writes all of `buffers` from `position` on; a short write is continued. */
export async function writeFully(fd: number, buffers: readonly Uint8Array[], position: number): Promise<void> {
  let rest = buffers.filter((buffer) => buffer.length > 0);
  let at = position;
  while (rest.length > 0) {
    const written = await writeSome(fd, rest, at);
    if (written === 0) throw new LetheError('SPOOL_IO', { step: 'write', errno: 'short' });
    at += written;
    rest = after(rest, written);
  }
}

function writeSome(fd: number, buffers: readonly Uint8Array[], position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    writev(fd, buffers, position, (error, written) => (error ? reject(diskError(error, 'write')) : resolve(written)));
  });
}

/** What of `buffers` is left after the first `count` bytes. */
function after(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  let skip = count;
  let index = 0;
  for (const buffer of buffers) {
    if (skip < buffer.length) break;
    skip -= buffer.length;
    index++;
  }
  const rest = buffers.slice(index);
  const first = rest[0];
  if (first !== undefined && skip > 0) rest[0] = first.subarray(skip);
  return rest;
}

/** Bytes from `position`; fewer only at the end of the file. */
export async function readFully(fd: number, target: Uint8Array, position: number): Promise<Uint8Array> {
  let filled = 0;
  while (filled < target.length) {
    const count = await readSome(fd, target.subarray(filled), position + filled);
    if (count === 0) break;
    filled += count;
  }
  return target.subarray(0, filled);
}

function readSome(fd: number, target: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, target, 0, target.length, position, (error, count) =>
      error ? reject(diskError(error, 'read')) : resolve(count),
    );
  });
}

/**
 * Whole blocks from `position` into memory that begins at a page, by the page cache as little as they were written by it.
 * Fewer only at the end of the file; undefined where it cannot be done so, or the memory begins elsewhere.
 */
export async function readDirectly(
  path: string,
  target: Uint8Array,
  position: number,
): Promise<Uint8Array | undefined> {
  if (DIRECT === 0 || position % BLOCK_BYTES !== 0 || target.length % BLOCK_BYTES !== 0) return undefined;
  let fd: number;
  try {
    fd = await openFile(path, constants.O_RDONLY | DIRECT);
  } catch {
    return undefined; // whoever reads it the other way is told why
  }
  try {
    return await readFully(fd, target, position);
  } catch {
    return undefined;
  } finally {
    await closeFile(fd);
  }
}

/** As `readFully`, for workers and one-shot commands. */
export function readFullySync(fd: number, target: Uint8Array, position: number): Uint8Array {
  let filled = 0;
  while (filled < target.length) {
    const count = readSync(fd, target, filled, target.length - filled, position + filled);
    if (count === 0) break;
    filled += count;
  }
  return target.subarray(0, filled);
}

/** Data and the metadata needed to read it (the length) are on the medium when this resolves. */
export function flushData(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fdatasync(fd, (error) => (error ? reject(diskError(error, 'fdatasync')) : resolve()));
  });
}

export function truncateFile(fd: number, length: number): Promise<void> {
  return new Promise((resolve, reject) => {
    ftruncate(fd, length, (error) => (error ? reject(diskError(error, 'truncate')) : resolve()));
  });
}

/** Makes names in a folder durable. Windows has no such call: there the file system journals them itself. */
export async function flushFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const fd = await openFile(path, 'r');
  try {
    await new Promise<void>((resolve, reject) => {
      fsync(fd, (error) => (error ? reject(diskError(error, 'fsync folder')) : resolve()));
    });
  } finally {
    await closeFile(fd);
  }
}

/** Creates a folder of ours, private to the owner; its parents as well. */
export function makeFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: FOLDER_MODE });
}
