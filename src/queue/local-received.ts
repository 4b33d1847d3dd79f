/**
 * Reading the received area: one record by its location, and all records of a segment in order. Without state, so that
 * workers and the command line use it as the spool does.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { bytesSource } from '../core/bytes.ts';
import { LetheError } from '../core/errors.ts';
import { borrowScratch, giveBackScratch, SCRATCH_BYTES_MAX } from '../core/scratch.ts';
import { alignedUp, BLOCK_BYTES, FIRST_PAGE } from './chunk-pool.ts';
import { closeFile, diskError, openFile, readDirectly, readFully, readFullySync } from './disk.ts';
import { type OpenFile, reader } from './local-prepared.ts';
import {
  contentBytes,
  isBlockwise,
  parseMeta,
  parseRecordHead,
  RECORD_FIXED_BYTES,
  type RecordHead,
  recordBytes,
} from './record.ts';
import { SEGMENT_SUFFIX } from './segment.ts';
import type { ReceivedRecord, SpoolLocation } from './spool.ts';

const FOLDER = 'received';
const DIGEST_CHUNK_BYTES = 1024 * 1024;
/** Reading less is over before another thread has begun with it. */
const READ_ASIDE_BYTES_MIN = 2 * 1024 * 1024;
/** More than the meta of nearly all records; those that have more are read the other way. */
const META_BYTES_MOST = 8 * 1024;
/** Of a record and the memory that it is read into, more than what is wanted of it. */
const AROUND_BYTES = FIRST_PAGE + RECORD_FIXED_BYTES + META_BYTES_MOST + BLOCK_BYTES;
const LOCATION = /^([0-9A-Z]{26}):([0-9]{1,15})$/;

export function receivedFolder(dataDir: string): string {
  return join(dataDir, FOLDER);
}

export function locationOf(segment: string, position: number): SpoolLocation {
  return `${segment}:${position}`;
}

/** @throws SPOOL_CORRUPT where it is none of ours */
export function parseLocation(location: SpoolLocation): { segment: string; position: number } {
  const match = LOCATION.exec(location);
  if (match === null) throw new LetheError('SPOOL_CORRUPT', { what: 'location' });
  return { segment: match[1] ?? '', position: Number(match[2]) };
}

/** File header and data of one committed instance: a Part 10 file. The caller closes. @throws SPOOL_IO, SPOOL_CORRUPT */
export function openReceived(dataDir: string, location: SpoolLocation): OpenFile & { readonly head: RecordHead } {
  const { fd, head, range } = openRecord(dataDir, location);
  return { head, size: range.bytes, read: reader(fd, range), close: () => closeSync(fd) };
}

interface OpenRecord {
  readonly fd: number;
  readonly head: RecordHead;
  /** Of file header and data. */
  readonly range: { readonly position: number; readonly bytes: number };
}

function openRecord(dataDir: string, location: SpoolLocation): OpenRecord {
  const { segment, position } = parseLocation(location);
  const fd = open(join(receivedFolder(dataDir), segment + SEGMENT_SUFFIX));
  try {
    const head = parseRecordHead(readFullySync(fd, Buffer.alloc(RECORD_FIXED_BYTES), position));
    if (head === undefined || head.erased)
      throw new LetheError('SPOOL_CORRUPT', { what: head === undefined ? 'record' : 'erased record' });
    const range = {
      position: position + RECORD_FIXED_BYTES + head.metaBytes,
      bytes: head.headerBytes + head.dataBytes,
    };
    return { fd, head, range };
  } catch (error) {
    closeSync(fd);
    throw diskError(error, 'read');
  }
}

/** As `openReceived`, with the SHA-256 of the data; it reads all of them, and small ones once only. */
export interface VerifiedReceived extends OpenFile {
  /** Lower-case hexadecimal; undefined where the data are not what was received. */
  readonly contentDigest: string | undefined;
}

/**
 * The answers of `read` hold until `close`. `expectedBytes`: of file header and data, as the row says; what is large is
 * read without the page cache then. @throws SPOOL_IO, SPOOL_CORRUPT
 */
export async function openVerified(
  dataDir: string,
  location: SpoolLocation,
  expectedBytes = 0,
): Promise<VerifiedReceived> {
  const isLarge = expectedBytes >= READ_ASIDE_BYTES_MIN && expectedBytes + AROUND_BYTES <= SCRATCH_BYTES_MAX;
  const direct = isLarge ? await openDirectly(dataDir, location, expectedBytes) : undefined;
  if (direct !== undefined) return verified(direct, direct.head);
  const { fd, head, range } = openRecord(dataDir, location);
  if (range.bytes > SCRATCH_BYTES_MAX) {
    const file = { size: range.bytes, read: reader(fd, range), close: () => closeSync(fd) };
    try {
      return { ...file, contentDigest: await digestOf(dataDir, location) };
    } catch (error) {
      file.close();
      throw error;
    }
  }
  return verified(await inMemory({ fd, range }), head);
}

function verified(file: OpenFile, head: RecordHead): VerifiedReceived {
  const header = file.read(0, head.headerBytes);
  const data = file.read(head.headerBytes, head.dataBytes);
  const digest = createHash('sha256').update(data).digest('hex');
  const check = isBlockwise(head) ? crc32(data, crc32(header)) : digest;
  return { ...file, contentDigest: check === head.check ? digest : undefined };
}

/**
 * The whole record by one reading past the page cache, as it was written. Undefined where that is not to be had, or where
 * it is another record than was expected: whoever reads it the other way says what is wrong.
 */
async function openDirectly(
  dataDir: string,
  location: SpoolLocation,
  expectedBytes: number,
): Promise<(OpenFile & { readonly head: RecordHead }) | undefined> {
  const { segment, position } = parseLocation(location);
  const memory = borrowScratch(expectedBytes + AROUND_BYTES);
  const blocks = memory.subarray(
    FIRST_PAGE,
    FIRST_PAGE + alignedUp(RECORD_FIXED_BYTES + META_BYTES_MOST + expectedBytes),
  );
  const bytes = await readDirectly(join(receivedFolder(dataDir), segment + SEGMENT_SUFFIX), blocks, position);
  const head = bytes && parseRecordHead(bytes);
  const isWhole = head !== undefined && !head.erased && isBlockwise(head) && contentBytes(head) <= (bytes?.length ?? 0);
  if (bytes === undefined || !isWhole) {
    giveBackScratch(memory);
    return undefined;
  }
  const content = bytes.subarray(RECORD_FIXED_BYTES + head.metaBytes, contentBytes(head));
  return { ...bytesSource(content), head, close: () => giveBackScratch(memory) };
}

/** What is large comes from the medium, since it was not written through the cache: this thread goes on meanwhile. */
async function inMemory({ fd, range }: Pick<OpenRecord, 'fd' | 'range'>): Promise<OpenFile> {
  const memory = borrowScratch(range.bytes);
  try {
    const space = memory.subarray(0, range.bytes);
    const isSmall = range.bytes < READ_ASIDE_BYTES_MIN;
    const bytes = isSmall ? readFullySync(fd, space, range.position) : await readFully(fd, space, range.position);
    return { ...bytesSource(bytes), close: () => giveBackScratch(memory) };
  } catch (error) {
    throw diskError(error, 'read');
  } finally {
    closeSync(fd);
  }
}

/**
 * Lower-case hexadecimal SHA-256 of the data, or undefined where they are not what was received. Reads all of them, a
 * piece at a time: whoever serves senders in this thread goes on meanwhile. @throws SPOOL_IO, SPOOL_CORRUPT
 */
export async function digestOf(dataDir: string, location: SpoolLocation): Promise<string | undefined> {
  const { segment, position } = parseLocation(location);
  const fd = await openFile(join(receivedFolder(dataDir), segment + SEGMENT_SUFFIX), 'r');
  try {
    const head = parseRecordHead(await readFully(fd, Buffer.alloc(RECORD_FIXED_BYTES), position));
    if (head === undefined) throw new LetheError('SPOOL_CORRUPT', { what: 'record' });
    const end = position + contentBytes(head);
    const start = end - head.dataBytes;
    let crc = crc32(await readFully(fd, Buffer.alloc(head.headerBytes), start - head.headerBytes));
    const hash = createHash('sha256');
    const chunk = Buffer.allocUnsafe(Math.min(DIGEST_CHUNK_BYTES, head.dataBytes));
    for (let at = start; at < end; at += chunk.length) {
      const bytes = await readFully(fd, chunk.subarray(0, Math.min(chunk.length, end - at)), at);
      hash.update(bytes);
      if (isBlockwise(head)) crc = crc32(bytes, crc);
    }
    const digest = hash.digest('hex');
    return (isBlockwise(head) ? crc : digest) === head.check ? digest : undefined;
  } finally {
    await closeFile(fd);
  }
}

export interface FoundRecord {
  readonly position: number;
  readonly head: RecordHead;
  readonly record: ReceivedRecord;
}

/** The committed records of a segment in order, and where they end: what is behind was never acknowledged. */
export function walkSegment(path: string): { records: FoundRecord[]; end: number; size: number } {
  const fd = open(path);
  try {
    const size = fstatSync(fd).size;
    const records: FoundRecord[] = [];
    let position = 0;
    for (;;) {
      const head = parseRecordHead(readFullySync(fd, Buffer.alloc(RECORD_FIXED_BYTES), position));
      if (head === undefined || position + recordBytes(head) > size) break;
      const record = parseMeta(readFullySync(fd, Buffer.alloc(head.metaBytes), position + RECORD_FIXED_BYTES), head);
      if (record === undefined) break;
      records.push({ position, head, record });
      position += recordBytes(head);
    }
    return { records, end: position, size };
  } catch (error) {
    throw diskError(error, 'walk');
  } finally {
    closeSync(fd);
  }
}

function open(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw diskError(error, 'open');
  }
}
