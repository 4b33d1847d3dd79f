/** Palette Color Lookup Tables, PS3.3 §C.7.6.3.1.5 and §C.7.9.2. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyPalette, readPalette } from '../../src/imaging/palette.ts';
import { type Attributes, frameOf, imageFile, wordBytes } from './image-files.ts';

const COLOURS = ['Red', 'Green', 'Blue'] as const;
type Descriptor = readonly [count: number, first: number, bits: number];

/** The same table for the three colours. */
function palette(
  descriptor: Descriptor,
  data: readonly number[] | Uint8Array,
  prefix = '',
  vr: 'US' | 'SS' = 'US',
): Attributes {
  const bytes = data instanceof Uint8Array ? data : wordBytes(data);
  return Object.fromEntries(
    COLOURS.flatMap((colour) => [
      [`${colour}PaletteColorLookupTableDescriptor`, [vr, descriptor] as const],
      [`${prefix}${colour}PaletteColorLookupTableData`, ['OW', bytes] as const],
    ]),
  );
}

function reds(attributes: Attributes, indices: Uint8Array | Uint16Array, signed = false): number[] {
  const { source, dataSet } = imageFile(attributes);
  const rgb = applyPalette(
    frameOf(indices, { signed, photometric: 'PALETTE COLOR' }),
    readPalette(source, dataSet, signed),
  );
  return [...rgb].filter((_, at) => at % 3 === 0);
}

test('the three tables give red, green and blue of an index', () => {
  const attributes = {
    ...palette([2, 0, 16], [0, 0xff00]),
    GreenPaletteColorLookupTableData: ['OW', wordBytes([0x1000, 0x2000])] as const,
    BluePaletteColorLookupTableData: ['OW', wordBytes([0x3000, 0x4000])] as const,
  };
  const { source, dataSet } = imageFile(attributes);
  const rgb = applyPalette(frameOf(Uint8Array.of(0, 1)), readPalette(source, dataSet, false));
  assert.deepEqual([...rgb], [0, 0x10, 0x30, 0xff, 0x20, 0x40]);
});

test('indices below the first mapped value and beyond the table take its ends', () => {
  assert.deepEqual(
    reds(palette([3, 100, 16], [0x0100, 0x0200, 0x0300]), Uint8Array.of(0, 100, 101, 102, 255)),
    [1, 1, 2, 3, 3],
  );
});

test('signed indices map from a signed first value, also where its VR is US', () => {
  const words = Uint16Array.of(0xfffe, 0xffff, 0, 1);
  for (const vr of ['SS', 'US'] as const) {
    const first = vr === 'SS' ? -2 : 0xfffe;
    assert.deepEqual(
      reds(palette([4, first, 16], [0x0100, 0x0200, 0x0300, 0x0400], '', vr), words, true),
      [1, 2, 3, 4],
    );
  }
});

test('8-bit tables are packed two entries a word', () => {
  assert.deepEqual(reds(palette([4, 0, 8], Uint8Array.of(5, 6, 7, 8)), Uint8Array.of(0, 1, 2, 3)), [5, 6, 7, 8]);
});

test('a count of 0 means 65536 entries', () => {
  const entries = Array.from({ length: 65536 }, (_, index) => index);
  assert.deepEqual(reds(palette([0, 0, 16], entries), Uint16Array.of(0, 0x8000, 0xffff)), [0, 0x80, 0xff]);
});

test('tables that say 16 bits and hold 8-bit values are not shown as black', () => {
  assert.deepEqual(reds(palette([3, 0, 16], [0, 128, 255]), Uint8Array.of(0, 1, 2)), [0, 128, 255]);
});

test('segmented tables: a discrete segment, a linear one, and an indirect one that repeats both', () => {
  // Discrete (opcode 0) of 2 entries, linear (1) of 4 to 0x0a00, indirect (2) of 2 segments from byte 0.
  const data = [0, 2, 0x0100, 0x0200, 1, 4, 0x0a00, 2, 2, 0, 0];
  const found = reds(
    palette([12, 0, 16], data, 'Segmented'),
    Uint8Array.from({ length: 12 }, (_, index) => index),
  );
  assert.deepEqual(found, [1, 2, 4, 6, 8, 10, 1, 2, 4, 6, 8, 10]);
});

const BROKEN: readonly (readonly [what: string, attributes: Attributes])[] = [
  ['no tables', {}],
  ['fewer entries than announced', palette([300, 0, 16], [1, 2])],
  ['segments with too few entries', palette([9, 0, 16], [0, 2, 1, 2], 'Segmented')],
  ['segments with too many entries', palette([1, 0, 16], [0, 2, 1, 2], 'Segmented')],
  ['a linear segment with nothing before it', palette([2, 0, 16], [1, 2, 9], 'Segmented')],
  ['an indirect segment that points to itself', palette([4, 0, 16], [0, 1, 7, 2, 2, 6, 0], 'Segmented')],
  ['a segment of unknown type', palette([4, 0, 16], [9, 1, 7], 'Segmented')],
];
for (const [what, attributes] of BROKEN) {
  test(`${what}: refused`, () => {
    assert.throws(() => reds(attributes, Uint8Array.of(0)), { code: 'IMAGING_DESCRIPTION_INVALID' });
  });
}
