/** Explain: before, action, rule and clause, after; what it says is what the output has. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytesSource } from '../../src/core/bytes.ts';
import { type ExplainLine, explain } from '../../src/deid/explain.ts';
import { compileProfile } from '../../src/deid/profile.ts';
import { buildPart10 } from '../build/data-set.ts';
import { deidentified, instanceWith, KEY } from './support/instance.ts';

const ELEMENTS = instanceWith(
  [0x00091001, 'LO', 'private'],
  [0x00280010, 'US', 512],
  [0x00400275, [[[0x00080050, 'SH', 'ACC1']]]],
);

function lines(profile = 'default'): Map<string, ExplainLine> {
  const found = explain(bytesSource(buildPart10(ELEMENTS)), { profile: compileProfile(profile), key: KEY });
  return new Map(found.map((line) => [line.path, line]));
}

describe('explain', () => {
  test('a removed element has no value after', () => {
    const line = lines().get('(0009,1001)');
    assert.deepEqual([line?.before, line?.action, line?.after], ['private', 'X', undefined]);
    assert.match(line?.clause ?? '', /PS3\.15/);
  });

  test('a pseudonym is the one that the output has', () => {
    const { dataSet } = deidentified(ELEMENTS);
    const line = lines().get('(0010,0020)');
    assert.equal(line?.before, 'HX-4045202');
    assert.equal(line?.after, dataSet.string(0x00100020));
    assert.equal(line?.keyword, 'PatientID');
    assert.equal(line?.vr, 'LO');
  });

  test('nested elements go by their path', () => {
    const line = lines().get('(0040,0275)[0].(0008,0050)');
    assert.equal(line?.before, 'ACC1');
    assert.notEqual(line?.after, 'ACC1');
  });

  test('what stays is K and unchanged; numbers are readable', () => {
    const line = lines().get('(0028,0010)');
    assert.deepEqual([line?.before, line?.action, line?.after], ['512', 'K', '512']);
  });

  test("a site's rule is named", () => {
    const rules =
      'rules:\n  - { name: room, element: Rows, action: remove }\n  - { element: PatientAge, action: keep }\n';
    const explained = lines(`name: site\nbase: ps3.15\n${rules}`);
    assert.deepEqual([explained.get('(0028,0010)')?.rule, explained.get('(0028,0010)')?.clause], ['room', 'profile']);
    assert.equal(explained.get('(0010,1010)')?.rule, 'rule 2');
    assert.equal(explained.get('(0010,1010)')?.after, '062Y');
  });

  test('what is added says so', () => {
    const line = lines().get('(0012,0062)');
    assert.deepEqual([line?.before, line?.after], ['', 'YES']);
  });

  test('every element of the output is explained, and nothing that was removed is in it', () => {
    for (const profile of ['default', 'basic', 'research', 'seed']) {
      const explained = lines(profile);
      const { dataSet } = deidentified(ELEMENTS, profile);
      for (const { tag } of dataSet.elements()) {
        const hex = tag.toString(16).toUpperCase().padStart(8, '0');
        const line = explained.get(`(${hex.slice(0, 4)},${hex.slice(4)})`);
        assert.ok(line?.after !== undefined, `${profile} ${hex}`);
      }
    }
  });
});
