/** Character sets: the examples of PS3.5 Annexes H, I, J and K byte for byte, and Python's codecs as a second opinion. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { characterSetOf } from '../../src/dicom/charset.ts';
import type { Vr } from '../../src/dicom/vr.ts';

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
}

function hexOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('hex');
}

interface Example {
  readonly what: string;
  readonly terms: readonly string[];
  readonly text: string;
  readonly hex: string;
  readonly vr?: Vr;
}

/** The bytes as printed in the Standard. */
const STANDARD: readonly Example[] = [
  {
    what: 'H.3.1: Japanese name, ideographic and hiragana in JIS X 0208',
    terms: ['', 'ISO 2022 IR 87'],
    text: 'Yamada^Tarou=山田^太郎=やまだ^たろう',
    hex: `59616d6164615e5461726f753d 1b2442 3b334544 1b2842 5e 1b2442 42404f3a 1b2842 3d
      1b2442 2464245e2440 1b2842 5e 1b2442 243f246d2426 1b2842`,
  },
  {
    what: 'H.3.2: the same with half-width katakana, initially JIS X 0201',
    terms: ['ISO 2022 IR 13', 'ISO 2022 IR 87'],
    text: 'ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう',
    hex: `d4cfc0de5ec0dbb33d 1b2442 3b334544 1b284a 5e 1b2442 42404f3a 1b284a 3d
      1b2442 2464245e2440 1b284a 5e 1b2442 243f246d2426 1b284a`,
  },
  {
    what: 'I.2: Korean name in KS X 1001, announced anew in each component',
    terms: ['', 'ISO 2022 IR 149'],
    text: 'Hong^Gildong=洪^吉洞=홍^길동',
    hex: `486f6e675e47696c646f6e673d 1b242943 fbf3 5e 1b242943 d1ced4d7 3d
      1b242943 c8ab 5e 1b242943 b1e6b5bf`,
  },
  {
    what: 'J.3: Chinese name in UTF-8',
    terms: ['ISO_IR 192'],
    text: 'Wang^XiaoDong=王^小東=',
    hex: '57616e675e5869616f446f6e673d e78e8b 5e e5b08fe69db1 3d',
  },
  {
    what: 'J.4: Chinese name in GB18030',
    terms: ['GB18030'],
    text: 'Wang^XiaoDong=王^小东=',
    hex: '57616e675e5869616f446f6e673d cdf5 5e d0a1b6ab 3d',
  },
  {
    what: 'K.2: Chinese name in GB 2312',
    terms: ['', 'ISO 2022 IR 58'],
    text: 'Zhang^XiaoDong=张^小东=',
    hex: '5a68616e675e5869616f446f6e673d 1b242941 d5c5 5e 1b242941 d0a1b6ab 3d',
  },
];

/** Bytes made with Python 3.11's codecs. */
const PYTHON: readonly Example[] = [
  { what: 'Latin 1', terms: ['ISO_IR 100'], text: 'Buc^Jérôme', hex: '4275635e4ae972f46d65' },
  { what: 'Latin 2', terms: ['ISO_IR 101'], text: 'Wałęsa', hex: '5761b3ea7361' },
  { what: 'Latin 3', terms: ['ISO_IR 109'], text: 'ĝangalo', hex: 'f8616e67616c6f' },
  { what: 'Latin 4', terms: ['ISO_IR 110'], text: 'Vanags^Jānis', hex: '56616e6167735e4ae06e6973' },
  { what: 'Cyrillic', terms: ['ISO_IR 144'], text: 'Люкceмбypг', hex: 'bbeeda6365dcd17970d3' },
  { what: 'Arabic', terms: ['ISO_IR 127'], text: 'قباني^لنزار', hex: 'e2c8c7e6ea5ee4e6d2c7d1' },
  { what: 'Greek', terms: ['ISO_IR 126'], text: 'Διονυσιος', hex: 'c4e9efedf5f3e9eff2' },
  { what: 'Hebrew', terms: ['ISO_IR 138'], text: 'שרון^דבורה', hex: 'f9f8e5ef5ee3e1e5f8e4' },
  { what: 'Latin 5', terms: ['ISO_IR 148'], text: 'Çavuşoğlu', hex: 'c7617675fe6ff06c75' },
  { what: 'Latin 9', terms: ['ISO_IR 203'], text: 'Œuvre 5 €', hex: 'bc75767265203520a4' },
  { what: 'Thai', terms: ['ISO_IR 166'], text: 'นามสกุล', hex: 'b9d2c1caa1d8c5' },
  { what: 'JIS X 0201', terms: ['ISO_IR 13'], text: 'ﾔﾏﾀﾞ^ﾀﾛｳ', hex: 'd4cfc0de5ec0dbb3' },
  { what: 'GBK', terms: ['GBK'], text: '张^晓東', hex: 'd5c5 5e cffe 967c' },
  { what: 'GB18030, four bytes', terms: ['GB18030'], text: 'é𠀀', hex: 'a8a695328236' },
  { what: 'JIS X 0212', terms: ['', 'ISO 2022 IR 159'], text: '丂^', hex: '1b2428443021 1b2842 5e' },
  {
    what: 'Latin 1 and Cyrillic by code extension',
    terms: ['ISO 2022 IR 100', 'ISO 2022 IR 144'],
    text: 'éЛ',
    hex: 'e9 1b2d4c bb 1b2d41',
  },
];

for (const [source, examples] of [
  ['PS3.5', STANDARD],
  ['Python', PYTHON],
] as const) {
  describe(`as ${source} has it`, () => {
    for (const { what, terms, text, hex, vr = 'PN' } of examples) {
      test(`${what}: decodes`, () => {
        assert.equal(characterSetOf(terms).decode(bytesOf(hex), vr), text);
      });
      test(`${what}: encodes`, () => {
        assert.equal(hexOf(characterSetOf(terms).encode(text, vr)), hexOf(bytesOf(hex)));
      });
    }
  });
}

describe('terms', () => {
  test('none, and an empty one, are the default repertoire', () => {
    assert.deepEqual(characterSetOf([]).terms, ['']);
    assert.equal(hexOf(characterSetOf(['']).encode('Doe^Jane', 'PN')), hexOf(Buffer.from('Doe^Jane')));
    assert.equal(characterSetOf([]).encode('Müller', 'PN'), undefined);
  });

  test('a term that PS3.3 does not define is refused, also behind a known one', () => {
    for (const terms of [['ISO_IR 999'], ['ISO_IR 100', 'KLINGON'], ['ISO_IR 87'], ['ISO 2022 IR 192']]) {
      assert.throws(() => characterSetOf(terms), { code: 'DICOM_CHARSET_UNKNOWN' });
    }
  });

  test('misspellings seen in the field are understood', () => {
    // Tolerance: as written by several archives.
    for (const term of ['ISO-IR 100', 'ISO_IR_100', 'ISO IR 100', 'iso_ir 100', ' ISO_IR 100 ']) {
      assert.equal(characterSetOf([term]).decode(bytesOf('e9'), 'LO'), 'é');
    }
    assert.equal(characterSetOf(['UTF-8']).decode(bytesOf('c3a9'), 'LO'), 'é');
  });

  test('several terms mean code extensions although they are written without', () => {
    assert.equal(characterSetOf(['ISO_IR 100', 'ISO_IR 144']).decode(bytesOf('e9 1b2d4c bb'), 'LO'), 'éЛ');
  });

  test('what follows UTF-8, GB18030 or GBK is ignored', () => {
    assert.equal(characterSetOf(['ISO_IR 192', 'ISO 2022 IR 87']).decode(bytesOf('c3a9'), 'LO'), 'é');
  });
});

describe('decoding', () => {
  test('a backslash separates values and ends a code extension, except in ST, LT and UT', () => {
    const set = characterSetOf(['', 'ISO 2022 IR 149']);
    assert.equal(set.decode(bytesOf('1b242943 fbf3 5c 1b242943 d1ce'), 'LO'), '洪\\吉');
    assert.equal(characterSetOf(['ISO_IR 13']).decode(bytesOf('d45cd4'), 'LO'), 'ﾔ\\ﾔ');
    assert.equal(characterSetOf(['ISO_IR 13']).decode(bytesOf('d45cd4'), 'LT'), 'ﾔ¥ﾔ');
  });

  test('the second byte of a GB18030 character may be 5C without being a separator', () => {
    assert.equal(characterSetOf(['GB18030']).decode(bytesOf('815c 41'), 'LO'), '乗A');
  });

  test('bytes above 7F without a character set are shown as UTF-8 or Latin 1', () => {
    // Tolerance: (0008,0005) is missing although it is needed.
    assert.equal(characterSetOf([]).decode(bytesOf('c3a9'), 'LO'), 'é');
    assert.equal(characterSetOf([]).decode(bytesOf('e941'), 'LO'), 'éA');
  });

  test('an escape sequence that was not announced loses no ASCII', () => {
    const text = characterSetOf(['', 'ISO 2022 IR 87']).decode(bytesOf('446f65 1b242943 fbf3'), 'PN');
    assert.match(text, /^Doe/);
    assert.match(text, /\ufffd\ufffd$/);
  });

  test('broken UTF-8 shows as U+FFFD', () => {
    assert.equal(characterSetOf(['ISO_IR 192']).decode(bytesOf('41c341'), 'LO'), 'A\ufffdA');
  });
});

describe('encoding', () => {
  test('text that the set cannot hold is answered with undefined', () => {
    for (const terms of [
      ['ISO_IR 100'],
      ['ISO_IR 13'],
      ['ISO 2022 IR 100', 'ISO 2022 IR 144'],
      ['', 'ISO 2022 IR 149'],
    ]) {
      assert.equal(characterSetOf(terms).encode('张ﻼ', 'PN'), undefined, terms.join());
    }
    assert.equal(characterSetOf(['GBK']).encode('𠀀', 'PN'), undefined);
    assert.equal(characterSetOf(['ISO_IR 192']).encode('\ud800', 'PN'), undefined);
  });

  test('Latin 1 does not take what only Windows keeps in 80-9F', () => {
    assert.equal(characterSetOf(['ISO_IR 100']).encode('“', 'LO'), undefined);
  });

  test('text never smuggles an escape sequence in', () => {
    for (const terms of [[''], ['ISO_IR 100'], ['', 'ISO 2022 IR 87'], ['ISO_IR 13'], ['GBK'], ['ISO_IR 192']]) {
      assert.equal(characterSetOf(terms).encode('A\u001b$B', 'LO'), undefined, terms.join());
    }
  });

  test('a backslash that is a character cannot be written where yen and backslash share a code', () => {
    assert.equal(characterSetOf(['ISO_IR 13']).encode('a\\b', 'LT'), undefined);
    assert.equal(characterSetOf(['ISO_IR 13']).encode('¥', 'LO'), undefined);
    assert.equal(hexOf(characterSetOf(['ISO_IR 13']).encode('¥', 'LT')), '5c');
  });
});
