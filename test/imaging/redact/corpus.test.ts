/** Real files of many modalities and encoders: a redaction changes no stored value outside of its rectangle. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { LetheError } from '../../../src/core/errors.ts';
import type { Part10File } from '../../../src/dicom/part10.ts';
import { storedValue } from '../../../src/imaging/decoded-frame.ts';
import { type OpenedImage, openImage } from '../../../src/imaging/image.ts';
import type { Rect } from '../../../src/imaging/redact/rect.ts';
import { redactPixels } from '../../../src/imaging/redact/redact-pixels.ts';
import { sharedPath, skipWithout } from '../../support/shared.ts';
import { opened, withReplacements } from './redacted-files.ts';

const isLong = process.env['LETHE_LONG'] === '1';
const FILE_BYTES_MAX = isLong ? 8_000_000 : 100_000;
const FRAMES_MAX = isLong ? 40 : 3;
/** An MCU is at most 32 pixels wide, and a decoder may smooth the chrominance over its edge by one. */
const DCT_REACH = 33;

interface Readable {
  readonly file: Part10File;
  readonly image: OpenedImage;
}

/** The file as an image; undefined for what is none or cannot be decoded in the first place. */
async function readable(path: string): Promise<Readable | undefined> {
  try {
    const file = opened(readFileSync(path));
    const image = await openImage(file);
    for (let frame = 0; frame < Math.min(FRAMES_MAX, image.frameCount); frame++) image.decode(frame);
    return image.frameCount <= FRAMES_MAX ? { file, image } : undefined;
  } catch (error) {
    if (error instanceof LetheError) return undefined;
    throw error;
  }
}

function differencesOutside(was: OpenedImage, is: OpenedImage, rect: Rect): number {
  let differences = 0;
  for (let index = 0; index < was.frameCount; index++) {
    // A decoder may use one buffer for all of its frames.
    const before = { ...was.decode(index), samples: was.decode(index).samples.slice() };
    const after = is.decode(index);
    for (const [at, word] of before.samples.entries()) {
      const pixel = Math.floor(at / before.samplesPerPixel);
      const x = pixel % before.columns;
      const y = Math.floor(pixel / before.columns);
      if (x >= rect.x && x < rect.x + rect.width && y >= rect.y && y < rect.y + rect.height) continue;
      if (storedValue(word, before) !== storedValue(after.samples[at] ?? -1, after)) differences++;
    }
  }
  return differences;
}

describe('the corpus', { skip: skipWithout('corpus') }, () => {
  test('keeps every stored value outside of the rectangle', async (context) => {
    const root = sharedPath('corpus');
    let compared = 0;
    for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
      const path = join(root, name);
      const { size } = statSync(path);
      if (!statSync(path).isFile() || size > FILE_BYTES_MAX) continue;
      const found = await readable(path);
      if (found === undefined || found.image.description.kind !== 'integer') continue;
      const { rows, columns, photometric } = found.image.description;
      const rect = { x: columns >> 2, y: rows >> 2, width: (columns >> 3) + 1, height: (rows >> 3) + 1 };
      const redaction = await redactPixels(found.file, [rect]);
      assert.ok(redaction, name);
      const after = await openImage(opened(withReplacements(found.file, redaction)));
      const isDct = redaction.transferSyntaxUid === undefined && /^jpeg-[be]/.test(found.file.transferSyntax.family);
      const reach = isDct ? DCT_REACH : photometric.endsWith('422') ? 1 : 0;
      const { x, y, width, height } = rect;
      const reached = { x: x - reach, y: y - reach, width: width + 2 * reach, height: height + 2 * reach };
      assert.equal(differencesOutside(found.image, after, reached), 0, name);
      compared++;
    }
    context.diagnostic(`${compared} files redacted and compared`);
    assert.ok(compared > 50);
  });
});
