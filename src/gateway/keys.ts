/**
 * The pseudonym key on disk: 64 hexadecimal digits, readable by its owner alone. Made at first start; when data made
 * with a key exist and the key is gone, the gateway refuses to start instead of making another, because every
 * pseudonym would change. Each named customer works with a key derived from it, so that two customers' outputs cannot
 * be joined.
 */
import { createHmac } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readTextFile, SECRET_BYTES_MAX } from '../core/bounded-file.ts';
import type { Random } from '../core/clock.ts';
import { LetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { modeOfExposedFile, writePrivateFile } from '../core/private-file.ts';

export const KEY_BYTES = 32;
export const DEFAULT_CUSTOMER = 'default';

/**
 * Of the record which patient a study belongs to: it never leaves the site and is not rotated with the pseudonyms, or a
 * study of before could come back under another patient.
 */
export function studiesKeyPath(dataDir: string): string {
  return join(dataDir, 'keys', 'studies.key');
}

export interface KeyFileOptions {
  readonly path: string;
  /** True when the store holds anything: then a missing key is not made anew. */
  readonly dataExist: boolean;
  readonly random: Random;
}

export function defaultKeyPath(dataDir: string): string {
  return join(dataDir, 'keys', 'pseudonym.key');
}

/** @throws DEID_KEY_MISSING, DEID_KEY_INVALID */
export function loadOrMakeKey(options: KeyFileOptions): { key: Uint8Array; made: boolean } {
  if (existsSync(options.path)) return { key: readKeyFile(options.path), made: false };
  if (options.dataExist) throw new LetheError('DEID_KEY_MISSING', { path: options.path });
  const key = options.random.bytes(KEY_BYTES);
  writePrivateFile(options.path, `${Buffer.from(key).toString('hex')}\n`);
  return { key, made: true };
}

/**
 * The key of the record of studies. Lost, it is made anew and the record begins again, said aloud: no output depends on
 * it, so that a refused start would keep what the PACS sends waiting and save nothing that the backup does not save.
 * `anew`: studies of before may come under another patient unnoticed. @throws DEID_KEY_INVALID
 */
export function loadOrMakeStudiesKey(
  { dataDir, dataExist }: { readonly dataDir: string; readonly dataExist: boolean },
  deps: { readonly random: Random; readonly logger: Logger },
): { key: Uint8Array; anew: boolean } {
  const { key, made } = loadOrMakeKey({ path: studiesKeyPath(dataDir), dataExist: false, random: deps.random });
  const anew = made && dataExist;
  if (anew) deps.logger.log('warn', 'gateway.warning', { what: 'record of studies', code: 'DEID_STUDIES_KEY_MISSING' });
  return { key, anew };
}

/** @throws DEID_KEY_MISSING, DEID_KEY_INVALID */
export function readKeyFile(path: string): Uint8Array {
  if (!existsSync(path)) throw new LetheError('DEID_KEY_MISSING', { path });
  const mode = modeOfExposedFile(path);
  if (mode !== undefined)
    throw new LetheError('DEID_KEY_INVALID', { path, mode, problem: 'others may read it; chmod 600' });
  const text = readTextFile(path, SECRET_BYTES_MAX, 'DEID_KEY_INVALID').trim();
  if (!/^[0-9a-fA-F]{64}$/.test(text))
    throw new LetheError('DEID_KEY_INVALID', { path, problem: 'not 64 hexadecimal digits' });
  return new Uint8Array(Buffer.from(text, 'hex'));
}

/** The default customer works with the key itself, so that `lethe deid --key` gives the same pseudonyms. */
export function customerKey(key: Uint8Array, customer: string): Uint8Array {
  if (customer === DEFAULT_CUSTOMER) return key;
  return new Uint8Array(createHmac('sha256', key).update(`lethe customer key\0${customer}`).digest());
}
