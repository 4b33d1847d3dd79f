/** The decision about pixels and what comes of it, by policy. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cleanPixels } from '../../../src/deid/burned-in/clean-pixels.ts';
import { TAGS } from '../../../src/imaging/tags.ts';
import { imageFile } from '../../imaging/image-files.ts';
import { bytesOf } from '../../imaging/redact/redacted-files.ts';

const PIXELS = { PixelData: ['OB', Uint8Array.of(9, 9, 9, 9, 9, 9)] } as const;
const HOLD = { whenUnscanned: 'hold' } as const;
const PASS = { whenUnscanned: 'pass' } as const;

describe('what is done about text in pixels', () => {
  test('an object without pixels is clean', async () => {
    assert.deepEqual(await cleanPixels(imageFile({}), HOLD), { decision: 'clean', reason: 'no pixel data' });
  });

  test('a clean image has no replacements', async () => {
    const cleaned = await cleanPixels(imageFile({ ...PIXELS, Modality: 'CT' }), HOLD);
    assert.equal(cleaned.decision, 'clean');
    assert.equal(cleaned.replacements, undefined);
  });

  test('what nobody looked at is held, or let through with that on record', async () => {
    const file = imageFile({ ...PIXELS, Modality: 'XA' });
    const held = await cleanPixels(file, HOLD);
    assert.equal(held.held, 'DEID_BURNED_IN_SUSPECT');
    const passed = await cleanPixels(file, PASS);
    assert.equal(passed.decision, 'passed');
    assert.match(passed.reason, /not scanned by policy$/);
    assert.equal(passed.replacements?.burnedIn, undefined);
  });

  test('what has text somewhere is held whatever the policy', async () => {
    const cleaned = await cleanPixels(imageFile({ ...PIXELS, Modality: 'CT', BurnedInAnnotation: 'YES' }), PASS);
    assert.equal(cleaned.held, 'DEID_BURNED_IN_SUSPECT');
  });

  test('everything outside of ultrasound regions becomes black', async () => {
    const region = [
      ['RegionLocationMinX0', 1],
      ['RegionLocationMinY0', 1],
      ['RegionLocationMaxX1', 2],
      ['RegionLocationMaxY1', 1],
    ] as const;
    const cleaned = await cleanPixels(
      imageFile({ ...PIXELS, Modality: 'US', SequenceOfUltrasoundRegions: [region] }),
      HOLD,
    );
    assert.equal(cleaned.decision, 'redacted');
    assert.equal(cleaned.replacements?.burnedIn, 'NO');
    assert.deepEqual([...bytesOf(cleaned.replacements?.replace.get(TAGS.PixelData))], [0, 0, 0, 0, 9, 9]);
  });

  test('the label of a slide becomes black as a whole', async () => {
    const ImageType = ['ORIGINAL', 'PRIMARY', 'LABEL', 'NONE'];
    const cleaned = await cleanPixels(
      imageFile({ ...PIXELS, Modality: 'SM', ImageType, BurnedInAnnotation: 'YES' }),
      HOLD,
    );
    assert.deepEqual([...bytesOf(cleaned.replacements?.replace.get(TAGS.PixelData))], [0, 0, 0, 0, 0, 0]);
  });

  test('bits that hold no pixel are cleared in clean images, which says nothing of burned-in text', async () => {
    const words = new Uint8Array(Uint16Array.of(0x2001, 2, 3, 4, 5, 6).buffer);
    const cleaned = await cleanPixels(
      imageFile({ Modality: 'CT', BitsAllocated: 16, BitsStored: 12, HighBit: 11, PixelData: ['OW', words] }),
      HOLD,
    );
    assert.equal(cleaned.decision, 'clean');
    assert.equal(cleaned.replacements?.burnedIn, undefined);
    assert.deepEqual(cleaned.replacements?.methodCodes, []);
    assert.equal(bytesOf(cleaned.replacements?.replace.get(TAGS.PixelData))[1], 0);
  });
});
