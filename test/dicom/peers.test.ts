/** Foreign verdicts: what we write, DCMTK and pydicom read as they read the original, or as it was meant. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { bytesSource, MemorySink } from '../../src/core/bytes.ts';
import { characterSetOf } from '../../src/dicom/charset.ts';
import { DeflateSink } from '../../src/dicom/deflate.ts';
import { openPart10, writeFileMeta } from '../../src/dicom/part10.ts';
import { tagText } from '../../src/dicom/tag.ts';
import { isVr, VRS } from '../../src/dicom/vr.ts';
import { DataSetWriter, encodeNumbers, encodeText } from '../../src/dicom/writer.ts';
import { concatBytes } from '../build/data-set.ts';
import { skipWithoutProgram } from '../support/peers.ts';
import { sharedPath, skipWithout } from '../support/shared.ts';
import { copyDataSet } from './copy.ts';

const folder = mkdtempSync(join(tmpdir(), 'lethe-dicom-peers-'));
after(() => rmSync(folder, { recursive: true }));

const META = { sopClassUid: '1.2.840.10008.5.1.4.1.1.7', sopInstanceUid: '2.25.1' };
const EXPLICIT_LITTLE = '1.2.840.10008.1.2.1';
const DEFLATED = '1.2.840.10008.1.2.1.99';
const EVERY_NTH = process.env['LETHE_LONG'] === '1' ? 1 : 9;

function saved(bytes: Uint8Array): string {
  const path = join(folder, 'file.dcm');
  writeFileSync(path, bytes);
  return path;
}

/** DCMTK's words for the elements of the data set, without how their sequences end. */
function dump(path: string): string[] {
  const { stdout } = spawnSync('dcmdump', ['-q', '+L', '-Un', path], { encoding: 'latin1', maxBuffer: 1 << 28 });
  const lines = stdout.slice(stdout.indexOf('# Dicom-Data-Set')).split('\n');
  return lines
    .filter((line) => /^ *\((?!fffe)/.test(line))
    .map((line) => line.replace(/\((Sequence|PixelSequence) with.*/, '$1'));
}

/** Odd lengths (padded with spaces by us, shown as they are by DCMTK) and a VR of two spaces: the copy is more correct. */
const SET_RIGHT = ['files/dwv/bbmri.dcmdir', 'files/dwv/dwv-test-simple-2.dcm', 'files/fo-dicom/GH179A.dcm'];

function readableFiles(): string[] {
  const manifest = sharedPath('corpus', 'MANIFEST.json');
  if (!existsSync(manifest)) return [];
  const { entries } = JSON.parse(readFileSync(manifest, 'utf8')) as {
    entries: { path: string; size: number; expect: string; parsed_by: string[]; lenient?: string }[];
  };
  const readable = entries.filter(({ path, expect, size, parsed_by, lenient }) => {
    return (
      expect === 'ok' &&
      lenient === undefined &&
      !SET_RIGHT.includes(path) &&
      size < 300_000 &&
      parsed_by.includes('dcmdump')
    );
  });
  return readable.map(({ path }) => path).filter((_, index) => index % EVERY_NTH === 0);
}

describe('DCMTK reads a copy as it reads the original', {
  skip: skipWithout('corpus') || skipWithoutProgram('dcmdump'),
}, () => {
  for (const path of readableFiles()) {
    test(path, () => {
      const original = sharedPath('corpus', path);
      const open = openPart10(bytesSource(readFileSync(original)));
      const copied = copyDataSet(open.source, open.encoding, { offset: open.dataSetOffset });
      const body = open.transferSyntax.deflated ? deflated(copied) : copied;
      const meta = writeFileMeta({ ...META, transferSyntaxUid: open.transferSyntax.uid });
      assert.deepEqual(dump(saved(concatBytes(meta, body))), dump(original).map(evenLength));
    });
  }
});

function deflated(bytes: Uint8Array): Uint8Array {
  const sink = new MemorySink();
  const deflate = new DeflateSink(sink);
  deflate.write(bytes);
  deflate.end();
  return sink.bytes();
}

/** An odd length was padded by the writer. */
function evenLength(line: string): string {
  return line.replace(/# +(\d+),/, (text, length: string) =>
    text.replace(length, String(Number(length) + (Number(length) % 2))),
  );
}

/** A data set of `write` as a file in Explicit VR Little Endian. */
function fileOf(write: (writer: DataSetWriter) => void, transferSyntaxUid = EXPLICIT_LITTLE): string {
  const sink = new MemorySink();
  write(new DataSetWriter(sink, { explicitVr: true, littleEndian: true }));
  const body = transferSyntaxUid === DEFLATED ? deflated(sink.bytes()) : sink.bytes();
  return saved(concatBytes(writeFileMeta({ ...META, transferSyntaxUid }), body));
}

/** pydicom's value of each of the tags, as text; undefined where Python or pydicom is missing. */
function pydicom(path: string, ...tags: number[]): string[] | undefined {
  const program = `
import sys, json
import pydicom
ds = pydicom.dcmread(sys.argv[1])
ds.decode()
print(json.dumps([str(ds[int(tag)].value) for tag in sys.argv[2:]]))`;
  const { status, stdout } = spawnSync('/usr/bin/python3', ['-W', 'ignore', '-c', program, path, ...tags.map(String)], {
    encoding: 'utf8',
  });
  return status === 0 ? (JSON.parse(stdout) as string[]) : undefined;
}

const PYDICOM = spawnSync('/usr/bin/python3', ['-c', 'import pydicom']).status === 0;

describe('pydicom reads the text that we write', {
  skip: PYDICOM ? false : 'pydicom is not installed (Debian package python3-pydicom)',
}, () => {
  // Not here: ISO 2022 IR 58, whose escape sequence pydicom leaves in the text; PS3.5 Annex K is in charset.test.ts.
  const names: readonly (readonly [terms: string[], name: string])[] = [
    [['ISO_IR 100'], 'Müller^Jürgen'],
    [['ISO_IR 101'], 'Wałęsa^Łukasz'],
    [['ISO_IR 109'], 'Ĝoja^Ħal'],
    [['ISO_IR 110'], 'Bērziņš^Jānis'],
    [['ISO_IR 144'], 'Люкceмбypг'],
    [['ISO_IR 127'], 'قباني^لنزار'],
    [['ISO_IR 126'], 'Διονυσιος'],
    [['ISO_IR 138'], 'שרון^דבורה'],
    [['ISO_IR 148'], 'Çavuşoğlu^Şeyma'],
    [['ISO_IR 166'], 'นามสกุล'],
    [['ISO_IR 13'], 'ﾔﾏﾀﾞ^ﾀﾛｳ'],
    [['ISO_IR 192'], 'Wang^XiaoDong=王^小東'],
    [['GB18030'], 'Wang^XiaoDong=王^小东'],
    [['GBK'], 'Wang^XiaoDong=王^小东'],
    [['', 'ISO 2022 IR 87'], 'Yamada^Tarou=山田^太郎=やまだ^たろう'],
    [['ISO 2022 IR 13', 'ISO 2022 IR 87'], 'ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう'],
    [['', 'ISO 2022 IR 87', 'ISO 2022 IR 159'], 'a^b=丂山^太丄'],
    [['', 'ISO 2022 IR 149'], 'Hong^Gildong=洪^吉洞=홍^길동'],
    [['ISO 2022 IR 100', 'ISO 2022 IR 144', 'ISO 2022 IR 126'], 'Jérôme^Диона=Διον^éЛω'],
  ];
  for (const [terms, name] of names) {
    test(`${name} in ${terms.join('\\')}`, () => {
      const set = characterSetOf(terms);
      const path = fileOf((writer) => {
        writer.element(0x00080005, 'CS', encodeText(terms, 'CS'));
        writer.element(0x00081030, 'LO', encodeText([name.replaceAll(/[\^=]/g, ' '), 'x'], 'LO', set));
        writer.element(0x00100010, 'PN', encodeText(name, 'PN', set));
      });
      const [description, patientName] = pydicom(path, 0x00081030, 0x00100010) ?? [];
      assert.equal(patientName, name);
      assert.equal(description, `['${name.replaceAll(/[\^=]/g, ' ')}', 'x']`);
    });
  }
});

describe('DCMTK reads every VR that we write', { skip: skipWithoutProgram('dcmdump') }, () => {
  const values: readonly (readonly [tag: number, vr: string, value: string | readonly number[], shown: string])[] = [
    [0x00080054, 'AE', 'STATION1', '[STATION1]'],
    [0x00101010, 'AS', '045Y', '[045Y]'],
    [0x00280009, 'AT', [0x00181063], '(0018,1063)'],
    [0x00080060, 'CS', 'CT', '[CT]'],
    [0x00080020, 'DA', '20200229', '[20200229]'],
    [0x00101030, 'DS', '72.5', '[72.5]'],
    [0x0008002a, 'DT', '20200229120000.5+0100', '[20200229120000.5+0100]'],
    [0x00186028, 'FD', [0.1], '0.1'],
    [0x00186060, 'FL', [0.5, -2], '0.5\\-2'],
    [0x00200013, 'IS', '12', '[12]'],
    [0x00081030, 'LO', 'Head', '[Head]'],
    [0x001021b0, 'LT', 'a\\b', '[a\\b]'],
    [0x00420011, 'OB', [1, 2], '01\\02'],
    [0x7fe00009, 'OD', [1], '1'],
    [0x7fe00008, 'OF', [0.25], '0.25'],
    [0x00660040, 'OL', [1, 4294967295], '1\\4294967295'],
    [0x7fe00001, 'OV', [5_000_000_000], '5000000000'],
    [0x60003000, 'OW', [0x0102], '0102'],
    [0x00080050, 'SH', 'A1', '[A1]'],
    [0x00186020, 'SL', [-70000], '-70000'],
    [0x60000050, 'SS', [-3, 1], '-3\\1'],
    [0x00080081, 'ST', 'Street 1', '[Street 1]'],
    [0x00720082, 'SV', [-5_000_000_000], '-5000000000'],
    [0x00080030, 'TM', '120000', '[120000]'],
    [0x00080119, 'UC', 'long', '[long]'],
    [0x00080018, 'UI', '2.25.1', '[2.25.1]'],
    [0x00186016, 'UL', [3], '3'],
    [0x0009100f, 'UN', [9, 8], '09\\08'],
    [0x00081190, 'UR', 'http://example.org', '[http://example.org]'],
    [0x00280010, 'US', [512], '512'],
    [0x00400031, 'UT', 'text', '[text]'],
    [0x00720083, 'UV', [5_000_000_000], '5000000000'],
  ];

  test('the list names every VR but those of sequences and names', () => {
    const listed = values.map(([, vr]) => vr).toSorted();
    assert.deepEqual([...listed, 'PN', 'SQ'].toSorted(), Object.keys(VRS).toSorted());
  });

  for (const transferSyntax of [EXPLICIT_LITTLE, DEFLATED]) {
    test(`in ${transferSyntax}`, () => {
      const path = fileOf((writer) => {
        for (const [tag, vr, value] of values.toSorted(([a], [b]) => a - b)) {
          assert.ok(isVr(vr));
          const bytes =
            typeof value !== 'string'
              ? vr === 'UN'
                ? Uint8Array.from(value)
                : encodeNumbers(value, vr)
              : encodeText(value, vr);
          writer.element(tag, vr, bytes);
        }
      }, transferSyntax);
      const lines = dump(path);
      for (const [tag, vr, , shown] of values) {
        const line = lines.find((text) => text.startsWith(tagText(tag).toLowerCase())) ?? '';
        assert.ok(line.includes(` ${vr} ${shown} `), `${tagText(tag)} ${vr} ${shown}: ${line}`);
      }
    });
  }
});
