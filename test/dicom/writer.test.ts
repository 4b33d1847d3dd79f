/** The writer against bytes from PS3.5, against the builder (which shares no code with it), and against the reader. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemorySink } from '../../src/core/bytes.ts';
import { characterSetOf } from '../../src/dicom/charset.ts';
import { DataSetWriter, encodeNumbers, encodeText } from '../../src/dicom/writer.ts';
import { buildDataSet, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE } from '../build/data-set.ts';

const ENCODINGS = [
  { transferSyntax: IMPLICIT_LITTLE, explicitVr: false, littleEndian: true },
  { transferSyntax: EXPLICIT_LITTLE, explicitVr: true, littleEndian: true },
  { transferSyntax: EXPLICIT_BIG, explicitVr: true, littleEndian: false },
];

function written(
  encoding: { explicitVr: boolean; littleEndian: boolean },
  write: (writer: DataSetWriter) => void,
): string {
  const sink = new MemorySink();
  write(new DataSetWriter(sink, encoding));
  return Buffer.from(sink.bytes()).toString('hex');
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

const EXPLICIT = { explicitVr: true, littleEndian: true };
const ascii = (text: string): Uint8Array => encodeText(text, 'LO');

for (const encoding of ENCODINGS) {
  describe(`in ${encoding.transferSyntax}`, () => {
    test('elements, sequences and numbers are as the builder writes them', () => {
      const little = encoding.littleEndian;
      const expected = buildDataSet(
        [
          ['Rows', 513],
          ['PatientID', 'ODD'],
          ['SOPInstanceUID', '1.2'],
          ['RequestAttributesSequence', [[['StudyID', 'S1']], []]],
          [0x00091001, 'OB', Uint8Array.of(1)],
        ],
        encoding.transferSyntax,
      );
      const found = written(encoding, (writer) => {
        writer.element(0x00280010, 'US', encodeNumbers([513], 'US', little));
        writer.element(0x00100020, 'LO', ascii('ODD'));
        writer.element(0x00080018, 'UI', encodeText('1.2', 'UI'));
        writer.beginSequence(0x00400275);
        writer.beginItem();
        writer.element(0x00200010, 'SH', ascii('S1'));
        writer.endItem();
        writer.beginItem();
        writer.endItem();
        writer.endSequence();
        writer.element(0x00091001, 'OB', Uint8Array.of(1));
      });
      assert.equal(found, hexOf(expected));
    });

    test('fragments are as the builder writes them, odd ones padded', () => {
      const fragments = [new Uint8Array(0), Uint8Array.of(1, 2, 3)];
      const found = written(encoding, (writer) => {
        writer.beginFragments(0x7fe00010, 'OB');
        for (const fragment of fragments) {
          writer.fragment(fragment.length);
          writer.bulkData(fragment);
          writer.endBulk();
        }
        writer.endFragments();
      });
      assert.equal(found, hexOf(buildDataSet([['PixelData', 'OB', { fragments }]], encoding.transferSyntax)));
    });

    test('bulk values are the same as whole ones', () => {
      const value = Uint8Array.from({ length: 9001 }, (_, index) => index & 0xff);
      const whole = written(encoding, (writer) => writer.element(0x7fe00010, 'OB', value));
      const bulk = written(encoding, (writer) => {
        writer.beginBulk(0x7fe00010, 'OB', value.length);
        for (let at = 0; at < value.length; at += 1000) writer.bulkData(value.subarray(at, at + 1000));
        writer.endBulk();
      });
      assert.equal(bulk, whole);
      assert.equal(whole, hexOf(buildDataSet([['PixelData', 'OB', value]], encoding.transferSyntax)));
    });
  });
}

test('a bulk value in pieces is the same, be it written at once or left for later', () => {
  const value = Uint8Array.from({ length: 9001 }, (_, index) => index & 0xff);
  function* pieces(): Generator<Uint8Array> {
    for (let at = 0; at < value.length; at += 1000) yield value.subarray(at, at + 1000);
  }
  const whole = written(EXPLICIT, (writer) => writer.element(0x7fe00010, 'OB', value));
  const atOnce = written(EXPLICIT, (writer) => writer.bulk(0x7fe00010, 'OB', value.length, pieces));
  assert.equal(atOnce, whole);
  const parts: string[] = [];
  const later = (length: number): number => parts.push(`${length} later`);
  const writer = new DataSetWriter({ write: (bytes) => parts.push(hexOf(bytes)), later }, EXPLICIT);
  writer.bulk(0x7fe00010, 'OB', value.length, () => assert.fail('asked for too early'));
  assert.deepEqual(parts, [whole.slice(0, 24), '9001 later', '00']);
});

describe('values', () => {
  test('odd values are padded: text with space, UIDs and bytes with NUL', () => {
    assert.match(
      written(EXPLICIT, (writer) => writer.element(0x00100020, 'LO', ascii('A'))),
      /0200 ?4120$/,
    );
    assert.match(
      written(EXPLICIT, (writer) => writer.element(0x00080018, 'UI', ascii('1'))),
      /02003100$/,
    );
    assert.match(
      written(EXPLICIT, (writer) => writer.element(0x00420011, 'OB', Uint8Array.of(1))),
      /020000000100$/,
    );
    const long = written(EXPLICIT, (writer) => writer.element(0x00400031, 'UT', ascii('x'.repeat(5001))));
    assert.match(long, /7820$/);
  });

  test('a value too long for a 16-bit length is written as UN (PS3.5 §6.2.2)', () => {
    const found = written(EXPLICIT, (writer) => writer.element(0x00283006, 'US', new Uint8Array(65536)));
    assert.equal(found.slice(0, 24), '28000630554e000000000100');
    const implicit = written({ explicitVr: false, littleEndian: true }, (writer) =>
      writer.element(0x00283006, 'US', new Uint8Array(65536)),
    );
    assert.equal(implicit.slice(0, 16), '2800063000000100');
  });

  test('bulk bytes reach the sink by reference', () => {
    const bytes = new Uint8Array(10_000);
    const seen: Uint8Array[] = [];
    const writer = new DataSetWriter({ write: (part) => seen.push(part) }, EXPLICIT);
    writer.beginBulk(0x7fe00010, 'OW', bytes.length);
    writer.bulkData(bytes);
    writer.endBulk();
    assert.equal(seen[1], bytes);
  });

  test('more or less bulk data than announced is our own fault', () => {
    const writer = new DataSetWriter(new MemorySink(), EXPLICIT);
    writer.beginBulk(0x7fe00010, 'OB', 2);
    assert.throws(() => writer.endBulk(), { code: 'INVARIANT' });
    assert.throws(() => writer.bulkData(new Uint8Array(3)), { code: 'INVARIANT' });
  });

  test('a bulk value of 4 GB has no length', () => {
    const writer = new DataSetWriter(new MemorySink(), EXPLICIT);
    assert.throws(() => writer.beginBulk(0x7fe00010, 'OB', 0xffffffff), { code: 'DICOM_TOO_LARGE' });
  });

  test('text outside of the character set is refused, values are joined by backslashes', () => {
    assert.throws(() => encodeText('Л', 'LO', characterSetOf(['ISO_IR 100'])), { code: 'DICOM_MALFORMED' });
    assert.throws(() => encodeText('Л', 'CS', characterSetOf(['ISO_IR 144'])), { code: 'DICOM_MALFORMED' });
    assert.equal(hexOf(encodeText(['Л', 'a'], 'LO', characterSetOf(['ISO_IR 144']))), 'bb5c61');
  });

  test('numbers are only for VRs that hold numbers', () => {
    assert.throws(() => encodeNumbers([1], 'LO'), { code: 'INVARIANT' });
  });
});
