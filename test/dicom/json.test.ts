/** The DICOM JSON Model, PS3.18 Annex F. The expected values are what pydicom's `to_json_dict` answers. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytesSource } from '../../src/core/bytes.ts';
import { type DicomJsonOptions, toDicomJson } from '../../src/dicom/json.ts';
import { readPart10 } from '../../src/dicom/part10.ts';
import { type BuildElement, buildPart10, EXPLICIT_BIG, EXPLICIT_LITTLE } from '../build/data-set.ts';

function json(
  elements: readonly BuildElement[],
  options: DicomJsonOptions = {},
  transferSyntax = EXPLICIT_LITTLE,
): unknown {
  const { dataSet } = readPart10(bytesSource(buildPart10(elements, transferSyntax)), { wholeValueBytesMax: 100 });
  return toDicomJson(dataSet, options);
}

describe('toDicomJson', () => {
  test('text, with empty values as null and none left out', () => {
    assert.deepEqual(
      json([
        ['ImageType', 'ORIGINAL\\\\X'],
        ['PatientID', ''],
      ]),
      {
        '00080008': { vr: 'CS', Value: ['ORIGINAL', null, 'X'] },
        '00100020': { vr: 'LO' },
      },
    );
  });

  test('person names by component group, in UTF-8', () => {
    const name = 'Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=';
    assert.deepEqual(
      json([
        ['SpecificCharacterSet', 'GB18030'],
        ['PatientName', name],
      ]),
      {
        '00080005': { vr: 'CS', Value: ['ISO_IR 192'] },
        '00100010': { vr: 'PN', Value: [{ Alphabetic: 'Wang^XiaoDong', Ideographic: '王^小东' }] },
      },
    );
  });

  test('numbers as numbers, decimal strings too; what is none stays text', () => {
    assert.deepEqual(
      json([
        ['Rows', 512],
        ['PixelSpacing', '0.5\\1e3\\a'],
        ['InstanceNumber', ' 7 '],
        ['FrameIncrementPointer', 0x00181063],
      ]),
      {
        '00280010': { vr: 'US', Value: [512] },
        '00280030': { vr: 'DS', Value: [0.5, 1000, 'a'] },
        '00200013': { vr: 'IS', Value: [7] },
        '00280009': { vr: 'AT', Value: ['00181063'] },
      },
    );
  });

  test('numbers that JSON cannot say are text', () => {
    assert.deepEqual(
      json([['ImagePositionVolume', [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]]]),
      {
        '00209301': { vr: 'FD', Value: ['NaN', 'inf', '-inf'] },
      },
    );
  });

  test('bytes in base64, in little endian whatever the file', () => {
    for (const transferSyntax of [EXPLICIT_LITTLE, EXPLICIT_BIG]) {
      const value = transferSyntax === EXPLICIT_BIG ? Uint8Array.of(1, 2, 3, 4) : Uint8Array.of(2, 1, 4, 3);
      assert.deepEqual(json([['PixelData', 'OW', value]], {}, transferSyntax), {
        '7FE00010': { vr: 'OW', InlineBinary: 'AgEEAw==' },
      });
    }
  });

  test('sequences as lists of objects; group lengths are left out', () => {
    assert.deepEqual(
      json([
        [0x00080000, 'UL', 4],
        ['RequestAttributesSequence', [[['StudyID', 'S']], []]],
        ['ReferencedStudySequence', 'SQ', []],
      ]),
      {
        '00400275': { vr: 'SQ', Value: [{ '00200010': { vr: 'SH', Value: ['S'] } }, {}] },
        '00081110': { vr: 'SQ' },
      },
    );
  });

  test('a value that is not in memory is named by the caller, with its path', () => {
    const elements: BuildElement[] = [['IconImageSequence', [[['PixelData', 'OB', new Uint8Array(200)]]]]];
    const bulkDataUri: DicomJsonOptions['bulkDataUri'] = (element, path) => `/bulk/${path.join('.')}/${element.length}`;
    assert.deepEqual(json(elements, { bulkDataUri }), {
      '00880200': {
        vr: 'SQ',
        Value: [{ '7FE00010': { vr: 'OB', BulkDataURI: `/bulk/${0x00880200}.${0x7fe00010}/200` } }],
      },
    });
    assert.deepEqual(json(elements), { '00880200': { vr: 'SQ', Value: [{ '7FE00010': { vr: 'OB' } }] } });
  });
});
