/**
 * One record of a spool segment: the bytes of a received instance with the journal row that describes them.
 *
 *   0   4  magic "LREC"            12   4  length of the file header (preamble and file meta)
 *   4   2  version, 1              16   8  length of the data
 *   6   2  flags (bit 0: erased)   24  32  SHA-256 of the data alone
 *   8   4  length of the meta      56   4  CRC-32 of the meta        60   4  CRC-32 of bytes 0-59
 *
 * then meta (the `ReceivedRecord` as UTF-8 JSON), file header, data. Integers are little endian, lengths in bytes. The
 * fixed part is written last, at commit: a record whose fixed part is absent or does not verify was never acknowledged.
 */
import { crc32 } from 'node:zlib';
import { isInstanceId } from '../core/identifier.ts';
import type { ReceivedRecord } from './spool.ts';

export const RECORD_FIXED_BYTES = 64;
/** A record's JSON is a few hundred bytes; what is longer was not written by us. */
export const RECORD_META_BYTES_MAX = 64 * 1024;
export const RECORD_HEADER_BYTES_MAX = 1024 * 1024;

const MAGIC = 0x4345524c; // "LREC"
const VERSION = 1;
const FLAG_ERASED = 1;
const DIGEST_BYTES = 32;

export interface RecordHead {
  readonly erased: boolean;
  readonly metaBytes: number;
  readonly headerBytes: number;
  readonly dataBytes: number;
  /** Lower-case hexadecimal SHA-256 of the data. */
  readonly digest: string;
  readonly metaCrc: number;
}

/** Whole length of the record, fixed part included. */
export function recordBytes(head: RecordHead): number {
  return RECORD_FIXED_BYTES + head.metaBytes + head.headerBytes + head.dataBytes;
}

export function encodeRecordHead(head: RecordHead): Buffer {
  const fixed = Buffer.alloc(RECORD_FIXED_BYTES);
  fixed.writeUInt32LE(MAGIC, 0);
  fixed.writeUInt16LE(VERSION, 4);
  fixed.writeUInt16LE(head.erased ? FLAG_ERASED : 0, 6);
  fixed.writeUInt32LE(head.metaBytes, 8);
  fixed.writeUInt32LE(head.headerBytes, 12);
  fixed.writeBigUInt64LE(BigInt(head.dataBytes), 16);
  fixed.write(head.digest, 24, DIGEST_BYTES, 'hex');
  fixed.writeUInt32LE(head.metaCrc, 56);
  fixed.writeUInt32LE(crc32(fixed.subarray(0, 60)), 60);
  return fixed;
}

/** The fixed part, or undefined where no committed record starts. */
export function parseRecordHead(bytes: Uint8Array): RecordHead | undefined {
  if (bytes.length < RECORD_FIXED_BYTES) return undefined;
  const fixed = Buffer.from(bytes.buffer, bytes.byteOffset, RECORD_FIXED_BYTES);
  if (fixed.readUInt32LE(0) !== MAGIC || fixed.readUInt16LE(4) !== VERSION) return undefined;
  if (fixed.readUInt32LE(60) !== crc32(fixed.subarray(0, 60))) return undefined;
  const head = {
    erased: (fixed.readUInt16LE(6) & FLAG_ERASED) !== 0,
    metaBytes: fixed.readUInt32LE(8),
    headerBytes: fixed.readUInt32LE(12),
    dataBytes: Number(fixed.readBigUInt64LE(16)),
    digest: fixed.toString('hex', 24, 24 + DIGEST_BYTES),
    metaCrc: fixed.readUInt32LE(56),
  };
  const plausible =
    head.metaBytes <= RECORD_META_BYTES_MAX &&
    head.headerBytes <= RECORD_HEADER_BYTES_MAX &&
    Number.isSafeInteger(head.dataBytes);
  return plausible ? head : undefined;
}

export function encodeMeta(record: ReceivedRecord): Buffer {
  return Buffer.from(JSON.stringify(record), 'utf8');
}

/** The journal row, or undefined where the bytes are not what was written. */
export function parseMeta(bytes: Uint8Array, head: RecordHead): ReceivedRecord | undefined {
  if (bytes.length !== head.metaBytes || crc32(bytes) !== head.metaCrc) return undefined;
  const record = JSON.parse(Buffer.from(bytes).toString('utf8')) as ReceivedRecord;
  return isInstanceId(record.id) ? record : undefined;
}
