/**
 * A text file that a person wrote, read as far as one may be long and no further. What is no regular file (a pipe, a
 * device, a folder) is refused before a byte is read: it may have no end, or never begin.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { LetheError } from './errors.ts';

/** @param bytesMax that the file may have. @throws CONFIG_UNREADABLE naming path and problem */
export function readTextFile(path: string, bytesMax: number): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readBytes(path, bytesMax));
  } catch (error) {
    if (error instanceof LetheError) throw error;
    throw new LetheError('CONFIG_UNREADABLE', { path, problem: problemOf(error) }, { cause: error });
  }
}

function readBytes(path: string, bytesMax: number): Uint8Array {
  // Without O_NONBLOCK the opening of a pipe waits for who writes to it (POSIX open). Windows has neither.
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    if (!fstatSync(file).isFile()) throw new LetheError('CONFIG_UNREADABLE', { path, problem: 'not a regular file' });
    const bytes = new Uint8Array(bytesMax + 1); // it may grow while it is read
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      read = readSync(file, bytes, length, bytes.length - length, null);
    if (length > bytesMax) throw new LetheError('CONFIG_UNREADABLE', { path, problem: 'too long', bytesMax });
    return bytes.subarray(0, length);
  } finally {
    closeSync(file);
  }
}

function problemOf(error: unknown): string {
  if (error instanceof TypeError) return 'not UTF-8';
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' ? 'there is no such file' : `cannot be read (${code})`;
}
