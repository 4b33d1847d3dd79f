/**
 * ZIP archives (APPNOTE.TXT 6.3.10, ISO/IEC 21320-1): the central directory read from the end, entries streamed one at a
 * time. Stored and deflated entries, ZIP64. Nothing is ever written by an entry's name, so a name can lead nowhere;
 * names that try to are refused all the same, as are encrypted entries, entries that overlap (the usual bomb) and
 * directories that claim more than the file can hold. An entry that gives more bytes than it declares, or other ones
 * than its CRC says, fails before its last byte is handed on.
 *
 *   const archive = await openZip(handle);  for (const entry of archive) archive-of-bytes: zipEntryBytes(handle, entry)
 */
import type { FileHandle } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { crc32, createInflateRaw } from 'node:zlib';
import { LetheError } from '../core/errors.ts';

export interface ZipEntry {
  /** As the archive says; for matching, never for a path on disk, an error or a log. */
  readonly name: string;
  readonly isFolder: boolean;
  readonly deflated: boolean;
  readonly compressedBytes: number;
  readonly bytes: number;
  readonly crc32: number;
  /** Of its local header. */
  readonly position: number;
}

const END_SIGNATURE = 0x06054b50; // §4.3.16
const END64_LOCATOR_SIGNATURE = 0x07064b50; // §4.3.15
const END64_SIGNATURE = 0x06064b50; // §4.3.14
const ENTRY_SIGNATURE = 0x02014b50; // §4.3.12
const LOCAL_SIGNATURE = 0x04034b50; // §4.3.7
const END_BYTES = 22;
const LOCATOR_BYTES = 20;
const END64_BYTES = 56;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
const COMMENT_BYTES_MAX = 0xffff;
const IN_ZIP64 = 0xffffffff;
const ZIP64_EXTRA = 0x0001; // §4.5.3
const ENCRYPTED = 0x0001; // general purpose bit 0, §4.4.4
const STORED = 0;
const DEFLATED = 8;
const ENTRIES_MAX = 100_000; // more than any study has instances
const DIRECTORY_BYTES_MAX = 64 * 1024 * 1024; // names of 600 bytes for all of them; it is held in memory
const READ_BYTES = 256 * 1024;

/** `PK` and a local header, or the end of an empty archive. */
export function looksLikeZip(head: Uint8Array): boolean {
  if (head.length < 4 || head[0] !== 0x50 || head[1] !== 0x4b) return false;
  return (head[2] === 3 && head[3] === 4) || (head[2] === 5 && head[3] === 6);
}

/** @throws ARCHIVE_MALFORMED, ARCHIVE_REFUSED */
export async function readZipDirectory(file: FileHandle): Promise<ZipEntry[]> {
  const { size } = await file.stat();
  const { count, bytes, position } = await findDirectory(file, size);
  if (count > ENTRIES_MAX || bytes > DIRECTORY_BYTES_MAX) throw refused('too many entries');
  if (position + bytes > size || count * ENTRY_BYTES > bytes) throw malformed('directory');
  const directory = await readAt(file, position, bytes);
  const entries: ZipEntry[] = [];
  for (let at = 0; entries.length < count; ) {
    const { entry, length } = readEntry(directory, at);
    entries.push(entry);
    at += length;
  }
  checkOverlap(entries, position);
  return entries;
}

/** The bytes of one entry. @throws (while read) ARCHIVE_MALFORMED */
export async function* zipEntryBytes(file: FileHandle, entry: ZipEntry): AsyncGenerator<Uint8Array> {
  const local = await readAt(file, entry.position, LOCAL_BYTES);
  if (local.readUInt32LE(0) !== LOCAL_SIGNATURE) throw malformed('local header');
  const start = entry.position + LOCAL_BYTES + local.readUInt16LE(26) + local.readUInt16LE(28);
  const raw = Readable.from(range(file, start, entry.compressedBytes), { objectMode: false });
  // A failure of either end destroys both; the reader sees it.
  const stream = entry.deflated ? pipeline(raw, createInflateRaw(), () => undefined) : raw;
  yield* checked(stream, entry);
}

/** Always one chunk behind, so that whoever reads never has all of an entry that is not what its CRC says. */
async function* checked(stream: AsyncIterable<Uint8Array>, entry: ZipEntry): AsyncGenerator<Uint8Array> {
  let sum = 0;
  let count = 0;
  let behind: Uint8Array | undefined;
  try {
    for await (const chunk of stream) {
      count += chunk.length;
      if (count > entry.bytes) throw malformed('more bytes than declared');
      sum = crc32(chunk, sum);
      if (behind !== undefined) yield behind;
      behind = chunk;
    }
  } catch (error) {
    throw error instanceof LetheError ? error : new LetheError('ARCHIVE_MALFORMED', { what: 'data' }, { cause: error });
  }
  if (count !== entry.bytes || sum !== entry.crc32) throw malformed('checksum');
  if (behind !== undefined) yield behind;
}

async function* range(file: FileHandle, start: number, bytes: number): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < bytes; ) {
    const chunk = await readAt(file, start + done, Math.min(READ_BYTES, bytes - done));
    done += chunk.length;
    yield chunk;
  }
}

interface Directory {
  readonly count: number;
  readonly bytes: number;
  readonly position: number;
}

async function findDirectory(file: FileHandle, size: number): Promise<Directory> {
  const tailBytes = Math.min(size, END_BYTES + COMMENT_BYTES_MAX);
  const tail = await readAt(file, size - tailBytes, tailBytes);
  for (let at = tail.length - END_BYTES; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== END_SIGNATURE) continue;
    if (at + END_BYTES + tail.readUInt16LE(at + 20) !== tail.length) continue; // the comment ends the file
    const own = {
      count: tail.readUInt16LE(at + 10),
      bytes: tail.readUInt32LE(at + 12),
      position: tail.readUInt32LE(at + 16),
    };
    const inZip64 = own.count === 0xffff || own.bytes === IN_ZIP64 || own.position === IN_ZIP64;
    return inZip64 ? ((await findDirectory64(file, size - tailBytes + at)) ?? own) : own;
  }
  throw malformed('end of directory');
}

async function findDirectory64(file: FileHandle, end: number): Promise<Directory | undefined> {
  if (end < LOCATOR_BYTES) return undefined;
  const locator = await readAt(file, end - LOCATOR_BYTES, LOCATOR_BYTES);
  if (locator.readUInt32LE(0) !== END64_LOCATOR_SIGNATURE) return undefined;
  const record = await readAt(file, number64(locator, 8), END64_BYTES);
  if (record.readUInt32LE(0) !== END64_SIGNATURE) throw malformed('ZIP64 end of directory');
  return { count: number64(record, 32), bytes: number64(record, 40), position: number64(record, 48) };
}

function readEntry(directory: Buffer, at: number): { entry: ZipEntry; length: number } {
  if (at + ENTRY_BYTES > directory.length || directory.readUInt32LE(at) !== ENTRY_SIGNATURE) throw malformed('entry');
  const nameBytes = directory.readUInt16LE(at + 28);
  const extraBytes = directory.readUInt16LE(at + 30);
  const length = ENTRY_BYTES + nameBytes + extraBytes + directory.readUInt16LE(at + 32);
  if (at + length > directory.length) throw malformed('entry');
  const nameEnd = at + ENTRY_BYTES + nameBytes;
  const name = directory.toString('utf8', at + ENTRY_BYTES, nameEnd).replaceAll('\\', '/');
  const method = directory.readUInt16LE(at + 10);
  if ((directory.readUInt16LE(at + 8) & ENCRYPTED) !== 0) throw refused('encrypted');
  if (method !== STORED && method !== DEFLATED) throw refused('compression method');
  if (isUnsafe(name)) throw refused('a name that leads outside');
  const sizes = sizesOf(directory, { at, extra: directory.subarray(nameEnd, nameEnd + extraBytes) });
  const isFolder = name.endsWith('/');
  if (method === STORED && sizes.compressedBytes !== sizes.bytes) throw malformed('size');
  return {
    entry: { name, isFolder, deflated: method === DEFLATED, crc32: directory.readUInt32LE(at + 16), ...sizes },
    length,
  };
}

/** Values that do not fit 32 bits stand in the ZIP64 extra field, in this order, each only if needed (§4.5.3). */
function sizesOf(directory: Buffer, { at, extra }: { at: number; extra: Buffer }) {
  const values = [24, 20, 42].map((offset) => directory.readUInt32LE(at + offset));
  const field = values.includes(IN_ZIP64) ? extraField(extra, ZIP64_EXTRA) : undefined;
  let used = 0;
  const [bytes = 0, compressedBytes = 0, position = 0] = values.map((value) => {
    if (value !== IN_ZIP64 || field === undefined) return value;
    if (used + 8 > field.length) throw malformed('ZIP64 field');
    used += 8;
    return number64(field, used - 8);
  });
  return { bytes, compressedBytes, position };
}

function extraField(extra: Buffer, wanted: number): Buffer | undefined {
  for (let at = 0; at + 4 <= extra.length; ) {
    const length = extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === wanted) return extra.subarray(at + 4, at + 4 + length);
    at += 4 + length;
  }
  return undefined;
}

/** Nothing is written by these names; whoever made such an archive did not mean well or did not know what he did. */
function isUnsafe(name: string): boolean {
  return name.startsWith('/') || /^[a-z]:/i.test(name) || name.includes('\0') || name.split('/').includes('..');
}

/** Entries that share bytes make a small file into petabytes; honest archives have none. */
function checkOverlap(entries: readonly ZipEntry[], directoryPosition: number): void {
  let end = 0;
  for (const { position, compressedBytes } of entries.toSorted((a, b) => a.position - b.position)) {
    if (position < end) throw refused('entries overlap');
    end = position + LOCAL_BYTES + compressedBytes;
  }
  if (end > directoryPosition) throw refused('entries overlap');
}

async function readAt(file: FileHandle, position: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(bytes);
  let done = 0;
  while (done < bytes) {
    const { bytesRead } = await file.read(buffer, done, bytes - done, position + done);
    if (bytesRead === 0) throw malformed('end of file');
    done += bytesRead;
  }
  return buffer;
}

function number64(buffer: Buffer, at: number): number {
  const value = buffer.readBigUInt64LE(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed('number');
  return Number(value);
}

function malformed(what: string): LetheError {
  return new LetheError('ARCHIVE_MALFORMED', { what });
}

function refused(what: string): LetheError {
  return new LetheError('ARCHIVE_REFUSED', { what });
}
