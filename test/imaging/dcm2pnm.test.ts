/**
 * 8-bit output against DCMTK's dcm2pnm with the same window: within one grey level on every file of the corpus that
 * both read, first and last frame; colour by the same rule. DCMTK knows no LINEAR_EXACT; a window of that kind is its LINEAR with center and width
 * larger by 0.5 and 1 (PS3.3 §C.11.2.1.2.1, §C.11.2.1.3.2). Overlays are not drawn: they are no part of the image (§C.9.2).
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import sharp from 'sharp';
import type { Part10File } from '../../src/dicom/part10.ts';
import { openImage } from '../../src/imaging/image.ts';
import { type RenderedFrame, renderFrames } from '../../src/imaging/render.ts';
import { TAGS } from '../../src/imaging/tags.ts';
import { skipWithoutProgram } from '../support/peers.ts';
import { sharedPath } from '../support/shared.ts';
import { type CorpusEntry, corpusEntries, corpusOracles, readEntry, skipWithoutCorpus } from './corpus.ts';

const run = promisify(execFile);
const skip = skipWithoutCorpus || skipWithoutProgram('dcm2pnm', 'dcmj2pnm', 'dcml2pnm');

const oracles = corpusOracles();

/** Pixels that lossy coding may throw beyond Bits Stored without anybody seeing it. */
const OVERSHOOT_SHARE_MAX = 1e-4;

interface Difference {
  readonly largest: number;
  /** Pixels that differ by more than one grey level, of all. */
  readonly share: number;
}

/** Why the two may differ by more, and ours is right; undefined where nothing explains it. */
function explanation(part10: Part10File, { share }: Difference): string | undefined {
  const { dataSet, transferSyntax } = part10;
  const rescale = [TAGS.RescaleIntercept, TAGS.RescaleSlope].map((tag) => dataSet.element(tag)?.vr);
  if (rescale.includes('UN')) return 'rescale of VR UN: read by the dictionary (PS3.5 §6.2.2), which DCMTK does not';
  if (transferSyntax.lossy && share <= OVERSHOOT_SHARE_MAX)
    return 'lossy coding overshoots Bits Stored: clamped, where DCMTK masks white to black (PS3.5 §8.1.1)';
  return undefined;
}

function windowArguments({ window }: RenderedFrame): string[] {
  if (window === undefined) return ['+Wl', '1'];
  const more = window.function === 'LINEAR_EXACT' ? 1 : 0;
  const shape = window.function === 'SIGMOID' ? '+Wfs' : '+Wfl';
  return ['+Ww', String(window.center + more / 2), String(window.width + more), shape];
}

/** First and last frame; none where it does not decode, which is the corpus test's question. */
async function ours(part10: Part10File): Promise<RenderedFrame[]> {
  try {
    const { frameCount } = await openImage(part10);
    const frames = frameCount === 1 ? [1] : [1, frameCount];
    const rendered: RenderedFrame[] = [];
    for await (const frame of renderFrames(part10, { format: 'png', frames })) rendered.push(frame);
    return rendered;
  } catch {
    return [];
  }
}

/** The samples of a PGM or PPM, undefined where DCMTK has no decoder for the file or refuses it. */
async function theirs(entry: CorpusEntry, frame: RenderedFrame): Promise<Buffer | undefined> {
  const program = entry.kind?.startsWith('jpegls') === true ? 'dcml2pnm' : 'dcmj2pnm';
  try {
    const shown = frame.samplesPerPixel === 1 ? windowArguments(frame) : [];
    const options = ['+op', '--frame', String(frame.frame), '--no-overlays', ...shown];
    const path = sharedPath('corpus', entry.path);
    const { stdout } = await run(program, [...options, path], { encoding: 'buffer', maxBuffer: 2 ** 28 });
    const header = /^P[56]\s(?:#[^\n]*\n)*\d+ \d+\s255\s/.exec(stdout.subarray(0, 200).toString('latin1'));
    return header === null ? undefined : stdout.subarray(header[0].length);
  } catch {
    return undefined;
  }
}

function differenceOf(a: Uint8Array, b: Uint8Array): Difference {
  if (a.length !== b.length) return { largest: Number.POSITIVE_INFINITY, share: 1 };
  let largest = 0;
  let over = 0;
  for (let index = 0; index < a.length; index++) {
    const difference = Math.abs((a[index] ?? 0) - (b[index] ?? 0));
    if (difference > largest) largest = difference;
    if (difference > 1) over++;
  }
  return { largest, share: over / a.length };
}

test('8-bit grey output is within one grey level of dcm2pnm', { skip }, async (context) => {
  const faults: string[] = [];
  const explained: string[] = [];
  let files = 0;
  let frames = 0;
  for (const entry of corpusEntries()) {
    if (entry.photometric?.startsWith('MONO') !== true || entry.rows === null) continue;
    let part10: Part10File;
    try {
      part10 = readEntry(entry);
    } catch {
      continue;
    }
    let compared = 0;
    for (const frame of await ours(part10)) {
      const expected = await theirs(entry, frame);
      if (expected === undefined) continue;
      compared++;
      const pixels = await sharp(frame.bytes).toColourspace('b-w').raw().toBuffer();
      const difference = differenceOf(pixels, expected);
      if (difference.largest <= 1) continue;
      const why = explanation(part10, difference);
      const said = `${entry.path} (${entry.kind}), frame ${frame.frame}: ${difference.largest} grey levels`;
      if (why === undefined) faults.push(`${said}, ${JSON.stringify(frame.window)}`);
      else explained.push(`${said}: ${why}`);
    }
    frames += compared;
    if (compared > 0) files++;
  }
  context.diagnostic(`${frames} frames of ${files} files compared; explained: ${explained.join('; ') || 'none'}`);
  assert.deepEqual(faults, []);
  assert.ok(files > 0);
});

/** Why colour may differ by more; the number of levels that it may. */
function colourAllowance(entry: CorpusEntry, frame: RenderedFrame): number {
  // DCMTK truncates both terms of its YCbCr matrix, we round the sum (PS3.3 §C.7.6.3.1.2).
  if (entry.photometric?.startsWith('YBR') === true) return 2;
  // Nothing to compare where DCMTK shows other colours: it knows no ICC profile, and believes a label that the stream denies.
  const converted = frame.notes.some((note) => note.includes('ICC'));
  return converted || oracles.get(entry.path)?.alternative !== undefined ? 255 : 1;
}

test('8-bit colour output is within one level of dcm2pnm, palettes and planes included', { skip }, async (context) => {
  const faults: string[] = [];
  let frames = 0;
  for (const entry of corpusEntries()) {
    if (entry.photometric?.startsWith('MONO') !== false || entry.rows === null || entry.expect !== 'ok') continue;
    for (const frame of await ours(readEntry(entry))) {
      const expected = await theirs(entry, frame);
      if (expected === undefined) continue;
      frames++;
      const { largest } = differenceOf(await sharp(frame.bytes).raw().toBuffer(), expected);
      if (largest > colourAllowance(entry, frame))
        faults.push(`${entry.path} (${entry.kind}, ${entry.photometric}), frame ${frame.frame}: ${largest} levels`);
    }
  }
  context.diagnostic(`${frames} frames compared`);
  assert.deepEqual(faults, []);
  assert.ok(frames > 0);
});
