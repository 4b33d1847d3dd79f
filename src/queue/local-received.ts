/**
 * Reading the received area: one record by its location, and all records of a segment in order. Synchronous and without
 * state, so that workers and the command line use it as the spool does.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { LetheError } from '../core/errors.ts';
import { diskError, readFullySync } from './disk.ts';
import { type OpenFile, reader } from './local-prepared.ts';
import { parseMeta, parseRecordHead, RECORD_FIXED_BYTES, type RecordHead, recordBytes } from './record.ts';
import { SEGMENT_SUFFIX } from './segment.ts';
import type { ReceivedRecord, SpoolLocation } from './spool.ts';

const FOLDER = 'received';
const DIGEST_CHUNK_BYTES = 1024 * 1024;
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
export function openReceived(dataDir: string, location: SpoolLocation): OpenFile {
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
    return { size: range.bytes, read: reader(fd, range), close: () => closeSync(fd) };
  } catch (error) {
    closeSync(fd);
    throw diskError(error, 'read');
  }
}

/** Whether the data on disk still have the digest in their record. @throws SPOOL_IO, SPOOL_CORRUPT */
export function isWhole(dataDir: string, location: SpoolLocation): boolean {
  const { segment, position } = parseLocation(location);
  const fd = open(join(receivedFolder(dataDir), segment + SEGMENT_SUFFIX));
  try {
    const head = parseRecordHead(readFullySync(fd, Buffer.alloc(RECORD_FIXED_BYTES), position));
    if (head === undefined) throw new LetheError('SPOOL_CORRUPT', { what: 'record' });
    const end = position + recordBytes(head);
    const hash = createHash('sha256');
    for (let at = end - head.dataBytes; at < end; at += DIGEST_CHUNK_BYTES)
      hash.update(readFullySync(fd, Buffer.alloc(Math.min(DIGEST_CHUNK_BYTES, end - at)), at));
    return hash.digest('hex') === head.digest;
  } catch (error) {
    throw diskError(error, 'read');
  } finally {
    closeSync(fd);
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
