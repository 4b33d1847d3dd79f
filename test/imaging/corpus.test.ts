/**
 * Every file of the corpus against decoders that are not ours (its ORACLES.json): lossless to the last bit, lossy by at
 * least 45 dB, broken ones with a typed error. No rule is for one file; what is acceptable besides is said by the corpus.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import sharp from 'sharp';
import { LetheError } from '../../src/core/errors.ts';
import { type OpenedImage, openImage } from '../../src/imaging/image.ts';
import { hasImage, isGrey, isSubsampled422 } from '../../src/imaging/image-description.ts';
import { renderFrames } from '../../src/imaging/render.ts';
import { canonicalBytes, thumbPsnr } from './canonical.ts';
import {
  type CorpusEntry,
  corpusEntries,
  corpusOracles,
  type Oracle,
  type OracleFrame,
  readEntry,
  skipWithoutCorpus as skip,
} from './corpus.ts';

const PSNR_MIN = 45;
const entries = corpusEntries();
const oracles = corpusOracles();

/** Held by their transfer syntax: no decoder's licence fits, or the pixels are elsewhere (PS3.5 §A.6, §A.7). */
const HELD = /^(video|mpeg|h264|hevc|jpip)/;

/** JPEG XL needs a package that an installation may leave out; the instance is held then. */
const hasJpegXl = isInstalled('@cornerstonejs/codec-libjxl');

function isInstalled(name: string): boolean {
  try {
    return import.meta.resolve(name) !== '';
  } catch {
    return false;
  }
}

type Comparison = 'exact' | 'near' | { readonly differs: string };

function compare(image: OpenedImage, expected: OracleFrame): Comparison {
  const decoded = image.decode(expected.frame);
  // Uncompressed 4:2:2 is recorded as stored, before the chrominance is repeated.
  const bytes =
    isSubsampled422(image.description.photometric) && decoded.photometric !== 'RGB'
      ? image.pixelData.frame(expected.frame)
      : canonicalBytes(decoded, image.description.bitsAllocated);
  const digest = createHash('sha256').update(bytes).digest('hex');
  if ([expected.sha256, expected.sha256Bits, expected.sha256Raw].includes(digest)) return 'exact';
  if (expected.thumb === undefined) return { differs: 'differs from the independent decoders, and is lossless' };
  const psnr = thumbPsnr(decoded, expected.thumb);
  return psnr >= PSNR_MIN ? 'near' : { differs: `${psnr.toFixed(1)} dB` };
}

/** As decoded by us, or the alternative reading where stream and data set contradict each other. */
function verdict(image: OpenedImage, oracle: Oracle): string {
  const found = oracle.frames.map((frame, index) => {
    const plain = compare(image, frame);
    const other = oracle.alternative?.frames[index];
    return typeof plain === 'string' || other === undefined ? plain : compare(image, other);
  });
  const fault = found.find((each) => typeof each !== 'string');
  if (fault !== undefined) return fault.differs;
  return found.includes('near') ? `near (${PSNR_MIN} dB or more)` : 'exact';
}

async function outcome(entry: CorpusEntry): Promise<string> {
  try {
    const part10 = readEntry(entry);
    if (!hasImage(part10.dataSet) && part10.transferSyntax.family !== 'jpip') return 'no image';
    const image = await openImage(part10);
    const oracle = oracles.get(entry.path);
    if (oracle !== undefined) return verdict(image, oracle);
    image.decode(0);
    return 'decoded, nobody else does';
  } catch (error) {
    assert.ok(error instanceof LetheError, `${entry.path}: ${error}`);
    return error.code;
  }
}

const DECODED = /^(exact|near|no image|decoded)/;
const REFUSED = /^(DICOM|IMAGING)_/;

/** Undefined where the outcome is right. */
function fault(entry: CorpusEntry, found: string): string | undefined {
  const { path, kind, expect, lenient, parsed_by: readers } = entry;
  const said = `${path} (${kind}): ${found}`;
  if (entry.expect === 'ok' && HELD.test(familyOf(entry)))
    return found === 'IMAGING_SYNTAX_UNSUPPORTED' ? undefined : said;
  if (!hasJpegXl && kind?.startsWith('jxl') === true && found === 'IMAGING_SYNTAX_UNSUPPORTED') return undefined;
  if (expect === 'decode-error') return REFUSED.test(found) ? undefined : `${said}, though its pixels are broken`;
  if (DECODED.test(found)) return undefined;
  if (!REFUSED.test(found)) return said;
  // A file that ends too early is refused, as DCMTK does; that others fill it up with zeros is not for us to repeat.
  const cut = found === 'DICOM_TRUNCATED' && !readers.includes('dcmdump');
  return expect === 'parse-error' || lenient !== undefined || cut ? undefined : said;
}

/** As our own table of transfer syntaxes names it, since the corpus has no name for some of them. */
function familyOf(entry: CorpusEntry): string {
  try {
    return readEntry(entry).transferSyntax.family;
  } catch {
    return '';
  }
}

function countedBy(found: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const each of found) counts.set(each, (counts.get(each) ?? 0) + 1);
  return [...counts].map(([what, count]) => `${count} ${what}`).join(', ');
}

test('every file of the corpus decodes to what independent decoders say, or fails as it should', {
  skip,
}, async (context) => {
  const faults: string[] = [];
  const outcomes: [expect: string, found: string][] = [];
  for (const entry of entries) {
    const found = await outcome(entry);
    outcomes.push([entry.expect, found]);
    const wrong = fault(entry, found);
    if (wrong !== undefined) faults.push(wrong);
  }
  for (const expect of ['ok', 'decode-error', 'parse-error']) {
    const found = outcomes.filter((each) => each[0] === expect).map((each) => each[1]);
    context.diagnostic(`${found.length} ${expect}: ${countedBy(found.toSorted())}`);
  }
  assert.deepEqual(faults, []);
});

/** Stored values of a 16-bit PNG, as the corpus writes them down; undefined where the file has no such image. */
async function storedValues(entry: CorpusEntry, frame: number): Promise<Buffer | undefined> {
  const part10 = readEntry(entry);
  const { description } = await openImage(part10);
  const { bitsStored, bitsAllocated, signed } = description;
  if (!isGrey(description.photometric) || description.kind !== 'integer' || bitsStored > 16) return undefined;
  for await (const image of renderFrames(part10, { format: 'png16', frames: [frame + 1] })) {
    const raw = await sharp(image.bytes).toColourspace('grey16').raw({ depth: 'ushort' }).toBuffer();
    const words = new Uint16Array(raw.buffer, raw.byteOffset, raw.length / 2);
    const offset = signed ? 2 ** (bitsStored - 1) : 0;
    const bytes = Buffer.alloc(words.length * Math.max(1, bitsAllocated / 8));
    for (const [index, word] of words.entries()) {
      if (bitsAllocated <= 8) bytes[index] = word - offset;
      else if (bitsAllocated === 16) bytes.writeUInt16LE((word - offset) & 0xffff, index * 2);
      else bytes.writeInt32LE(word - offset, index * 4);
    }
    return bytes;
  }
  return undefined;
}

test('16-bit PNG files of lossless grey images hold the stored values of independent decoders', {
  skip,
}, async (context) => {
  const faults: string[] = [];
  let compared = 0;
  for (const entry of entries.filter(({ expect }) => expect === 'ok')) {
    const oracle = oracles.get(entry.path);
    if (oracle === undefined || oracle.state.lossy || HELD.test(familyOf(entry))) continue;
    for (const { frame, sha256, sha256Bits } of oracle.frames) {
      const bytes = await storedValues(entry, frame).catch((error: LetheError) => error.code);
      // That it decodes at all is the question of the test above.
      if (bytes === undefined || typeof bytes === 'string') continue;
      compared++;
      const digest = createHash('sha256').update(bytes).digest('hex');
      if (digest !== sha256 && digest !== sha256Bits) faults.push(`${entry.path}, frame ${frame + 1}`);
    }
  }
  context.diagnostic(`${compared} frames compared`);
  assert.deepEqual(faults, []);
});
