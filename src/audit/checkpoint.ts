/**
 * Checkpoints of the audit chain: the number and hash of its last entry, signed (Ed25519, RFC 8032) and chained to the
 * checkpoint before. Whoever keeps a copy of them elsewhere can prove that nothing up to the last one was changed,
 * removed or put in between, even by somebody who could write the database. One JSON object a line, append-only.
 *
 * Signed is the text `lethe audit checkpoint 1`, sequence, hash, time and the signature before, each on a line of its own.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PEM_BYTES_MAX, readBoundedFile, readTextFile } from '../core/bounded-file.ts';
import { LetheError } from '../core/errors.ts';
import { appendToPrivateFile, modeOfExposedFile, writePrivateFile } from '../core/private-file.ts';

export interface Checkpoint {
  /** Of the last entry it covers. */
  readonly sequence: number;
  readonly hash: string;
  readonly atMs: number;
  /** Base64; of the checkpoint before, or empty. */
  readonly previous: string;
  readonly signature: string;
}

const VERSION_LINE = 'lethe audit checkpoint 1';
const KEY_FILE = 'audit-signing.pem';
const PUBLIC_FILE = 'audit-signing.pub.pem';
const PEM = /-----BEGIN PUBLIC KEY-----[\s\S]+?-----END PUBLIC KEY-----/g;

export function checkpointsPath(dataDir: string): string {
  return join(dataDir, 'audit', 'checkpoints.jsonl');
}

export function publicKeyPath(dataDir: string): string {
  return join(dataDir, 'keys', PUBLIC_FILE);
}

/**
 * The site's signing key; made at first start, readable by its owner alone. Its public half is added to a file beside it,
 * which keeps those of lost keys as well. @throws AUDIT_KEY_UNREADABLE
 */
export function loadOrMakeSigningKey(dataDir: string): KeyObject {
  const path = join(dataDir, 'keys', KEY_FILE);
  try {
    if (!existsSync(path)) makeKey(path, publicKeyPath(dataDir));
    if (modeOfExposedFile(path) !== undefined)
      throw new LetheError('AUDIT_KEY_UNREADABLE', { path, problem: 'readable by others than its owner' });
    return createPrivateKey(readBoundedFile(path, PEM_BYTES_MAX, 'AUDIT_KEY_UNREADABLE'));
  } catch (error) {
    if (error instanceof LetheError) throw error;
    throw new LetheError('AUDIT_KEY_UNREADABLE', { path }, { cause: error });
  }
}

function makeKey(path: string, publicPath: string): void {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  // The public half first: a crash between the two must not leave a key that nobody can check.
  appendToPrivateFile(publicPath, String(publicKey.export({ type: 'spki', format: 'pem' })));
  writePrivateFile(path, String(privateKey.export({ type: 'pkcs8', format: 'pem' })));
}

/** All keys of a PEM file. @throws AUDIT_KEY_UNREADABLE */
export function readPublicKeys(path: string): KeyObject[] {
  const text = readTextFile(path, PEM_BYTES_MAX, 'AUDIT_KEY_UNREADABLE');
  try {
    return (text.match(PEM) ?? []).map((pem) => createPublicKey(pem));
  } catch (error) {
    throw new LetheError('AUDIT_KEY_UNREADABLE', { path }, { cause: error });
  }
}

export function signCheckpoint(facts: Omit<Checkpoint, 'signature'>, key: KeyObject): Checkpoint {
  return { ...facts, signature: sign(null, signedText(facts), key).toString('base64') };
}

export function isSigned(checkpoint: Checkpoint, keys: readonly KeyObject[]): boolean {
  const signature = Buffer.from(checkpoint.signature, 'base64');
  return keys.some((key) => verify(null, signedText(checkpoint), key, signature));
}

function signedText({ sequence, hash, atMs, previous }: Omit<Checkpoint, 'signature'>): Buffer {
  return Buffer.from([VERSION_LINE, sequence, hash, atMs, previous].join('\n'), 'utf8');
}

/** Flushed when it returns. */
export function appendCheckpoint(dataDir: string, checkpoint: Checkpoint): void {
  appendToPrivateFile(checkpointsPath(dataDir), `${JSON.stringify(checkpoint)}\n`);
}

/** In their order; none where there is no file. A last line that a crash cut off is not one. @throws AUDIT_CHECKPOINT_INVALID */
export function readCheckpoints(path: string): Checkpoint[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n');
  lines.pop();
  return lines.map((line, index) => {
    try {
      return JSON.parse(line) as Checkpoint;
    } catch (error) {
      throw new LetheError('AUDIT_CHECKPOINT_INVALID', { line: index + 1 }, { cause: error });
    }
  });
}
