/**
 * What a watched folder holds, taken one thing at a time: a file, a ZIP archive, or a medium with a DICOMDIR (PS3.10
 * §8, PS3.3 Annex F). Each answers what came of it; moving things aside is the caller's.
 *
 * Archive: every entry that is an instance is streamed into custody; other files (viewers, texts) are passed over. One
 * refused instance, one archive inside, or one file that its DICOMDIR names and it has not, and the whole is refused
 * with a reason for each, after the rest was taken (taking it again is harmless).
 */
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { bytesSource } from '../core/bytes.ts';
import { ERRORS, type ErrorCode, LetheError, toLetheError } from '../core/errors.ts';
import { readPart10 } from '../dicom/part10.ts';
import type { ReceiveOrigin, ReceiveResult } from './admin.ts';
import type { Receiver } from './receive.ts';
import { looksLikeZip, readZipDirectory, type ZipEntry, zipEntryBytes } from './zip.ts';

export interface Refusal {
  /** Which part, in the words of whoever put it there: for the reason file beside it, never for a log. */
  readonly part: string | undefined;
  readonly code: ErrorCode;
  readonly message: string;
}

export interface Intake {
  readonly instances: number;
  readonly refusals: readonly Refusal[];
  /** Nothing is wrong with it: it stays where it is and is tried again. */
  readonly later: boolean;
}

const READ_BYTES = 1024 * 1024;
const HEAD_BYTES = 132; // preamble and prefix, PS3.10 §7.1
const DICOMDIR_BYTES_MAX = 64 * 1024 * 1024; // a record of 300 bytes for 200,000 files; it is held in memory
const DIRECTORY_RECORD_SEQUENCE = 0x00041220;
const REFERENCED_FILE_ID = 0x00041500;

export function isDicomDir(name: string): boolean {
  return /^dicomdir(;1)?$/i.test(name);
}

/** One file: an archive where its first bytes say so, else an instance. */
export async function takeFile(path: string, from: ReceiveOrigin, receiver: Receiver): Promise<Intake> {
  const file = await open(path, 'r');
  try {
    if (looksLikeZip(await headOf(file))) return await takeArchive(file, from, receiver);
  } finally {
    await file.close();
  }
  const result = await receiver.receive(createReadStream(path, { highWaterMark: READ_BYTES }), from);
  return intakeOf(result, undefined);
}

/** Whether a file of a medium is an instance: its first bytes say so. */
export async function isPart10(path: string): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    return hasPrefix(await headOf(file));
  } finally {
    await file.close();
  }
}

/** Relative paths, in lower case, of the files that a DICOMDIR names. @throws DICOM_*, ARCHIVE_REFUSED */
export async function filesNamedBy(dicomDir: AsyncIterable<Uint8Array>): Promise<string[]> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of dicomDir) {
    length += chunk.length;
    if (length > DICOMDIR_BYTES_MAX) throw new LetheError('ARCHIVE_REFUSED', { what: 'DICOMDIR too large' });
    chunks.push(chunk);
  }
  const { dataSet } = readPart10(bytesSource(Buffer.concat(chunks)));
  const names = dataSet.items(DIRECTORY_RECORD_SEQUENCE).map((record) => record.strings(REFERENCED_FILE_ID).join('/'));
  return [...new Set(names.filter((name) => name !== '').map(nameOnMedium))];
}

/** Tolerance: ISO 9660 drivers show names in either case, with or without version and final dot. */
export function nameOnMedium(name: string): string {
  return name.toLowerCase().replace(/;\d+$/, '').replace(/\.$/, '');
}

async function takeArchive(file: FileHandle, from: ReceiveOrigin, receiver: Receiver): Promise<Intake> {
  let entries: ZipEntry[];
  try {
    entries = (await readZipDirectory(file)).filter(({ isFolder }) => !isFolder);
  } catch (error) {
    return refusedWhole(toLetheError(error));
  }
  const refusals: Refusal[] = [];
  let instances = 0;
  for (const entry of entries) {
    const result = await takeEntry(file, entry, { from, receiver });
    if (result === 'passed over') continue;
    const intake = intakeOf(result, entry.name);
    if (intake.later) return { instances, refusals, later: true };
    instances += intake.instances;
    refusals.push(...intake.refusals);
  }
  refusals.push(...(await missingOf(file, entries)));
  if (instances === 0 && refusals.length === 0) return refusedWhole(new LetheError('ARCHIVE_EMPTY'));
  return { instances, refusals, later: false };
}

async function takeEntry(
  file: FileHandle,
  entry: ZipEntry,
  { from, receiver }: { from: ReceiveOrigin; receiver: Receiver },
): Promise<ReceiveResult | 'passed over'> {
  if (isDicomDir(baseName(entry.name))) return 'passed over';
  const bytes = zipEntryBytes(file, entry);
  let first: Uint8Array;
  try {
    first = await firstBytes(bytes);
  } catch (error) {
    return refusalOf(toLetheError(error));
  }
  if (looksLikeZip(first)) {
    await bytes.return(undefined);
    return refusalOf(new LetheError('ARCHIVE_REFUSED', { what: 'an archive inside' }));
  }
  if (!hasPrefix(first)) {
    await bytes.return(undefined);
    return 'passed over';
  }
  return receiver.receive(resumed(first, bytes), from);
}

/** What the archive's own DICOMDIR names and it does not have. */
async function missingOf(file: FileHandle, entries: readonly ZipEntry[]): Promise<Refusal[]> {
  const present = new Set(entries.map(({ name }) => nameOnMedium(name)));
  const refusals: Refusal[] = [];
  for (const entry of entries.filter(({ name }) => isDicomDir(baseName(name)))) {
    const folder = entry.name.slice(0, entry.name.length - baseName(entry.name).length).toLowerCase();
    try {
      const named = await filesNamedBy(zipEntryBytes(file, entry));
      for (const name of named) if (!present.has(folder + name)) refusals.push(missing(name));
    } catch (error) {
      const { code } = toLetheError(error);
      refusals.push({ part: entry.name, code, message: ERRORS[code].message });
    }
  }
  return refusals;
}

export function missing(name: string): Refusal {
  return { part: name, code: 'MEDIUM_INCOMPLETE', message: ERRORS.MEDIUM_INCOMPLETE.message };
}

export function intakeOf(result: ReceiveResult, part: string | undefined): Intake {
  if (result.status !== 'refused') return { instances: 1, refusals: [], later: false };
  const code = result.code as ErrorCode;
  if (ERRORS[code].disposition === 'retry') return { instances: 0, refusals: [], later: true };
  return { instances: 0, refusals: [{ part, code, message: result.message }], later: false };
}

function refusedWhole({ code }: LetheError): Intake {
  const later = ERRORS[code].disposition === 'retry';
  return { instances: 0, refusals: later ? [] : [{ part: undefined, code, message: ERRORS[code].message }], later };
}

function refusalOf({ code, row }: LetheError): ReceiveResult {
  return { status: 'refused', code, message: row.message, httpStatus: row.httpStatus ?? 400 };
}

async function headOf(file: FileHandle): Promise<Uint8Array> {
  const buffer = Buffer.alloc(HEAD_BYTES);
  const { bytesRead } = await file.read(buffer, 0, HEAD_BYTES, 0);
  return buffer.subarray(0, bytesRead);
}

function hasPrefix(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(HEAD_BYTES - 4, HEAD_BYTES)).toString('latin1') === 'DICM';
}

/** As many chunks as hold preamble and prefix, joined; fewer bytes where there are no more. */
async function firstBytes(bytes: AsyncGenerator<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length < HEAD_BYTES) {
    const { value, done } = await bytes.next();
    if (done === true) break;
    chunks.push(value);
    length += value.length;
  }
  return Buffer.concat(chunks);
}

async function* resumed(first: Uint8Array, rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first;
  yield* rest;
}

function baseName(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}
