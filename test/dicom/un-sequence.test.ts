/** Sequences in UN of defined length, PS3.5 §6.2.2. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DataSetTokenizer } from '../../src/dicom/tokens.ts';
import { itemsInUn, looksLikeItems, sequenceAround } from '../../src/dicom/un-sequence.ts';
import { type BuildElement, buildDataSet, concatBytes, EXPLICIT_LITTLE, IMPLICIT_LITTLE } from '../build/data-set.ts';

const TAG = 0x00091010;
const ITEMS: readonly BuildElement[][] = [
  [
    ['PatientID', 'P1'],
    ['ReferencedStudySequence', [[['StudyID', 'S1']]]],
  ],
  [],
];

/** The items alone, as they stand in the value of an element. */
function items(transferSyntax: string, definedLengths: boolean): Uint8Array {
  const element = buildDataSet([['RequestAttributesSequence', ITEMS]], { transferSyntax, definedLengths });
  const header = transferSyntax === IMPLICIT_LITTLE ? 8 : 12;
  return element.subarray(header, definedLengths ? undefined : element.length - 8);
}

describe('itemsInUn', () => {
  for (const transferSyntax of [IMPLICIT_LITTLE, EXPLICIT_LITTLE]) {
    for (const definedLengths of [true, false]) {
      test(`finds items in ${transferSyntax} with ${definedLengths ? 'defined' : 'undefined'} lengths`, () => {
        const found = itemsInUn(TAG, items(transferSyntax, definedLengths));
        assert.equal(found?.length, 2);
        assert.equal(found?.[0]?.string(0x00100020), 'P1');
        assert.equal(found?.[0]?.items(0x00081110)[0]?.string(0x00200010), 'S1');
      });
    }
  }

  test('bytes that are something else are no items', () => {
    assert.equal(itemsInUn(TAG, new Uint8Array(0)), undefined);
    assert.equal(itemsInUn(TAG, Uint8Array.from(Buffer.from('private text'))), undefined);
  });

  test('items that break off, or that something follows, look like items and are none', () => {
    const whole = items(IMPLICIT_LITTLE, true);
    for (const broken of [
      whole.subarray(0, whole.length - 3),
      concatBytes(whole, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)),
    ]) {
      assert.equal(looksLikeItems(broken), true);
      assert.equal(itemsInUn(TAG, broken), undefined);
    }
  });
});

test('sequenceAround makes the value readable as tokens of its element', () => {
  const { before, after } = sequenceAround('UN', TAG);
  const tokenizer = new DataSetTokenizer({ explicitVr: true, littleEndian: true });
  for (const bytes of [before, items(IMPLICIT_LITTLE, true), after]) tokenizer.push(bytes);
  const first = tokenizer.next();
  assert.ok(first?.kind === 'sequence-start');
  assert.deepEqual([first.tag, first.vr, first.length], [TAG, 'UN', undefined]);
  assert.equal(tokenizer.next()?.kind, 'item-start');
  const element = tokenizer.next();
  assert.ok(element?.kind === 'element' && element.vr === 'LO');
});
