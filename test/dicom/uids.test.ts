/** The UID registry and the transfer syntaxes: PS3.6 Table A-1, PS3.5 §9.1 and Annex A. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TRANSFER_SYNTAXES, transferSyntaxOf } from '../../src/dicom/transfer-syntax.ts';
import { isStandardUid, isValidUid, registeredUids, STORAGE_SOP_CLASSES, uidName } from '../../src/dicom/uids.ts';

describe('UIDs', () => {
  test('registered ones have names', () => {
    assert.equal(uidName('1.2.840.10008.5.1.4.1.1.2'), 'CT Image Storage');
    assert.equal(uidName('1.2.840.10008.1.1'), 'Verification SOP Class');
    assert.equal(uidName('1.2.3'), undefined);
  });

  test('only registered ones are standard: instances under the root of the Standard are not', () => {
    assert.equal(isStandardUid('1.2.840.10008.1.4.1.1'), true); // Talairach Brain Atlas frame of reference
    assert.equal(isStandardUid('1.2.840.10008.1.20.1.1'), true); // Storage Commitment well-known instance
    assert.equal(isStandardUid('1.2.840.10008.5.1.4.1.1.2.19700101.1'), false);
    assert.equal(isStandardUid('2.25.1'), false);
  });

  test('are digits and dots without leading zeros, at most 64 characters (PS3.5 §9.1)', () => {
    for (const uid of ['1.2', '2.25.0', `1.${'2'.repeat(62)}`]) assert.equal(isValidUid(uid), true, uid);
    const bad = [
      '',
      '1',
      '1.',
      '.1',
      '1..2',
      '1.02',
      '01.2',
      '1.a',
      ' 1.2',
      '1.2 ',
      '1.2\0',
      '../1.2',
      `1.${'2'.repeat(63)}`,
    ];
    for (const uid of bad) assert.equal(isValidUid(uid), false, uid);
  });

  test('storage SOP classes hold images, reports and plans, and nothing that is not stored', () => {
    for (const uid of ['5.1.4.1.1.2', '5.1.4.1.1.88.11', '5.1.4.1.1.481.5', '5.1.4.1.1.104.1', '5.1.4.1.1.77.1.6']) {
      assert.equal(STORAGE_SOP_CLASSES.has(`1.2.840.10008.${uid}`), true, uid);
    }
    for (const uid of ['1.1', '1.20.1', '1.3.10', '5.1.4.1.2.1.1', '5.1.4.1.1.200.4']) {
      assert.equal(STORAGE_SOP_CLASSES.has(`1.2.840.10008.${uid}`), false, uid);
    }
    assert.ok(STORAGE_SOP_CLASSES.size > 200);
  });
});

describe('transfer syntaxes', () => {
  test('are all of PS3.6 Table A-1 and no other', () => {
    const registered = [...registeredUids().values()]
      .filter(({ type }) => type === 'TransferSyntax')
      .map(({ uid }) => uid);
    assert.deepEqual([...TRANSFER_SYNTAXES.keys()].toSorted(), registered.toSorted());
    assert.equal(transferSyntaxOf('1.2.3'), undefined);
  });

  test('only Implicit VR is implicit and only Big Endian is big (PS3.5 A.1, A.3)', () => {
    const all = [...TRANSFER_SYNTAXES.values()];
    assert.deepEqual(
      all.filter(({ explicitVr }) => !explicitVr).map(({ uid }) => uid),
      ['1.2.840.10008.1.2', '1.2.840.10008.1.20'],
    );
    assert.deepEqual(
      all.filter(({ littleEndian }) => !littleEndian).map(({ uid }) => uid),
      ['1.2.840.10008.1.2.2'],
    );
    assert.deepEqual(
      all.filter(({ deflated }) => deflated).map(({ uid }) => uid),
      ['1.2.840.10008.1.2.1.99', '1.2.840.10008.1.2.4.95', '1.2.840.10008.1.2.4.205'],
    );
  });

  const families: readonly (readonly [uid: string, family: string, encapsulated: boolean, lossy: boolean])[] = [
    ['1.2.840.10008.1.2', 'native', false, false],
    ['1.2.840.10008.1.2.1.98', 'encapsulated-uncompressed', true, false],
    ['1.2.840.10008.1.2.1.99', 'deflated', false, false],
    ['1.2.840.10008.1.2.4.50', 'jpeg-baseline', true, true],
    ['1.2.840.10008.1.2.4.51', 'jpeg-extended', true, true],
    ['1.2.840.10008.1.2.4.57', 'jpeg-lossless', true, false],
    ['1.2.840.10008.1.2.4.70', 'jpeg-lossless', true, false],
    ['1.2.840.10008.1.2.4.80', 'jpeg-ls', true, false],
    ['1.2.840.10008.1.2.4.81', 'jpeg-ls', true, true],
    ['1.2.840.10008.1.2.4.90', 'jpeg-2000', true, false],
    ['1.2.840.10008.1.2.4.91', 'jpeg-2000', true, true],
    ['1.2.840.10008.1.2.4.94', 'jpip', false, false],
    ['1.2.840.10008.1.2.4.100', 'mpeg-2', true, true],
    ['1.2.840.10008.1.2.4.102', 'h264', true, true],
    ['1.2.840.10008.1.2.4.107', 'hevc', true, true],
    ['1.2.840.10008.1.2.4.110', 'jpeg-xl', true, false],
    ['1.2.840.10008.1.2.4.201', 'htj2k', true, false],
    ['1.2.840.10008.1.2.4.203', 'htj2k', true, true],
    ['1.2.840.10008.1.2.5', 'rle', true, false],
    ['1.2.840.10008.1.2.8.1', 'deflated-frame', true, false],
  ];
  for (const [uid, family, encapsulated, lossy] of families) {
    test(`${uid} (${uidName(uid)}) is ${family}${lossy ? ', may lose' : ''}`, () => {
      const found = transferSyntaxOf(uid);
      assert.deepEqual([found?.family, found?.encapsulated, found?.lossy], [family, encapsulated, lossy]);
    });
  }
});
