import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storageContexts } from '../../src/gateway/pull.ts';
import { parsePullList, parsePullRecords } from '../../src/gateway/pull-list.ts';

const keys = (text: string, by?: 'accession' | 'study') => parsePullList(text, by).map(({ key }) => key);

test('a list without headers: what looks like a UID is one, unless it is said what the list holds', () => {
  assert.deepEqual(keys('A123\r\n1.2.840.113619.2.5\n\n"B 7"\n'), [
    { accessionNumber: 'A123' },
    { studyInstanceUid: '1.2.840.113619.2.5' },
    { accessionNumber: 'B 7' },
  ]);
  assert.deepEqual(keys('1.2.3.4\n', 'accession'), [{ accessionNumber: '1.2.3.4' }]);
  assert.deepEqual(keys('1.2\n', 'study'), [{ studyInstanceUid: '1.2' }]);
});

test('headers of spreadsheets, in any order, with any common separator and a byte order mark', () => {
  const expected = [{ accessionNumber: 'A1' }, { studyInstanceUid: '1.2.3.4.5' }];
  for (const separator of [',', ';', '\t']) {
    const rows = [
      ['Remark', 'Accession Number', 'Study Instance UID'],
      ['"says ""x"", twice"', 'A1', ''],
      ['', 'A2', '1.2.3.4.5'],
    ];
    assert.deepEqual(keys(`\uFEFF${rows.map((row) => row.join(separator)).join('\r\n')}`), expected, separator);
  }
});

test('a line that is named twice is pulled once; the numbers are those of the file', () => {
  const items = parsePullList('AccessionNumber\nA1\nA2\nA1\n', undefined);
  assert.deepEqual(
    items.map(({ line, key }) => [line, key]),
    [
      [2, { accessionNumber: 'A1' }],
      [3, { accessionNumber: 'A2' }],
    ],
  );
});

test('what would ask for more than one study is refused by its line, and not repeated in the error', () => {
  for (const value of ['SECRET*', 'SECR?T', 'SECRET\\X', 'SECRET-LONGER-THAN-16'])
    assert.throws(
      () => parsePullList(`A1\n${value}\n`, undefined),
      (error: Error) => /PULL_LIST_INVALID.*line=2/.test(error.message) && !/SECR/.test(error.message),
      value,
    );
  assert.throws(() => parsePullList('AccessionNumber\n', undefined), /no study/);
});

test('records: the last one of a study counts, and a line that a crash cut off is passed over', () => {
  const line = (status: string) => JSON.stringify({ hash: 'h', status, studies: 1, received: 1 });
  assert.equal(
    parsePullRecords(`${line('failed')}\n${line('complete')}\n{"hash":"h","sta`).get('h')?.status,
    'complete',
  );
});

test('contexts for C-GET fit one association, whatever the study holds (PS3.8 §9.3.2.2)', () => {
  for (const count of [0, 1, 7, 60, 200]) {
    const contexts = storageContexts(Array.from({ length: count }, (_, index) => `1.2.3.${index}`));
    assert.ok(contexts.length > 0 && contexts.length <= 127, String(count));
  }
  const [plain, ...compressed] = storageContexts(['1.2.3']);
  assert.deepEqual(plain?.transferSyntaxes, ['1.2.840.10008.1.2.1', '1.2.840.10008.1.2']);
  assert.ok(compressed.every(({ transferSyntaxes }) => transferSyntaxes.length === 1));
});
