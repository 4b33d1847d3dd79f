import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytesSource } from '../../src/core/bytes.ts';
import { readPart10 } from '../../src/dicom/part10.ts';
import { verifyCustody } from '../../src/gateway/verify-custody.ts';
import { buildPart10 } from '../build/data-set.ts';
import { CT_IMAGE_STORAGE } from '../build/pdu.ts';

/** A file whose meta information says `meta`, as the listener writes what the command said. */
function file(meta: string, sopInstanceUid: string) {
  const bytes = buildPart10(
    [
      ['SOPClassUID', CT_IMAGE_STORAGE],
      ['SOPInstanceUID', sopInstanceUid],
      ['PixelData', 'OW', new Uint8Array(4)],
    ],
    {
      meta: [
        ['MediaStorageSOPClassUID', CT_IMAGE_STORAGE],
        ['MediaStorageSOPInstanceUID', meta],
      ],
    },
  );
  return readPart10(bytesSource(bytes));
}

describe('F21: what the listener stored in spite of a fault is held', () => {
  for (const [what, part10, code] of [
    ['an instance UID that differs', file('1.2.3', '1.2.4'), 'DIMSE_SOP_CLASS_MISMATCH'],
    ['a malformed instance UID', file('NO-UID', 'NO-UID'), 'DIMSE_INVALID_UID'],
  ] as const)
    test(`${what}, where it came by C-STORE; the file meta of other files proves nothing`, () => {
      assert.throws(() => verifyCustody(part10, { sourceKind: 'dicom' }), { code });
      verifyCustody(part10, { sourceKind: 'http' });
    });

  test('what agrees passes', () => verifyCustody(file('1.2.3', '1.2.3'), { sourceKind: 'dicom' }));
});
