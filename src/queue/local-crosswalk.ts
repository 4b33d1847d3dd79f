/**
 * Crosswalk records on a local disk: one encrypted file an instance, named by the pseudonymous SOP Instance UID, that this
 * program writes and cannot read. Written under a temporary name, flushed, renamed; the same instance again replaces it.
 */
import { closeSync, existsSync, fdatasyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { LetheError } from '../core/errors.ts';
import { flushFolder } from '../core/private-file.ts';
import { diskError, FILE_MODE, makeFolder } from './disk.ts';

export const CROSSWALK_SUFFIX = '.lxw';
const FOLDER = 'crosswalk';
const UID = /^[0-9.]{1,64}$/;

/** @throws SPOOL_IO, SPOOL_FULL */
export function keepCrosswalk(dataDir: string, sopInstanceUid: string, record: Uint8Array): void {
  if (!UID.test(sopInstanceUid)) throw new LetheError('INVARIANT', { what: 'crosswalk of no UID' });
  // The last digits of a UUID-derived UID spread evenly: a hundred folders.
  const folder = join(dataDir, FOLDER, sopInstanceUid.slice(-2).replace('.', '0'));
  const path = join(folder, sopInstanceUid + CROSSWALK_SUFFIX);
  try {
    if (!existsSync(folder)) makeFolder(folder);
    const fd = openSync(`${path}.part`, 'w', FILE_MODE);
    try {
      for (let done = 0; done < record.length; ) done += writeSync(fd, record, done);
      fdatasyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(`${path}.part`, path);
    flushFolder(folder);
  } catch (error) {
    throw diskError(error, 'crosswalk');
  }
}
