/** De-identification of what an object has beside its elements: file meta, pixels, report trees, documents. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type BuildElement, concatBytes, latin1 } from '../build/data-set.ts';
import { INSTANCE, run, withElements } from './support/image.ts';

const JPEG_BASELINE = '1.2.840.10008.1.2.4.50';

describe('de-identify objects', () => {
  test('file meta information and preamble are written new', () => {
    const { bytes, file } = run(INSTANCE, {
      preamble: new Uint8Array(128).fill(0x41),
      meta: [
        [0x00020016, 'AE', 'DRUMWEX'],
        [0x00020100, 'UI', '1.2.3'],
        [0x00020102, 'OB', latin1('Quillfeather')],
      ],
    });
    assert.ok(bytes.subarray(0, 128).every((byte) => byte === 0));
    for (const tag of [0x00020016, 0x00020100, 0x00020102]) assert.equal(file.fileMeta.has(tag), false);
  });

  test('bytes behind the pixels, inside the element and behind the data set, stay behind', () => {
    const { dataSet, bytes } = run(
      withElements(
        ['PixelData', 'OW', concatBytes(Uint8Array.of(1, 0, 2, 0, 3, 0, 4, 0), latin1('Quillfeather'))],
        [0xfffcfffc, 'OB', latin1('Quillfeather')],
      ),
      { trailing: latin1('Quillfeather!') },
    );
    assert.equal(dataSet.bytes(0x7fe00010)?.length, 8);
    assert.ok(!Buffer.from(bytes).includes('Quillfeather'));
  });

  test('pixels inside of a sequence have a size of their own', () => {
    const inner = [
      ['Rows', 2],
      ['Columns', 4],
      ['BitsAllocated', 16],
      ['PixelData', 'OW', new Uint8Array(16).fill(7)],
    ];
    const { dataSet } = run(withElements(['SourceImageSequence', [inner]] as unknown as BuildElement));
    assert.equal(dataSet.items(0x00082112)[0]?.bytes(0x7fe00010)?.length, 16);
    assert.equal(dataSet.bytes(0x7fe00010)?.length, 8);
  });

  test('fragments pass as bytes, without the comments in them', () => {
    const jpeg = concatBytes(
      Uint8Array.of(0xff, 0xd8, 0xff, 0xfe, 0, 14),
      latin1('Quillfeather'),
      Uint8Array.of(0xff, 0xd9),
    );
    const { file, bytes } = run(withElements(['PixelData', 'OB', { fragments: [new Uint8Array(0), jpeg] }]), {
      transferSyntax: JPEG_BASELINE,
    });
    const fragments = file.dataSet.element(0x7fe00010)?.fragments ?? [];
    assert.deepEqual(
      fragments.map(({ length }) => length),
      [0, jpeg.length],
    );
    assert.ok(!Buffer.from(bytes).includes('Quillfeather'));
  });

  test('structured reports keep their tree, their numbers and harmless text', () => {
    const concept = (code: string, scheme: string): BuildElement => [
      'ConceptNameCodeSequence',
      [
        [
          ['CodeValue', code],
          ['CodingSchemeDesignator', scheme],
          ['CodeMeaning', 'Finding'],
        ],
      ],
    ];
    const text = (code: string, scheme: string, value: string): BuildElement[] => [
      ['RelationshipType', 'CONTAINS'],
      ['ValueType', 'TEXT'],
      concept(code, scheme),
      ['TextValue', value],
    ];
    const report = [
      ...INSTANCE.slice(0, -10),
      ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.88.33'],
      [
        'ContentSequence',
        [
          text('121071', 'DCM', 'Mr Quillfeather shows a 7 mm nodule. Discussed with Dr Fosulvzan.'),
          text('110190', 'DCM', 'removed with its item'),
          [['ValueType', 'PNAME'], concept('121008', 'DCM'), ['PersonName', 'Kelquindren^A']],
        ],
      ],
    ] as BuildElement[];
    const [finding, person, none] = run(report).dataSet.items(0x0040a730);
    assert.equal(finding?.string(0x0040a160), 'shows a 7 mm nodule. Discussed.');
    assert.equal(person?.string(0x0040a123), 'ANONYMOUS');
    assert.equal(none, undefined);
    const [plain] = run(report, { profile: 'basic' }).dataSet.items(0x0040a730);
    assert.equal(plain?.string(0x0040a160), 'REMOVED');
  });

  test('the verifying observer becomes nobody, with codes and organization', () => {
    const { dataSet } = run(
      withElements([
        'VerifyingObserverSequence',
        [
          [
            ['VerifyingOrganization', 'Sardrumolt Radiology'],
            ['VerifyingObserverName', 'Pezbarhul^X'],
            [
              'PersonIdentificationCodeSequence',
              [
                [
                  ['CodeValue', '4711'],
                  ['CodeMeaning', 'Pezbarhul'],
                ],
              ],
            ],
          ],
        ],
      ]),
    );
    const [observer] = dataSet.items(0x0040a073);
    assert.equal(observer?.string(0x0040a075), 'ANONYMOUS');
    assert.notEqual(observer?.string(0x0040a027), 'Sardrumolt Radiology');
  });

  test('replacements take the place of the pixels, with their transfer syntax, and are on record', () => {
    const { dataSet, file } = run(withElements(['BurnedInAnnotation', 'YES']), {
      replacements: {
        replace: new Map([
          [0x7fe00010, { kind: 'fragments', vr: 'OB', fragments: () => [Uint8Array.of(1, 2, 3)] }],
          [0x00280004, { kind: 'value', vr: 'CS', value: latin1('MONOCHROME1') }],
          [0x00281050, { kind: 'value', vr: 'DS', value: latin1('40') }],
          [0x00280103, { kind: 'remove' }],
        ]),
        transferSyntaxUid: JPEG_BASELINE,
        burnedIn: 'NO',
        methodCodes: ['113101'],
      },
    });
    assert.equal(file.transferSyntax.uid, JPEG_BASELINE);
    assert.equal(dataSet.string(0x00280301), 'NO');
    assert.equal(dataSet.string(0x00280004), 'MONOCHROME1');
    assert.equal(dataSet.string(0x00281050), '40');
    assert.equal(dataSet.has(0x00280103), false);
    assert.deepEqual(
      dataSet.element(0x7fe00010)?.fragments?.map(({ length }) => length),
      [0, 4],
    );
    assert.ok(dataSet.items(0x00120064).some((item) => item.string(0x00080100) === '113101'));
  });

  test('an encapsulated document is held, a directory is no instance, an instance without UID is held', () => {
    const pdf: BuildElement[] = [...INSTANCE.slice(0, -10), [0x00420011, 'OB', latin1('%PDF-1.4')]];
    assert.throws(() => run(pdf), { code: 'DEID_UNSUPPORTED_CONTENT' });
    assert.throws(() => run(withElements(['SOPClassUID', '1.2.840.10008.1.3.10'])), {
      code: 'DEID_UNSUPPORTED_CONTENT',
    });
    const nameless = INSTANCE.filter(([tag]) => tag !== 'SOPInstanceUID');
    assert.throws(() => run(nameless), { code: 'DEID_UNSUPPORTED_CONTENT' });
  });
});
