/** A file read as the sibling of another is what it is when it is read alone; what is none is said to be none. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ByteSource, bytesSource } from '../../src/core/bytes.ts';
import type { DataSet } from '../../src/dicom/data-set.ts';
import { readPart10 } from '../../src/dicom/part10.ts';
import { SIBLING_HEADER_BYTES_MAX, SiblingReader } from '../../src/dicom/sibling-reader.ts';
import {
  type BuildElement,
  type BuildPart10Options,
  buildPart10,
  DEFLATED_LITTLE,
  EXPLICIT_BIG,
  EXPLICIT_LITTLE,
  IMPLICIT_LITTLE,
} from '../build/data-set.ts';

const OPTIONS = { wholeValueBytesMax: 1000, endAfterPixelData: true };
const PIXELS = new Uint8Array(4000);

function file(changes: Readonly<Record<string, BuildElement | undefined>> = {}): BuildElement[] {
  const elements: Record<string, BuildElement | undefined> = {
    charset: [0x00080005, 'CS', 'ISO_IR 100'],
    sopClass: [0x00080016, 'UI', '1.2.840.10008.5.1.4.1.1.2'],
    sopInstance: [0x00080018, 'UI', '1.2.826.1.3'],
    references: [0x00081140, 'SQ', [[[0x00081155, 'UI', '1.2.826.1.9']], [[0x00081155, 'UI', '1.2.826.1.8']]]],
    name: [0x00100010, 'PN', 'M\xfcller^Jana'],
    number: [0x00200013, 'IS', '7'],
    position: [0x00200032, 'DS', '-179.2\\-179.2\\-20'],
    sign: [0x00280103, 'US', 1],
    smallest: [0x00280106, 'SS', -3],
    private: [0x00291001, 'UN', new Uint8Array([1, 2, 3, 4])],
    table: [
      0x00400275,
      'SQ',
      [
        [
          [0x00400007, 'LO', 'CT'],
          [0x00281052, 'DS', '1'],
        ],
      ],
    ],
    pixels: [0x7fe00010, 'OW', PIXELS],
    ...changes,
  };
  return Object.values(elements).filter((element) => element !== undefined);
}

function shown(dataSet: DataSet): unknown {
  return [...dataSet.elements()].map(({ tag, vr, length, value, items, fragments }) => ({
    tag,
    vr,
    length,
    value: value === undefined ? undefined : Buffer.from(value).toString('hex'),
    items: items?.map(shown),
    fragments: fragments?.length,
  }));
}

const any = (_tag: number): boolean => true;

/** Of the second file as a sibling of the first; undefined where it is none. */
function sibling(first: Uint8Array, second: Uint8Array, mayDiffer = any, source: ByteSource = bytesSource(second)) {
  const reader = SiblingReader.of(readPart10(bytesSource(first), OPTIONS), OPTIONS);
  return reader?.read(source, mayDiffer);
}

function assertSame(first: Uint8Array, second: Uint8Array, source?: ByteSource): void {
  const read = sibling(first, second, any, source);
  const alone = readPart10(bytesSource(second), OPTIONS);
  assert.ok(read !== undefined);
  assert.deepEqual(shown(read.file.dataSet), shown(alone.dataSet));
  assert.deepEqual(shown(read.file.fileMeta), shown(alone.fileMeta));
  assert.equal(read.file.dataSetOffset, alone.dataSetOffset);
  assert.deepEqual(read.file.encoding, alone.encoding);
  const pixels = (dataSet: DataSet) => dataSet.element(0x7fe00010);
  assert.deepEqual(pixels(read.file.dataSet), pixels(alone.dataSet));
  for (const { tag } of alone.dataSet.elements())
    assert.deepEqual(read.file.dataSet.strings(tag), alone.dataSet.strings(tag));
}

const OTHER = file({
  sopInstance: [0x00080018, 'UI', '1.2.826.1.3333'],
  references: [0x00081140, 'SQ', [[[0x00081155, 'UI', '1.2.826.1.77']]]],
  number: [0x00200013, 'IS', '8888'],
  position: [0x00200032, 'DS', '-179.2\\-179.2\\5'],
  smallest: [0x00280106, 'SS', -300],
  table: [
    0x00400275,
    'SQ',
    [
      [
        [0x00400007, 'LO', 'M\xfcller'],
        [0x00281052, 'DS', '1'],
      ],
    ],
  ],
});

describe('siblings', () => {
  for (const transferSyntax of [EXPLICIT_LITTLE, IMPLICIT_LITTLE]) {
    for (const definedLengths of [false, true]) {
      test(`read as alone: ${transferSyntax}, ${definedLengths ? 'lengths' : 'delimiters'}`, () => {
        const build = (elements: BuildElement[]) => buildPart10(elements, { transferSyntax, definedLengths });
        assertSame(build(file()), build(OTHER));
        assertSame(build(OTHER), build(file()));
        assertSame(build(file()), build(file()));
      });
    }
  }

  test('the changes are the elements that differ, and pixel data', () => {
    const read = sibling(buildPart10(file()), buildPart10(OTHER));
    const tags = read?.changes.map(({ element }) => element.tag);
    assert.deepEqual(tags, [0x00080018, 0x00081140, 0x00200013, 0x00200032, 0x00280106, 0x00400275, 0x7fe00010]);
    assert.deepEqual(
      read?.metaChanges.map(({ element }) => element.tag),
      [0x00020000, 0x00020003],
    );
  });

  test('a third, a fourth and the first again are read rightly by what the second taught', () => {
    const reader = SiblingReader.of(readPart10(bytesSource(buildPart10(file())), OPTIONS), OPTIONS);
    const series = [
      OTHER,
      file({ number: [0x00200013, 'IS', ''] }),
      file({ name: [0x00100010, 'PN', 'A'] }),
      file(),
      OTHER,
    ];
    for (const one of series) {
      const bytes = buildPart10(one);
      const read = reader?.read(bytesSource(bytes), any);
      assert.ok(read !== undefined);
      assert.deepEqual(shown(read.file.dataSet), shown(readPart10(bytesSource(bytes), OPTIONS).dataSet));
    }
  });

  test('a source that answers in the same memory each time is read rightly', () => {
    const second = buildPart10(OTHER);
    const memory = new Uint8Array(second.length);
    const read = (position: number, length: number): Uint8Array => {
      const bytes = second.subarray(position, position + length);
      memory.fill(0xee);
      memory.set(bytes);
      return memory.subarray(0, bytes.length);
    };
    assertSame(buildPart10(file()), second, { size: second.length, read });
  });

  test('encapsulated frames are read anew', () => {
    const frames = (...fragments: Uint8Array[]) =>
      buildPart10(file({ pixels: [0x7fe00010, 'OB', { fragments }] }), '1.2.840.10008.1.2.4.50');
    assertSame(
      frames(new Uint8Array(0), new Uint8Array(10)),
      frames(new Uint8Array(0), new Uint8Array(20), new Uint8Array(6)),
    );
  });

  test('an element that may not differ makes it none', () => {
    const changed = buildPart10(file({ number: [0x00200013, 'IS', '8'] }));
    const mayDiffer = (tag: number) => tag !== 0x00200013;
    assert.equal(sibling(buildPart10(file()), changed, mayDiffer), undefined);
    assert.ok(sibling(buildPart10(file()), buildPart10(file()), mayDiffer) !== undefined);
  });

  const others: readonly (readonly [string, BuildElement[], BuildPart10Options?])[] = [
    ['another character set', file({ charset: [0x00080005, 'CS', 'ISO_IR 192'] })],
    ['other signs', file({ sign: [0x00280103, 'US', 0] })],
    ['another VR', file({ name: [0x00100010, 'LO', 'M\xfcller^Jana'] })],
    ['another tag', file({ number: [0x00200012, 'IS', '7'] })],
    ['an element less', file({ number: undefined })],
    ['an element more', file({ pixels: [0x00700001, 'LO', 'more'], more: [0x7fe00010, 'OW', PIXELS] })],
    ['a value too long to be kept', file({ number: [0x00200013, 'LT', 'x'.repeat(2000)] })],
    ['another transfer syntax', file(), { declaredTransferSyntax: '1.2.840.10008.1.2.4.50' }],
    ['another preamble', file(), { preamble: new Uint8Array(128).fill(1) }],
  ];
  for (const [title, elements, options] of others) {
    test(`none: ${title}`, () => {
      assert.equal(sibling(buildPart10(file()), buildPart10(elements, options ?? {})), undefined);
    });
  }

  test('none: a file that is cut anywhere before its pixel data end', () => {
    const whole = buildPart10(OTHER);
    for (let length = 0; length < whole.length; length += length < 1200 ? 1 : 97)
      assert.equal(sibling(buildPart10(file()), whole.subarray(0, length)), undefined, String(length));
  });

  test('none: bytes behind a data set without pixels', () => {
    const plain = file({ pixels: undefined });
    const first = buildPart10(plain);
    assert.equal(sibling(first, buildPart10(plain, { trailing: new Uint8Array(2) })), undefined);
    assertSame(first, first);
  });

  test('a file of another kind has none', () => {
    const of = (elements: BuildElement[], options: BuildPart10Options = {}) =>
      SiblingReader.of(readPart10(bytesSource(buildPart10(elements, options)), OPTIONS), OPTIONS);
    assert.equal(of(file(), { transferSyntax: EXPLICIT_BIG }), undefined);
    assert.equal(of(file(), { transferSyntax: DEFLATED_LITTLE }), undefined);
    const bare = readPart10(bytesSource(buildPart10(file()).subarray(132)), OPTIONS);
    assert.equal(SiblingReader.of(bare, OPTIONS), undefined, 'without preamble');
    assert.equal(of(file({ pixels: undefined, twice: [0x00080018, 'UI', '1.2'] })), undefined, 'out of order');
    assert.equal(of(file({ table: [0x00400275, 'SQ', [[[0x00400007, 'LT', 'x'.repeat(2000)]]]] })), undefined);
    const first = sibling(buildPart10(file()), buildPart10(OTHER))?.file;
    assert.ok(first !== undefined);
    assert.equal(SiblingReader.of(first, OPTIONS), undefined, 'a sibling, whose offsets are not its own');
    const many = Array.from({ length: 70 }, (_, at): BuildElement => [0x00291101 + at, 'LT', 'x'.repeat(1000)]);
    const long = [...file({ pixels: undefined }), ...many].sort((a, b) => Number(a[0]) - Number(b[0]));
    assert.ok(buildPart10(long).length > SIBLING_HEADER_BYTES_MAX);
    assert.equal(of(long), undefined);
    assert.ok(of(file()) !== undefined);
  });
});
