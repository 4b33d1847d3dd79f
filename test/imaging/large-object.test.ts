/**
 * A multi-frame object of 6 GB, which exists only as a function of position: header, then one fragment a frame. Renders
 * frame by frame within 500 MB resident. Every hundredth frame, or with LETHE_LONG=1 all 12000.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ByteSource } from '../../src/core/bytes.ts';
import { readPart10 } from '../../src/dicom/part10.ts';
import { renderFrames } from '../../src/imaging/render.ts';
import { buildPart10 } from '../build/data-set.ts';

const ENCAPSULATED_UNCOMPRESSED = '1.2.840.10008.1.2.1.98';
const FRAMES = 12_000;
const SIDE = 512;
const FRAME_BYTES = SIDE * SIDE * 2;
const ITEM_BYTES = 8 + FRAME_BYTES;
const RESIDENT_BYTES_MAX = 500 * 1024 * 1024;

/** Everything up to the first fragment: a file without any, less its sequence delimiter. */
function header(): Uint8Array {
  const file = buildPart10(
    [
      ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.7.3'],
      ['SOPInstanceUID', '2.25.1'],
      ['SamplesPerPixel', 1],
      ['PhotometricInterpretation', 'MONOCHROME2'],
      ['NumberOfFrames', String(FRAMES)],
      ['Rows', SIDE],
      ['Columns', SIDE],
      ['BitsAllocated', 16],
      ['BitsStored', 16],
      ['HighBit', 15],
      ['PixelRepresentation', 0],
      ['WindowCenter', '32768'],
      ['WindowWidth', '65536'],
      ['PixelData', 'OB', { fragments: [new Uint8Array(0)] }],
    ],
    { transferSyntax: ENCAPSULATED_UNCOMPRESSED },
  );
  return file.subarray(0, file.length - 8);
}

/** The item header, and words that begin with the number of the frame. */
function fillItem(item: Uint8Array, frame: number): void {
  const view = new DataView(item.buffer);
  view.setUint32(0, 0xe000fffe, true);
  view.setUint32(4, FRAME_BYTES, true);
  view.setUint16(8, frame, true);
}

function virtualObject(): ByteSource {
  const start = header();
  const end = Uint8Array.of(0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0);
  const item = new Uint8Array(ITEM_BYTES);
  const bodyBytes = ITEM_BYTES * FRAMES;
  const size = start.length + bodyBytes + end.length;
  const copyFrom = (position: number, target: Uint8Array): number => {
    if (position < start.length) return copy(start.subarray(position), target);
    const inBody = position - start.length;
    if (inBody >= bodyBytes) return copy(end.subarray(inBody - bodyBytes), target);
    fillItem(item, Math.floor(inBody / ITEM_BYTES) + 1);
    return copy(item.subarray(inBody % ITEM_BYTES), target);
  };
  return {
    size,
    read: (position, length) => {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, size - position)));
      for (let done = 0; done < bytes.length; ) done += copyFrom(position + done, bytes.subarray(done));
      return bytes;
    },
  };
}

function copy(from: Uint8Array, to: Uint8Array): number {
  const part = from.subarray(0, to.length);
  to.set(part);
  return part.length;
}

test('an object of 6 GB renders frame by frame below 500 MB resident', async (context) => {
  const source = virtualObject();
  assert.ok(source.size > 6e9);
  const part10 = readPart10(source);
  const step = process.env['LETHE_LONG'] === '1' ? 1 : 100;
  const frames = Array.from({ length: FRAMES / step }, (_, index) => (index + 1) * step);
  let resident = 0;
  let rendered = 0;
  for await (const frame of renderFrames(part10, { format: 'png16', frames })) {
    rendered++;
    assert.equal(frame.width, SIDE);
    resident = Math.max(resident, process.memoryUsage.rss());
  }
  context.diagnostic(`${rendered} frames, at most ${Math.round(resident / 1024 / 1024)} MiB resident`);
  assert.equal(rendered, frames.length);
  assert.ok(resident < RESIDENT_BYTES_MAX, `${resident} bytes resident`);
});
