/** `lethe convert` on files with many frames: divided over the cores, told as one, and flat in memory. */
import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, openSync, readdirSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import sharp from 'sharp';
import { buildPart10 } from '../build/data-set.ts';
import { folder, lethe, measuredLethe } from './run-lethe.ts';

const SIDE = 512;
const FRAME_BYTES = SIDE * SIDE * 2;
const ENCAPSULATED_UNCOMPRESSED = '1.2.840.10008.1.2.1.98';
const RESIDENT_BYTES_MAX = 500 * 1024 * 1024;

function multiframe(frames: number, fragments: readonly Uint8Array[]): Uint8Array {
  return buildPart10(
    [
      ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.7.3'],
      ['SOPInstanceUID', '2.25.1'],
      ['SamplesPerPixel', 1],
      ['PhotometricInterpretation', 'MONOCHROME2'],
      ['NumberOfFrames', String(frames)],
      ['Rows', SIDE],
      ['Columns', SIDE],
      ['BitsAllocated', 16],
      ['BitsStored', 16],
      ['HighBit', 15],
      ['PixelRepresentation', 0],
      ['PixelData', 'OB', { fragments: [new Uint8Array(0), ...fragments] }],
    ],
    { transferSyntax: ENCAPSULATED_UNCOMPRESSED },
  );
}

/** A frame that begins with its number. */
function numbered(frame: number): Uint8Array {
  const bytes = Buffer.alloc(FRAME_BYTES);
  bytes.writeUInt16LE(frame, 0);
  return bytes;
}

function linesOf(out: string): Record<string, unknown>[] {
  return out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

async function firstValue(path: string): Promise<number> {
  const raw = await sharp(path).toColourspace('grey16').raw({ depth: 'ushort' }).toBuffer();
  return raw.readUInt16LE(0);
}

test('the frames of a large file come in order, each once, with its own pixels', async (t) => {
  const dir = folder(t);
  const frames = Array.from({ length: 20 }, (_, index) => index + 1);
  writeFileSync(join(dir, 'cine.dcm'), multiframe(frames.length, frames.map(numbered)));
  const { code, out } = lethe(dir, 'convert', 'cine.dcm', '--out', 'out', '--format', 'png16', '--json');
  assert.equal(code, 0);
  const told = linesOf(out);
  assert.deepEqual(
    told.map(({ input, frame }) => [input, frame]),
    frames.map((frame) => ['cine.dcm', frame]),
  );
  for (const { frame, output } of told) assert.equal(await firstValue(String(output)), frame);
});

test('a large file with a damaged frame fails once, and its whole frames are there', (t) => {
  const dir = folder(t);
  const fragments = Array.from({ length: 20 }, (_, index) => numbered(index + 1));
  fragments[2] = Buffer.alloc(FRAME_BYTES - 2);
  writeFileSync(join(dir, 'cine.dcm'), multiframe(fragments.length, fragments));
  const { code, out } = lethe(dir, 'convert', 'cine.dcm', '--out', 'out', '--format', 'png16', '--json');
  assert.equal(code, 1);
  const failed = linesOf(out).filter((line) => !('output' in line));
  assert.deepEqual(
    failed.map((line) => [line['input'], line['status'], line['code']]),
    [['cine.dcm', 'held', 'IMAGING_CODESTREAM_INVALID']],
  );
  assert.ok(readdirSync(join(dir, 'out')).includes('cine.dcm-2.png'));
  assert.ok(!readdirSync(join(dir, 'out')).includes('cine.dcm-3.png'));
});

/** 6 GB of which only the beginnings of frames are on the disk; the rest is a hole that reads as zeros. */
function writeHugeFile(path: string, frames: number): void {
  const head = multiframe(frames, []);
  const start = head.length - 8;
  const itemBytes = 8 + FRAME_BYTES;
  const fd = openSync(path, 'w');
  try {
    writeSync(fd, head, 0, start, 0);
    const item = Buffer.from([0xfe, 0xff, 0x00, 0xe0, 0, 0, 0, 0, 0, 0]);
    item.writeUInt32LE(FRAME_BYTES, 4);
    for (let frame = 1; frame <= frames; frame++) {
      item.writeUInt16LE(frame, 8);
      writeSync(fd, item, 0, item.length, start + (frame - 1) * itemBytes);
    }
    const end = start + frames * itemBytes;
    ftruncateSync(fd, end + 8);
    writeSync(fd, head, start, 8, end);
  } finally {
    closeSync(fd);
  }
}

test('an object of 6 GB is rendered below 500 MB resident: every hundredth frame, all with LETHE_LONG=1', async (t) => {
  const dir = folder(t);
  const count = 12_000;
  writeHugeFile(join(dir, 'huge.dcm'), count);
  assert.ok(statSync(join(dir, 'huge.dcm')).size > 6e9);
  const step = process.env['LETHE_LONG'] === '1' ? 1 : 100;
  const frames = Array.from({ length: count / step }, (_, index) => (index + 1) * step);
  const list = step === 1 ? 'all' : frames.join(',');
  const options = ['--out', 'out', '--format', 'png16', '--frames', list, '--json'];
  const { code, out, err, residentBytes } = measuredLethe(dir, 1_800_000, 'convert', 'huge.dcm', ...options);
  assert.equal(code, 0, err);
  t.diagnostic(`${frames.length} frames, at most ${Math.round(residentBytes / 1024 / 1024)} MiB resident`);
  const told = linesOf(out);
  assert.deepEqual(
    told.map(({ frame }) => frame),
    frames,
  );
  assert.equal(await firstValue(String(told.at(-1)?.['output'])), count);
  assert.ok(residentBytes < RESIDENT_BYTES_MAX, `${residentBytes} bytes resident`);
});
