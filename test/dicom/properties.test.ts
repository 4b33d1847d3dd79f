/** Properties: parse∘write is the identity, and arbitrary bytes never hang, crash untyped or grow without bound. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { bytesSource } from '../../src/core/bytes.ts';
import { LetheError } from '../../src/core/errors.ts';
import { characterSetOf } from '../../src/dicom/charset.ts';
import { readDataSet } from '../../src/dicom/data-set-reader.ts';
import { readPart10 } from '../../src/dicom/part10.ts';
import {
  type BuildElement,
  buildDataSet,
  buildPart10,
  EXPLICIT_BIG,
  EXPLICIT_LITTLE,
  IMPLICIT_LITTLE,
} from '../build/data-set.ts';
import { copyDataSet } from './copy.ts';

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

describe('properties', () => {
  test('what is written as it was read is the same bytes, however they were split', () => {
    fc.assert(
      fc.property(elements, fc.constantFrom(...SYNTAXES), fc.integer({ min: 1, max: 100 }), (list, syntax, step) => {
        const bytes = buildDataSet(list, syntax);
        const encoding = { explicitVr: syntax !== IMPLICIT_LITTLE, littleEndian: syntax !== EXPLICIT_BIG };
        const copied = copyDataSet(bytesSource(bytes), encoding, { step });
        assert.deepEqual(copied, bytes);
      }),
      { numRuns: RUNS },
    );
  });

  test('defined and undefined lengths say the same', () => {
    fc.assert(
      fc.property(elements, (list) => {
        const encoding = { explicitVr: true, littleEndian: true };
        assert.deepEqual(
          copyDataSet(bytesSource(buildDataSet(list, { definedLengths: true })), encoding, { step: 7 }),
          buildDataSet(list),
        );
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
