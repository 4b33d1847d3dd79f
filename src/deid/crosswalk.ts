/**
 * The way back from pseudonyms to originals, for who holds the private key and for nobody else: one record an instance,
 * encrypted to a public key, so that the gateway that writes it cannot read it.
 *
 * X25519 (RFC 7748): ephemeral key, HKDF-SHA-256 (RFC 5869), AES-256-GCM. RSA (RFC 8017): OAEP with SHA-256 wraps an
 * AES-256-GCM key. Each record has a key of its own, so the nonce may be constant.
 *
 *   sealCrosswalk(entry, publicKeyPem, random) -> bytes     openCrosswalk(bytes, privateKeyPem) -> entry
 */
import {
  constants,
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
} from 'node:crypto';
import { LetheError } from '../core/errors.ts';

export interface CrosswalkEntry {
  readonly generation: number;
  readonly patientId: string;
  readonly patientName: string;
  readonly patientBirthDate: string;
  readonly issuerOfPatientId: string;
  readonly accessionNumber: string;
  readonly studyId: string;
  /** By how much the dates were moved; 0 where they were removed or kept. */
  readonly shiftDays: number;
  /** Pseudonym to original, of every UID of the instance that was mapped. */
  readonly uids: Readonly<Record<string, string>>;
  readonly pseudonyms: {
    readonly patientId: string;
    readonly accessionNumber: string;
    readonly studyInstanceUid: string;
  };
}

const MAGIC = 'LXW1';
const X25519 = 1;
const RSA = 2;
const HEAD_BYTES = MAGIC.length + 1;
const KEY_BYTES = 32;
const TAG_BYTES = 16;
const NONCE = new Uint8Array(12);
const INFO = 'lethe crosswalk 1';
/** What stands before a raw key in its DER form (RFC 8410 §7, §4). */
const X25519_PRIVATE = Buffer.from('302e020100300506032b656e04220420', 'hex');
const X25519_PUBLIC = Buffer.from('302a300506032b656e032100', 'hex');

/** @throws DEID_KEY_INVALID where the key is not a public key of X25519 or RSA */
export function sealCrosswalk(
  entry: CrosswalkEntry,
  publicKeyPem: string,
  random: (bytes: number) => Uint8Array,
): Uint8Array {
  const recipient = readKey(() => createPublicKey(publicKeyPem));
  const plain = Buffer.from(JSON.stringify(entry));
  if (recipient.asymmetricKeyType === 'x25519') {
    const ephemeral = createPrivateKey({
      key: Buffer.concat([X25519_PRIVATE, random(KEY_BYTES)]),
      format: 'der',
      type: 'pkcs8',
    });
    const sender = rawPublic(createPublicKey(ephemeral));
    const key = agreed(diffieHellman({ privateKey: ephemeral, publicKey: recipient }), sender, rawPublic(recipient));
    return Buffer.concat([head(X25519), sender, sealed(plain, key)]);
  }
  if (recipient.asymmetricKeyType !== 'rsa')
    throw new LetheError('DEID_KEY_INVALID', { problem: 'neither X25519 nor RSA' });
  const key = random(KEY_BYTES);
  const wrapped = publicEncrypt({ key: recipient, oaepHash: 'sha256', padding: constants.RSA_PKCS1_OAEP_PADDING }, key);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(wrapped.length);
  return Buffer.concat([head(RSA), length, wrapped, sealed(plain, key)]);
}

/** @throws DEID_KEY_INVALID where the record is damaged or was made for another key */
export function openCrosswalk(record: Uint8Array, privateKeyPem: string): CrosswalkEntry {
  const bytes = Buffer.from(record);
  const key = readKey(() => createPrivateKey(privateKeyPem));
  try {
    if (bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) throw new Error('no crosswalk record');
    const rest = bytes.subarray(HEAD_BYTES);
    const open = OPENERS[bytes[MAGIC.length] ?? 0];
    if (open === undefined) throw new Error('a record of an unknown kind');
    return JSON.parse(open(rest, key).toString('utf8')) as CrosswalkEntry;
  } catch (error) {
    if (error instanceof LetheError) throw error;
    throw new LetheError(
      'DEID_KEY_INVALID',
      { problem: 'the record is damaged or was made for another key' },
      { cause: error },
    );
  }
}

function openX25519(rest: Buffer, privateKey: KeyObject): Buffer {
  const sender = rest.subarray(0, KEY_BYTES);
  const publicKey = createPublicKey({ key: Buffer.concat([X25519_PUBLIC, sender]), format: 'der', type: 'spki' });
  const key = agreed(diffieHellman({ privateKey, publicKey }), sender, rawPublic(createPublicKey(privateKey)));
  return opened(rest.subarray(KEY_BYTES), key);
}

function openRsa(rest: Buffer, privateKey: KeyObject): Buffer {
  const length = rest.readUInt16BE(0);
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const key = privateDecrypt({ key: privateKey, oaepHash: 'sha256', padding }, rest.subarray(2, 2 + length));
  return opened(rest.subarray(2 + length), key);
}

const OPENERS: Readonly<Record<number, (rest: Buffer, privateKey: KeyObject) => Buffer>> = {
  [X25519]: openX25519,
  [RSA]: openRsa,
};

function sealed(plain: Uint8Array, key: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, NONCE);
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function opened(bytes: Buffer, key: Uint8Array): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, NONCE, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  return Buffer.concat([decipher.update(bytes.subarray(0, bytes.length - TAG_BYTES)), decipher.final()]);
}

/** Bound to both public keys, as RFC 7748 §6.1 recommends. */
function agreed(shared: Uint8Array, sender: Uint8Array, recipient: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', shared, Buffer.concat([sender, recipient]), INFO, KEY_BYTES));
}

function rawPublic(key: KeyObject): Uint8Array {
  return key.export({ format: 'der', type: 'spki' }).subarray(X25519_PUBLIC.length);
}

function head(kind: number): Buffer {
  return Buffer.concat([Buffer.from(MAGIC, 'latin1'), Buffer.of(kind)]);
}

function readKey(read: () => KeyObject): KeyObject {
  try {
    return read();
  } catch (error) {
    throw new LetheError('DEID_KEY_INVALID', { problem: 'not a PEM key of X25519 or RSA' }, { cause: error });
  }
}
