/** Which volumes may show a face, and what each policy does with them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deidentified, instanceWith } from './support/instance.ts';

type Elements = readonly (readonly [number, ...unknown[]])[];

function flagged(...elements: Elements): boolean {
  const { dataSet, result } = deidentified(instanceWith(...elements));
  assert.equal(dataSet.string(0x00280302) === 'YES', result.recognizableFace);
  return result.recognizableFace;
}

describe('faces', () => {
  const may: readonly (readonly [string, Elements])[] = [
    ['a CT of the head', [[0x00180015, 'CS', 'HEAD']]],
    [
      'an MR of the brain',
      [
        [0x00080060, 'CS', 'MR'],
        [0x00180015, 'CS', 'BRAIN'],
      ],
    ],
    [
      'a PET of the whole body',
      [
        [0x00080060, 'CS', 'PT'],
        [0x00180015, 'CS', 'WHOLEBODY'],
      ],
    ],
    ['a description that says so', [[0x0008103e, 'LO', 'AX SKULL BASE']]],
    [
      'a coded region',
      [
        [
          0x00082218,
          [
            [
              [0x00080100, 'SH', '69536005'],
              [0x00080102, 'SH', 'SCT'],
            ],
          ],
        ],
      ],
    ],
    ['an instance that says so itself', [[0x00280302, 'CS', 'YES']]],
  ];
  for (const [what, elements] of may) test(`${what} may show one`, () => assert.ok(flagged(...elements)));

  const cannot: readonly (readonly [string, Elements])[] = [
    ['a CT of the chest', []],
    [
      'an X-ray of the skull',
      [
        [0x00080060, 'CS', 'DX'],
        [0x00180015, 'CS', 'SKULL'],
      ],
    ],
    [
      'a localizer of the head',
      [
        [0x00080008, 'CS', 'ORIGINAL\\PRIMARY\\LOCALIZER'],
        [0x00180015, 'CS', 'HEAD'],
      ],
    ],
    [
      'thick slices of the head',
      [
        [0x00180015, 'CS', 'HEAD'],
        [0x00180050, 'DS', '8'],
      ],
    ],
    [
      'an instance that says so itself',
      [
        [0x00180015, 'CS', 'HEAD'],
        [0x00280302, 'CS', 'NO'],
      ],
    ],
  ];
  for (const [what, elements] of cannot) test(`${what} shows none`, () => assert.ok(!flagged(...elements)));

  test('a profile may hold them, or not care', () => {
    const head = instanceWith([0x00180015, 'CS', 'HEAD']);
    assert.throws(() => deidentified(head, 'name: a\nbase: ps3.15\nfaces: hold\n'), { code: 'DEID_RECOGNIZABLE_FACE' });
    assert.equal(deidentified(head, 'basic').result.recognizableFace, false);
  });

  test('the code of the option is not written: nothing was cleaned', () => {
    const { dataSet } = deidentified(instanceWith([0x00180015, 'CS', 'HEAD']));
    assert.ok(!dataSet.items(0x00120064).some((item) => item.string(0x00080100) === '113102'));
  });
});
