/** What becomes of lines that were read: which go, which may stay, which are a doubt. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { boxesOfDetail, boxesText } from '../../../src/deid/burned-in/boxes-text.ts';
import { judge } from '../../../src/deid/burned-in/judge.ts';
import { identityMatcher, isHarmless } from '../../../src/deid/burned-in/reading.ts';
import { IdentityCollector } from '../../../src/deid/identity.ts';
import type { TextLine } from '../../../src/text-detection/read-tile.ts';

function line(text: string, confidence: number, at: Partial<TextLine['box']> = {}, score = 0.95): TextLine {
  return { text, confidence, score, box: { x: 0, y: 0, width: 100, height: 20, ...at } };
}

function known(): (text: string) => boolean {
  const collector = new IdentityCollector();
  collector.add('name', 'Quennell^Marisol');
  collector.add('identifier', 'HX-4045202');
  collector.add('date', '19610314');
  return identityMatcher(collector.identity());
}

const ALL = { redact: 'all-text', isKnown: known(), inCompany: false } as const;

describe('a line', () => {
  test('goes when three characters of it were read surely', () => {
    assert.equal(judge([line('Larkspurdale', 0.71)], ALL).text.length, 1);
    assert.equal(judge([line('ab', 0.99)], ALL).text.length, 0);
  });

  test('is a doubt when it was nearly read, and nothing when it was not', () => {
    assert.equal(judge([line('Larkspurdale', 0.6)], ALL).doubtful.length, 1);
    assert.deepEqual(judge([line('Larkspurdale', 0.4)], ALL), { text: [], doubtful: [], known: [] });
  });

  test('that was hardly read goes in the company of one that was', () => {
    const lines = [line('QUENNELL', 0.9), line('IDA', 0.6, { y: 60 }), line('x', 0.55, { y: 120 })];
    const { text, doubtful } = judge(lines, ALL);
    assert.equal(text.length, 3);
    assert.equal(doubtful.length, 0);
  });

  test('is not one when it is as high as an organ and hardly read', () => {
    const lines = [line('QUENNELL', 0.9), line('x', 0.75, { y: 60, width: 280, height: 210 })];
    assert.equal(judge(lines, ALL).text.length, 1);
  });

  test('goes with what is marked but not read beside it, across and down', () => {
    const rest = (at: Partial<TextLine['box']>) => line('', 0, at, 0.6);
    const one = [line('12.06.1974', 0.9)];
    assert.equal(judge([...one, rest({ x: 110, width: 60 })], ALL).text.length, 3);
    assert.equal(judge([...one, rest({ x: 150, width: 60 })], ALL).text.length, 1);
    assert.equal(judge([...one, rest({ x: 110, width: 60, height: 40 })], ALL).text.length, 1);
    assert.equal(judge([...one, rest({ x: 110, width: 60, y: 15 })], ALL).text.length, 1);
    const down = [line('12.06.1974', 0.9, { width: 20, height: 100 })];
    assert.equal(judge([...down, rest({ y: 105, width: 20, height: 60 })], ALL).text.length, 2);
  });

  test('is no doubt where another look has read a harmless marking better', () => {
    const mark = line('Lmlo', 0.86, { x: 3, y: 2, width: 96, height: 17 });
    assert.deepEqual(judge([mark, line('LmlO8', 0.59)], ALL).doubtful, []);
    assert.equal(judge([mark, line('LmlO8', 0.59, { y: 15 })], ALL).doubtful.length, 1);
    assert.equal(judge([mark, line('LmlO8', 0.75)], ALL).text.length, 1);
  });

  test('goes with the gap to the rest of its line', () => {
    const lines = [line('QUENNELL', 0.9), line('IDA', 0.9, { x: 120, width: 40 })];
    const { text } = judge(lines, ALL);
    assert.ok(text.some(({ x, width }) => x > 100 && x + width < 122));
  });

  test('of harmless markings stays, unless it names somebody', () => {
    assert.deepEqual(judge([line('PORTABLE AP', 0.95)], ALL).text, []);
    assert.equal(judge([line('PORTABLE AP', 0.95)], { ...ALL, isKnown: () => true }).text.length, 1);
  });

  test('of an unknown person stays where only identifiers go, if it was read surely', () => {
    const options = { ...ALL, redact: 'identifiers' } as const;
    assert.deepEqual(judge([line('LIVER LEFT LOBE', 0.97)], options).text, []);
    assert.equal(judge([line('LIVER LEFT LOBE', 0.8)], options).text.length, 1);
    assert.equal(judge([line('marisol QUENNELL', 0.97)], options).text.length, 1);
    assert.equal(judge([line('marisol QUENNELL', 0.97)], options).known.length, 1);
  });
});

describe('what is known', () => {
  test('is found in any order and case, beside other words', () => {
    const isKnown = known();
    for (const text of ['QUENNELL, M', 'Dr marisol x', 'ID HX-4045202', 'born 14.03.1961', '19610314'])
      assert.ok(isKnown(text), 'a spelling of what is known');
  });

  test('is found although letters were read for others', () => {
    const isKnown = known();
    for (const text of ['0UENNELL', 'HX-4O452O2', 'QUENMELL', 'QUENELL', 'xHX4045202', 'HX404S202'])
      assert.ok(isKnown(text), 'a misreading of what is known');
  });

  test('is not found in what is somebody else', () => {
    const isKnown = known();
    for (const text of ['MARCHETTI', 'HX-9999999', '20.11.1999', 'LIVER', '']) assert.ok(!isKnown(text), text);
  });
});

describe('harmless markings', () => {
  test('are sides, projections, positions, numbers of a scale and measured values', () => {
    for (const text of [
      'L',
      'R',
      'AP',
      'RT LAT',
      'LMLO',
      '10',
      '5.0 cm',
      '120 kV',
      '16cm',
      '7.5MHz',
      '(R)',
      '30%',
      'L / R',
    ])
      assert.ok(isHarmless(text), text);
  });

  test('are not dates, times, long numbers or any other word', () => {
    for (const text of ['12.03.61', '10:42', '2023', '4045202', '12/03', 'Lee', 'R. QUENNELL', 'ID 12', '1 2 3 4 5'])
      assert.ok(!isHarmless(text), text);
  });
});

test('boxes go through the detail of a hold and come back', () => {
  const boxes = [
    { x: 1, y: 2, width: 30, height: 4 },
    { x: 500, y: 0, width: 7, height: 9 },
  ];
  assert.deepEqual(boxesOfDetail(`reason=text boxes=${boxesText(boxes)}`), boxes);
  assert.deepEqual(boxesOfDetail('reason=text'), []);
  assert.deepEqual(boxesOfDetail(undefined), []);
});
