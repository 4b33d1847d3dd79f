/**
 * Every file of the development corpus against what DCMTK and pydicom say of it. DCMTK lists the elements of a data
 * set in the order of tags and keeps one of several with the same tag, so both trees are compared in that form.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { bytesSource } from '../../src/core/bytes.ts';
import { LetheError } from '../../src/core/errors.ts';
import type { DataSet, Element } from '../../src/dicom/data-set.ts';
import { readPart10 } from '../../src/dicom/part10.ts';
import { sharedPath, skipWithout } from '../support/shared.ts';

interface Entry {
  readonly path: string;
  readonly expect: 'ok' | 'decode-error' | 'parse-error';
  readonly lenient?: string;
  readonly charset: string | null;
  readonly rows: number | null;
  readonly cols: number | null;
  readonly sop_class: string | null;
  readonly elements?: { readonly treeSha256?: string; readonly agree?: boolean } | null;
  readonly text?: Readonly<Record<string, string | { readonly dcmtk: string; readonly pydicom: string }>>;
}

const manifest = sharedPath('corpus', 'MANIFEST.json');
const entries = existsSync(manifest)
  ? (JSON.parse(readFileSync(manifest, 'utf8')) as { entries: Entry[] }).entries
  : [];

/** Readable by others, refused by us, on purpose: each with the reason. */
const REFUSED: Readonly<Record<string, string>> = {
  'files/pydicom/MR_truncated.dcm': 'DICOM_TRUNCATED', // Pixel Data ends before its length: the instance is not whole
  'files/pydicom-data/emri_small_jpeg_2k_lossless_too_short.dcm': 'DICOM_TRUNCATED', // no Sequence Delimitation
  'files/synthetic/broken-cut-in-pixeldata.dcm': 'DICOM_TRUNCATED',
  'files/synthetic/hostile-nesting-400.dcm': 'DICOM_TOO_DEEP',
  'files/pydicom/meta_missing_tsyntax.dcm': 'DICOM_TRANSFER_SYNTAX_UNKNOWN', // groups 0001 and E000, no syntax said
};
/** Not readable by two other tools, read by us: PS3.5 §6.2.2 says how, and DCMTK agrees. */
const READ_ANYWAY = ['files/fo-dicom/GH177_D_CLUNIE_CT1_IVRLE_BigEndian_undefined_length.dcm'];

function read(entry: Entry): DataSet {
  return readPart10(bytesSource(readFileSync(sharedPath('corpus', entry.path)))).dataSet;
}

/** `depth:ggggeeee` as DCMTK walks them. */
function tree(dataSet: DataSet, depth = 0): string[] {
  const byTag = new Map<number, Element>();
  for (const element of dataSet.elements()) byTag.set(element.tag, element);
  const sorted = [...byTag.values()].toSorted((a, b) => a.tag - b.tag);
  return sorted.flatMap(({ tag, items = [] }) => [
    `${depth}:${tag.toString(16).padStart(8, '0')}`,
    ...items.flatMap((item) => tree(item, depth + 1)),
  ]);
}

function withoutTrailingGroups(name: string): string {
  return name.replace(/=+$/, '');
}

describe('the corpus', { skip: skipWithout('corpus') }, () => {
  for (const entry of entries) {
    const refusal = REFUSED[entry.path];
    if (refusal !== undefined) {
      test(`${entry.path} is refused: ${refusal}`, () => {
        assert.throws(() => read(entry), { code: refusal });
      });
    } else if (entry.expect === 'parse-error' && !READ_ANYWAY.includes(entry.path)) {
      test(`${entry.path} is refused with a typed error`, () => {
        assert.throws(() => read(entry), LetheError);
      });
    } else {
      test(`${entry.path} reads as DCMTK and pydicom read it`, () => {
        const dataSet = read(entry);
        if (entry.elements?.treeSha256 !== undefined && entry.elements.agree === true) {
          const sha256 = createHash('sha256').update(tree(dataSet).join('\n')).digest('hex');
          assert.equal(sha256, entry.elements.treeSha256, tree(dataSet).join(' '));
        }
        if (entry.rows !== null && entry.rows !== undefined) assert.equal(dataSet.number(0x00280010), entry.rows);
        if (entry.cols !== null && entry.cols !== undefined) assert.equal(dataSet.number(0x00280011), entry.cols);
        for (const [tagText, expected] of Object.entries(entry.text ?? {})) {
          const tag = Number.parseInt(tagText.replace(/[(),]/g, ''), 16);
          const either = typeof expected === 'string' ? [expected] : [expected.dcmtk, expected.pydicom];
          const found = withoutTrailingGroups(dataSet.strings(tag).join('\\'));
          assert.ok(either.includes(found), `${tagText}: ${JSON.stringify(found)}, expected ${JSON.stringify(either)}`);
        }
      });
    }
  }
});
