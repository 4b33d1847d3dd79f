/** Private elements that an instance itself declares safe: PS3.15 §E.3.10, PS3.3 §C.12.1.1.7. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deidentified, instanceWith } from './support/instance.ts';

type Item = readonly (readonly [number, ...unknown[]])[];

const PRIVATE: Item = [
  [0x00290010, 'LO', 'WEX 1.0'],
  [0x00291001, 'LO', 'gain 7'],
  [0x00291002, 'LO', 'Quillfeather'],
  [0x00291003, 'UI', '1.2.826.1.77'],
  [0x00291004, 'PN', 'Zyxwq^A'],
  [0x00291005, 'LO', 'Zyxwq'],
];

function declared(profile: string, ...more: Item): ReturnType<typeof deidentified>['dataSet'] {
  const item = [[0x00080301, 'US', 0x29], [0x00080302, 'LO', 'WEX 1.0'], ...more];
  return deidentified(instanceWith([0x00080300, [item]], ...PRIVATE), profile).dataSet;
}

const MIXED: Item = [
  [0x00080303, 'CS', 'MIXED'],
  [0x00080304, 'US', [1]],
];

describe('private elements that are declared', () => {
  test('a SAFE block stays, freed of what is known to identify', () => {
    const dataSet = declared('default', [0x00080303, 'CS', 'SAFE']);
    assert.equal(dataSet.string(0x00290010), 'WEX 1.0');
    assert.equal(dataSet.string(0x00291001), 'gain 7');
    assert.notEqual(dataSet.string(0x00291002), 'Quillfeather');
    assert.match(dataSet.string(0x00291003) ?? '', /^2\.25\./);
    assert.equal(dataSet.has(0x00291004), false, 'a name is never safe');
  });

  test('of a MIXED block only what is declared not identifying stays', () => {
    const dataSet = declared('default', ...MIXED);
    assert.equal(dataSet.string(0x00291001), 'gain 7');
    for (const tag of [0x00291002, 0x00291003, 0x00291004, 0x00291005]) assert.equal(dataSet.has(tag), false);
  });

  test('the action that is declared for an identifying element is carried out', () => {
    const action = (name: string, element: number) => [
      [0x00080306, 'US', [element]],
      [0x00080307, 'CS', name],
    ];
    const dataSet = declared('default', ...MIXED, [
      0x00080305,
      [action('D', 5), action('U', 3), action('Z', 2), action('Q', 4)],
    ]);
    assert.equal(dataSet.string(0x00291005), 'REMOVED');
    assert.match(dataSet.string(0x00291003) ?? '', /^2\.25\./);
    assert.equal(dataSet.element(0x00291002)?.length, 0);
    assert.equal(dataSet.has(0x00291004), false);
  });

  test('an UNSAFE block, another creator and a profile without the option keep nothing', () => {
    assert.equal(declared('default', [0x00080303, 'CS', 'UNSAFE']).has(0x00291001), false);
    assert.equal(declared('basic', [0x00080303, 'CS', 'SAFE']).has(0x00291001), false);
    const item = [
      [0x00080301, 'US', 0x29],
      [0x00080302, 'LO', 'OTHER'],
      [0x00080303, 'CS', 'SAFE'],
    ];
    const other = deidentified(instanceWith([0x00080300, [item]], ...PRIVATE)).dataSet;
    assert.equal(other.has(0x00291001), false);
    assert.equal(other.has(0x00290010), false);
  });
});
