/** What codestreams say of themselves, from bytes written out here. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readJpeg2000Header } from '../../src/imaging/codecs/jpeg-2000-header.ts';
import { entropyIntervals, READ_AHEAD_BYTES } from '../../src/imaging/codecs/jpeg-entropy.ts';
import { readJpegHeader } from '../../src/imaging/codecs/jpeg-header.ts';
import { readJpegXlSize } from '../../src/imaging/codecs/jpeg-xl-header.ts';
import { endAfterMarker } from '../../src/imaging/codestream.ts';

function bytes(...hex: string[]): Uint8Array {
  return new Uint8Array(Buffer.from(hex.join('').replaceAll(' ', ''), 'hex'));
}

const SOI = 'ffd8';
const EOI = 'ffd9';
const ADOBE = 'ffee 000e 41646f6265 0064 0000 0000 01';
/** Length 17, precision 8, 16 lines of 32 samples, components 1 (2x1), 2 and 3. */
const FRAME = 'ffc0 0011 08 0010 0020 03 01 21 00 02 11 01 03 11 01';
const SCAN = 'ffda 000c 03 01 00 02 11 03 11 00 3f 00 aa';

test('JPEG: size, precision, components with their sampling, and the Adobe transform', () => {
  const header = readJpegHeader(bytes(SOI, ADOBE, FRAME, SCAN, EOI, '00'));
  assert.deepEqual([header.process, header.rows, header.columns, header.precision], [0xc0, 16, 32, 8]);
  assert.deepEqual(header.frameComponents[0], { id: 1, horizontal: 2, vertical: 1, quantization: 0 });
  assert.equal(header.adobeTransform, 1);
  assert.equal(header.stream.length, bytes(SOI, ADOBE, FRAME, SCAN, EOI).length);
});

const BROKEN_JPEG: readonly (readonly [what: string, stream: Uint8Array])[] = [
  ['no SOI', bytes(FRAME, SCAN, EOI)],
  ['no end', bytes(SOI, FRAME, SCAN)],
  ['no frame', bytes(SOI, SCAN, EOI)],
  ['two frames', bytes(SOI, FRAME, FRAME, SCAN, EOI)],
  ['a segment that ends outside', bytes(SOI, 'ffc0 ffff 08', EOI)],
  ['a frame header with fewer components than it says', bytes(SOI, 'ffc0 000b 08 0010 0020 03 01 11 00', SCAN, EOI)],
];
for (const [what, stream] of BROKEN_JPEG) {
  test(`JPEG with ${what}: refused`, () => {
    assert.throws(() => readJpegHeader(stream), { code: 'IMAGING_CODESTREAM_INVALID' });
  });
}

/** SOC, SIZ of 48 x 32 at offset 8 x 0 with one signed 12-bit component, COD with component transform, SOT, EOC. */
function codestream({ transform = '01', extra = '' } = {}): Uint8Array {
  const siz = `ff51 0029 0000 00000038 00000020 00000008 00000000 00000038 00000020 00000000 00000000 0001 8b 01 01 ${extra}`;
  return bytes('ff4f', siz, `ff52 000c 00 00 0001 ${transform} 05 04 04 00 01`, 'ff90 000a 0000 00000000 00 01', EOI);
}

test('JPEG 2000: the size is the extent less the offset; sign, precision and component transform are read', () => {
  const header = readJpeg2000Header(codestream());
  assert.deepEqual([header.columns, header.rows, header.components], [48, 32, 1]);
  assert.deepEqual(
    [header.precision, header.signed, header.componentTransform, header.subsampled],
    [12, true, true, false],
  );
  assert.equal(header.irreversible, false);
  assert.equal(readJpeg2000Header(codestream({ transform: '00' })).componentTransform, false);
});

test('JPEG 2000 inside of a JP2 file is unwrapped', () => {
  const inner = codestream();
  const box = bytes('0000000c 6a502020 0d0a870a', '00000014 66747970 6a703220 00000000 6a703220');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(inner.length + 8);
  const file = Buffer.concat([box, length, Buffer.from('jp2c'), inner]);
  assert.equal(readJpeg2000Header(file).columns, 48);
  assert.throws(() => readJpeg2000Header(box), { code: 'IMAGING_CODESTREAM_INVALID' });
});

test('JPEG 2000 cut short, without a start or without a COD segment: refused', () => {
  const whole = codestream();
  for (const broken of [whole.subarray(0, -2), whole.subarray(2), bytes('ff4f', EOI)]) {
    assert.throws(() => readJpeg2000Header(broken), { code: 'IMAGING_CODESTREAM_INVALID' });
  }
});

test('JPEG XL: sizes in multiples of 8, written out, and by ratio', () => {
  // As libjxl 0.7 writes 32 x 32: small, 4 times 8 rows, ratio 1:1.
  assert.deepEqual(readJpegXlSize(bytes('ff0a 47 60 50')), { rows: 32, columns: 32 });
  // Not small; selector 0 and 9 bits of 99 for 100 rows; ratio 0; selector 1 and 13 bits of 999 for 1000 columns.
  const bits = ['0', '00', '110001100', '000', '10', '1110011111000'].join('');
  const packed =
    bits
      .padEnd(40, '0')
      .match(/.{8}/g)
      ?.map((octet) => Number.parseInt([...octet].toReversed().join(''), 2)) ?? [];
  assert.deepEqual(readJpegXlSize(Uint8Array.from([0xff, 0x0a, ...packed])), { rows: 100, columns: 1000 });
  assert.throws(() => readJpegXlSize(bytes('ffd8 00')), { code: 'IMAGING_CODESTREAM_INVALID' });
});

test('entropy-coded data: stuffed zeros go, fill bytes go, restart markers divide', () => {
  const intervals = entropyIntervals(bytes('01 ff00 02', 'ffd0', '03', 'ffffd1', '04'));
  assert.deepEqual(
    intervals.map((interval) => [...interval.subarray(0, -READ_AHEAD_BYTES)]),
    [[1, 0xff, 2], [3], [4]],
  );
  assert.throws(() => entropyIntervals(bytes('01 ffd3 02')), { code: 'IMAGING_CODESTREAM_INVALID' });
});

test('the end marker is found before padding and leftovers, and missed where the stream was cut', () => {
  assert.equal(endAfterMarker(bytes('01 ffd9'), 0xffd9), 3);
  assert.equal(endAfterMarker(bytes('01 ffd9 00'), 0xffd9), 3);
  assert.equal(endAfterMarker(bytes('01 ffd9 00d3 0c99'), 0xffd9), 3);
  assert.equal(endAfterMarker(bytes('01 ff'), 0xffd9), undefined);
});
