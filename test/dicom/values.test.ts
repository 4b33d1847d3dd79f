/** Values out of bytes: PS3.5 §6.2 and §7.3. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { elementOf, groupOf, isPrivate, isPrivateCreator, tagHex, tagOf, tagText } from '../../src/dicom/tag.ts';
import { decodeNumbers, parseDecimal, splitText, swapUnits, trimPadding } from '../../src/dicom/values.ts';
import { isVr, VRS, type Vr } from '../../src/dicom/vr.ts';
import { encodeNumbers } from '../../src/dicom/writer.ts';

describe('parseDecimal', () => {
  const good: readonly (readonly [string, number])[] = [
    ['0', 0],
    ['-0', -0],
    ['+1', 1],
    ['12.', 12],
    ['.5', 0.5],
    ['-.5', -0.5],
    ['1e3', 1000],
    ['1.5E-2', 0.015],
    ['  7  ', 7],
    ['007', 7],
    ['1234567890123456', 1234567890123456],
  ];
  for (const [text, number] of good)
    test(`reads ${JSON.stringify(text)}`, () => assert.equal(parseDecimal(text), number));

  test('reads an IS with a fraction', () => {
    // Tolerance: Instance Number "1.000000" is seen.
    assert.equal(parseDecimal('1.000000'), 1);
  });

  for (const text of [
    '',
    ' ',
    '.',
    '-',
    '1,5',
    '0x10',
    'Infinity',
    'NaN',
    '1e',
    '1 2',
    '1.2.3',
    '--1',
    'e5',
    '1_000',
  ]) {
    test(`${JSON.stringify(text)} is no number`, () => assert.equal(parseDecimal(text), Number.NaN));
  }
});

describe('splitText and trimPadding', () => {
  test('trailing spaces and NULs go, mixed ones too', () => {
    assert.equal(trimPadding('A \0 \0', 'LO'), 'A');
    assert.equal(trimPadding('1.2\0', 'UI'), '1.2');
    assert.equal(trimPadding(' \0', 'LO'), '');
  });

  test('leading spaces stay where they are part of the text: ST, LT, UT, UC', () => {
    for (const vr of ['ST', 'LT', 'UT', 'UC'] as const) assert.equal(trimPadding('  A ', vr), '  A');
    for (const vr of ['AE', 'CS', 'DS', 'IS', 'LO', 'PN', 'SH', 'UI'] as const)
      assert.equal(trimPadding('  A ', vr), 'A');
  });

  test('a backslash separates exactly where a VR has several values', () => {
    const split = (Object.keys(VRS) as Vr[]).filter((vr) => VRS[vr].text && splitText('a\\b', vr).length === 2);
    assert.deepEqual(split, ['AE', 'AS', 'CS', 'DA', 'DS', 'DT', 'IS', 'LO', 'PN', 'SH', 'TM', 'UC', 'UI']);
  });

  test('only backslashes are empty values, nothing is no value', () => {
    assert.deepEqual(splitText('\\\\', 'LO'), ['', '', '']);
    assert.deepEqual(splitText('', 'LO'), []);
    assert.deepEqual(splitText('  ', 'LT'), []);
  });
});

describe('numbers', () => {
  const limits: readonly (readonly [Vr, readonly number[]])[] = [
    ['AT', [0, 0xfffee000, 0x7fe00010]],
    ['FD', [0, -0.1, Number.MAX_VALUE, Number.MIN_VALUE, Number.NEGATIVE_INFINITY]],
    ['FL', [0, 0.5, -1.5, 3.4028234663852886e38]],
    ['OB', [0, 255]],
    ['OD', [1e300]],
    ['OF', [-0.25]],
    ['OL', [0, 4294967295]],
    ['OV', [0, Number.MAX_SAFE_INTEGER]],
    ['OW', [0, 65535]],
    ['SL', [-2147483648, 2147483647]],
    ['SS', [-32768, 32767]],
    ['SV', [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]],
    ['UL', [0, 4294967295]],
    ['US', [0, 65535]],
    ['UV', [0, Number.MAX_SAFE_INTEGER]],
  ];
  for (const [vr, numbers] of limits) {
    test(`${vr} holds its limits in both byte orders, and one is the other swapped`, () => {
      const little = encodeNumbers(numbers, vr, true);
      const big = encodeNumbers(numbers, vr, false);
      assert.deepEqual(decodeNumbers(little, vr, true), numbers);
      assert.deepEqual(decodeNumbers(big, vr, false), numbers);
      assert.deepEqual(swapUnits(little, VRS[vr].unitBytes), big);
    });
  }

  test('text and sequences hold no binary numbers', () => {
    for (const vr of ['LO', 'DS', 'IS', 'UI', 'SQ', 'PN'] as const)
      assert.deepEqual(decodeNumbers(Uint8Array.of(1, 2, 3, 4), vr, true), []);
  });

  test('values at odd places in memory are read', () => {
    assert.deepEqual(decodeNumbers(Uint8Array.of(9, 1, 2, 3, 4).subarray(1), 'UL', true), [0x04030201]);
  });

  test('swapping leaves a last incomplete unit alone', () => {
    assert.deepEqual(swapUnits(Uint8Array.of(1, 2, 3), 2), Uint8Array.of(2, 1, 3));
    assert.deepEqual(swapUnits(Uint8Array.of(1, 2, 3), 1), Uint8Array.of(1, 2, 3));
  });
});

describe('VR limits', () => {
  test('are those of PS3.5 Table 6.2-1', () => {
    const bytes: Readonly<Partial<Record<Vr, number>>> = {
      AE: 16,
      AS: 4,
      CS: 16,
      DA: 8,
      DS: 16,
      DT: 26,
      IS: 12,
      TM: 14,
      UI: 64,
    };
    for (const [vr, max] of Object.entries(bytes)) assert.equal(isVr(vr) && VRS[vr].maxBytes, max, vr);
    const characters: Readonly<Partial<Record<Vr, number>>> = { LO: 64, LT: 10240, PN: 64, SH: 16, ST: 1024 };
    for (const [vr, max] of Object.entries(characters)) assert.equal(isVr(vr) && VRS[vr].maxCharacters, max, vr);
  });

  test('pad UI and byte strings with NUL, text with space', () => {
    const nul = (Object.keys(VRS) as Vr[]).filter((vr) => VRS[vr].padding === 0);
    assert.deepEqual(
      nul.filter((vr) => VRS[vr].text),
      ['UI'],
    );
    assert.deepEqual(
      (Object.keys(VRS) as Vr[]).filter((vr) => !VRS[vr].text && VRS[vr].padding !== 0),
      [],
    );
  });
});

describe('tags', () => {
  test('are one unsigned number and show as the Standard writes them', () => {
    const tag = tagOf(0xfffe, 0xe00d);
    assert.equal(tag, 0xfffee00d);
    assert.deepEqual([groupOf(tag), elementOf(tag)], [0xfffe, 0xe00d]);
    assert.equal(tagText(0x00100010), '(0010,0010)');
    assert.equal(tagHex(0x7fe0000a), '7FE0000A');
  });

  test('of odd groups are private; gggg,0010 to gggg,00FF are private creators (PS3.5 §7.8.1)', () => {
    assert.deepEqual([isPrivate(0x00090010), isPrivate(0x00080010)], [true, false]);
    for (const [tag, is] of [
      [0x00090010, true],
      [0x000900ff, true],
      [0x0009000f, false],
      [0x00090100, false],
      [0x00080010, false],
    ] as const) {
      assert.equal(isPrivateCreator(tag), is, tagText(tag));
    }
  });
});
