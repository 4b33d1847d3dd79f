/** Properties: parse∘write is the identity, and arbitrary bytes never hang, crash untyped or grow without bound. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { bytesSource, MemorySink } from '../../src/core/bytes.ts';
import { LetheError } from '../../src/core/errors.ts';
import { characterSetOf } from '../../src/dicom/charset.ts';
import { readDataSet } from '../../src/dicom/data-set-reader.ts';
import { readPart10 } from '../../src/dicom/part10.ts';
import { DataSetTokenizer, type Token } from '../../src/dicom/tokens.ts';
import { DataSetWriter } from '../../src/dicom/writer.ts';
import {
  type BuildElement,
  buildDataSet,
  buildPart10,
  EXPLICIT_BIG,
  EXPLICIT_LITTLE,
  IMPLICIT_LITTLE,
} from '../build/data-set.ts';

const RUNS = process.env['LETHE_LONG'] === '1' ? 5000 : 200;
const SYNTAXES = [IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG];

const leaf: fc.Arbitrary<BuildElement> = fc.oneof(
  fc.tuple(
    fc.constantFrom(0x00100020, 0x00081030, 0x00091010),
    fc.constant('LO'),
    fc.string({ unit: 'grapheme-ascii', maxLength: 20 }),
  ),
  fc.tuple(fc.constantFrom(0x00280010, 0x00280011), fc.constant('US'), fc.integer({ min: 0, max: 65535 })),
  fc.tuple(fc.constantFrom(0x00091001, 0x00420011), fc.constant('OB'), fc.uint8Array({ maxLength: 200 })),
);
const { elements } = fc.letrec<{ elements: BuildElement[]; element: BuildElement }>((tie) => ({
  elements: fc.array(tie('element'), { maxLength: 5 }),
  element: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.tuple(fc.constantFrom(0x00400275, 0x0040a730), fc.constant('SQ'), fc.array(tie('elements'), { maxLength: 3 })),
  ),
}));

/** Copies a data set token by token. */
function copy(bytes: Uint8Array, encoding: { explicitVr: boolean; littleEndian: boolean }, step: number): Uint8Array {
  const sink = new MemorySink();
  const writer = new DataSetWriter(sink, encoding);
  const tokenizer = new DataSetTokenizer({ ...encoding, wholeValueBytesMax: 64 });
  for (let at = 0; at < bytes.length; at += step) {
    tokenizer.push(bytes.subarray(at, at + step));
    for (let token = tokenizer.next(); token !== undefined; token = tokenizer.next()) writeToken(writer, token);
  }
  tokenizer.end();
  for (let token = tokenizer.next(); token !== undefined; token = tokenizer.next()) writeToken(writer, token);
  assert.equal(tokenizer.finished, true);
  return sink.bytes();
}

function writeToken(writer: DataSetWriter, token: Token): void {
  switch (token.kind) {
    case 'element':
      writer.element(token.tag, token.vr, token.value);
      break;
    case 'bulk-start':
      writer.beginBulk(token.tag, token.vr, token.length);
      break;
    case 'bulk-data':
      writer.bulkData(token.bytes);
      break;
    case 'bulk-end':
    case 'fragment-end':
      writer.endBulk();
      break;
    case 'sequence-start':
      writer.beginSequence(token.tag);
      break;
    case 'item-start':
      writer.beginItem();
      break;
    case 'item-end':
      writer.endItem();
      break;
    case 'sequence-end':
      writer.endSequence();
      break;
    case 'fragments-start':
      writer.beginFragments(token.tag, token.vr);
      break;
    case 'fragment-start':
      writer.fragment(token.length);
      break;
    case 'fragments-end':
      writer.endFragments();
      break;
  }
}

describe('properties', () => {
  test('what is written as it was read is the same bytes, however they were split', () => {
    fc.assert(
      fc.property(elements, fc.constantFrom(...SYNTAXES), fc.integer({ min: 1, max: 100 }), (list, syntax, step) => {
        const bytes = buildDataSet(list, syntax);
        const copied = copy(
          bytes,
          { explicitVr: syntax !== IMPLICIT_LITTLE, littleEndian: syntax !== EXPLICIT_BIG },
          step,
        );
        assert.deepEqual(copied, bytes);
      }),
      { numRuns: RUNS },
    );
  });

  test('defined and undefined lengths say the same', () => {
    fc.assert(
      fc.property(elements, (list) => {
        const encoding = { explicitVr: true, littleEndian: true };
        assert.deepEqual(copy(buildDataSet(list, { definedLengths: true }), encoding, 7), buildDataSet(list));
      }),
      { numRuns: RUNS },
    );
  });

  test('random bytes end in tokens or in a typed error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), fc.boolean(), (bytes, explicitVr, littleEndian) => {
        typedOrFine(() => readDataSet(bytesSource(bytes), { explicitVr, littleEndian }));
      }),
      { numRuns: RUNS * 5 },
    );
  });

  test('a file with bytes changed or cut ends in a data set or in a typed error', () => {
    const edits = fc.array(fc.tuple(fc.nat(2000), fc.constantFrom(0, 0xff, 0xfe, 0xe0, 0x80, 0x41, 1)), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(elements, fc.constantFrom(...SYNTAXES), edits, fc.nat(2000), (list, transferSyntax, changes, cut) => {
        const bytes = buildPart10(list, { transferSyntax });
        for (const [at, value] of changes) bytes[132 + (at % (bytes.length - 132))] = value;
        typedOrFine(() => readPart10(bytesSource(cut % 3 === 0 ? bytes.subarray(0, cut) : bytes)));
      }),
      { numRuns: RUNS * 5 },
    );
  });

  for (const terms of [
    ['ISO_IR 192'],
    ['GB18030'],
    ['ISO_IR 100'],
    ['ISO_IR 13'],
    ['', 'ISO 2022 IR 87', 'ISO 2022 IR 159'],
    ['', 'ISO 2022 IR 149'],
    ['', 'ISO 2022 IR 58'],
    ['ISO 2022 IR 100', 'ISO 2022 IR 144', 'ISO 2022 IR 126'],
  ]) {
    test(`text that ${terms.join('\\')} can hold comes back as it was`, () => {
      const set = characterSetOf(terms);
      const character = fc.constantFrom(...'aZ 9^=éüß¿ЛюΔω山田太郎やﾔﾏﾀﾞ洪吉洞홍길동张小东丂€𠀀‾');
      fc.assert(
        fc.property(fc.string({ unit: character, maxLength: 12 }), (text) => {
          const bytes = set.encode(text, 'PN');
          if (bytes !== undefined) assert.equal(set.decode(bytes, 'PN'), text);
        }),
        { numRuns: RUNS },
      );
    });
  }
});

function typedOrFine(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof LetheError && error.code.startsWith('DICOM_'), String(error));
  }
}
