import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bytesText, cellWidth, durationText, tableLines } from '../../src/cli/table.ts';

interface Row {
  name: string;
  count?: number;
}

const COLUMNS = [
  { head: 'name', cell: (row: Row) => row.name, widthMax: 8 },
  { head: 'count', cell: (row: Row) => row.count },
];

describe('terminal table', () => {
  it('puts numbers to the right, words to the left and a dash where there is nothing', () => {
    assert.deepEqual(tableLines(COLUMNS, [{ name: 'CT', count: 1200 }, { name: 'US' }], 1), [
      ' name  count',
      ' ────  ─────',
      ' CT    1,200',
      ' US        -',
    ]);
  });

  it('shows the heads alone where there are no rows', () => {
    assert.deepEqual(tableLines(COLUMNS, []), ['name  count', '────  ─────']);
  });

  it('cuts what is too long and keeps columns straight beside wide characters', () => {
    const lines = tableLines(COLUMNS, [
      { name: 'abcdefghijkl', count: 1 },
      { name: '山田太郎様', count: 2 },
    ]);
    assert.deepEqual(lines.slice(2), ['abcdefg…      1', '山田太…       2']);
    assert.equal(cellWidth('山田'), 4);
  });

  it('never lets a cell move the cursor', () => {
    const [, , line] = tableLines(COLUMNS, [{ name: 'a\u001b[2J\n\u202e', count: 1 }]);
    assert.equal(line, 'a?[2J??      1');
  });
});

describe('sizes and durations', () => {
  it('have three significant digits at most', () => {
    assert.deepEqual([0, 1023, 1024, 10_240_000, 1e12].map(bytesText), [
      '0 B',
      '1023 B',
      '1.00 KiB',
      '9.77 MiB',
      '931 GiB',
    ]);
    assert.deepEqual([12.4, 999.6, 12_400, 185_000, 7_440_000].map(durationText), [
      '12 ms',
      '1.0 s',
      '12.4 s',
      '3 min 5 s',
      '2 h 4 min',
    ]);
  });
});
