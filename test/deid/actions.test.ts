/** PS3.15 Table E.1-1a: every code with every Type. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { dummyValue, settle } from '../../src/deid/actions.ts';
import type { ActionCode, AttributeType } from '../../src/deid/tables.ts';
import { VRS, type Vr } from '../../src/dicom/vr.ts';

type Row = readonly [
  code: ActionCode,
  type1: string,
  type1C: string,
  type2: string,
  type2C: string,
  type3: string,
  unknown: string,
];

// Columns: what the code is settled to for Type 1, 1C, 2, 2C, 3 and where the Type is not known.
const ELEMENTS: readonly Row[] = [
  ['X', 'D', 'X', 'Z', 'Z', 'X', 'X'],
  ['Z', 'Z', 'Z', 'Z', 'Z', 'Z', 'Z'],
  ['D', 'D', 'D', 'D', 'D', 'D', 'D'],
  ['K', 'K', 'K', 'K', 'K', 'K', 'K'],
  ['C', 'C', 'C', 'C', 'C', 'C', 'C'],
  ['U', 'U', 'U', 'U', 'U', 'U', 'U'],
  ['Z/D', 'D', 'D', 'Z', 'Z', 'Z', 'D'],
  ['X/Z', 'Z', 'Z', 'Z', 'Z', 'Z', 'Z'],
  ['X/D', 'D', 'D', 'Z', 'Z', 'X', 'D'],
  ['X/Z/D', 'D', 'D', 'Z', 'Z', 'Z', 'D'],
  ['X/Z/U*', 'U', 'U', 'U', 'U', 'U', 'U'],
];
const SEQUENCES: readonly Row[] = [
  ['X/Z', 'X', 'X', 'Z', 'Z', 'X', 'X'],
  ['X/Z/D', 'D', 'D', 'Z', 'Z', 'X', 'D'],
];
const TYPES: readonly (AttributeType | undefined)[] = ['1', '1C', '2', '2C', '3', undefined];

describe('action codes', () => {
  for (const [rows, isSequence] of [
    [ELEMENTS, false],
    [SEQUENCES, true],
  ] as const) {
    for (const [code, ...expected] of rows) {
      TYPES.forEach((type, index) => {
        test(`${code} of ${isSequence ? 'a sequence' : 'an element'} of Type ${type ?? 'unknown'}: ${expected[index]}`, () => {
          assert.equal(settle(code, type, isSequence), expected[index]);
        });
      });
    }
  }

  const texts: Readonly<Record<string, string>> = {
    AS: '000Y',
    DA: '19000101',
    DS: '0',
    DT: '19000101000000',
    IS: '0',
    LO: 'REMOVED',
    PN: 'ANONYMOUS',
    TM: '000000',
    UI: '2.25.0',
  };
  for (const [vr, text] of Object.entries(texts)) {
    test(`the dummy of ${vr} is ${text}`, () => {
      assert.equal(Buffer.from(dummyValue(vr as Vr)).toString('latin1'), text);
    });
  }

  test('dummies of binary VRs are one zero value, whole and even', () => {
    for (const vr of ['US', 'SS', 'UL', 'SL', 'FL', 'FD', 'UV', 'SV', 'AT', 'OB', 'OW', 'OF', 'OD', 'UN'] as const) {
      const value = dummyValue(vr);
      assert.ok(
        value.every((byte) => byte === 0),
        vr,
      );
      assert.equal(value.length % VRS[vr].unitBytes, 0, vr);
      assert.equal(value.length % 2, 0, vr);
      assert.ok(value.length >= 2, vr);
    }
    assert.equal(dummyValue('FD').length, 8);
    assert.equal(dummyValue('AT').length, 4);
  });
});
