/** Part 10 files: what is taken, what is refused, and that our file meta information is what PS3.10 §7.1 asks for. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type ByteSource, bytesSource } from '../../src/core/bytes.ts';
import { valueBytes } from '../../src/dicom/data-set.ts';
import { openPart10, readFileMeta, readPart10, writeFileMeta } from '../../src/dicom/part10.ts';
import {
  type BuildElement,
  buildDataSet,
  buildPart10,
  concatBytes,
  DEFLATED_LITTLE,
  EXPLICIT_BIG,
  EXPLICIT_LITTLE,
  IMPLICIT_LITTLE,
  latin1,
} from '../build/data-set.ts';
import { skipWithoutProgram } from '../support/peers.ts';

const SECONDARY_CAPTURE = '1.2.840.10008.5.1.4.1.1.7';
const ELEMENTS: readonly BuildElement[] = [
  ['SOPClassUID', SECONDARY_CAPTURE],
  ['SOPInstanceUID', '2.25.77'],
  ['PatientName', 'Doe^Jane'],
  ['Rows', 2],
  ['PixelSpacing', ['0.5', '0.25']],
  ['RequestAttributesSequence', [[['StudyDate', '20200229']], []]],
  ['PixelData', 'OW', new Uint8Array(8)],
];

describe('readPart10', () => {
  for (const transferSyntax of [IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED_LITTLE]) {
    for (const definedLengths of [true, false]) {
      test(`reads ${transferSyntax} with ${definedLengths ? 'defined' : 'undefined'} lengths`, () => {
        const file = readPart10(bytesSource(buildPart10(ELEMENTS, { transferSyntax, definedLengths })));
        assert.equal(file.transferSyntax.uid, transferSyntax);
        assert.equal(file.fileMeta.string(0x00020003), '2.25.77');
        assert.equal(file.dataSet.string(0x00100010), 'Doe^Jane');
        assert.equal(file.dataSet.number(0x00280010), 2);
        assert.deepEqual(file.dataSet.numbers(0x00280030), [0.5, 0.25]);
        assert.deepEqual(
          file.dataSet.items(0x00400275).map((item) => item.string(0x00080020)),
          ['20200229', undefined],
        );
      });
    }
  }

  test('a value beyond the limit stays in the source, at its offset', () => {
    const pixels = Uint8Array.from({ length: 300 }, (_, index) => index & 0xff);
    const source = bytesSource(buildPart10([...ELEMENTS.slice(0, 6), ['PixelData', 'OW', pixels]]));
    const file = readPart10(source, { wholeValueBytesMax: 100 });
    const element = file.dataSet.element(0x7fe00010);
    assert.ok(element !== undefined && element.value === undefined);
    assert.equal(element.length, 300);
    assert.deepEqual(valueBytes(file.source, element, 300), pixels);
    assert.throws(() => valueBytes(file.source, element, 299), { code: 'DICOM_TOO_LARGE' });
  });

  test('large values are passed over, not read', () => {
    const bytes = buildPart10([
      ...ELEMENTS.slice(0, 6),
      ['PixelData', 'OW', new Uint8Array(4_000_000)],
      [0xfffcfffc, 'OB', ''],
    ]);
    const memory = bytesSource(bytes);
    let read = 0;
    const counting: ByteSource = {
      size: memory.size,
      read: (position, length) => {
        const chunk = memory.read(position, length);
        read += chunk.length;
        return chunk;
      },
    };
    assert.equal(readPart10(counting).dataSet.has(0xfffcfffc), true);
    assert.ok(read < 100_000, `${read} bytes were read`);
  });

  test('values survive a source that reuses its memory', () => {
    const bytes = buildPart10([
      ['PatientName', 'Doe^Jane'],
      ['StudyDescription', 'x'.repeat(40)],
      ...new Array<BuildElement>(3000).fill(['PatientID', 'P1']),
    ]);
    const memory = new Uint8Array(bytes.length);
    const reusing: ByteSource = {
      size: bytes.length,
      read: (position, length) => {
        memory.fill(0);
        const part = bytes.subarray(position, position + length);
        memory.set(part);
        return memory.subarray(0, part.length);
      },
    };
    assert.equal(readPart10(reusing).dataSet.string(0x00100010), 'Doe^Jane');
  });

  test('fragments are references, the Basic Offset Table first', () => {
    const fragments = [new Uint8Array(0), Uint8Array.of(0xff, 0xd8), Uint8Array.of(1, 2, 0xff, 0xd9)];
    const source = bytesSource(
      buildPart10([...ELEMENTS.slice(0, 6), ['PixelData', 'OB', { fragments }]], '1.2.840.10008.1.2.4.50'),
    );
    const file = readPart10(source);
    const found = file.dataSet.element(0x7fe00010)?.fragments ?? [];
    assert.deepEqual(
      found.map(({ offset, length }) => source.read(offset, length)),
      fragments,
    );
  });

  test('stopAtPixelData leaves out pixel data and what follows, but not that of an icon', () => {
    const icon: BuildElement = ['IconImageSequence', [[['PixelData', 'OW', new Uint8Array(2)]]]];
    const bytes = buildPart10([
      ['PatientID', 'P'],
      icon,
      ['PixelData', 'OW', new Uint8Array(2)],
      [0xfffcfffc, 'OB', ''],
    ]);
    const { dataSet } = readPart10(bytesSource(bytes), { stopAtPixelData: true });
    assert.deepEqual(
      [...dataSet.elements()].map(({ tag }) => tag),
      [0x00100020, 0x00880200],
    );
    assert.equal(dataSet.items(0x00880200)[0]?.has(0x7fe00010), true);
  });

  test('small values between large ones are refused too when they keep too much in memory', () => {
    const items = new Array<readonly BuildElement[]>(40).fill([
      ['PatientID', 'P'],
      [0x00091001, 'OB', new Uint8Array(70_000)],
    ]);
    const source = bytesSource(buildPart10([['RequestAttributesSequence', items]]));
    assert.equal(readPart10(source, { headerBytesMax: 1_000_000 }).dataSet.items(0x00400275).length, 40);
    assert.throws(() => readPart10(source, { headerBytesMax: 400_000 }), { code: 'DICOM_TOO_LARGE' });
  });

  test('more header than allowed is refused', () => {
    const many = new Array<BuildElement>(2000).fill(['PatientID', '']);
    assert.throws(() => readPart10(bytesSource(buildPart10(many)), { headerBytesMax: 100_000 }), {
      code: 'DICOM_TOO_LARGE',
    });
  });

  test('a deflated data set that inflates beyond the limit is refused', () => {
    const bomb = buildPart10([[0x00091001, 'OB', new Uint8Array(1_000_000)]], DEFLATED_LITTLE);
    assert.throws(() => readPart10(bytesSource(bomb), { inflatedBytesMax: 100_000 }), { code: 'DICOM_TOO_LARGE' });
  });

  test('a deflated data set cut short, or no deflate stream at all, is refused', () => {
    const whole = buildPart10(
      [[0x00091001, 'OB', Uint8Array.from({ length: 5000 }, (_, index) => (index * 7919) >> 3)]],
      DEFLATED_LITTLE,
    );
    assert.throws(() => readPart10(bytesSource(whole.subarray(0, whole.length - 40))), { code: 'DICOM_TRUNCATED' });
    const none = concatBytes(buildPart10([], { declaredTransferSyntax: DEFLATED_LITTLE }), latin1('no deflate stream'));
    assert.throws(() => readPart10(bytesSource(none)), { code: 'DICOM_MALFORMED' });
  });
});

describe('tolerances', () => {
  test('the group length of group 0002 is not trusted', () => {
    for (const length of [0, 4, 4000, 0xffffffff]) {
      const bytes = buildPart10(ELEMENTS, { meta: [] });
      new DataView(bytes.buffer).setUint32(140, length, true); // the value of (0002,0000)
      assert.equal(readPart10(bytesSource(bytes)).dataSet.string(0x00100010), 'Doe^Jane');
    }
  });

  test('a file without preamble and prefix is taken', () => {
    assert.equal(readPart10(bytesSource(buildPart10(ELEMENTS).subarray(132))).dataSet.string(0x00100010), 'Doe^Jane');
  });

  test('a bare data set is taken in each native encoding', () => {
    for (const transferSyntax of [IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG]) {
      const file = readPart10(bytesSource(buildDataSet(ELEMENTS, transferSyntax)));
      assert.equal(file.transferSyntax.uid, transferSyntax);
      assert.equal(file.dataSet.string(0x00100010), 'Doe^Jane');
      assert.equal(file.dataSetOffset, 0);
    }
  });

  test('a data set in Implicit VR under an Explicit VR syntax is read as it is, and the reverse', () => {
    const implicit = buildPart10(ELEMENTS, {
      transferSyntax: IMPLICIT_LITTLE,
      declaredTransferSyntax: EXPLICIT_LITTLE,
    });
    assert.deepEqual(openPart10(bytesSource(implicit)).encoding, { explicitVr: false, littleEndian: true });
    assert.equal(readPart10(bytesSource(implicit)).dataSet.string(0x00100010), 'Doe^Jane');
    const explicit = buildPart10(ELEMENTS, {
      transferSyntax: EXPLICIT_LITTLE,
      declaredTransferSyntax: IMPLICIT_LITTLE,
    });
    assert.deepEqual(openPart10(bytesSource(explicit)).encoding, { explicitVr: true, littleEndian: true });
    assert.equal(readPart10(bytesSource(explicit)).dataSet.string(0x00100010), 'Doe^Jane');
  });

  test('private file meta information and an odd-length UID do not confuse', () => {
    const bytes = buildPart10(ELEMENTS, {
      pad: false,
      meta: [
        [0x00020100, 'UI', '2.25.9'],
        [0x00020102, 'OB', Uint8Array.of(1, 2, 3, 4)],
      ],
    });
    assert.equal(readPart10(bytesSource(bytes)).fileMeta.string(0x00020100), '2.25.9');
  });
});

describe('refusals', () => {
  const whole = buildPart10(ELEMENTS);
  const cases: readonly [what: string, code: string, bytes: Uint8Array][] = [
    ['nothing', 'DICOM_NOT_PART10', new Uint8Array(0)],
    ['zeros', 'DICOM_NOT_PART10', new Uint8Array(1000)],
    ['plain text', 'DICOM_NOT_PART10', latin1('Lorem ipsum dolor sit amet, '.repeat(20))],
    ['a preamble and nothing else', 'DICOM_NOT_PART10', whole.subarray(0, 132)],
    ['file meta information cut short', 'DICOM_TRUNCATED', whole.subarray(0, 190)],
    [
      'file meta information in Implicit VR',
      'DICOM_MALFORMED',
      concatBytes(
        new Uint8Array(128),
        latin1('DICM'),
        buildDataSet([[0x00020010, 'UI', EXPLICIT_LITTLE]], IMPLICIT_LITTLE),
      ),
    ],
    [
      'an endless file meta information',
      'DICOM_TOO_LARGE',
      concatBytes(new Uint8Array(128), latin1('DICM'), buildDataSet([[0x00020102, 'OB', new Uint8Array(1_100_000)]])),
    ],
    [
      'a transfer syntax that nobody knows',
      'DICOM_TRANSFER_SYNTAX_UNKNOWN',
      buildPart10(ELEMENTS, { declaredTransferSyntax: '1.2.3' }),
    ],
    [
      'no transfer syntax and no believable data set',
      'DICOM_TRANSFER_SYNTAX_UNKNOWN',
      buildPart10([[0x00010001, 'UN', '']], { declaredTransferSyntax: '' }),
    ],
    ['a data set cut in a value', 'DICOM_TRUNCATED', whole.subarray(0, whole.length - 3)],
    ['garbage after the data set', 'DICOM_MALFORMED', concatBytes(whole, latin1('\xde\xad\xbe\xef garbage'))],
  ];
  for (const [what, code, bytes] of cases) {
    test(`${what}: ${code}`, () => {
      assert.throws(() => readPart10(bytesSource(bytes)), { code });
    });
  }
});

describe('writeFileMeta', () => {
  const meta = writeFileMeta({
    sopClassUid: SECONDARY_CAPTURE,
    sopInstanceUid: '2.25.5',
    transferSyntaxUid: EXPLICIT_LITTLE,
    sourceAeTitle: 'LETHE',
  });

  test('begins with 128 zeros and DICM, and its group length holds', () => {
    assert.deepEqual(meta.subarray(0, 128), new Uint8Array(128));
    assert.equal(Buffer.from(meta.subarray(128, 132)).toString(), 'DICM');
    assert.equal(new DataView(meta.buffer).getUint32(140, true), meta.length - 144);
  });

  test('holds the elements of PS3.10 Table 7.1-1', () => {
    const { fileMeta, transferSyntaxUid, dataSetOffset } = readFileMeta(
      bytesSource(concatBytes(meta, buildDataSet(ELEMENTS))),
    );
    assert.equal(transferSyntaxUid, EXPLICIT_LITTLE);
    assert.equal(dataSetOffset, meta.length);
    assert.deepEqual(fileMeta.bytes(0x00020001), Uint8Array.of(0, 1));
    assert.equal(fileMeta.string(0x00020002), SECONDARY_CAPTURE);
    assert.equal(fileMeta.string(0x00020003), '2.25.5');
    assert.match(fileMeta.string(0x00020012) ?? '', /^2\.25\.\d+$/);
    assert.equal(fileMeta.string(0x00020016), 'LETHE');
  });

  test('DCMTK reads the file without a warning', { skip: skipWithoutProgram('dcmdump') }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'lethe-part10-'));
    try {
      const path = join(folder, 'file.dcm');
      writeFileSync(path, concatBytes(meta, buildDataSet(ELEMENTS)));
      const { stdout, stderr } = spawnSync('dcmdump', ['+L', path], { encoding: 'utf8' });
      assert.equal(stderr, '');
      assert.match(stdout, /\(0010,0010\) PN \[Doe\^Jane\]/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
