/** Image files as an independent reader (libvips in sharp, and Pillow where it is installed) sees them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import sharp from 'sharp';
import { encodePicture, type Picture, scaleDown } from '../../src/imaging/encode.ts';
import { writePng } from '../../src/imaging/png.ts';

function picture(
  width: number,
  height: number,
  channels: 1 | 3,
  make: (index: number) => number,
  wide = false,
): Picture {
  const length = width * height * channels;
  const samples = wide
    ? Uint16Array.from({ length }, (_, index) => make(index))
    : Uint8Array.from({ length }, (_, index) => make(index));
  return { width, height, channels, samples };
}

const SHAPES: readonly (readonly [what: string, picture: Picture])[] = [
  ['8-bit grey of odd size', picture(7, 5, 1, (index) => index * 7)],
  ['16-bit grey', picture(6, 9, 1, (index) => index * 1213, true)],
  ['8-bit RGB', picture(5, 4, 3, (index) => index * 13)],
  ['one pixel', picture(1, 1, 1, () => 200)],
];
for (const [what, made] of SHAPES) {
  test(`a PNG of ${what} holds exactly the samples given`, async () => {
    const wide = made.samples instanceof Uint16Array;
    const space = made.channels === 3 ? 'srgb' : wide ? 'grey16' : 'b-w';
    const raw = await sharp(writePng(made))
      .toColourspace(space)
      .raw({ depth: wide ? 'ushort' : 'uchar' })
      .toBuffer();
    const samples = wide ? new Uint16Array(raw.buffer, raw.byteOffset, raw.byteLength / 2) : raw;
    assert.deepEqual([...samples], [...made.samples]);
  });
}

test('a PNG holds nothing but header, data and end', () => {
  const bytes = Buffer.from(writePng(picture(3, 3, 1, () => 1)));
  const types: string[] = [];
  for (let at = 8; at < bytes.length; at += 12 + bytes.readUInt32BE(at))
    types.push(bytes.toString('latin1', at + 4, at + 8));
  assert.deepEqual(types, ['IHDR', 'IDAT', 'IEND']);
});

test('a grey JPEG has one component, near the samples given, and no metadata', async () => {
  const made = picture(64, 48, 1, (index) => (index % 64) * 4);
  const bytes = await encodePicture(made, { format: 'jpeg', quality: 90 });
  const metadata = await sharp(bytes).metadata();
  assert.deepEqual(
    [metadata.channels, metadata.width, metadata.height, metadata.exif, metadata.icc],
    [1, 64, 48, undefined, undefined],
  );
  const raw = await sharp(bytes).toColourspace('b-w').raw().toBuffer();
  assert.ok(raw.every((value, index) => Math.abs(value - (made.samples[index] ?? 0)) <= 6));
});

test('quality decides the size of a JPEG', async () => {
  const made = picture(128, 128, 3, (index) => (index * 7919) % 251);
  const sizes = await Promise.all([30, 60, 95].map((quality) => encodePicture(made, { format: 'jpeg', quality })));
  assert.deepEqual(
    sizes.map(({ length }) => length),
    sizes.map(({ length }) => length).toSorted((a, b) => a - b),
  );
});

test('the same picture gives the same bytes', async () => {
  const made = picture(31, 17, 3, (index) => index * 3);
  for (const format of ['jpeg', 'png'] as const) {
    const [first, second] = await Promise.all([
      encodePicture(made, { format, quality: 90 }),
      encodePicture(made, { format, quality: 90 }),
    ]);
    assert.deepEqual(first, second);
  }
});

test('a JPEG side of more than 65535 pixels is refused', async () => {
  const made = picture(65536, 1, 1, () => 0);
  await assert.rejects(encodePicture(made, { format: 'jpeg', quality: 90 }), { code: 'IMAGING_TOO_LARGE' });
});

test('scaling down keeps shape, depth and flat values, and never scales up', async () => {
  const wide = await scaleDown(
    picture(400, 200, 1, () => 1234, true),
    100,
  );
  assert.deepEqual([wide.width, wide.height, wide.samples.length], [100, 50, 5000]);
  assert.ok(wide.samples instanceof Uint16Array && wide.samples.every((value) => value === 1234));
  const colour = await scaleDown(
    picture(200, 400, 3, () => 77),
    100,
  );
  assert.deepEqual([colour.width, colour.height], [50, 100]);
  assert.ok(colour.samples.every((value) => value === 77));
  const small = picture(10, 10, 1, () => 1);
  assert.equal(await scaleDown(small, 100), small);
});

function hasPillow(): boolean {
  try {
    execFileSync('/usr/bin/python3', ['-c', 'import PIL'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test('Pillow reads the same 16-bit samples', {
  skip: hasPillow() ? false : 'Pillow is not installed (Debian package python3-pil)',
}, () => {
  const made = picture(5, 3, 1, (index) => index * 4001, true);
  const script = 'import sys,io,PIL.Image as I;print(*I.open(io.BytesIO(sys.stdin.buffer.read())).getdata())';
  const text = execFileSync('/usr/bin/python3', ['-c', script], { input: writePng(made), encoding: 'utf8' });
  assert.deepEqual(text.trim().split(' ').map(Number), [...made.samples]);
});
