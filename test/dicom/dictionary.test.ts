/** The dictionary against PS3.6 as printed, against the data it was generated from, and against DCMTK's own. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { attributeOf, EDITION, implicitVr, isSignDependent, tagOfKeyword } from '../../src/dicom/dictionary.ts';
import { tagText } from '../../src/dicom/tag.ts';
import { areLetters, isLongLength, isVr, VRS, vrOfBytes } from '../../src/dicom/vr.ts';
import { sharedPath, skipWithout } from '../support/shared.ts';

describe('attributeOf', () => {
  test('answers a row of PS3.6 Table 6-1', () => {
    assert.deepEqual(attributeOf(0x00100010), {
      keyword: 'PatientName',
      name: "Patient's Name",
      vrs: ['PN'],
      vm: '1',
      retired: false,
    });
    assert.deepEqual(attributeOf(0x00080008), {
      keyword: 'ImageType',
      name: 'Image Type',
      vrs: ['CS'],
      vm: '2-n',
      retired: false,
    });
    assert.deepEqual(attributeOf(0x7fe00010)?.vrs, ['OB', 'OW']);
    assert.equal(attributeOf(0x00080040)?.retired, true); // Data Set Type
  });

  test('knows nothing of private and unlisted tags', () => {
    assert.equal(attributeOf(0x00091001), undefined);
    assert.equal(attributeOf(0x0010ffff), undefined);
  });

  test('resolves repeating groups: the sixteen even groups of curves and overlays (PS3.5 §7.6)', () => {
    for (const group of [0x6000, 0x6002, 0x601e])
      assert.equal(attributeOf(group * 0x10000 + 0x3000)?.keyword, 'OverlayData');
    for (const group of [0x6001, 0x6020, 0x60fe]) assert.equal(attributeOf(group * 0x10000 + 0x3000), undefined);
    assert.equal(attributeOf(0x501e0010)?.keyword, 'NumberOfPoints');
  });

  test('resolves repeating elements', () => {
    assert.equal(attributeOf(0x00203142)?.keyword, 'SourceImageIDs');
    assert.equal(attributeOf(0x002804a3)?.keyword, 'CoefficientCodingPointers');
    assert.equal(attributeOf(0x10001231)?.keyword, 'RunLengthTriplet');
  });
});

describe('tagOfKeyword', () => {
  test('is the reverse; of a repeating group it answers the first', () => {
    assert.equal(tagOfKeyword('PatientName'), 0x00100010);
    assert.equal(tagOfKeyword('OverlayData'), 0x60003000);
    assert.equal(tagOfKeyword('PatientsName'), undefined);
    assert.equal(tagOfKeyword(''), undefined);
  });
});

describe('implicitVr', () => {
  test('follows PS3.5 A.1 where PS3.6 leaves a choice', () => {
    assert.equal(implicitVr(0x7fe00010), 'OW'); // Pixel Data
    assert.equal(implicitVr(0x60003000), 'OW'); // Overlay Data
    assert.equal(implicitVr(0x54001010), 'OW'); // Waveform Data
    assert.equal(implicitVr(0x00283006), 'OW'); // LUT Data, US or OW
    assert.equal(implicitVr(0x00280106), 'US'); // Smallest Image Pixel Value, US or SS
    assert.equal(isSignDependent(0x00280106), true);
    assert.equal(isSignDependent(0x00280010), false);
  });

  test('of group lengths, private creators and unknown tags', () => {
    assert.equal(implicitVr(0x00080000), 'UL');
    assert.equal(implicitVr(0x00090000), 'UL');
    assert.equal(implicitVr(0x00090010), 'LO');
    assert.equal(implicitVr(0x00091001), 'UN');
    assert.equal(implicitVr(0x0010ffff), 'UN');
    assert.equal(implicitVr(0x00280020), 'UN'); // retired, PS3.6 gives no VR
  });
});

describe('the table', () => {
  test('holds every row of its source', { skip: skipWithout('standard') }, () => {
    interface Row {
      tag: string;
      keyword: string;
      name: string;
      vr: string[];
      vm: string;
      retired: boolean;
    }
    const source = JSON.parse(readFileSync(sharedPath('standard', 'ps3.6-data-elements.json'), 'utf8')) as {
      edition: string;
      rows: Row[];
    };
    assert.equal(EDITION, source.edition);
    for (const { tag, keyword, name, vr, vm, retired } of source.rows) {
      assert.deepEqual(attributeOf(Number.parseInt(oneOf(tag), 16)), { keyword, name, vrs: vr, vm, retired }, tag);
    }
  });

  const dicomDic = dcmtkDictionary();
  test('agrees with the dictionary of DCMTK', {
    skip: dicomDic === undefined ? "DCMTK's dicom.dic is not here" : false,
  }, () => {
    const differences: string[] = [];
    for (const line of (dicomDic ?? '').split('\n')) {
      const match = /^\(([0-9a-f]{4}),([0-9a-f]{4})\)\t(\w+)\t(\w+)\t\S+\tDICOM\b/.exec(line);
      if (match === null) continue;
      const [, group = '', element = '', vr = '', name = ''] = match;
      if (group === '0000') continue; // the command set is PS3.7's
      const keyword = name.replace('RETIRED_', '');
      const tag = Number.parseInt(group + element, 16);
      const attribute = attributeOf(tag);
      // Lower case and `na`, `up`, `xs`, `ox`, `px`, `lt` are DCMTK's own names for choices and items.
      if (attribute === undefined || attribute.keyword !== keyword)
        differences.push(`${tagText(tag)} ${keyword} is ${attribute?.keyword}`);
      else if (isVr(vr) && !attribute.vrs.includes(vr))
        differences.push(`${tagText(tag)} ${vr} is ${attribute.vrs.join()}`);
    }
    assert.deepEqual(differences, []);
  });
});

/** A tag that a row with `x` stands for: a group 02 of a repeating group, a digit 2 elsewhere. */
function oneOf(tag: string): string {
  return tag.replace(/^(..)xx/, '$102').replaceAll('x', '2');
}

function dcmtkDictionary(): string | undefined {
  const folders = existsSync('/usr/share') ? readdirSync('/usr/share').filter((name) => name.includes('dcmtk')) : [];
  const path = folders.map((name) => join('/usr/share', name, 'dicom.dic')).find((candidate) => existsSync(candidate));
  return path === undefined ? undefined : readFileSync(path, 'latin1');
}

describe('VRs', () => {
  test('are found by their two bytes', () => {
    for (const vr of Object.keys(VRS)) assert.equal(vrOfBytes(vr.charCodeAt(0), vr.charCodeAt(1)), vr);
    for (const [first, second] of [
      [0x41, 0x41],
      [0x20, 0x20],
      [0, 0],
      [0x61, 0x65],
      [0xff, 0xff],
      [0x5b, 0x41],
    ] as const) {
      assert.equal(vrOfBytes(first, second), undefined);
    }
    assert.equal(areLetters(0x5a, 0x41), true);
    assert.equal(areLetters(0x5a, 0x61), false);
  });

  test('with a 32-bit length are those of PS3.5 Table 7.1-1', () => {
    const long = Object.keys(VRS).filter((vr) => isLongLength(vr.charCodeAt(0), vr.charCodeAt(1)));
    assert.deepEqual(long, ['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV']);
  });

  test('affected by Specific Character Set are those of PS3.5 §6.1.2.3', () => {
    const affected = Object.entries(VRS)
      .filter(([, row]) => row.charset)
      .map(([vr]) => vr);
    assert.deepEqual(affected, ['LO', 'LT', 'PN', 'SH', 'ST', 'UC', 'UT']);
  });
});
