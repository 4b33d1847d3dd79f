/**
 * A file of the operator's (configuration, profile, key, certificate, API document), read as far as one may be long and no
 * further. What is no regular file (a pipe, a device, a folder) is refused before a byte is read: it may have no end, or
 * never begin. Each failure is told with path and problem, under the code of what the file is.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { type ErrorCode, LetheError } from './errors.ts';

/** Certificates and keys in PEM form: all the authorities that a browser trusts take a quarter of it. */
export const PEM_BYTES_MAX = 1024 * 1024;
/** A password, a token, a key in hexadecimal: a signed token with many claims takes a tenth of it. */
export const SECRET_BYTES_MAX = 64 * 1024;

/** UTF-8, without its byte order mark. @param bytesMax that the file may have. @throws `code`, CONFIG_UNREADABLE unless told */
export function readTextFile(path: string, bytesMax: number, code: ErrorCode = 'CONFIG_UNREADABLE'): string {
  const bytes = readBoundedFile(path, bytesMax, code);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new LetheError(code, { path, problem: 'not UTF-8' }, { cause });
  }
}

/** @param bytesMax that the file may have. @throws `code`, CONFIG_UNREADABLE unless told */
export function readBoundedFile(path: string, bytesMax: number, code: ErrorCode = 'CONFIG_UNREADABLE'): Buffer {
  try {
    // Without O_NONBLOCK the opening of a pipe waits for who writes to it (POSIX open). Windows has neither.
    const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      if (!fstatSync(file).isFile()) throw new LetheError(code, { path, problem: 'not a regular file' });
      const bytes = Buffer.alloc(bytesMax + 1); // it may grow while it is read
      let length = 0;
      for (let read = -1; read !== 0 && length < bytes.length; length += read)
        read = readSync(file, bytes, length, bytes.length - length, null);
      if (length > bytesMax) throw new LetheError(code, { path, problem: 'too long', bytesMax });
      return Buffer.from(bytes.subarray(0, length));
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    if (cause instanceof LetheError) throw cause;
    throw new LetheError(code, { path, problem: problemOf(cause) }, { cause });
  }
}

function problemOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' ? 'there is no such file' : `cannot be read (${code})`;
}
