/**
 * DICOM files: PS3.10 §7.1 (preamble, prefix, file meta information) around a data set of PS3.5.
 *
 * Reading looks at the bytes rather than at promises: the group length (0002,0000) is not trusted, and files without
 * preamble, or without any file meta information, are taken where a plausible data set begins at once. What was read
 * and how it is encoded is said in `encoding`, which is what the bytes are, not what the transfer syntax claims.
 *
 *   openPart10(source)  file meta information and where the data set is, for whoever streams it through a tokenizer
 *   readPart10(source)  the same with the header as a `DataSet`
 *   writeFileMeta(…)    preamble of zeros, prefix, group 0002
 */
import { type ByteSource, bytesSource, MemorySink, rangeSource } from '../core/bytes.ts';
import { LetheError } from '../core/errors.ts';
import { IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME } from '../core/version.ts';
import type { DataSet } from './data-set.ts';
import { readDataSet } from './data-set-reader.ts';
import { inflateDataSet } from './deflate.ts';
import {
  EXPLICIT_VR_BIG_ENDIAN,
  EXPLICIT_VR_LITTLE_ENDIAN,
  IMPLICIT_VR_LITTLE_ENDIAN,
  type TransferSyntax,
  transferSyntaxOf,
} from './transfer-syntax.ts';
import { areLetters, isLongLength, vrOfBytes } from './vr.ts';
import { DataSetWriter, encodeText } from './writer.ts';

export interface Encoding {
  readonly explicitVr: boolean;
  readonly littleEndian: boolean;
}

export interface OpenPart10 {
  /** Empty where the file has none. */
  readonly fileMeta: DataSet;
  /** As declared; of a file without file meta information, as found. */
  readonly transferSyntax: TransferSyntax;
  /** How the data set is really encoded: give this to the tokenizer. */
  readonly encoding: Encoding;
  /** The bytes of the data set; of a deflated one, inflated. Offsets of elements are positions in it. */
  readonly source: ByteSource;
  /** Where the data set begins in `source`. */
  readonly dataSetOffset: number;
}

export interface Part10File extends OpenPart10 {
  readonly dataSet: DataSet;
}

export interface ReadPart10Options {
  readonly wholeValueBytesMax?: number;
  readonly headerBytesMax?: number;
  readonly inflatedBytesMax?: number;
  readonly stopAtPixelData?: boolean;
  /** Ends with Pixel Data (7FE0,0010): what stands behind, a data set or not, is not looked at. */
  readonly endAfterPixelData?: boolean;
}

const PREAMBLE_BYTES = 128;
const PREFIX = [0x44, 0x49, 0x43, 0x4d]; // DICM
const META_GROUP = 0x0002;
const FILE_META_BYTES_MAX = 1024 * 1024;
const EXPLICIT: Encoding = { explicitVr: true, littleEndian: true };
/** No first element of a data set is this long; the two letters of a VR, read as a length, always are longer. */
const FIRST_VALUE_BYTES_MAX = 0x4000;

/**
 * @throws DICOM_NOT_PART10 DICOM_TRUNCATED DICOM_MALFORMED DICOM_TOO_DEEP DICOM_TOO_LARGE DICOM_TRANSFER_SYNTAX_UNKNOWN
 */
export function readPart10(source: ByteSource, options: ReadPart10Options = {}): Part10File {
  const open = openPart10(source, options.inflatedBytesMax);
  const dataSet = readDataSet(open.source, { ...options, ...open.encoding, offset: open.dataSetOffset });
  return { ...open, dataSet };
}

/** @throws as `readPart10`, but nothing of the data set itself is read except what inflating needs */
export function openPart10(source: ByteSource, inflatedBytesMax?: number): OpenPart10 {
  const { fileMeta, transferSyntaxUid, dataSetOffset } = readFileMeta(source);
  const transferSyntax = transferSyntaxOf(transferSyntaxUid);
  if (transferSyntax === undefined) throw new LetheError('DICOM_TRANSFER_SYNTAX_UNKNOWN');
  if (transferSyntax.deflated) {
    const inflated = bytesSource(inflateDataSet(source, dataSetOffset, inflatedBytesMax));
    return { fileMeta, transferSyntax, encoding: EXPLICIT, source: inflated, dataSetOffset: 0 };
  }
  const encoding = encodingFound(source.read(dataSetOffset, 8), transferSyntax);
  return { fileMeta, transferSyntax, encoding, source, dataSetOffset };
}

/** @throws DICOM_NOT_PART10 DICOM_TRUNCATED DICOM_MALFORMED */
export function readFileMeta(source: ByteSource): {
  fileMeta: DataSet;
  transferSyntaxUid: string;
  dataSetOffset: number;
} {
  const start = fileMetaStart(source);
  const dataSetOffset = fileMetaEnd(source, start);
  const fileMeta = readDataSet(rangeSource(source, 0, dataSetOffset), { ...EXPLICIT, offset: start });
  const declared = fileMeta.string(0x00020010);
  const transferSyntaxUid = declared ?? bareTransferSyntaxUid(source.read(dataSetOffset, 8));
  if (transferSyntaxUid === undefined) {
    const isPart10 = fileMeta.has(0x00020000) || fileMeta.has(0x00020002);
    throw new LetheError(isPart10 ? 'DICOM_TRANSFER_SYNTAX_UNKNOWN' : 'DICOM_NOT_PART10', { offset: dataSetOffset });
  }
  return { fileMeta, transferSyntaxUid, dataSetOffset };
}

/**
 * After preamble and prefix. Tolerance: without them where group 0002, or a data set, begins at the very start (as
 * files of before 1995, and streams that lost their head, do); `fileMetaEnd` and `bareTransferSyntaxUid` tell which.
 */
function fileMetaStart(source: ByteSource): number {
  const prefix = source.read(PREAMBLE_BYTES, PREFIX.length);
  return prefix.length === PREFIX.length && PREFIX.every((byte, index) => prefix[index] === byte)
    ? PREAMBLE_BYTES + PREFIX.length
    : 0;
}

/** Walks the elements of group 0002 by their own lengths. */
function fileMetaEnd(source: ByteSource, start: number): number {
  let position = start;
  for (;;) {
    const header = source.read(position, 12);
    if (header.length < 8 || u16(header, 0) !== META_GROUP) break;
    const first = header[4] ?? 0;
    const second = header[5] ?? 0;
    if (vrOfBytes(first, second) === undefined) throw new LetheError('DICOM_MALFORMED', { offset: position });
    const long = isLongLength(first, second);
    position += long ? 12 + u16(header, 8) + u16(header, 10) * 0x10000 : 8 + u16(header, 6);
    if (position > source.size) throw new LetheError('DICOM_TRUNCATED', { offset: source.size });
    if (position - start > FILE_META_BYTES_MAX) throw new LetheError('DICOM_TOO_LARGE', { limit: FILE_META_BYTES_MAX });
  }
  return position;
}

/**
 * The encoding of a data set that begins with these bytes. Tolerance: some writers declare an Explicit VR syntax and
 * write Implicit VR, or the reverse; the first element tells, since no VR's letters make a believable length.
 */
function encodingFound(head: Uint8Array, declared: TransferSyntax): Encoding {
  const { explicitVr, littleEndian } = declared;
  if (head.length < 8 || !littleEndian) return { explicitVr, littleEndian };
  const hasVr = areLetters(head[4] ?? 0, head[5] ?? 0);
  const length = u16(head, 4) + u16(head, 6) * 0x10000;
  if (explicitVr && !hasVr && length <= FIRST_VALUE_BYTES_MAX) return { explicitVr: false, littleEndian };
  if (!explicitVr && vrOfBytes(head[4] ?? 0, head[5] ?? 0) !== undefined) return EXPLICIT;
  return { explicitVr, littleEndian };
}

/** The native syntax of a data set without file meta information that begins with these bytes, if they look like one. */
function bareTransferSyntaxUid(head: Uint8Array): string | undefined {
  if (head.length < 8) return undefined;
  const isVr = vrOfBytes(head[4] ?? 0, head[5] ?? 0) !== undefined;
  if (isPlausibleGroup(u16(head, 0))) {
    if (isVr) return EXPLICIT_VR_LITTLE_ENDIAN;
    return u16(head, 4) + u16(head, 6) * 0x10000 <= FIRST_VALUE_BYTES_MAX ? IMPLICIT_VR_LITTLE_ENDIAN : undefined;
  }
  return isVr && head[0] === 0 && isPlausibleGroup(head[1] ?? 0) ? EXPLICIT_VR_BIG_ENDIAN : undefined;
}

/** Composite instances begin with group 0008; ones that lost it, with 0010. */
function isPlausibleGroup(group: number): boolean {
  return group === 0x0008 || group === 0x0010;
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}

export interface FileMetaOptions {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly transferSyntaxUid: string;
  readonly sourceAeTitle?: string;
}

/** 128 zero bytes, `DICM`, and group 0002 in Explicit VR Little Endian with our implementation UID (PS3.10 Table 7.1-1). */
export function writeFileMeta(options: FileMetaOptions): Uint8Array {
  const group = new MemorySink();
  const writer = new DataSetWriter(group, EXPLICIT);
  writer.element(0x00020001, 'OB', Uint8Array.of(0, 1)); // File Meta Information Version
  writer.element(0x00020002, 'UI', encodeText(options.sopClassUid, 'UI'));
  writer.element(0x00020003, 'UI', encodeText(options.sopInstanceUid, 'UI'));
  writer.element(0x00020010, 'UI', encodeText(options.transferSyntaxUid, 'UI'));
  writer.element(0x00020012, 'UI', encodeText(IMPLEMENTATION_CLASS_UID, 'UI'));
  writer.element(0x00020013, 'SH', encodeText(IMPLEMENTATION_VERSION_NAME, 'SH'));
  if (options.sourceAeTitle !== undefined) writer.element(0x00020016, 'AE', encodeText(options.sourceAeTitle, 'AE'));
  const rest = group.bytes();
  const file = new MemorySink();
  file.write(new Uint8Array(PREAMBLE_BYTES));
  file.write(Uint8Array.from(PREFIX));
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, rest.length, true);
  new DataSetWriter(file, EXPLICIT).element(0x00020000, 'UL', length);
  file.write(rest);
  return file.bytes();
}
