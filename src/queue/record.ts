/**
 * One record of a spool segment: the bytes of a received instance with the journal row that describes them.
 *
 *   0   4  magic "LREC"            12   4  length of the file header (preamble and file meta)
 *   4   2  version, 2              16   8  length of the data
 *   6   2  flags (bit 0: erased)   24   4  CRC-32 of file header and data   28  28  zero
 *   8   4  length of the meta      56   4  CRC-32 of the meta               60   4  CRC-32 of bytes 0-59
 *
 * then meta (the `ReceivedRecord` as UTF-8 JSON), file header, data, zeros up to a whole block. Integers are little
 * endian, lengths in bytes. The fixed part is written at commit: a record whose fixed part is absent or does not verify
 * was never acknowledged. The CRC proves that the data are whole; their SHA-256 is found out later (`Spool.digestOf`).
 *
 * Version 1, read and no longer written: bytes 24-55 are the SHA-256 of the data alone, and no zeros follow.
 */
import { crc32 } from 'node:zlib';
import { isInstanceId } from '../core/identifier.ts';
import { alignedUp } from './chunk-pool.ts';
import type { ReceivedRecord } from './spool.ts';

export const RECORD_FIXED_BYTES = 64;
/** A record's JSON is a few hundred bytes; what is longer was not written by us. */
export const RECORD_META_BYTES_MAX = 64 * 1024;
export const RECORD_HEADER_BYTES_MAX = 1024 * 1024;

const MAGIC = 0x4345524c; // "LREC"
const VERSION = 2;
const VERSION_UNALIGNED = 1;
const FLAG_ERASED = 1;
const DIGEST_BYTES = 32;
const WORD_BYTES = 8;

export interface RecordHead {
  readonly erased: boolean;
  readonly metaBytes: number;
  readonly headerBytes: number;
  readonly dataBytes: number;
  /** CRC-32 of file header and data; of version 1 the lower-case hexadecimal SHA-256 of the data alone. */
  readonly check: number | string;
  readonly metaCrc: number;
}

/** Whole length of the record: fixed part, all that it counts, and the rest of its last block. */
export function recordBytes(head: RecordHead): number {
  const bytes = contentBytes(head);
  return isBlockwise(head) ? alignedUp(bytes) : bytes;
}

/** From the fixed part to the last byte of the data. */
export function contentBytes(head: Pick<RecordHead, 'metaBytes' | 'headerBytes' | 'dataBytes'>): number {
  return RECORD_FIXED_BYTES + head.metaBytes + head.headerBytes + head.dataBytes;
}

/** Whether it begins and ends with whole blocks, as all do that are written today. */
export function isBlockwise(head: RecordHead): boolean {
  return typeof head.check === 'number';
}

export function encodeRecordHead(head: RecordHead): Buffer {
  const fixed = Buffer.alloc(RECORD_FIXED_BYTES);
  fixed.writeUInt32LE(MAGIC, 0);
  fixed.writeUInt16LE(isBlockwise(head) ? VERSION : VERSION_UNALIGNED, 4);
  fixed.writeUInt16LE(head.erased ? FLAG_ERASED : 0, 6);
  fixed.writeUInt32LE(head.metaBytes, 8);
  fixed.writeUInt32LE(head.headerBytes, 12);
  fixed.writeBigUInt64LE(BigInt(head.dataBytes), 16);
  if (typeof head.check === 'number') fixed.writeUInt32LE(head.check, 24);
  else fixed.write(head.check, 24, DIGEST_BYTES, 'hex');
  fixed.writeUInt32LE(head.metaCrc, 56);
  fixed.writeUInt32LE(crc32(fixed.subarray(0, 60)), 60);
  return fixed;
}

/** The fixed part, or undefined where no committed record starts. */
export function parseRecordHead(bytes: Uint8Array): RecordHead | undefined {
  if (bytes.length < RECORD_FIXED_BYTES) return undefined;
  const fixed = Buffer.from(bytes.buffer, bytes.byteOffset, RECORD_FIXED_BYTES);
  const version = fixed.readUInt16LE(4);
  if (fixed.readUInt32LE(0) !== MAGIC || (version !== VERSION && version !== VERSION_UNALIGNED)) return undefined;
  if (fixed.readUInt32LE(60) !== crc32(fixed.subarray(0, 60))) return undefined;
  const head = {
    erased: (fixed.readUInt16LE(6) & FLAG_ERASED) !== 0,
    metaBytes: fixed.readUInt32LE(8),
    headerBytes: fixed.readUInt32LE(12),
    dataBytes: Number(fixed.readBigUInt64LE(16)),
    check: version === VERSION ? fixed.readUInt32LE(24) : fixed.toString('hex', 24, 24 + DIGEST_BYTES),
    metaCrc: fixed.readUInt32LE(56),
  };
  const plausible =
    head.metaBytes <= RECORD_META_BYTES_MAX &&
    head.headerBytes <= RECORD_HEADER_BYTES_MAX &&
    Number.isSafeInteger(head.dataBytes);
  return plausible ? head : undefined;
}

/** With spaces behind, so that what follows begins at a word wherever the record is read to. */
export function encodeMeta(record: ReceivedRecord): Buffer {
  const meta = Buffer.from(JSON.stringify(record), 'utf8');
  const rest = (RECORD_FIXED_BYTES + meta.length) % WORD_BYTES;
  return rest === 0 ? meta : Buffer.concat([meta, Buffer.alloc(WORD_BYTES - rest, ' ')]);
}

/** The journal row, or undefined where the bytes are not what was written. */
export function parseMeta(bytes: Uint8Array, head: RecordHead): ReceivedRecord | undefined {
  if (bytes.length !== head.metaBytes || crc32(bytes) !== head.metaCrc) return undefined;
  const record = JSON.parse(Buffer.from(bytes).toString('utf8')) as ReceivedRecord;
  return isInstanceId(record.id) ? record : undefined;
}
