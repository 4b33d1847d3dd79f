/** The generated tables against the standard's own, row by row, and how they answer for families and places. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import {
  contentItemRow,
  EDITION,
  isSafeGroup,
  isSafePrivate,
  listedTags,
  rowOf,
  typeOf,
} from '../../src/deid/tables.ts';
import { sharedPath, skipWithout } from '../support/shared.ts';

interface ActionRow {
  id: string | null;
  tag: string;
  basicProfile: string;
  options: Record<string, string>;
}

const CT = '1.2.840.10008.5.1.4.1.1.2';
const ENHANCED_CT = '1.2.840.10008.5.1.4.1.1.2.1';

describe('tables of PS3.15 Annex E', () => {
  const skip = skipWithout('standard');

  test('every row of Table E.1-1 is answered as the standard has it', { skip }, () => {
    const table = load<{ edition: string; rows: ActionRow[] }>('ps3.15-e1-1.json');
    assert.equal(EDITION, table.edition);
    let rows = 0;
    for (const { id, basicProfile, options } of table.rows) {
      if (id === null) continue;
      const tag = Number.parseInt(
        id
          .toLowerCase()
          .replace(/^(50|60)xx/, '$102')
          .replaceAll('x', '0'),
        16,
      );
      assert.equal(rowOf(tag)?.basic, basicProfile, id);
      assert.deepEqual(rowOf(tag)?.options, options, id);
      rows++;
    }
    assert.ok(rows > 600);
  });

  test('nothing is listed that the standard does not list', { skip }, () => {
    const table = load<{ rows: ActionRow[] }>('ps3.15-e1-1.json');
    const ids = new Set(table.rows.map((row) => row.id?.toUpperCase()));
    for (const tag of listedTags())
      assert.ok(ids.has(tag.toString(16).toUpperCase().padStart(8, '0')), tag.toString(16));
  });

  test('every row of Table E.3.10-1 is safe, and its neighbours are not', { skip }, () => {
    const { rows } = load<{ rows: { group: string; element: string; privateCreator: string }[] }>(
      'ps3.15-e3-10-1-safe-private.json',
    );
    for (const { group, element, privateCreator } of rows) {
      const number = Number.parseInt(group, 16);
      assert.ok(isSafeGroup(number), group);
      assert.ok(
        isSafePrivate(number, privateCreator, Number.parseInt(element, 16)),
        `${group} ${privateCreator} ${element}`,
      );
    }
    assert.ok(isSafePrivate(0x0019, 'SIEMENS MR HEADER', 0x110c));
    assert.ok(!isSafePrivate(0x0019, 'SIEMENS MR HEADER', 0x110b));
    assert.ok(!isSafePrivate(0x0021, 'SIEMENS MR HEADER', 0x110c));
    assert.ok(!isSafePrivate(0x0019, 'siemens mr header', 0x110c));
    assert.ok(!isSafePrivate(0x0019, 'SIEMENS MR HEADER ', 0x110c));
    assert.ok(!isSafeGroup(0x0009));
  });

  test('every row of Table E.3.4-1 is found by code and scheme', { skip }, () => {
    const { rows } = load<{ rows: { codeValue: string; codingSchemeDesignator: string; basicProfile: string }[] }>(
      'ps3.15-e3-4-1-content-items.json',
    );
    for (const { codeValue, codingSchemeDesignator, basicProfile } of rows) {
      assert.ok(contentItemRow(codeValue, codingSchemeDesignator) !== undefined, codeValue);
      assert.ok(basicProfile.length > 0);
    }
    assert.equal(contentItemRow('111018', '99LOCAL'), undefined);
  });

  test('curves are listed in every even group of 50xx, overlay data and comments in 60xx', () => {
    assert.equal(rowOf(0x50000010)?.basic, 'X');
    assert.equal(rowOf(0x501e3000)?.options.cleanGraphics, 'C');
    assert.equal(rowOf(0x60103000)?.basic, 'X');
    assert.equal(rowOf(0x60104000)?.basic, 'X');
    assert.equal(rowOf(0x60100010), undefined);
  });

  test('Types are those of the IOD: Patient ID is Type 2 in CT, Content Date Type 1 in functional groups', () => {
    assert.equal(typeOf(CT, undefined, 0x00100020), '2');
    assert.equal(typeOf(CT, undefined, 0x0020000d), '1');
    assert.equal(typeOf(ENHANCED_CT, undefined, 0x00080023), '1');
    assert.equal(typeOf('1.2.840.10008.5.1.4.1.1.66.4', undefined, 0x00080023), '1');
  });

  test('a Type belongs to a place: inside a sequence an attribute is another', () => {
    assert.equal(typeOf(CT, 0x00081111, 0x00081155), '1');
    assert.notEqual(typeOf(CT, undefined, 0x00081155), '1');
  });

  test('of an unknown SOP class no Type is known', () => {
    assert.equal(typeOf('1.2.3', undefined, 0x00100020), undefined);
  });
});

function load<Value>(name: string): Value {
  return JSON.parse(readFileSync(sharedPath('standard', name), 'utf8')) as Value;
}
