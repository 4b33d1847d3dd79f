/** Metadata in compressed frames: segments written by hand from ISO/IEC 10918-1 §B.1.1.4 and ISO/IEC 15444-1 §A.3. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { metadataRanges, withoutMetadata } from '../../src/deid/codestream-metadata.ts';
import { concatBytes, latin1 } from '../build/data-set.ts';
import { deidentified, instanceWith } from './support/instance.ts';

const SOI = Uint8Array.of(0xff, 0xd8);
const EOI = Uint8Array.of(0xff, 0xd9);
const SOS = segment(0xda, Uint8Array.of(1, 1, 0, 0, 63, 0));
const CODED = Uint8Array.of(0x12, 0xff, 0x00, 0x34, 0xff, 0xd0, 0x56);

function segment(marker: number, body: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(0xff, marker, (body.length + 2) >> 8, (body.length + 2) & 0xff), body);
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

describe('metadata in compressed frames', () => {
  const sof = segment(0xc0, Uint8Array.of(8, 0, 1, 0, 1, 1, 1, 0x11, 0));

  test('a JPEG without metadata stays the same array', () => {
    const jpeg = concatBytes(SOI, sof, SOS, CODED, EOI);
    assert.equal(withoutMetadata(jpeg), jpeg);
  });

  test('COM and EXIF are blanked in place, before and between the scans', () => {
    const exif = segment(0xe1, latin1('Exif\0\0Artist Quillfeather'));
    const comment = segment(0xfe, latin1('Marisol'));
    const jpeg = concatBytes(SOI, exif, comment, sof, SOS, CODED, comment, SOS, CODED, EOI);
    const clean = withoutMetadata(jpeg);
    assert.equal(clean.length, jpeg.length);
    assert.ok(!text(clean).includes('Quillfeather') && !text(clean).includes('Marisol'));
    const zeroed = (bytes: Uint8Array) => concatBytes(bytes.subarray(0, 4), new Uint8Array(bytes.length - 4));
    const expected = concatBytes(SOI, zeroed(exif), zeroed(comment), sof, SOS, CODED, zeroed(comment), SOS, CODED, EOI);
    assert.deepEqual(clean, expected);
    assert.ok(text(jpeg).includes('Quillfeather'), 'the original is not changed');
  });

  test('every other APPn is blanked', () => {
    for (let marker = 0xe0; marker <= 0xef; marker++) {
      const jpeg = concatBytes(SOI, segment(marker, latin1('Quillfeather')), SOS, CODED, EOI);
      assert.ok(!text(withoutMetadata(jpeg)).includes('Quillfeather'), marker.toString(16));
    }
  });

  test('what decoders need stays: JFIF without thumbnail, Adobe transform, HP colour transform', () => {
    const needed = [
      segment(0xe0, concatBytes(latin1('JFIF\0'), Uint8Array.of(1, 2, 0, 0, 1, 0, 1, 0, 0))),
      segment(0xee, concatBytes(latin1('Adobe'), Uint8Array.of(0, 100, 0, 0, 0, 0, 1))),
      segment(0xe8, concatBytes(latin1('mrfx'), Uint8Array.of(1))),
    ];
    const jpeg = concatBytes(SOI, ...needed, SOS, CODED, EOI);
    assert.equal(withoutMetadata(jpeg), jpeg);
  });

  test('a JFIF segment long enough for a thumbnail is blanked', () => {
    const jpeg = concatBytes(SOI, segment(0xe0, latin1('JFIF\0 with a thumbnail')), SOS, CODED, EOI);
    assert.deepEqual(metadataRanges(jpeg), [{ start: 6, end: 6 + 22 }]);
  });

  test('what stands behind the end of the image is blanked; padding is no metadata', () => {
    const jpeg = concatBytes(SOI, SOS, CODED, EOI);
    assert.deepEqual(withoutMetadata(concatBytes(jpeg, latin1('Marisol'))), concatBytes(jpeg, new Uint8Array(7)));
    assert.deepEqual(metadataRanges(concatBytes(jpeg, Uint8Array.of(0))), []);
  });

  test('fill bytes before a marker are passed over', () => {
    const jpeg = concatBytes(SOI, Uint8Array.of(0xff, 0xff), segment(0xfe, latin1('Marisol')), SOS, CODED, EOI);
    assert.ok(!text(withoutMetadata(jpeg)).includes('Marisol'));
  });

  test('a segment that claims to be longer than the fragment is blanked to its end', () => {
    const jpeg = concatBytes(SOI, Uint8Array.of(0xff, 0xfe, 0xff, 0xff), latin1('Marisol'));
    assert.ok(!text(withoutMetadata(jpeg)).includes('Marisol'));
  });

  const siz = segment(0x51, new Uint8Array(36));
  const com = segment(0x64, concatBytes(Uint8Array.of(0, 1), latin1('by Marisol')));
  const sot = (tilePartBytes: number) =>
    segment(0x90, concatBytes(new Uint8Array(4), Uint8Array.of(tilePartBytes >> 8, tilePartBytes & 0xff, 0, 1)));
  const SOC = Uint8Array.of(0xff, 0x4f);
  const SOD = Uint8Array.of(0xff, 0x93);

  test('JPEG 2000 comments are blanked in the main header and in tile-part headers, Rcom stays', () => {
    const tile = 12 + com.length + 2 + 4;
    const codestream = concatBytes(SOC, siz, com, sot(tile), com, SOD, Uint8Array.of(1, 2, 3, 4), EOI);
    const blank = concatBytes(com.subarray(0, 6), new Uint8Array(10));
    const expected = concatBytes(SOC, siz, blank, sot(tile), blank, SOD, Uint8Array.of(1, 2, 3, 4), EOI);
    assert.deepEqual(withoutMetadata(codestream), expected);
  });

  test('a JPEG 2000 tile-part to the end of the codestream ends the search', () => {
    const codestream = concatBytes(SOC, siz, com, sot(0), SOD, Uint8Array.of(1, 2, 3, 4), EOI);
    assert.ok(!text(withoutMetadata(codestream)).includes('Marisol'));
  });

  test('bytes that are neither are left alone', () => {
    for (const bytes of [new Uint8Array(0), latin1('Marisol'), Uint8Array.of(0xff), Uint8Array.of(0xff, 0x00, 0x01)]) {
      assert.equal(withoutMetadata(bytes), bytes);
    }
  });

  test('a comment that goes on in the next fragment is blanked in both, and each fragment keeps its length', () => {
    const comment = segment(0xfe, latin1('Marisol Quillfeather of Larkspurdale'));
    const jpeg = concatBytes(SOI, comment, sof, SOS, CODED, EOI);
    const parts = [jpeg.subarray(0, 16), jpeg.subarray(16, 34), jpeg.subarray(34)];
    const file = instanceWith([0x7fe00010, 'OB', { fragments: [new Uint8Array(0), ...parts] }]);
    const { bytes, dataSet } = deidentified(file, 'default', {}, '1.2.840.10008.1.2.4.50');
    assert.ok(!/Quill|feather|Larkspur/.test(text(bytes)));
    const lengths = dataSet.element(0x7fe00010)?.fragments?.map(({ length }) => length);
    assert.deepEqual(lengths, [0, 16, 18, jpeg.length - 34 + ((jpeg.length - 34) % 2)]);
  });

  const box = (type: string, contents: Uint8Array) => {
    const length = contents.length + 8;
    return concatBytes(Uint8Array.of(0, 0, length >> 8, length & 255), latin1(type), contents);
  };
  const files: readonly (readonly [string, Uint8Array])[] = [
    ['JP2', box('jP  ', Uint8Array.of(0x0d, 0x0a, 0x87, 0x0a))],
    ['JPEG XL', box('JXL ', Uint8Array.of(0x0d, 0x0a, 0x87, 0x0a))],
  ];
  for (const [name, signature] of files) {
    test(`metadata boxes of a ${name} file are blanked, its image is not`, () => {
      const image = box('jxlc', latin1('coded Marisol is no word here'));
      const file = concatBytes(signature, box('xml ', latin1('<a>Marisol</a>')), image, box('uuid', latin1('Marisol')));
      const clean = withoutMetadata(file);
      assert.equal(clean.length, file.length);
      assert.equal(text(clean).match(/Marisol/g)?.length, 1);
      assert.ok(text(clean).includes('coded Marisol'));
    });
  }

  test('comments of the codestream inside a JP2 file are blanked', () => {
    const siz = segment(0x51, new Uint8Array(40));
    const com = segment(0x64, concatBytes(Uint8Array.of(0, 1), latin1('Marisol')));
    const code = concatBytes(Uint8Array.of(0xff, 0x4f), siz, com, Uint8Array.of(0xff, 0xd9));
    const file = concatBytes(files[0]?.[1] ?? SOI, box('jp2c', code));
    assert.ok(!text(withoutMetadata(file)).includes('Marisol'));
    assert.deepEqual(metadataRanges(file).length, 1);
  });

  test('boxes of impossible and of unlimited length end the search, not the program', () => {
    const [, signature = SOI] = files[0] ?? [];
    const toTheEnd = concatBytes(signature, Uint8Array.of(0, 0, 0, 0), latin1('uuidMarisol'));
    assert.ok(!text(withoutMetadata(toTheEnd)).includes('Marisol'));
    const broken = concatBytes(signature, Uint8Array.of(0, 0, 0, 3), latin1('xxxxMarisol'));
    assert.ok(!text(withoutMetadata(broken)).includes('Marisol'));
    const long = concatBytes(
      signature,
      Uint8Array.of(0, 0, 0, 1),
      latin1('Exif'),
      new Uint8Array(7),
      Uint8Array.of(23),
      latin1('Marisol'),
    );
    assert.ok(!text(withoutMetadata(long)).includes('Marisol'));
  });
});
