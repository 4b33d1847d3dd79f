/** De-identification of single elements: private and unknown ones, sequences, UN, references, dates, texts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type BuildElement, concatBytes, latin1 } from '../build/data-set.ts';
import { INSTANCE, moved, PSEUDONYMS, run, withElements } from './support/image.ts';
import { CT } from './support/instance.ts';

describe('de-identify elements', () => {
  test('private elements go, safe ones of Table E.3.10-1 stay with their creator', () => {
    const { dataSet } = run(
      withElements(
        [0x00190010, 'LO', 'SIEMENS MR HEADER'],
        [0x0019100c, 'IS', '1000'],
        [0x0019100f, 'SH', 'Quillfeather'],
        [0x00290010, 'LO', 'Quillfeather'],
        [0x00291001, 'LO', 'x'],
        [0x00310010, 'LO', 'GEMS_PARM_01'],
      ),
    );
    assert.equal(dataSet.string(0x00190010), 'SIEMENS MR HEADER');
    assert.equal(dataSet.string(0x0019100c), '1000');
    for (const tag of [0x0019100f, 0x00290010, 0x00291001, 0x00310010]) assert.equal(dataSet.has(tag), false);
  });

  test('what no table knows goes: unknown elements, group lengths, retired text, curves, overlays, icons', () => {
    const { dataSet } = run(
      withElements(
        [0x001023f1, 'LO', 'Quillfeather'],
        [0x00080000, 'UL', 12],
        [0x00280000, 'UL', 12],
        [0x00080010, 'LO', 'x'],
        [0x50003000, 'OW', new Uint8Array(4)],
        [0x60000010, 'US', 2],
        [0x60003000, 'OW', new Uint8Array(2)],
        ['IconImageSequence', [[['Rows', 1]]]],
      ),
    );
    for (const tag of [
      0x001023f1, 0x00080000, 0x00280000, 0x00080010, 0x50003000, 0x60000010, 0x60003000, 0x00880200,
    ]) {
      assert.equal(dataSet.has(tag), false, tag.toString(16));
    }
  });

  test('sequences are walked to any depth by the same rules', () => {
    let items: BuildElement[] = [
      ['PatientName', 'Quillfeather^M'],
      ['StudyDate', '20230412'],
      [0x00091001, 'LO', 'x'],
    ];
    for (let depth = 0; depth < 20; depth++) items = [['RequestAttributesSequence', [items]]];
    let { dataSet } = run(withElements(...items));
    for (let depth = 0; depth < 20; depth++) {
      const [item] = dataSet.items(0x00400275);
      assert.ok(item !== undefined);
      dataSet = item;
    }
    assert.equal(dataSet.string(0x00080020), moved('20230412'));
    assert.notEqual(dataSet.string(0x00100010), 'Quillfeather^M');
    assert.equal(dataSet.has(0x00091001), false);
  });

  test('items that hide in UN of defined length are walked', () => {
    const tag = Uint8Array.of(0x10, 0x00, 0x10, 0x00, 14, 0, 0, 0); // (0010,0010), 14 bytes, Implicit VR
    const item = concatBytes(Uint8Array.of(0xfe, 0xff, 0x00, 0xe0, 22, 0, 0, 0), tag, latin1('Quillfeather^M'));
    const { dataSet, bytes } = run(withElements([0x00400275, 'UN', item]));
    assert.equal(dataSet.items(0x00400275).length, 1);
    assert.ok(!Buffer.from(bytes).includes('Quillfeather'));
  });

  test('a UN value of a known attribute is read by its VR', () => {
    const { dataSet } = run(
      withElements(['StudyDate', 'UN', latin1('20230412')], ['Manufacturer', 'UN', latin1('ACME')]),
    );
    assert.equal(dataSet.string(0x00080020), moved('20230412'));
    assert.equal(dataSet.element(0x00080070)?.vr, 'LO');
  });

  test('references are mapped as the instances themselves, standard UIDs stay', () => {
    const { dataSet } = run(
      withElements(
        [
          'ReferencedImageSequence',
          [
            [
              ['ReferencedSOPClassUID', CT],
              ['ReferencedSOPInstanceUID', '1.2.826.1.9'],
            ],
          ],
        ],
        ['FrameOfReferenceUID', '1.2.840.10008.1.4.1.1'],
      ),
    );
    const [reference] = dataSet.items(0x00081140);
    assert.equal(reference?.string(0x00081150), CT);
    assert.equal(reference?.string(0x00081155), PSEUDONYMS.uid('1.2.826.1.9'));
    assert.equal(dataSet.string(0x00200052), '1.2.840.10008.1.4.1.1');
  });

  test('a date that is none is emptied or a dummy, never kept', () => {
    const { dataSet } = run(withElements(['StudyDate', 'Quillfea'], ['SeriesDate', '20231399']));
    assert.notEqual(dataSet.string(0x00080020), 'Quillfea');
    assert.notEqual(dataSet.string(0x00080021), '20231399');
  });

  test('texts are read and written in their character set', () => {
    const { dataSet } = run(
      withElements(
        ['SpecificCharacterSet', 'ISO_IR 100'],
        ['PatientName', '\xd8deg\xe5rdstr\xf8m^Kari'],
        ['StudyDescription', 'CT \xd8DEG\xc5RDSTR\xd8M chest'],
        ['SeriesDescription', 'genou plat \xe9 knee'],
      ),
    );
    assert.equal(dataSet.string(0x00081030), 'CT chest');
    assert.equal(dataSet.string(0x0008103e), 'genou é knee');
  });

  test('text in an unknown character set is removed, not guessed', () => {
    const { dataSet } = run(
      withElements(['SpecificCharacterSet', 'KLINGON'], ['StudyDescription', 'caf\xe9'], ['PatientName', 'caf\xe9']),
    );
    assert.equal(dataSet.string(0x00081030), undefined);
  });

  test('numbers in text that are none are cleaned', () => {
    const { dataSet } = run(withElements(['SliceThickness', 'DS', 'Quillf'], ['KVP', 'DS', '120']));
    assert.notEqual(dataSet.string(0x00180050), 'Quillf');
    assert.equal(dataSet.string(0x00180060), '120');
  });

  test('of an element that comes twice only the last is there, and in order', () => {
    const { dataSet } = run([...INSTANCE.slice(0, -1), ['Modality', 'MR'], ['Rows', 2]]);
    const tags = [...dataSet.elements()].map(({ tag }) => tag);
    assert.deepEqual(
      tags,
      [...new Set(tags)].sort((a, b) => a - b),
    );
  });
});
