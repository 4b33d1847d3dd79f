/**
 * 8-bit grey output against DCMTK's dcm2pnm with the same window: within one grey level on every file of the corpus that
 * both read. DCMTK knows no LINEAR_EXACT; a window of that kind is its LINEAR with center and width larger by 0.5 and 1
 * (PS3.3 §C.11.2.1.2.1, §C.11.2.1.3.2). Overlays are not drawn: they are no part of the image (§C.9.2).
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { bytesSource } from '../../src/core/bytes.ts';
import { readPart10 } from '../../src/dicom/part10.ts';
import { type RenderedFrame, renderFrames } from '../../src/imaging/render.ts';
import { skipWithoutProgram } from '../support/peers.ts';
import { sharedPath, skipWithout } from '../support/shared.ts';

const run = promisify(execFile);
const skip = skipWithout('corpus') || skipWithoutProgram('dcm2pnm', 'dcmj2pnm', 'dcml2pnm');

interface Entry {
  readonly path: string;
  readonly size: number;
  readonly kind: string | null;
  readonly photometric: string | null;
  readonly rows: number | null;
}

/** Where the two differ by more, and why ours is right. */
const EXPLAINED: Readonly<Record<string, string>> = {
  'files/cornerstone3d/CTImage.dcm_JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81.dcm':
    'Rescale Intercept has VR UN; DCMTK ignores it, PS3.5 §6.2.2 lets it be read by the dictionary',
  'files/nema-wg04/RG3_JPLY':
    'lossy coding overshoots Bits Stored in 8 pixels; DCMTK masks white to black, we clamp (PS3.5 §8.1.1)',
};

/** All but the largest files; all of them with LETHE_LONG=1. */
const FILE_BYTES_MAX = process.env['LETHE_LONG'] === '1' ? Number.POSITIVE_INFINITY : 700_000;

function greyEntries(): Entry[] {
  if (skip) return [];
  const manifest = JSON.parse(readFileSync(sharedPath('corpus', 'MANIFEST.json'), 'utf8')) as { entries: Entry[] };
  return manifest.entries.filter(
    (entry) => entry.photometric?.startsWith('MONO') === true && entry.size <= FILE_BYTES_MAX,
  );
}

function windowArguments({ window }: RenderedFrame): string[] {
  if (window === undefined) return ['+Wl', '1'];
  const more = window.function === 'LINEAR_EXACT' ? 1 : 0;
  const shape = window.function === 'SIGMOID' ? '+Wfs' : '+Wfl';
  return ['+Ww', String(window.center + more / 2), String(window.width + more), shape];
}

async function ours(path: string): Promise<RenderedFrame | undefined> {
  try {
    const part10 = readPart10(bytesSource(readFileSync(path)));
    for await (const frame of renderFrames(part10, { format: 'png', frames: [1] })) return frame;
  } catch {
    // Whether it should decode is the corpus test's question.
  }
  return undefined;
}

/** The samples of a PGM, undefined where DCMTK has no decoder for the file or refuses it. */
async function theirs(entry: Entry, path: string, frame: RenderedFrame): Promise<Buffer | undefined> {
  const program = entry.kind?.startsWith('jpegls') === true ? 'dcml2pnm' : 'dcmj2pnm';
  try {
    const options = ['+op', '--frame', '1', '--no-overlays', ...windowArguments(frame)];
    const { stdout } = await run(program, [...options, path], { encoding: 'buffer', maxBuffer: 2 ** 28 });
    const header = /^P5\s(?:#[^\n]*\n)*\d+ \d+\s255\s/.exec(stdout.subarray(0, 200).toString('latin1'));
    return header === null ? undefined : stdout.subarray(header[0].length);
  } catch {
    return undefined;
  }
}

function largestDifference(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let index = 0; index < a.length; index++)
    largest = Math.max(largest, Math.abs((a[index] ?? 0) - (b[index] ?? 0)));
  return largest;
}

test('8-bit grey output is within one grey level of dcm2pnm', { skip }, async (context) => {
  const faults: string[] = [];
  let compared = 0;
  for (const entry of greyEntries()) {
    const path = sharedPath('corpus', entry.path);
    const frame = await ours(path);
    const expected = frame && (await theirs(entry, path, frame));
    if (frame === undefined || expected === undefined) continue;
    const pixels = await sharp(frame.bytes).toColourspace('b-w').raw().toBuffer();
    const difference = largestDifference(pixels, expected);
    compared++;
    if (difference > 1 && EXPLAINED[entry.path] === undefined)
      faults.push(`${entry.path} (${entry.kind}): ${difference} grey levels, ${JSON.stringify(frame.window)}`);
  }
  context.diagnostic(`${compared} files compared`);
  assert.deepEqual(faults, []);
  assert.ok(compared > 100, `${compared} files compared`);
});
