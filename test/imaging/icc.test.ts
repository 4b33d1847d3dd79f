/** ICC profiles (PS3.3 §C.11.15) against Little CMS as Pillow calls it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Picture } from '../../src/imaging/encode.ts';
import { toSrgb } from '../../src/imaging/icc.ts';
import { renderFrames } from '../../src/imaging/render.ts';
import { imageFile } from './image-files.ts';

/** s15Fixed16Number, ISO 15076-1 §4.6. */
function fixed(value: number): number[] {
  const scaled = Math.round(value * 65536) >>> 0;
  return [scaled >>> 24, (scaled >>> 16) & 255, (scaled >>> 8) & 255, scaled & 255];
}

function ascii(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0));
}

/** A display profile with the primaries of Adobe RGB (1998), adapted to D50, and gamma 2.2: about the smallest there is. */
function wideGamutProfile(colourSpace = 'RGB '): Uint8Array {
  const xyz = (...values: number[]) => [...ascii('XYZ '), 0, 0, 0, 0, ...values.flatMap(fixed)];
  const gamma = [...ascii('curv'), 0, 0, 0, 0, 0, 0, 0, 1, 2, 51, 0, 0]; // u8Fixed8Number 2.2
  const description = [...ascii('desc'), 0, 0, 0, 0, 0, 0, 0, 5, ...ascii('wide\0'), ...new Array<number>(81).fill(0)];
  const tags: [name: string, data: number[]][] = [
    ['desc', description],
    ['cprt', [...ascii('text'), 0, 0, 0, 0, ...ascii('none\0'), 0, 0, 0]],
    ['wtpt', xyz(0.9642, 1, 0.8249)],
    ['rXYZ', xyz(0.60974, 0.31111, 0.01947)],
    ['gXYZ', xyz(0.20528, 0.62567, 0.06087)],
    ['bXYZ', xyz(0.14919, 0.06322, 0.74457)],
    ['rTRC', gamma],
    ['gTRC', gamma],
    ['bTRC', gamma],
  ];
  const body: number[] = [];
  const table = tags.flatMap(([name, data]) => {
    const entry = [...ascii(name), ...word(128 + 4 + tags.length * 12 + body.length), ...word(data.length)];
    body.push(...data, ...new Array<number>((4 - (data.length % 4)) % 4).fill(0));
    return entry;
  });
  const header = new Uint8Array(128);
  const size = 128 + 4 + table.length + body.length;
  header.set(word(size));
  header.set([2, 0x20], 8);
  header.set(ascii(`mntr${colourSpace}XYZ `), 12);
  header.set(ascii('acsp'), 36);
  header.set([...fixed(0.9642), ...fixed(1), ...fixed(0.8249)], 68);
  return Uint8Array.from([...header, ...word(tags.length), ...table, ...body]);
}

function word(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

const COLOURS = [0, 0, 0, 255, 255, 255, 128, 128, 128, 200, 100, 50, 50, 150, 60, 20, 40, 160];
const PICTURE: Picture = { width: 6, height: 1, channels: 3, samples: Uint8Array.from(COLOURS) };

const SCRIPT = `
import sys
from PIL import Image, ImageCms
image = Image.frombytes('RGB', (6, 1), bytes(map(int, sys.argv[2].split(','))))
print(*ImageCms.profileToProfile(image, sys.argv[1], ImageCms.createProfile('sRGB')).tobytes())
`;

function byPillow(profile: Uint8Array): number[] | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'lethe-icc-'));
  try {
    const path = join(folder, 'profile.icc');
    writeFileSync(path, profile);
    const text = execFileSync('/usr/bin/python3', ['-c', SCRIPT, path, COLOURS.join()], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return text.trim().split(' ').map(Number);
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('colour of another gamut becomes sRGB as Little CMS says, within two levels', async (context) => {
  const { picture, note } = await toSrgb(PICTURE, wideGamutProfile());
  assert.match(note ?? '', /converted to sRGB/);
  const expected = byPillow(wideGamutProfile());
  if (expected === undefined) return context.skip('Pillow with ImageCms is not installed (Debian package python3-pil)');
  assert.notDeepEqual(expected, COLOURS);
  for (const [index, value] of expected.entries()) {
    assert.ok(Math.abs((picture.samples[index] ?? 0) - value) <= 2, `${[...picture.samples]} instead of ${expected}`);
  }
});

test('a profile that is no profile, or not for RGB, changes nothing and is noted', async () => {
  for (const profile of [new Uint8Array(4), new Uint8Array(500), wideGamutProfile('CMYK')]) {
    const { picture, note } = await toSrgb(PICTURE, profile);
    assert.equal(picture, PICTURE);
    assert.match(note ?? '', /not applied/);
  }
});

test('the profile of the image is used for what is rendered, and does not travel with it', async () => {
  const attributes = {
    Rows: 1,
    Columns: 6,
    SamplesPerPixel: 3,
    PhotometricInterpretation: 'RGB',
    PlanarConfiguration: 0,
  };
  const part10 = imageFile({
    ...attributes,
    ICCProfile: wideGamutProfile(),
    PixelData: ['OB', Uint8Array.from(COLOURS)],
  });
  for await (const frame of renderFrames(part10, { format: 'png' })) {
    assert.deepEqual(frame.notes, ['converted to sRGB by the ICC profile']);
    assert.equal(Buffer.from(frame.bytes).includes('iCCP'), false);
  }
});
