/**
 * Files of the site's own, keys above all: readable by their owner alone, and under their name when they are on the medium,
 * not before, because half a key would stop every start. Synchronous: they are written at a start, and rarely.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const OWNER_ONLY = 0o600;
const FOLDER_OF_OWNER = 0o700;
const GROUP_AND_OTHERS = 0o077;

/** Takes the place of what has the name; flushed when it returns. */
export function writePrivateFile(path: string, content: string | Uint8Array): void {
  const part = `${path}.part`;
  mkdirSync(dirname(path), { recursive: true, mode: FOLDER_OF_OWNER });
  rmSync(part, { force: true }); // one that a crash left might have another mode
  write(part, 'wx', content);
  renameSync(part, path);
  flushFolder(dirname(path));
}

/** Flushed when it returns; the file is made where there is none. */
export function appendToPrivateFile(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: FOLDER_OF_OWNER });
  write(path, 'a', text);
}

function write(path: string, flags: 'wx' | 'a', content: string | Uint8Array): void {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
  const file = openSync(path, flags, OWNER_ONLY);
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Makes the names in a folder durable. Windows has no such call: there the file system journals them itself. */
export function flushFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const file = openSync(folder, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Its mode in octal where others than the owner may read it; undefined where not, and on Windows, which has no modes. */
export function modeOfExposedFile(path: string): string | undefined {
  const mode = statSync(path).mode & 0o777;
  return process.platform !== 'win32' && (mode & GROUP_AND_OTHERS) !== 0 ? mode.toString(8) : undefined;
}
