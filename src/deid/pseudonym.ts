/**
 * Keyed pseudonyms: HMAC-SHA-256 (RFC 2104) under the customer's key, one purpose a kind of identifier, so that the same
 * original gives the same pseudonym on any node for years, two customers' outputs cannot be joined, and nobody without
 * the key can try out a ten-digit number.
 *
 * UIDs become `2.25.<UUID as a decimal>` (PS3.5 §B.2) with the version and variant of a name-based custom UUID (RFC 9562
 * version 8). Well-known UIDs are not for here: the caller keeps them (`isStandardUid`).
 *
 *   const pseudonyms = new Pseudonyms({ bytes, generation });
 *   pseudonyms.uid(original)  patientId(id)  accessionNumber(original, studyUid)  text('serial', original, 16)
 *   pseudonyms.dateShiftDays(patient)  derivedUid(pseudonym, index)  patientKey(id)  studyKey(uid)
 */
import { createHmac } from 'node:crypto';
import { assert } from '../core/errors.ts';

export interface PseudonymKey {
  /** 32 bytes. */
  readonly bytes: Uint8Array;
  /** Counts rotations of the key: another generation is another set of pseudonyms. */
  readonly generation: number;
}

export const KEY_BYTES = 32;
/** Upper case without I, L, O and U, so that a pseudonym can be read over the telephone and spells nothing. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** A character's five bits may lie in two bytes; behind the last there must be one to read. */
const PADDING = new Uint8Array(1);
const ACCESSION_CHARACTERS = 16; // SH, PS3.5 Table 6.2-1
const PATIENT_ID_CHARACTERS = 16;
/** Dates move back, so that none comes to lie in the future, by at least a month and at most ten years. */
const SHIFT_DAYS_MIN = 31;
const SHIFT_DAYS_MAX = 3652;
const REMEMBERED_UIDS_MAX = 8192;

export class Pseudonyms {
  readonly generation: number;
  readonly #secret: Uint8Array;
  readonly #uids = new Map<string, string>();

  /** From other pseudonyms: the same, without the originals that those were asked for. */
  constructor(from: PseudonymKey | Pseudonyms) {
    this.generation = from.generation;
    this.#secret = from instanceof Pseudonyms ? from.#secret : secretOf(from);
  }

  /** The same original gives the same UID. */
  uid(original: string): string {
    let uid = this.#uids.get(original);
    if (uid === undefined) {
      uid = uidOf(this.#hash('uid', original));
      if (this.#uids.size >= REMEMBERED_UIDS_MAX) this.#uids.clear();
      this.#uids.set(original, uid);
    }
    return uid;
  }

  /** For what is made out of one instance, e.g. the frames of it: stable, and different for each index. */
  derivedUid(uid: string, index: number): string {
    return uidOf(this.#hash('derived uid', `${uid}\0${index}`));
  }

  patientId(patient: string): string {
    return this.text('patient id', patient, PATIENT_ID_CHARACTERS);
  }

  /** Where there is none, or an empty one, it comes from the study. */
  accessionNumber(original: string | undefined, studyInstanceUid: string): string {
    return original === undefined
      ? this.text('accession of study', studyInstanceUid, ACCESSION_CHARACTERS)
      : this.text('accession', original, ACCESSION_CHARACTERS);
  }

  /** Letters and digits; 5 bits a character, at most 51. */
  text(purpose: string, original: string, characters: number): string {
    const hash = Buffer.concat([this.#hash(purpose, original), PADDING]);
    let text = '';
    for (let bit = 0; bit < characters * 5; bit += 5) {
      text += ALPHABET.charAt((hash.readUInt16BE(bit >>> 3) >>> (11 - (bit & 7))) & 31);
    }
    return text;
  }

  /** Whole days, the same for all of a patient's instances, never zero. */
  dateShiftDays(patient: string): number {
    const hash = this.#hash('date shift', patient);
    return -(SHIFT_DAYS_MIN + (hash.readUIntBE(0, 3) % (SHIFT_DAYS_MAX - SHIFT_DAYS_MIN + 1)));
  }

  /** For comparing patients without knowing them. */
  patientKey(patient: string): string {
    return this.#hash('patient key', patient).toString('hex');
  }

  studyKey(studyInstanceUid: string): string {
    return this.#hash('study key', studyInstanceUid).toString('hex');
  }

  /** Bytes for one use, at most 32, e.g. a key: the same for the same original. */
  bytes(purpose: string, original: Uint8Array | string, length: number): Uint8Array {
    return this.#hash(purpose, original).subarray(0, length);
  }

  #hash(purpose: string, original: string | Uint8Array): Buffer {
    return createHmac('sha256', this.#secret).update(`${purpose}\0`).update(original).digest();
  }
}

function secretOf(key: PseudonymKey): Uint8Array {
  assert(key.bytes.length === KEY_BYTES, 'a pseudonym key has 32 bytes');
  return createHmac('sha256', key.bytes).update(`lethe pseudonyms\0${key.generation}`).digest();
}

/** As `Pseudonyms.derivedUid`, for whoever needs no other pseudonym. */
export function derivedUid(key: PseudonymKey, uid: string, index: number): string {
  return new Pseudonyms(key).derivedUid(uid, index);
}

function uidOf(hash: Buffer): string {
  const uuid = hash.subarray(0, 16);
  uuid.writeUInt8((uuid.readUInt8(6) & 0x0f) | 0x80, 6); // RFC 9562 §5.8: version 8
  uuid.writeUInt8((uuid.readUInt8(8) & 0x3f) | 0x80, 8); // §4.1: variant
  return `2.25.${BigInt(`0x${uuid.toString('hex')}`)}`;
}
