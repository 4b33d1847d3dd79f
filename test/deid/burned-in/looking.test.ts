/** Who is looked at, how much of it, and what comes of what is seen, with a detector that sees what a test wants. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cleanPixels, type Eyes } from '../../../src/deid/burned-in/clean-pixels.ts';
import { lookAgain } from '../../../src/deid/burned-in/second-look.ts';
import { TAGS } from '../../../src/imaging/tags.ts';
import type { TextDetector } from '../../../src/text-detection/detector.ts';
import type { Box, Picture } from '../../../src/text-detection/picture.ts';
import { type Attributes, imageFile } from '../../imaging/image-files.ts';
import { bytesOf } from '../../imaging/redact/redacted-files.ts';

const HOLD = { whenUnscanned: 'hold' } as const;
const SIDE = 64;

/** Frames of 64 × 64, black, with the pixels of the boxes white. */
function frames(...boxes: readonly (readonly Box[])[]): Attributes {
  const pixels = new Uint8Array(SIDE * SIDE * boxes.length);
  for (const [frame, list] of boxes.entries()) {
    for (const { x, y, width, height } of list)
      for (let row = y; row < y + height; row++)
        pixels.fill(255, (frame * SIDE + row) * SIDE + x, (frame * SIDE + row) * SIDE + x + width);
  }
  return { Rows: SIDE, Columns: SIDE, NumberOfFrames: boxes.length, PixelData: ['OB', pixels] };
}

/** Reads whatever is white in the region as one line; remembers the regions it was asked about. */
function eyes(confidence = 0.95, text = 'Larkspurdale', more: Partial<Eyes> = {}) {
  const asked: Box[] = [];
  const detector: TextDetector = {
    detect: async (picture, region = { x: 0, y: 0, width: picture.width, height: picture.height }) => {
      asked.push(region);
      const box = boundsOfWhite(picture, region);
      return box === undefined ? [] : [{ box, text, confidence, score: 0.95 }];
    },
  };
  const given: Eyes = { detector, redact: 'all-text', isKnown: () => false, ...more };
  return { asked, given: { eyes: given } };
}

function boundsOfWhite({ width, pixels }: Picture, region: Box): Box | undefined {
  let [left, top, right, bottom] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, -1, -1];
  for (let y = region.y; y < region.y + region.height; y++) {
    for (let x = region.x; x < region.x + region.width; x++) {
      if ((pixels[y * width + x] ?? 0) < 200) continue;
      [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
    }
  }
  return right < 0 ? undefined : { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}

const LINE: Box = { x: 10, y: 20, width: 30, height: 10 };
const CAPTURE = { Modality: 'OT', ConversionType: 'WSD' } as const;

describe('a look', () => {
  test('is not taken at three hundred clean slices', async () => {
    const { asked, given } = eyes();
    const slice = imageFile({
      ...frames([]),
      Modality: 'CT',
      ImageType: ['ORIGINAL', 'PRIMARY', 'AXIAL'],
      BitsAllocated: 16,
      BitsStored: 12,
      HighBit: 11,
      PixelData: ['OW', new Uint8Array(SIDE * SIDE * 2)],
    });
    for (let number = 0; number < 300; number++)
      assert.equal((await cleanPixels(slice, HOLD, given)).decision, 'clean');
    assert.equal(asked.length, 0);
  });

  test('asks nobody to read a radiograph without steps that letters could be made of', async () => {
    const { asked, given } = eyes();
    const cleaned = await cleanPixels(imageFile({ ...frames([]), Modality: 'DX' }), HOLD, given);
    assert.equal(asked.length, 0);
    assert.equal(cleaned.decision, 'clean');
    assert.equal(cleaned.replacements?.burnedIn, 'NO');
  });

  test('blanks what was read and leaves every other pixel', async () => {
    const mark: Box = { x: 60, y: 60, width: 2, height: 2 };
    const { given } = eyes();
    const cleaned = await cleanPixels(imageFile({ ...frames([LINE]), ...CAPTURE }), HOLD, given);
    assert.equal(cleaned.decision, 'redacted');
    assert.equal(cleaned.replacements?.burnedIn, 'NO');
    assert.deepEqual(cleaned.replacements?.methodCodes, ['113101']);
    assert.ok(bytesOf(cleaned.replacements?.replace.get(TAGS.PixelData)).every((sample) => sample === 0));
    const other = await cleanPixels(imageFile({ ...frames([mark]), ...CAPTURE }), HOLD, eyes(0.95, 'L').given);
    assert.equal(other.decision, 'clean');
  });

  test('that leaves a doubt holds the instance and says where', async () => {
    const cleaned = await cleanPixels(imageFile({ ...frames([LINE]), ...CAPTURE }), HOLD, eyes(0.6).given);
    assert.equal(cleaned.held, 'DEID_TEXT_DOUBTFUL');
    const [box] = cleaned.boxes ?? [];
    assert.ok(box !== undefined && box.x <= 10 && box.y <= 20 && box.x + box.width >= 40 && box.y + box.height >= 30);
  });

  test('that finds nothing where the instance says that there is text holds it', async () => {
    const said = { ...frames([]), Modality: 'OT', BurnedInAnnotation: 'YES' };
    assert.equal((await cleanPixels(imageFile(said), HOLD, eyes().given)).held, 'DEID_BURNED_IN_SUSPECT');
  });

  test('at further frames is taken where they have gained steps, and only there', async () => {
    const moved: Box = { x: 34, y: 44, width: 20, height: 8 };
    const { asked, given } = eyes();
    const still = Array.from({ length: 8 }, () => [LINE]);
    const file = imageFile({ ...frames([LINE], ...still, [LINE, moved], ...still), ...CAPTURE });
    const cleaned = await cleanPixels(file, HOLD, given);
    assert.ok(bytesOf(cleaned.replacements?.replace.get(TAGS.PixelData)).every((sample) => sample === 0));
    // The first, its second reading, what moved and its second reading, and the last: not eighteen.
    assert.ok(asked.length <= 6, `${asked.length} looks at 18 frames`);
  });

  test('goes by the profile: known regions alone are nothing to look for', async () => {
    const { asked, given } = eyes(0.95, 'Larkspurdale', { redact: 'regions' });
    assert.equal((await cleanPixels(imageFile({ ...frames([LINE]), ...CAPTURE }), HOLD, given)).decision, 'held');
    assert.equal(asked.length, 0);
  });
});

describe('the second look', () => {
  const redacted = { decision: 'redacted', reason: '' } as const;

  test('holds what still shows text or may do so', async () => {
    const output = imageFile({ ...frames([LINE]), ...CAPTURE });
    for (const confidence of [0.95, 0.6])
      await assert.rejects(lookAgain(output, redacted, eyes(confidence).given), { code: 'DEID_TEXT_REMAINS' });
    await lookAgain(imageFile({ ...frames([]), ...CAPTURE }), redacted, eyes().given);
  });

  test('takes a person at their word, but for a name', async () => {
    const output = imageFile({ ...frames([LINE]), ...CAPTURE });
    await lookAgain(output, redacted, { ...eyes().given, decided: [] });
    const named = { ...eyes(0.95, 'Quennell', { isKnown: () => true }).given, decided: [] };
    await assert.rejects(lookAgain(output, redacted, named), { code: 'DEID_TEXT_REMAINS' });
  });
});

describe('what people decided', () => {
  test('is what is blanked, and nothing else', async () => {
    const { asked, given } = eyes();
    const file = imageFile({ ...frames([LINE]), ...CAPTURE });
    const decided = [{ x: 10, y: 20, width: 10, height: 10 }];
    const cleaned = await cleanPixels(file, HOLD, { ...given, decided });
    const white = bytesOf(cleaned.replacements?.replace.get(TAGS.PixelData)).filter((sample) => sample === 255).length;
    assert.equal(white, 20 * 10);
    assert.equal(asked.length, 0);
    assert.equal((await cleanPixels(file, HOLD, { ...given, decided: [] })).decision, 'clean');
  });

  test('stands for images of the same model and size, and for no other', async () => {
    const device = { Manufacturer: 'ACME', ManufacturerModelName: 'Scan 3' };
    const rules = [{ manufacturer: 'ACME', model: 'Scan 3', rows: SIDE, columns: SIDE, boxes: [LINE] }];
    const same = imageFile({ ...frames([LINE]), ...CAPTURE, ...device });
    const cleaned = await cleanPixels(same, HOLD, { rules });
    assert.equal(cleaned.reason, 'equipment rule by review');
    assert.ok(bytesOf(cleaned.replacements?.replace.get(TAGS.PixelData)).every((sample) => sample === 0));
    const other = imageFile({ ...frames([LINE]), ...CAPTURE, ...device, ManufacturerModelName: 'Scan 4' });
    assert.equal((await cleanPixels(other, HOLD, { rules })).decision, 'held');
  });
});
