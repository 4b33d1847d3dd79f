/** Whatever arrives, the pure readers answer; they never throw and never hang. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readImageFile } from '../../src/backend/image-file.ts';
import { partsOf, readObject } from '../../src/backend/stow.ts';
import { validateUpload } from '../../src/backend/validate.ts';
import { PICTURE } from '../delivery/deliverable.ts';
import { dicomFile } from '../delivery/dicom-file.ts';

/** A valid file with a few bytes changed and its end cut. */
function damaged(file: Buffer): fc.Arbitrary<Buffer> {
  const changes = fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { maxLength: 8 });
  return fc.tuple(changes, fc.nat(file.length)).map(([edits, length]) => {
    const copy = Buffer.from(file);
    for (const [at, byte] of edits) copy[at] = byte;
    return copy.subarray(0, length);
  });
}

test('image files', () => {
  fc.assert(fc.property(damaged(PICTURE), (bytes) => void readImageFile(bytes)));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => readImageFile(Buffer.from(bytes)) === undefined));
});

test('DICOM objects', () => {
  fc.assert(fc.property(damaged(dicomFile('1.2.3')), (bytes) => void readObject(bytes)));
});

test('multipart bodies', () => {
  const body = Buffer.from('--b\r\nA: b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--');
  fc.assert(fc.property(damaged(body), (bytes) => void partsOf('multipart/related; boundary=b', bytes)));
  fc.assert(fc.property(fc.string(), (type) => void partsOf(type, body)));
});

test('uploads of any shape', () => {
  const keys = fc.constantFrom('study', 'series', 'images', 'data', 'height', 'imageInstanceUid', '__proto__');
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      fc.jsonValue(),
      fc.dictionary(keys, tie('tree'), { maxKeys: 4 }),
      fc.array(tie('tree'), { maxLength: 3 }),
    ),
  }));
  fc.assert(
    fc.property(tree, (body) => {
      const validation = validateUpload(body);
      assert.ok('findings' in validation && validation.findings.length > 0);
    }),
  );
});
