/** Every file of the development corpus against decoders that are not ours (its ORACLES.json). */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { bytesSource } from '../../src/core/bytes.ts';
import { LetheError } from '../../src/core/errors.ts';
import { readPart10 } from '../../src/dicom/part10.ts';
import { type OpenedImage, openImage } from '../../src/imaging/image.ts';
import { hasImage, isSubsampled422 } from '../../src/imaging/image-description.ts';
import { sharedPath, skipWithout } from '../support/shared.ts';
import { canonicalBytes, type Thumb, thumbPsnr } from './canonical.ts';
import { EXPECTATIONS } from './expectations.ts';

interface OracleFrame {
  readonly frame: number;
  readonly sha256?: string;
  readonly sha256Bits?: string;
  readonly sha256Raw?: string;
  readonly thumb?: Thumb;
}
interface Oracle {
  readonly path: string;
  readonly frames: readonly OracleFrame[];
  readonly alternative?: { readonly frames: readonly OracleFrame[] };
}
interface Entry {
  readonly path: string;
  readonly expect: 'ok' | 'decode-error' | 'parse-error';
  readonly kind: string | null;
}

const PSNR_MIN = 45;
const skip = skipWithout('corpus');

function readJson<Content>(name: string): Content {
  return JSON.parse(readFileSync(sharedPath('corpus', name), 'utf8')) as Content;
}

const entries = skip ? [] : readJson<{ entries: Entry[] }>('MANIFEST.json').entries;
const oracles = new Map(
  (skip ? [] : readJson<{ oracles: Oracle[] }>('ORACLES.json').oracles).map((oracle) => [oracle.path, oracle]),
);

/** JPEG XL needs a package that an installation may leave out; the instance is held then. */
const hasJpegXl = isInstalled('@cornerstonejs/codec-libjxl');

function isInstalled(name: string): boolean {
  try {
    return import.meta.resolve(name) !== '';
  } catch {
    return false;
  }
}

function read(path: string) {
  return readPart10(bytesSource(readFileSync(sharedPath('corpus', path))));
}

/** Nothing where the frame is what the oracle says, else what differs. */
function difference(image: OpenedImage, expected: OracleFrame): string | undefined {
  const decoded = image.decode(expected.frame);
  // Uncompressed 4:2:2 is recorded as stored, before the chrominance is repeated.
  const bytes =
    isSubsampled422(image.description.photometric) && decoded.photometric !== 'RGB'
      ? image.pixelData.frame(expected.frame)
      : canonicalBytes(decoded, image.description.bitsAllocated);
  const digest = createHash('sha256').update(bytes).digest('hex');
  if ([expected.sha256, expected.sha256Bits, expected.sha256Raw].includes(digest)) return undefined;
  if (expected.thumb === undefined) return 'differs from the independent decoders, and the coding is lossless';
  const psnr = thumbPsnr(decoded, expected.thumb);
  return psnr >= PSNR_MIN ? undefined : `${psnr.toFixed(1)} dB`;
}

/** As decoded by us, or the alternative reading where stream and data set contradict each other. */
function verdict(image: OpenedImage, oracle: Oracle): string | undefined {
  for (const [index, frame] of oracle.frames.entries()) {
    const found = difference(image, frame);
    const other = oracle.alternative?.frames[index];
    if (found !== undefined && (other === undefined || difference(image, other) !== undefined)) return found;
  }
  return undefined;
}

async function outcome(entry: Entry): Promise<string> {
  try {
    const part10 = read(entry.path);
    if (!hasImage(part10.dataSet) && part10.transferSyntax.family !== 'jpip') return 'no image';
    const image = await openImage(part10);
    const oracle = oracles.get(entry.path);
    if (oracle === undefined) image.decode(0);
    return (oracle && verdict(image, oracle)) ?? 'ok';
  } catch (error) {
    assert.ok(error instanceof LetheError, `${entry.path}: ${error}`);
    return error.code;
  }
}

test('every file of the corpus decodes to what independent decoders say, or fails as it should', { skip }, async () => {
  const faults: string[] = [];
  for (const entry of entries) {
    const found = await outcome(entry);
    if (!hasJpegXl && entry.kind?.startsWith('jxl') === true && found === 'IMAGING_SYNTAX_UNSUPPORTED') continue;
    const expected = EXPECTATIONS[entry.path];
    if (expected !== undefined) {
      if (found !== expected.code) faults.push(`${entry.path}: ${found} instead of ${expected.code} (${expected.why})`);
    } else if (entry.expect === 'ok' && found !== 'ok' && found !== 'no image') {
      faults.push(`${entry.path} (${entry.kind}): ${found}`);
    } else if (entry.expect === 'decode-error' && found === 'ok') {
      faults.push(`${entry.path}: decodes although its pixels are broken`);
    }
  }
  assert.deepEqual(faults, []);
});

test('every expectation names a file of the corpus', { skip }, () => {
  const paths = new Set(entries.map(({ path }) => path));
  assert.deepEqual(
    Object.keys(EXPECTATIONS).filter((path) => !paths.has(path)),
    [],
  );
});
