/** Shifted dates. Expected values: Python's datetime (date(...) + timedelta(days=...)). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { dayNumber, isTime, shiftDate, shiftDateTime } from '../../src/deid/dates.ts';

describe('dates', () => {
  const shifts: readonly (readonly [string, number, string | undefined])[] = [
    ['20200301', -1, '20200229'],
    ['20190301', -1, '20190228'],
    ['19000301', -1, '19000228'],
    ['20000301', -1, '20000229'],
    ['20240101', -366, '20221231'],
    ['20230412', -3652, '20130412'],
    ['00990101', 1, '00990102'],
    ['2020.03.01', -1, '20200229'],
    ['2020-03-01', -1, '20200229'],
    ['20200301', 0, '20200301'],
    ['00010102', -1, '00010101'],
    ['99991230', 1, '99991231'],
    ['00010101', -1, undefined],
    ['99991231', 1, undefined],
    ['20190229', 1, undefined],
    ['20191301', 1, undefined],
    ['20190100', 1, undefined],
    ['20190001', 1, undefined],
    ['00000101', 1, undefined],
    ['2019', 1, undefined],
    ['201901011', 1, undefined],
    ['x20190101', 1, undefined],
    ['unknown', 1, undefined],
    ['', 1, undefined],
  ];
  for (const [value, days, expected] of shifts) {
    test(`DA "${value}" moved by ${days} days is ${expected}`, () => {
      assert.equal(shiftDate(value, days), expected);
    });
  }

  const times: readonly (readonly [string, number, string | undefined])[] = [
    ['20200301', -1, '20200229'],
    ['20200301235959.123456+0130', -1, '20200229235959.123456+0130'],
    ['20200301235960', -1, '20200229235960'],
    ['2020030123', -1, '2020022923'],
    ['202003012359-0500', -1, '202002292359-0500'],
    ['20200301+0000', -1, '20200229+0000'],
    ['2020', -365, '2019'],
    ['2020', -182, '2020'],
    ['2020', -183, '2019'],
    ['2020', 183, '2020'],
    ['2020', 184, '2021'],
    ['2020030100', -1, '2020022900'],
    ['2020030119', -1, '2020022919'],
    ['202003012000', -1, '202002292000'],
    ['20200301000000', -1, '20200229000000'],
    ['20200301120000.1', -1, '20200229120000.1'],
    ['2020-0500', -365, '2019-0500'],
    ['202003', -31, '202002'],
    ['202003', -10, '202003'],
    ['202003', -14, '202003'],
    ['202003', -15, '202002'],
    ['202003+0200', -31, '202002+0200'],
    ['2020030124', 1, undefined],
    ['202003011260', 1, undefined],
    ['20200301126', 1, undefined],
    ['20200301123461', 1, undefined],
    ['20200231', 1, undefined],
    ['20200301120000.1234567', 1, undefined],
    ['202', 1, undefined],
    ['yesterday', 1, undefined],
  ];
  for (const [value, days, expected] of times) {
    test(`DT "${value}" moved by ${days} days is ${expected}`, () => {
      assert.equal(shiftDateTime(value, days), expected);
    });
  }

  for (const value of [
    '00',
    '09',
    '19',
    '20',
    '23',
    '0000',
    '12',
    '1234',
    '123456',
    '123456.1',
    '235960',
    '12:34:56',
    '000000.000000',
    '2359',
  ]) {
    test(`TM "${value}" is a time of day`, () => assert.equal(isTime(value), true));
  }
  for (const value of [
    '',
    '1',
    '24',
    '1260',
    '123461',
    '1234567',
    '123456.',
    '123456.1234567',
    'noon',
    ' 12',
    '12:3',
  ]) {
    test(`TM "${value}" is no time of day`, () => assert.equal(isTime(value), false));
  }

  test('days are counted from 1970-01-01', () => {
    assert.equal(dayNumber(1970, 1, 1), 0);
    assert.equal(dayNumber(2000, 3, 1), 11017);
    assert.equal(dayNumber(1969, 12, 31), -1);
    assert.equal(dayNumber(1, 1, 1), -719162);
    assert.equal(dayNumber(0, 1, 1), undefined);
    assert.equal(dayNumber(2021, 2, 29), undefined);
  });

  test('property: intervals between dates survive a shift, and shifting back restores', () => {
    const date = fc.date({ min: new Date('1900-01-01'), max: new Date('2100-01-01'), noInvalidDate: true });
    const text = date.map((value) => value.toISOString().slice(0, 10).replaceAll('-', ''));
    fc.assert(
      fc.property(text, fc.integer({ min: -3652, max: 3652 }), (value, days) => {
        const moved = shiftDate(value, days);
        assert.ok(moved !== undefined);
        assert.equal(shiftDate(moved, -days), value);
        assert.equal(epochDay(moved) - epochDay(value), days);
      }),
    );
  });
});

function epochDay(text: string): number {
  return Date.parse(`${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6)}T00:00:00Z`) / 86_400_000;
}
