/** Values as `DataSet` answers them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytesSource } from '../../src/core/bytes.ts';
import { ALL_ELEMENTS, type DataSet } from '../../src/dicom/data-set.ts';
import { readDataSet } from '../../src/dicom/data-set-reader.ts';
import { tagOfKeyword } from '../../src/dicom/dictionary.ts';
import { type BuildElement, buildDataSet, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE } from '../build/data-set.ts';

function read(elements: readonly BuildElement[], transferSyntax = EXPLICIT_LITTLE): DataSet {
  return readDataSet(bytesSource(buildDataSet(elements, transferSyntax)), {
    explicitVr: transferSyntax !== IMPLICIT_LITTLE,
    littleEndian: transferSyntax !== EXPLICIT_BIG,
  });
}

function tag(keyword: string): number {
  return tagOfKeyword(keyword) ?? assert.fail(keyword);
}

describe('text', () => {
  test('padding goes, inner and meant spaces stay', () => {
    const dataSet = read([
      ['SOPInstanceUID', '1.2.3'], // padded with NUL
      ['PatientName', ' Doe^Jane  '],
      ['PatientComments', '  indented \n text '], // LT: leading spaces are significant
    ]);
    assert.equal(dataSet.string(tag('SOPInstanceUID')), '1.2.3');
    assert.equal(dataSet.string(tag('PatientName')), 'Doe^Jane');
    assert.equal(dataSet.string(tag('PatientComments')), '  indented \n text');
  });

  test('values are split at backslashes, empty ones keep their place', () => {
    const dataSet = read([
      ['ImageType', 'ORIGINAL\\PRIMARY\\\\X '],
      ['OtherPatientIDs', '\\B'],
    ]);
    assert.deepEqual(dataSet.strings(tag('ImageType')), ['ORIGINAL', 'PRIMARY', '', 'X']);
    assert.equal(dataSet.string(tag('OtherPatientIDs')), undefined);
  });

  test('a backslash in ST, LT, UT and UR is a character', () => {
    assert.deepEqual(read([['InstitutionAddress', 'a\\b']]).strings(tag('InstitutionAddress')), ['a\\b']);
  });

  test('absent and empty are undefined and no values', () => {
    const dataSet = read([
      ['PatientID', ''],
      ['StudyID', '    '],
    ]);
    for (const keyword of ['PatientID', 'StudyID', 'PatientName']) {
      assert.equal(dataSet.string(tag(keyword)), undefined);
      assert.deepEqual(dataSet.strings(tag(keyword)), []);
    }
    assert.deepEqual([dataSet.has(tag('PatientID')), dataSet.has(tag('PatientName'))], [true, false]);
  });

  test('Specific Character Set applies to what it may, and to items unless they have their own', () => {
    const dataSet = read([
      ['SpecificCharacterSet', 'ISO_IR 144'],
      ['PatientName', '\xbb'],
      [
        0x00081111,
        'SQ',
        [
          [['StudyDescription', '\xbb']],
          [
            ['SpecificCharacterSet', 'ISO_IR 100'],
            ['StudyDescription', '\xbb'],
          ],
        ],
      ],
    ]);
    assert.equal(dataSet.string(tag('PatientName')), 'Л');
    assert.deepEqual(
      dataSet.items(0x00081111).map((item) => item.string(tag('StudyDescription'))),
      ['Л', '»'],
    );
  });

  test('an unknown character set leaves ASCII readable and refuses the rest', () => {
    const dataSet = read([
      ['SpecificCharacterSet', 'ISO_IR 999'],
      ['PatientName', 'Doe^J\xfcrgen'],
      ['PatientID', 'P1'],
    ]);
    assert.equal(dataSet.string(tag('PatientID')), 'P1');
    assert.throws(() => dataSet.string(tag('PatientName')), { code: 'DICOM_CHARSET_UNKNOWN' });
    assert.throws(() => dataSet.characterSet, { code: 'DICOM_CHARSET_UNKNOWN' });
  });

  test('a value in UN is read by the VR that the dictionary knows', () => {
    const dataSet = read(
      [
        ['PatientID', 'UN', 'P1'],
        ['Rows', 'UN', Uint8Array.of(2, 1)],
        [0x00091001, 'UN', Uint8Array.of(7, 9)],
      ],
      EXPLICIT_BIG,
    );
    assert.equal(dataSet.string(tag('PatientID')), 'P1');
    assert.equal(dataSet.number(tag('Rows')), 0x102);
    assert.deepEqual(dataSet.numbers(0x00091001), [7, 9]);
  });
});

describe('numbers', () => {
  for (const transferSyntax of [IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG]) {
    test(`of every binary VR in ${transferSyntax}`, () => {
      const cases: readonly (readonly [number, string, readonly number[]])[] = [
        [tag('Rows'), 'US', [65535]],
        [tag('SimpleFrameList'), 'UL', [1, 4294967295]],
        [tag('ReferencePixelX0'), 'SL', [-2147483648]],
        [tag('ImagePositionVolume'), 'FD', [-0.1, 1e300, 2]],
        [tag('GraphicData'), 'FL', [0.5, -0.25]],
        [tag('FrameIncrementPointer'), 'AT', [0x00181063]],
        [tag('OverlayOrigin'), 'SS', [-3, 1]],
        [tag('ExtendedOffsetTable'), 'OV', [0, 5_000_000_000]],
        [tag('SelectorSVValue'), 'SV', [-5_000_000_000]],
      ];
      for (const [at, vr, numbers] of cases) {
        assert.deepEqual(read([[at, vr, numbers]], transferSyntax).numbers(at), numbers, vr);
      }
    });
  }

  test('of DS and IS, NaN where it is no number', () => {
    const dataSet = read([['PixelSpacing', '0.5 \\ -1.5E+2\\1,5\\\\0x10']]);
    assert.deepEqual(dataSet.numbers(tag('PixelSpacing')), [0.5, -150, Number.NaN, Number.NaN, Number.NaN]);
    assert.equal(read([['InstanceNumber', 'many']]).number(tag('InstanceNumber')), undefined);
    assert.equal(read([['InstanceNumber', ' +12 ']]).number(tag('InstanceNumber')), 12);
  });

  test('as text: decimal, tags as eight digits', () => {
    const dataSet = read([
      ['Rows', 512],
      ['FrameIncrementPointer', 0x00181063],
    ]);
    assert.equal(dataSet.string(tag('Rows')), '512');
    assert.equal(dataSet.string(tag('FrameIncrementPointer')), '00181063');
  });

  test('a last incomplete unit is left out', () => {
    assert.deepEqual(read([['Rows', 'US', Uint8Array.of(1, 0, 2, 0, 9, 9)]]).numbers(tag('Rows')), [1, 2, 0x909]);
    assert.deepEqual(read([['SimpleFrameList', 'UL', Uint8Array.of(1, 0)]]).numbers(tag('SimpleFrameList')), []);
  });
});

describe('structure', () => {
  test('elements come in the order of the file, duplicates too; lookups answer the last; both are reported', () => {
    const dataSet = read([
      ['PatientID', 'first'],
      ['StudyID', 'S'],
      ['PatientID', 'second'],
      ['Modality', 'CT'],
    ]);
    assert.equal([...dataSet.elements()].length, 4);
    assert.equal(dataSet.string(tag('PatientID')), 'second');
    assert.deepEqual(dataSet.warnings, [
      { kind: 'duplicate', tag: tag('PatientID') },
      { kind: 'out-of-order', tag: tag('Modality') },
    ]);
  });

  test('an element tells the extent of its value, of undefined lengths too', () => {
    const bytes = buildDataSet([
      ['Rows', 1],
      ['RequestAttributesSequence', [[['StudyID', 'S1']]]],
    ]);
    const elements = [...readDataSet(bytesSource(bytes), { explicitVr: true, littleEndian: true }).elements()];
    for (const { offset, length } of elements) assert.ok(offset + length <= bytes.length);
    const sequence = elements.find(({ items }) => items !== undefined);
    // item (8), element (8 + 2), item delimitation (8), sequence delimitation (8)
    assert.equal(sequence?.length, 34);
  });

  test('there are no items where there is no sequence', () => {
    assert.deepEqual(read([['PatientID', 'P']]).items(tag('PatientID')), []);
  });
});

describe('a data set that is like another', () => {
  const NAME = 0x00100010;
  const NUMBER = 0x00200013;
  const first = read([
    [NAME, 'PN', 'A'],
    [NUMBER, 'IS', '1'],
    [0x00204000, 'LT', 'x'],
  ]);
  const other = first.like([
    { index: 1, element: { tag: NUMBER, vr: 'IS', offset: 0, length: 2, value: Buffer.from('22') } },
  ]);

  test('differs in the elements that were given, and in nothing else', () => {
    assert.deepEqual([other.string(NAME), other.string(NUMBER), other.string(0x00204000)], ['A', '22', 'x']);
    assert.deepEqual([first.string(NUMBER), first.string(NAME)], ['1', 'A']);
    assert.deepEqual(
      [...other.elements()].map(({ tag }) => tag),
      [...first.elements()].map(({ tag }) => tag),
    );
    assert.ok(other.someTag((tag) => tag === NUMBER) && !other.someTag((tag) => tag === 1));
  });

  test('what was derived is taken over where nothing that was asked for differs', () => {
    let count = 0;
    const ofName = (dataSet: DataSet): string => `${++count} ${dataSet.string(NAME)}`;
    const ofNumber = (dataSet: DataSet): string => `${++count} ${dataSet.string(NUMBER)}`;
    const ofAll = (dataSet: DataSet): string => `${++count} ${[...dataSet.elements()].length}`;
    const throughAnother = (dataSet: DataSet): string => `${++count} of ${dataSet.derive(ofNumber)}`;
    assert.deepEqual([first.derive(ofName), first.derive(ofName), other.derive(ofName)], ['1 A', '1 A', '1 A']);
    assert.deepEqual([first.derive(ofNumber), other.derive(ofNumber), other.derive(ofNumber)], ['2 1', '3 22', '3 22']);
    assert.deepEqual([first.derive(ofAll), other.derive(ofAll)], ['4 3', '5 3']);
    assert.deepEqual([first.derive(throughAnother), other.derive(throughAnother)], ['6 of 2 1', '7 of 3 22']);
  });

  test('a watch sees what was asked for, within others too, unless it was said not to count', () => {
    const { result, asked } = first.watch(() => {
      first.string(NAME);
      first.unwatched(() => first.string(NUMBER));
      return first.watch(() => first.has(0x00280010)).asked;
    });
    assert.deepEqual([...result], [0x00280010]);
    assert.deepEqual([...asked].sort(), [NAME, 0x00280010].sort());
    assert.ok(first.watch(() => [...first.elements()]).asked.has(ALL_ELEMENTS));
    assert.throws(
      () =>
        first.watch(() => {
          throw new Error('stopped');
        }),
      /stopped/,
    );
    assert.equal(first.watch(() => first.string(NAME)).asked.size, 1);
  });
});
