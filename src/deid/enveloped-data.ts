/**
 * CMS EnvelopedData (RFC 5652 §6) as PS3.15 §E.1.1 wants it for the Encrypted Attributes Sequence: the content under
 * AES-256-CBC (RFC 3565), its key to one holder of an RSA key (RSAES-OAEP with SHA-256, RFC 3560 and RFC 8017 §7.1).
 *
 * Everything random is given as bytes, so that whoever calls decides whether the same content gives the same bytes.
 * DER is written and read here by hand: few forms, all of definite length.
 *
 *   sealEnvelope(content, publicKeyPem, { key: 32, iv: 16, seed: 32 bytes }) -> DER     openEnvelope(der, privateKeyPem)
 */
import {
  constants,
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
} from 'node:crypto';
import { LetheError } from '../core/errors.ts';

export interface EnvelopeChance {
  /** 32 bytes, for this content alone. */
  readonly key: Uint8Array;
  /** 16 bytes. */
  readonly iv: Uint8Array;
  /** 32 bytes, for OAEP. */
  readonly seed: Uint8Array;
}

const HASH_BYTES = 32;
const RSA_BITS_MIN = 2048;
const INTEGER = 0x02;
const OCTETS = 0x04;
const NULL = 0x05;
const OID = 0x06;
const SEQUENCE = 0x30;
const SET = 0x31;
/** Context-specific 0 and 1: constructed, and primitive. */
const CONTEXT_0 = 0xa0;
const CONTEXT_1 = 0xa1;
const CONTEXT_0_PRIMITIVE = 0x80;

const ENVELOPED_DATA = oid('2a864886f70d010703');
const DATA = oid('2a864886f70d010701');
const AES_256_CBC = oid('60864801650304012a');
const RSAES_OAEP = oid('2a864886f70d010107');
const MGF1 = oid('2a864886f70d010108');
const SHA_256 = sequence(oid('608648016503040201'), der(NULL));
const OAEP_SHA_256 = sequence(RSAES_OAEP, sequence(der(CONTEXT_0, SHA_256), der(CONTEXT_1, sequence(MGF1, SHA_256))));
/** RFC 5652 §6.2.1: version 2 where the recipient is named by the identifier of the key. */
const VERSION_2 = der(INTEGER, Uint8Array.of(2));

/** @throws DEID_KEY_INVALID where the PEM is not an RSA public key (or certificate) of at least 2048 bits */
export function envelopeKey(publicKeyPem: string): KeyObject {
  const key = readKey(() => createPublicKey(publicKeyPem));
  if (key.asymmetricKeyType !== 'rsa' || (key.asymmetricKeyDetails?.modulusLength ?? 0) < RSA_BITS_MIN) {
    throw new LetheError('DEID_KEY_INVALID', {
      problem: `the Encrypted Attributes Sequence needs RSA of ${RSA_BITS_MIN} bits`,
    });
  }
  return key;
}

/** @throws DEID_KEY_INVALID */
export function sealEnvelope(content: Uint8Array, publicKeyPem: string, chance: EnvelopeChance): Uint8Array {
  const recipient = envelopeKey(publicKeyPem);
  const cipher = createCipheriv('aes-256-cbc', chance.key, chance.iv);
  const encrypted = Buffer.concat([cipher.update(content), cipher.final()]);
  const modulusBytes = Math.ceil((recipient.asymmetricKeyDetails?.modulusLength ?? 0) / 8);
  const padded = oaepEncoded(chance.key, chance.seed, modulusBytes);
  const encryptedKey = publicEncrypt({ key: recipient, padding: constants.RSA_NO_PADDING }, padded);
  const recipientInfo = sequence(
    VERSION_2,
    der(CONTEXT_0_PRIMITIVE, keyIdentifier(recipient)),
    OAEP_SHA_256,
    der(OCTETS, encryptedKey),
  );
  const contentInfo = sequence(
    DATA,
    sequence(AES_256_CBC, der(OCTETS, chance.iv)),
    der(CONTEXT_0_PRIMITIVE, encrypted),
  );
  return sequence(ENVELOPED_DATA, der(CONTEXT_0, sequence(VERSION_2, der(SET, recipientInfo), contentInfo)));
}

/** True for bytes that begin as an envelope does; what is in it is nobody's to read. */
export function isEnvelope(bytes: Uint8Array): boolean {
  try {
    const [type] = children(bytes, SEQUENCE);
    return type !== undefined && same(type.whole, ENVELOPED_DATA);
  } catch {
    return false;
  }
}

/** @throws DEID_KEY_INVALID where the envelope is damaged or not for this key */
export function openEnvelope(envelope: Uint8Array, privateKeyPem: string): Uint8Array {
  const privateKey = readKey(() => createPrivateKey(privateKeyPem));
  const own = keyIdentifier(createPublicKey(privateKey));
  try {
    const [, explicit] = children(envelope, SEQUENCE);
    const [, recipients, info] = children(
      children(explicit?.whole ?? envelope, CONTEXT_0)[0]?.whole ?? envelope,
      SEQUENCE,
    );
    const [, algorithm, encrypted] = children(info?.whole ?? envelope, SEQUENCE);
    const [cipherName, iv] = children(algorithm?.whole ?? envelope, SEQUENCE);
    if (cipherName === undefined || !same(cipherName.whole, AES_256_CBC)) throw new Error('another cipher');
    for (const recipient of children(recipients?.whole ?? envelope, SET)) {
      const [, identifier, transport, encryptedKey] = children(recipient.whole, SEQUENCE);
      if (identifier === undefined || !same(identifier.value, own)) continue;
      if (transport === undefined || !same(transport.whole, OAEP_SHA_256)) throw new Error('another key transport');
      const padding = constants.RSA_PKCS1_OAEP_PADDING;
      const key = privateDecrypt({ key: privateKey, oaepHash: 'sha256', padding }, encryptedKey?.value ?? envelope);
      const decipher = createDecipheriv('aes-256-cbc', key, iv?.value ?? envelope);
      return Buffer.concat([decipher.update(encrypted?.value ?? envelope), decipher.final()]);
    }
    throw new Error('another recipient');
  } catch (error) {
    const problem = 'the encrypted attributes are damaged or were made for another key';
    throw new LetheError('DEID_KEY_INVALID', { problem }, { cause: error });
  }
}

/** RFC 8017 §7.1.1 step 2, with an empty label: what the exponentiation of RSA is applied to. */
function oaepEncoded(message: Uint8Array, seed: Uint8Array, bytes: number): Uint8Array {
  const data = new Uint8Array(bytes - HASH_BYTES - 1);
  data.set(createHash('sha256').digest(), 0);
  data[data.length - message.length - 1] = 1;
  data.set(message, data.length - message.length);
  const maskedData = xor(data, mask(seed, data.length));
  const maskedSeed = xor(seed, mask(maskedData, HASH_BYTES));
  return Buffer.concat([Uint8Array.of(0), maskedSeed, maskedData]);
}

/** MGF1, RFC 8017 §B.2.1. */
function mask(seed: Uint8Array, bytes: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let counter = 0; parts.length * HASH_BYTES < bytes; counter++) {
    const number = Buffer.alloc(4);
    number.writeUInt32BE(counter);
    parts.push(createHash('sha256').update(seed).update(number).digest());
  }
  return Buffer.concat(parts).subarray(0, bytes);
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, index) => byte ^ (b[index] ?? 0));
}

/** RFC 5280 §4.2.1.2 (1): SHA-1 of the public key, a name and no protection. */
function keyIdentifier(publicKey: KeyObject): Uint8Array {
  return createHash('sha1')
    .update(publicKey.export({ format: 'der', type: 'pkcs1' }))
    .digest();
}

interface Node {
  /** With identifier and length. */
  readonly whole: Uint8Array;
  readonly value: Uint8Array;
}

/** What is in a constructed value of this type. */
function children(bytes: Uint8Array, type: number): Node[] {
  const outer = nodeAt(bytes, 0);
  if (bytes[0] !== type) throw new Error('another type');
  const found: Node[] = [];
  for (let at = 0; at < outer.value.length; ) {
    const node = nodeAt(outer.value, at);
    found.push(node);
    at += node.whole.length;
  }
  return found;
}

function nodeAt(bytes: Uint8Array, at: number): Node {
  const first = bytes[at + 1] ?? 0x80;
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  if (first === 0x80 || lengthBytes > 4) throw new Error('a length that DER does not have');
  let length = first < 0x80 ? first : 0;
  for (let index = 0; index < lengthBytes; index++) length = length * 0x100 + (bytes[at + 2 + index] ?? 0);
  const start = at + 2 + lengthBytes;
  if (start + length > bytes.length) throw new Error('truncated');
  return { whole: bytes.subarray(at, start + length), value: bytes.subarray(start, start + length) };
}

function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return der(SEQUENCE, ...parts);
}

function oid(hex: string): Uint8Array {
  return der(OID, Buffer.from(hex, 'hex'));
}

function der(type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const value = Buffer.concat(parts);
  if (value.length < 0x80) return Buffer.concat([Uint8Array.of(type, value.length), value]);
  const digits: number[] = [];
  for (let rest = value.length; rest > 0; rest = Math.floor(rest / 0x100)) digits.unshift(rest % 0x100);
  return Buffer.concat([Uint8Array.of(type, 0x80 | digits.length, ...digits), value]);
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function readKey(read: () => KeyObject): KeyObject {
  try {
    return read();
  } catch (error) {
    throw new LetheError('DEID_KEY_INVALID', { problem: 'not an RSA key in PEM form' }, { cause: error });
  }
}
