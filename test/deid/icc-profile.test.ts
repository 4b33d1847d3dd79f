/** ICC profiles: laid out by hand from ISO 15076-1 §7. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { withoutProfileTexts } from '../../src/deid/icc-profile.ts';
import { concatBytes, latin1 } from '../build/data-set.ts';
import { deidentified, instanceWith } from './support/instance.ts';

const TABLE_AT = 128;

function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

/** Header, tag table, the tags' data one after the other. */
function profile(
  tags: readonly (readonly [signature: string, data: Uint8Array])[],
  tail: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const header = new Uint8Array(TABLE_AT);
  header.set(latin1('acsp'), 36);
  header.set(latin1('scnr'), 12);
  header.fill(7, 84, 100);
  let at = TABLE_AT + 4 + tags.length * 12;
  const table: Uint8Array[] = [];
  for (const [signature, data] of tags) {
    table.push(latin1(signature), u32(at), u32(data.length));
    at += data.length;
  }
  return concatBytes(header, u32(tags.length), ...table, ...tags.map(([, data]) => data), tail);
}

const reserved = new Uint8Array(4);
const XYZ = concatBytes(latin1('XYZ '), reserved, u32(1234), u32(5678), u32(9012));
const DESC = concatBytes(latin1('desc'), reserved, u32(8), latin1('Marisol\0'), new Uint8Array(78));
const TEXT = concatBytes(latin1('text'), reserved, latin1('(c) Quillfeather'));
const MLUC = concatBytes(
  latin1('mluc'),
  reserved,
  u32(1),
  u32(12),
  latin1('enUS'),
  u32(14),
  u32(28),
  new Uint8Array(Buffer.from('M\0a\0r\0i\0s\0o\0l\0', 'latin1')),
  reserved.subarray(0, 2),
);
const PRIVATE = concatBytes(latin1('priv'), reserved, latin1('Marisol!'));

describe('ICC profiles', () => {
  test('texts, private tags, gaps and the identifier go, numbers and lengths stay', () => {
    const tags = [['rXYZ', XYZ] as const, ['desc', DESC] as const, ['cprt', TEXT] as const];
    const original = profile([...tags, ['dmnd', MLUC], ['zzzz', PRIVATE]], latin1('Marisol behind'));
    const clean = withoutProfileTexts(original);
    assert.ok(clean !== undefined);
    assert.equal(clean.length, original.length);
    const letters = Buffer.from(clean).toString('latin1').replaceAll('\0', '');
    assert.ok(!/Marisol|Quillfeather/.test(letters));
    assert.ok(Buffer.from(clean).includes(Buffer.from(XYZ)));
    assert.deepEqual(clean.subarray(0, 84), original.subarray(0, 84));
    assert.deepEqual(clean.subarray(84, 100), new Uint8Array(16));
    assert.deepEqual(
      clean.subarray(TABLE_AT, TABLE_AT + 4 + 5 * 12),
      original.subarray(TABLE_AT, TABLE_AT + 4 + 5 * 12),
    );
    const mluc = Buffer.from(clean).indexOf('mluc', TABLE_AT + 64);
    assert.deepEqual(clean.subarray(mluc, mluc + 28), MLUC.subarray(0, 28));
  });

  test('what is no ICC profile is answered with undefined', () => {
    assert.equal(withoutProfileTexts(new Uint8Array(0)), undefined);
    assert.equal(withoutProfileTexts(new Uint8Array(200)), undefined);
    const beyond = profile([['rXYZ', XYZ]]);
    beyond.set(u32(5000), TABLE_AT + 8);
    assert.equal(withoutProfileTexts(beyond), undefined);
    const many = profile([['rXYZ', XYZ]]);
    many.set(u32(0xffffffff), TABLE_AT);
    assert.equal(withoutProfileTexts(many), undefined);
    const overTheTable = profile([['rXYZ', XYZ]]);
    overTheTable.set(u32(0), TABLE_AT + 8);
    assert.equal(withoutProfileTexts(overTheTable), undefined);
  });

  test('in an instance the profile is cleaned, and removed where it is none', () => {
    const icc = 0x00282000;
    const kept = deidentified(instanceWith([icc, 'OB', profile([['desc', DESC]])])).dataSet.bytes(icc);
    assert.equal(kept?.length, profile([['desc', DESC]]).length);
    assert.ok(!Buffer.from(kept ?? []).includes('Marisol'));
    assert.equal(deidentified(instanceWith([icc, 'OB', latin1('Marisol was here')])).dataSet.has(icc), false);
  });
});
