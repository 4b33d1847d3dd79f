/** The tokenizer against bytes written out by hand from PS3.5 §7 and A.4. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LetheError } from '../../src/core/errors.ts';
import { DataSetTokenizer, type Token, type TokenizerOptions } from '../../src/dicom/tokens.ts';

const EXPLICIT_LE = { explicitVr: true, littleEndian: true };
const IMPLICIT_LE = { explicitVr: false, littleEndian: true };
const EXPLICIT_BE = { explicitVr: true, littleEndian: false };

const ITEM = 'FEFF00E0';
const ITEM_END = 'FEFF0DE0 00000000';
const SEQUENCE_END = 'FEFFDDE0 00000000';
const UNDEFINED = 'FFFFFFFF';

function hex(...parts: string[]): Uint8Array {
  return Uint8Array.from(Buffer.from(parts.join('').replaceAll(' ', ''), 'hex'));
}

function ascii(text: string): string {
  return Buffer.from(text, 'latin1').toString('hex');
}

/** A line a token; what a reader would tell a colleague. */
function describeToken(token: Token): string {
  switch (token.kind) {
    case 'element':
      return `${token.depth} ${tag(token.tag)} ${token.vr}@${token.offset} ${Buffer.from(token.value).toString('hex')}`;
    case 'bulk-start':
      return `${token.depth} ${tag(token.tag)} ${token.vr}@${token.offset} bulk ${token.length}`;
    case 'bulk-data':
      return `data ${Buffer.from(token.bytes).toString('hex')}`;
    case 'sequence-start':
      return `${token.depth} ${tag(token.tag)} ${token.vr}@${token.offset} sequence ${token.length ?? 'undefined'}`;
    case 'item-start':
      return `${token.depth} item ${token.index}@${token.offset} ${token.length ?? 'undefined'}`;
    case 'fragments-start':
      return `${token.depth} ${tag(token.tag)} ${token.vr}@${token.offset} fragments`;
    case 'fragment-start':
      return `fragment ${token.index}@${token.offset} ${token.length}`;
    default:
      return 'depth' in token ? `${token.depth} ${token.kind}` : token.kind;
  }
}

function tag(value: number): string {
  return value.toString(16).padStart(8, '0');
}

/** All tokens of the bytes, fed in pieces of `step`; adjacent bulk data is joined so that any split reads alike. */
function tokens(bytes: Uint8Array, options: TokenizerOptions, step = bytes.length): string[] {
  const tokenizer = new DataSetTokenizer(options);
  const lines: string[] = [];
  const drain = (): void => {
    for (let token = tokenizer.next(); token !== undefined; token = tokenizer.next()) {
      const line = describeToken(token);
      const last = lines.at(-1);
      if (token.kind === 'bulk-data' && last?.startsWith('data ')) lines[lines.length - 1] = last + line.slice(5);
      else lines.push(line);
    }
  };
  for (let at = 0; at < bytes.length; at += step) {
    tokenizer.push(bytes.subarray(at, at + step));
    drain();
  }
  tokenizer.end();
  drain();
  assert.equal(tokenizer.finished, true);
  return lines;
}

function refused(bytes: Uint8Array, options: TokenizerOptions): LetheError {
  try {
    tokens(bytes, options);
  } catch (error) {
    assert.ok(error instanceof LetheError, String(error));
    return error;
  }
  assert.fail('the bytes were accepted');
}

/** Fed whole, and byte by byte, and in every step between up to 13, the tokens are the same. */
function reads(bytes: Uint8Array, options: TokenizerOptions, expected: readonly string[]): void {
  for (let step = 1; step <= 13; step++)
    assert.deepEqual(tokens(bytes, options, step), expected, `in steps of ${step}`);
  assert.deepEqual(tokens(bytes, options), expected);
}

describe('headers', () => {
  test('explicit VR with a 16-bit length: tag, VR, length, value (PS3.5 Table 7.1-2)', () => {
    // (0010,0010) PN, 8 bytes
    reads(hex('1000 1000', ascii('PN'), '0800', ascii('Doe^Jane')), EXPLICIT_LE, [
      `0 00100010 PN@8 ${ascii('Doe^Jane')}`,
    ]);
  });

  test('explicit VR with a 32-bit length after two reserved bytes (PS3.5 Table 7.1-1)', () => {
    reads(hex('4200 1100', ascii('OB'), '0000 02000000 ABCD'), EXPLICIT_LE, ['0 00420011 OB@12 abcd']);
  });

  test('implicit VR: the dictionary names the VR, an unknown tag is UN (PS3.5 Table 7.1-3)', () => {
    const bytes = hex(
      '2800 1000 02000000 0002',
      '2900 1000 02000000 4142',
      '2900 0110 02000000 0102',
      '2800 FFFF 00000000',
    );
    reads(bytes, IMPLICIT_LE, [
      '0 00280010 US@8 0002',
      '0 00290010 LO@18 4142',
      '0 00291001 UN@28 0102',
      '0 0028ffff UN@38 ',
    ]);
  });

  test('implicit VR: US or SS is what Pixel Representation says, in items too', () => {
    const padding = '2800 2001 02000000 FFFF';
    const bytes = hex(
      padding,
      '2800 0301 02000000 0100',
      padding,
      '2800 1030 FFFFFFFF',
      ITEM,
      '0C000000',
      '2800 0230 04000000 00000000',
      SEQUENCE_END,
    );
    const vrs = tokens(bytes, IMPLICIT_LE)
      .filter((line) => line.includes('@') && !line.includes('item'))
      .map((line) => line.slice(2, 13));
    assert.deepEqual(vrs, ['00280120 US', '00280103 US', '00280120 SS', '00283010 SQ', '00283002 SS']);
  });

  test('big endian: tag and length are swapped, the value is left as it is (PS3.5 §7.3)', () => {
    reads(hex('0028 0010', ascii('US'), '0002 0200'), EXPLICIT_BE, ['0 00280010 US@8 0200']);
    reads(hex('7FE0 0010', ascii('OW'), '0000 00000002 0102'), EXPLICIT_BE, ['0 7fe00010 OW@12 0102']);
  });

  test('empty values are elements', () => {
    reads(hex('1000 1000', ascii('PN'), '0000'), EXPLICIT_LE, ['0 00100010 PN@8 ']);
  });

  test('odd lengths are read as they are', () => {
    // Tolerance: PS3.5 §7.1.1 asks for even lengths.
    reads(hex('0800 6000', ascii('CS'), '0300', ascii('MRX')), EXPLICIT_LE, [`0 00080060 CS@8 ${ascii('MRX')}`]);
  });

  test('group lengths and Data Set Trailing Padding are elements like others', () => {
    const bytes = hex('0800 0000', ascii('UL'), '0400 0A000000', 'FCFF FCFF', ascii('OB'), '0000 02000000 0000');
    reads(bytes, EXPLICIT_LE, ['0 00080000 UL@8 0a000000', '0 fffcfffc OB@24 0000']);
  });

  test('duplicated and out-of-order elements pass', () => {
    const element = hex('1000 2000', ascii('LO'), '0200', ascii('A '));
    const lines = tokens(Buffer.concat([element, hex('0800 6000', ascii('CS'), '0000'), element]), EXPLICIT_LE);
    assert.equal(lines.length, 3);
  });

  test('a VR of a later edition is read as UN with a 32-bit length', () => {
    reads(hex('0800 FF0F', ascii('ZZ'), '0000 02000000 4142'), EXPLICIT_LE, ['0 00080fff UN@12 4142']);
  });

  test('a VR of two spaces is read as UN with a 16-bit length', () => {
    // Tolerance: as a GE workstation wrote Pixel Padding Value.
    reads(hex('2800 2001 2020 0200 0000'), EXPLICIT_LE, ['0 00280120 UN@8 0000']);
  });

  test('an element says whether the stream itself called it UN', () => {
    const first = (bytes: Uint8Array, options: TokenizerOptions): Token | undefined => {
      const tokenizer = new DataSetTokenizer(options);
      tokenizer.push(bytes);
      return tokenizer.next();
    };
    const explicit = first(hex('1000 1000', ascii('UN'), '0000 02000000 4142'), EXPLICIT_LE);
    assert.deepEqual(
      [explicit?.kind === 'element' && explicit.explicitUn, explicit?.kind === 'element' && explicit.vr],
      [true, 'UN'],
    );
    const implicit = first(hex('0900 0110 02000000 4142'), IMPLICIT_LE);
    assert.deepEqual(
      [implicit?.kind === 'element' && implicit.explicitUn, implicit?.kind === 'element' && implicit.vr],
      [false, 'UN'],
    );
  });

  test('offsets count from where the data set begins', () => {
    assert.deepEqual(tokens(hex('1000 1000', ascii('PN'), '0000'), { ...EXPLICIT_LE, offset: 1000 }), [
      '0 00100010 PN@1008 ',
    ]);
  });
});

describe('sequences', () => {
  test('undefined lengths end at their delimiters (PS3.5 Table 7.5-3)', () => {
    const bytes = hex(
      '0800 4011',
      ascii('SQ'),
      '0000',
      UNDEFINED, // Referenced Image Sequence
      ITEM,
      UNDEFINED,
      '0800 5511',
      ascii('UI'),
      '0200 3100',
      ITEM_END,
      ITEM,
      UNDEFINED,
      ITEM_END,
      SEQUENCE_END,
      '1000 1000',
      ascii('PN'),
      '0000',
    );
    reads(bytes, EXPLICIT_LE, [
      '0 00081140 SQ@12 sequence undefined',
      '1 item 0@20 undefined',
      '1 00081155 UI@28 3100',
      '1 item-end',
      '1 item 1@46 undefined',
      '1 item-end',
      '0 sequence-end',
      '0 00100010 PN@70 ',
    ]);
  });

  test('defined lengths end where they say (PS3.5 Table 7.5-1)', () => {
    const bytes = hex(
      '0800 4011',
      ascii('SQ'),
      '0000 1A000000',
      ITEM,
      '0A000000',
      '0800 5511',
      ascii('UI'),
      '0200 3100',
      ITEM,
      '00000000',
      '1000 1000',
      ascii('PN'),
      '0000',
    );
    reads(bytes, EXPLICIT_LE, [
      '0 00081140 SQ@12 sequence 26',
      '1 item 0@20 10',
      '1 00081155 UI@28 3100',
      '1 item-end',
      '1 item 1@38 0',
      '1 item-end',
      '0 sequence-end',
      '0 00100010 PN@46 ',
    ]);
  });

  test('an empty sequence begins and ends', () => {
    reads(hex('0800 4011 00000000'), IMPLICIT_LE, ['0 00081140 SQ@8 sequence 0', '0 sequence-end']);
    reads(hex('0800 4011', UNDEFINED, SEQUENCE_END), IMPLICIT_LE, [
      '0 00081140 SQ@8 sequence undefined',
      '0 sequence-end',
    ]);
  });

  test('sequences nest, defined in undefined and undefined in defined', () => {
    const inner = `0800 4011 ${UNDEFINED} ${ITEM} 00000000 ${SEQUENCE_END}`; // 24 bytes
    const bytes = hex('4000 7502 20000000', ITEM, '18000000', inner);
    reads(bytes, IMPLICIT_LE, [
      '0 00400275 SQ@8 sequence 32',
      '1 item 0@16 24',
      '1 00081140 SQ@24 sequence undefined',
      '2 item 0@32 0',
      '2 item-end',
      '1 sequence-end',
      '1 item-end',
      '0 sequence-end',
    ]);
  });

  test('UN of undefined length holds an implicit little endian sequence, in big endian too (PS3.5 §6.2.2)', () => {
    const items = `${ITEM} ${UNDEFINED} 2800 1000 02000000 0002 ${ITEM_END} ${SEQUENCE_END}`;
    const expected = [
      '0 00091010 UN@12 sequence undefined',
      '1 item 0@20 undefined',
      '1 00280010 US@28 0002',
      '1 item-end',
      '0 sequence-end',
    ];
    reads(hex('0900 1010', ascii('UN'), '0000', UNDEFINED, items), EXPLICIT_LE, expected);
    reads(hex('0009 1010', ascii('UN'), '0000', UNDEFINED, items), EXPLICIT_BE, expected);
  });

  test('the byte order of values inside UN is told', () => {
    const tokenizer = new DataSetTokenizer(EXPLICIT_BE);
    tokenizer.push(hex('0009 1010', ascii('UN'), '0000', UNDEFINED, ITEM, UNDEFINED));
    assert.equal(tokenizer.littleEndian, false);
    assert.equal(tokenizer.next()?.kind, 'sequence-start');
    assert.equal(tokenizer.next()?.kind, 'item-start');
    assert.equal(tokenizer.littleEndian, true);
  });

  test('UN of defined length stays bytes', () => {
    reads(hex('0900 1010', ascii('UN'), '0000 08000000', ITEM, '00000000'), EXPLICIT_LE, [
      '0 00091010 UN@12 feff00e000000000',
    ]);
  });

  test('a private element of undefined length in implicit VR is a sequence', () => {
    reads(hex('0900 1010', UNDEFINED, SEQUENCE_END), IMPLICIT_LE, [
      '0 00091010 UN@8 sequence undefined',
      '0 sequence-end',
    ]);
  });

  test('superfluous delimiters in defined lengths are passed over', () => {
    // Tolerance: delimiters written after defined lengths, counted in those lengths.
    const bytes = hex('0800 4011 18000000', ITEM, '08000000', ITEM_END, SEQUENCE_END);
    reads(bytes, IMPLICIT_LE, ['0 00081140 SQ@8 sequence 24', '1 item 0@16 8', '1 item-end', '0 sequence-end']);
  });

  test('a sequence delimiter ends an item whose own delimiter is missing', () => {
    // Tolerance: an item of undefined length without Item Delimitation.
    const bytes = hex('0800 4011', UNDEFINED, ITEM, UNDEFINED, '0800 5511 02000000 3100', SEQUENCE_END);
    reads(bytes, IMPLICIT_LE, [
      '0 00081140 SQ@8 sequence undefined',
      '1 item 0@16 undefined',
      '1 00081155 UI@24 3100',
      '1 item-end',
      '0 sequence-end',
    ]);
  });
});

describe('large values and fragments', () => {
  const bulky = { ...EXPLICIT_LE, wholeValueBytesMax: 4 };

  test('a value longer than the limit comes in pieces, one of the limit whole', () => {
    const bytes = hex(
      '7FE0 1000'.replace('7FE0', 'E07F'),
      ascii('OW'),
      '0000 06000000 010203040506',
      '1000 2000',
      ascii('LO'),
      '0400',
      ascii('ABCD'),
    );
    reads(bytes, bulky, [
      '0 7fe00010 OW@12 bulk 6',
      'data 010203040506',
      'bulk-end',
      `0 00100020 LO@26 ${ascii('ABCD')}`,
    ]);
  });

  test('pieces are views of what was pushed, not copies', () => {
    const tokenizer = new DataSetTokenizer(bulky);
    const bytes = hex('E07F 1000', ascii('OW'), '0000 06000000 010203040506');
    tokenizer.push(bytes);
    tokenizer.next();
    const data = tokenizer.next();
    assert.ok(data?.kind === 'bulk-data');
    assert.equal(data.bytes.buffer, bytes.buffer);
  });

  test('encapsulated pixel data is fragments, the first the Basic Offset Table (PS3.5 Table A.4-1)', () => {
    const bytes = hex(
      'E07F 1000',
      ascii('OB'),
      '0000',
      UNDEFINED,
      ITEM,
      '00000000', // an empty Basic Offset Table
      ITEM,
      '02000000 FFD8',
      ITEM,
      '04000000 0102FFD9',
      SEQUENCE_END,
    );
    reads(bytes, EXPLICIT_LE, [
      '0 7fe00010 OB@12 fragments',
      'fragment 0@20 0',
      'fragment-end',
      'fragment 1@28 2',
      'data ffd8',
      'fragment-end',
      'fragment 2@38 4',
      'data 0102ffd9',
      'fragment-end',
      '0 fragments-end',
    ]);
  });

  test('what was not pushed of a large value can be skipped', () => {
    const tokenizer = new DataSetTokenizer({ ...EXPLICIT_LE, wholeValueBytesMax: 4 });
    tokenizer.push(hex('E07F 1000', ascii('OW'), '0000 00010000 0102')); // 256 bytes, two of them here
    assert.equal(tokenizer.next()?.kind, 'bulk-start');
    assert.equal(tokenizer.skippableBytes(), 254);
    tokenizer.skip(254);
    assert.deepEqual(tokenizer.next(), { kind: 'bulk-data', bytes: hex('0102') });
    assert.equal(tokenizer.next()?.kind, 'bulk-end');
    assert.equal(tokenizer.offset, 12 + 256);
    tokenizer.push(hex('FCFF FCFF', ascii('OB'), '0000 00000000'));
    assert.deepEqual(describeToken(tokenizer.next() ?? assert.fail()), '0 fffcfffc OB@280 ');
  });

  test('more than the value cannot be skipped', () => {
    const tokenizer = new DataSetTokenizer(EXPLICIT_LE);
    assert.equal(tokenizer.skippableBytes(), 0);
    assert.throws(() => tokenizer.skip(1), { code: 'INVARIANT' });
  });

  test('a claim of 4 GB asks for bytes and allocates none', () => {
    const tokenizer = new DataSetTokenizer({ ...IMPLICIT_LE, wholeValueBytesMax: Number.MAX_SAFE_INTEGER });
    tokenizer.push(hex('E07F 1000 FEFFFFFF 0000'));
    assert.equal(tokenizer.next(), undefined);
    tokenizer.end();
    assert.throws(() => tokenizer.next(), { code: 'DICOM_TRUNCATED' });
  });
});

describe('refusals', () => {
  const cases: readonly [what: string, code: string, bytes: Uint8Array, options: TokenizerOptions][] = [
    ['a header cut short', 'DICOM_TRUNCATED', hex('1000 1000 50'), EXPLICIT_LE],
    ['a long header cut short', 'DICOM_TRUNCATED', hex('4200 1100', ascii('OB'), '0000 02'), EXPLICIT_LE],
    ['a value cut short', 'DICOM_TRUNCATED', hex('1000 1000', ascii('PN'), '0800', ascii('Doe')), EXPLICIT_LE],
    ['a large value cut short', 'DICOM_TRUNCATED', hex('E07F 1000 FEFFFFFF 0102'), IMPLICIT_LE],
    ['a sequence without its end', 'DICOM_TRUNCATED', hex('0800 4011', UNDEFINED), IMPLICIT_LE],
    ['an item without its end', 'DICOM_TRUNCATED', hex('0800 4011', UNDEFINED, ITEM, UNDEFINED), IMPLICIT_LE],
    ['a defined length without its content', 'DICOM_TRUNCATED', hex('0800 4011 08000000'), IMPLICIT_LE],
    ['fragments without their end', 'DICOM_TRUNCATED', hex('E07F 1000', UNDEFINED, ITEM, '02000000 FFD8'), IMPLICIT_LE],
    ['a fragment cut short', 'DICOM_TRUNCATED', hex('E07F 1000', UNDEFINED, ITEM, '04000000 FFD8'), IMPLICIT_LE],
    ['VR letters that are none', 'DICOM_MALFORMED', hex('1000 1000 0100 0200 4142'), EXPLICIT_LE],
    ['an unknown VR with a 16-bit length', 'DICOM_MALFORMED', hex('1000 1000', ascii('ZZ'), '0200 4142'), EXPLICIT_LE],
    ['an undefined length of a text', 'DICOM_MALFORMED', hex('1000 1000', UNDEFINED), IMPLICIT_LE],
    ['an item outside of a sequence', 'DICOM_MALFORMED', hex(ITEM, '00000000'), IMPLICIT_LE],
    ['an item delimiter at the top level', 'DICOM_MALFORMED', hex(ITEM_END), IMPLICIT_LE],
    ['a sequence delimiter at the top level', 'DICOM_MALFORMED', hex(SEQUENCE_END), IMPLICIT_LE],
    [
      'an item delimiter with a length',
      'DICOM_MALFORMED',
      hex('0800 4011', UNDEFINED, ITEM, UNDEFINED, 'FEFF0DE0 02000000'),
      IMPLICIT_LE,
    ],
    [
      'an element where an item belongs',
      'DICOM_MALFORMED',
      hex('0800 4011', UNDEFINED, '1000 1000 00000000'),
      IMPLICIT_LE,
    ],
    [
      'a value that leaves its item',
      'DICOM_MALFORMED',
      hex('0800 4011 12000000', ITEM, '0A000000', '1000 1000 04000000 4142'),
      IMPLICIT_LE,
    ],
    [
      'an item that leaves its sequence',
      'DICOM_MALFORMED',
      hex('0800 4011 08000000', ITEM, '02000000', '0000'),
      IMPLICIT_LE,
    ],
    [
      'a sequence that leaves its item',
      'DICOM_MALFORMED',
      hex('4000 7502 10000000', ITEM, '08000000', '0800 4011 08000000'),
      IMPLICIT_LE,
    ],
    [
      'an undefined item that leaves its sequence',
      'DICOM_MALFORMED',
      hex('0800 4011 08000000', ITEM, UNDEFINED, '1000 1000 00000000', ITEM_END),
      IMPLICIT_LE,
    ],
    [
      'a rest too short for a header in an item',
      'DICOM_MALFORMED',
      hex('0800 4011 0C000000', ITEM, '04000000', '1000 1000'),
      IMPLICIT_LE,
    ],
    ['a fragment of undefined length', 'DICOM_MALFORMED', hex('E07F 1000', UNDEFINED, ITEM, UNDEFINED), IMPLICIT_LE],
    ['an element among fragments', 'DICOM_MALFORMED', hex('E07F 1000', UNDEFINED, '1000 1000 00000000'), IMPLICIT_LE],
  ];
  for (const [what, code, bytes, options] of cases) {
    test(`${what}: ${code}`, () => {
      assert.equal(refused(bytes, { ...options, wholeValueBytesMax: 8 }).code, code);
    });
  }

  test('the error names tag and offset, never a value', () => {
    const error = refused(
      hex('0800 6000', ascii('CS'), '0000', '1000 1000', ascii('PN'), '0800', ascii('Doe^J')),
      EXPLICIT_LE,
    );
    assert.deepEqual(error.detail, { tag: '(0010,0010)', offset: 8, length: 8 });
    assert.doesNotMatch(error.message, /Doe/);
  });

  test('nesting beyond the limit is refused, up to it accepted', () => {
    const nested = (depth: number): Uint8Array =>
      hex(
        ...new Array<string>(depth).fill(`0800 4011 ${UNDEFINED} ${ITEM} ${UNDEFINED}`),
        ...new Array<string>(depth).fill(`${ITEM_END} ${SEQUENCE_END}`),
      );
    assert.equal(tokens(nested(64), IMPLICIT_LE).length, 64 * 4);
    assert.equal(refused(nested(65), IMPLICIT_LE).code, 'DICOM_TOO_DEEP');
    assert.equal(refused(nested(3), { ...IMPLICIT_LE, depthMax: 2 }).code, 'DICOM_TOO_DEEP');
  });

  test('nesting a hundred thousand deep with the limit lifted needs no stack', () => {
    const unit = hex('0800 4011', UNDEFINED, ITEM, UNDEFINED);
    const bytes = new Uint8Array(unit.length * 100_000);
    for (let at = 0; at < bytes.length; at += unit.length) bytes.set(unit, at);
    assert.equal(refused(bytes, { ...IMPLICIT_LE, depthMax: 1_000_000 }).code, 'DICOM_TRUNCATED');
  });
});
