/** A look at a frame as it was received: right pixels, typed failures, and a thread that a bad frame cannot keep. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import sharp from 'sharp';
import { systemClock, systemRandom } from '../../src/core/clock.ts';
import { silentLogger } from '../../src/core/log.ts';
import { lookInto } from '../../src/gateway/look.ts';
import { LocalSpool } from '../../src/queue/local-spool.ts';
import { buildPart10 } from '../build/data-set.ts';
import { receivedRecord } from '../build/record.ts';

/** Two frames of 2 x 2 pixels: 10 20 30 40, then 50 60 70 80. */
const FRAMES = buildPart10([
  ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.7'],
  ['SOPInstanceUID', '2.25.1'],
  ['SamplesPerPixel', 1],
  ['PhotometricInterpretation', 'MONOCHROME2'],
  ['NumberOfFrames', '2'],
  ['Rows', 2],
  ['Columns', 2],
  ['BitsAllocated', 8],
  ['BitsStored', 8],
  ['HighBit', 7],
  ['PixelRepresentation', 0],
  ['PixelData', 'OB', Uint8Array.of(10, 20, 30, 40, 50, 60, 70, 80)],
]);

async function received(t: TestContext, bytes: Uint8Array) {
  const dataDir = mkdtempSync(join(tmpdir(), 'lethe-look-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const deps = { clock: systemClock, random: systemRandom };
  const spool = await LocalSpool.open({ dataDir, minFreeDiskBytes: 0 }, deps);
  t.after(() => spool.close());
  const writer = spool.writer();
  const incoming = writer.begin(receivedRecord({ sopClassUid: '1.2.840.10008.5.1.4.1.1.7' }), new Uint8Array(0));
  incoming.write(bytes);
  const { location } = await incoming.commit();
  await writer.close();
  return { location, look: lookInto({ dataDir, logger: silentLogger }) };
}

test('the frame asked for comes as PNG with the pixels that were received', async (t) => {
  const { location, look } = await received(t, FRAMES);
  const png = await look({ location, frame: 2 });
  assert.deepEqual([...(await sharp(png).toColourspace('b-w').raw().toBuffer())], [50, 60, 70, 80]);
});

test('what cannot be rendered says why', async (t) => {
  const { location, look } = await received(t, FRAMES);
  await assert.rejects(look({ location, frame: 3 }), { code: 'IMAGING_PIXEL_DATA_MISSING' });
  const broken = await received(t, FRAMES.subarray(0, FRAMES.length - 2));
  await assert.rejects(broken.look({ location: broken.location, frame: 1 }), { code: 'DICOM_TRUNCATED' });
});

test('one looks after the other, and where too many wait the next is asked to come back', async (t) => {
  const { location, look } = await received(t, FRAMES);
  const looks = Array.from({ length: 8 }, () => look({ location, frame: 1 }));
  await assert.rejects(look({ location, frame: 1 }), { code: 'HTTP_TOO_BUSY' });
  const [first, ...others] = await Promise.all(looks);
  for (const other of others) assert.deepEqual(other, first);
  await look({ location, frame: 1 });
});
