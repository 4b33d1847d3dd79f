/** Keyed pseudonyms: stable, separated by key, generation and purpose, and of the form that DICOM asks for. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import { derivedUid, Pseudonyms } from '../../src/deid/pseudonym.ts';

const KEY = { bytes: new Uint8Array(32).fill(1), generation: 1 };
const UID = '1.2.840.113619.2.55.3';

describe('pseudonyms', () => {
  test('the same original gives the same pseudonym in another process', () => {
    assert.equal(new Pseudonyms(KEY).uid(UID), new Pseudonyms({ ...KEY }).uid(UID));
  });

  test('a UID is 2.25 and a UUID of version 8 and variant 10, from HMAC-SHA-256 under a derived secret', () => {
    const secret = createHmac('sha256', KEY.bytes)
      .update('lethe pseudonyms\0' + '1')
      .digest();
    const uuid = createHmac('sha256', secret).update(`uid\0${UID}`).digest().subarray(0, 16);
    uuid[6] = ((uuid[6] ?? 0) & 0x0f) | 0x80;
    uuid[8] = ((uuid[8] ?? 0) & 0x3f) | 0x80;
    assert.equal(new Pseudonyms(KEY).uid(UID), `2.25.${BigInt(`0x${uuid.toString('hex')}`)}`);
  });

  // Computed with Python's hmac and hashlib from the definition in the header of pseudonym.ts, key of 32 bytes 0x01.
  test('pseudonyms are those that another implementation computes', () => {
    const pseudonyms = new Pseudonyms(KEY);
    assert.equal(pseudonyms.uid(UID), '2.25.74937996222477670548082387766127223412');
    assert.equal(pseudonyms.derivedUid('2.25.1', 2), '2.25.44784086112826715688787024976146750782');
    assert.equal(pseudonyms.patientId('4711'), 'Z9KF73CNBNBWCXER');
    assert.equal(pseudonyms.accessionNumber('4711', UID), 'DPKGFSRZFZZ8428X');
    assert.equal(pseudonyms.accessionNumber(undefined, UID), 'TKTZR19XVQBX0Y45');
    assert.equal(pseudonyms.text('p', 'x', 51), 'W92BF64NTNN27VXQ97C6RK1YBSYGBK4CA1KE74B5YT696WHZMNP');
    assert.equal(pseudonyms.dateShiftDays('4711'), -1803);
    assert.equal(pseudonyms.dateShiftDays('4712'), -2342);
    assert.equal(pseudonyms.patientKey('4711'), '84ce625691928348fc76ee787492a4961ee8e751742e161623649cec50ea998d');
    assert.equal(pseudonyms.studyKey(UID), '24c69cfe8d491f6277c0468627b99836dc8c49442ac0e231895f8cad800a01df');
  });

  test('bytes for one use are the hash, as long as asked', () => {
    const secret = createHmac('sha256', KEY.bytes)
      .update('lethe pseudonyms\0' + '1')
      .digest();
    const hash = createHmac('sha256', secret).update('purpose\0original').digest();
    const pseudonyms = new Pseudonyms(KEY);
    assert.deepEqual(pseudonyms.bytes('purpose', 'original', 16), hash.subarray(0, 16));
    assert.deepEqual(pseudonyms.bytes('purpose', new Uint8Array(Buffer.from('original')), 32), hash);
  });

  test('UIDs have the version and the variant of RFC 9562 whatever the hash', () => {
    const pseudonyms = new Pseudonyms(KEY);
    for (let index = 0; index < 64; index++) {
      const hex = BigInt(pseudonyms.uid(`1.2.${index}`).slice(5))
        .toString(16)
        .padStart(32, '0');
      assert.match(hex, /^.{12}8.{3}[89ab]/);
    }
  });

  test('UIDs are valid by PS3.5 §9.1', () => {
    const pseudonyms = new Pseudonyms(KEY);
    for (let index = 0; index < 200; index++) {
      const uid = pseudonyms.uid(`1.2.3.${index}`);
      assert.match(uid, /^2\.25\.(0|[1-9]\d*)$/);
      assert.ok(uid.length <= 44);
    }
  });

  test('two keys, and two generations of one key, share no pseudonym', () => {
    const others = [
      { bytes: new Uint8Array(32).fill(2), generation: 1 },
      { bytes: KEY.bytes, generation: 2 },
    ];
    const mine = new Pseudonyms(KEY);
    for (const other of others.map((key) => new Pseudonyms(key))) {
      assert.notEqual(other.uid(UID), mine.uid(UID));
      assert.notEqual(other.patientId('4711'), mine.patientId('4711'));
      assert.notEqual(other.accessionNumber('4711', UID), mine.accessionNumber('4711', UID));
      assert.notEqual(other.patientKey('4711'), mine.patientKey('4711'));
      assert.notEqual(other.studyKey(UID), mine.studyKey(UID));
    }
  });

  test('purposes are separate: one number as patient ID and as accession number gives two pseudonyms', () => {
    const pseudonyms = new Pseudonyms(KEY);
    assert.notEqual(pseudonyms.patientId('4711'), pseudonyms.accessionNumber('4711', UID));
    assert.notEqual(pseudonyms.patientKey('4711'), pseudonyms.studyKey('4711'));
  });

  test('text pseudonyms are as long as asked and use no letter that reads as a digit', () => {
    const pseudonyms = new Pseudonyms(KEY);
    for (const length of [1, 8, 16, 51]) {
      assert.match(pseudonyms.text('p', 'x', length), new RegExp(`^[0-9A-HJKMNP-TV-Z]{${length}}$`));
    }
    assert.equal(pseudonyms.patientId('a').length, 16);
    assert.equal(pseudonyms.accessionNumber('a', UID).length, 16);
  });

  test('text pseudonyms take five bits a character from the front of the hash', () => {
    const pseudonyms = new Pseudonyms(KEY);
    assert.ok(pseudonyms.text('p', 'x', 51).startsWith(pseudonyms.text('p', 'x', 8)));
    const characters = new Set([...Array(64).keys()].flatMap((n) => [...pseudonyms.text('p', String(n), 51)]));
    assert.equal(characters.size, 32);
  });

  test('an accession number that is missing comes from the study', () => {
    const pseudonyms = new Pseudonyms(KEY);
    assert.equal(pseudonyms.accessionNumber(undefined, UID), pseudonyms.accessionNumber(undefined, UID));
    assert.notEqual(pseudonyms.accessionNumber(undefined, UID), pseudonyms.accessionNumber(undefined, '1.2.3'));
    assert.equal(pseudonyms.accessionNumber('A1', UID), pseudonyms.accessionNumber('A1', '1.2.3'));
    assert.notEqual(pseudonyms.accessionNumber(UID, UID), pseudonyms.accessionNumber(undefined, UID));
  });

  test('dates move back by 31 to 3652 whole days, the same for one patient, differently for others', () => {
    const pseudonyms = new Pseudonyms(KEY);
    const shifts = [...Array(500).keys()].map((n) => pseudonyms.dateShiftDays(`patient ${n}`));
    assert.ok(shifts.every((days) => Number.isInteger(days) && days <= -31 && days >= -3652));
    assert.ok(new Set(shifts).size > 400);
    assert.equal(pseudonyms.dateShiftDays('a'), new Pseudonyms(KEY).dateShiftDays('a'));
  });

  test('derived UIDs differ by index and are stable', () => {
    const pseudonyms = new Pseudonyms(KEY);
    assert.equal(pseudonyms.derivedUid('2.25.1', 2), derivedUid(KEY, '2.25.1', 2));
    assert.notEqual(pseudonyms.derivedUid('2.25.1', 2), pseudonyms.derivedUid('2.25.1', 3));
    assert.notEqual(pseudonyms.derivedUid('2.25.1', 2), pseudonyms.derivedUid('2.25.2', 2));
  });

  test('a key of another length is a bug of ours', () => {
    assert.throws(() => new Pseudonyms({ bytes: new Uint8Array(31), generation: 1 }), {
      code: 'INVARIANT',
      message: /32 bytes/,
    });
  });

  test('remembering many UIDs does not change them', () => {
    const pseudonyms = new Pseudonyms(KEY);
    const first = pseudonyms.uid(UID);
    for (let index = 0; index < 9000; index++) pseudonyms.uid(`1.2.${index}`);
    assert.equal(pseudonyms.uid(UID), first);
  });
});
