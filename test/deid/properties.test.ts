/** Generated data sets: no original of an X, Z, D or U element survives anywhere, whatever stands around it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { bytesSource, MemorySink } from '../../src/core/bytes.ts';
import { deidentify } from '../../src/deid/deidentify.ts';
import { leakCheck } from '../../src/deid/leak-check.ts';
import { compileProfile } from '../../src/deid/profile.ts';
import { listedTags, rowOf } from '../../src/deid/tables.ts';
import { implicitVr } from '../../src/dicom/dictionary.ts';
import { readPart10 } from '../../src/dicom/part10.ts';
import {
  type BuildElement,
  buildPart10,
  DEFLATED_LITTLE,
  EXPLICIT_BIG,
  EXPLICIT_LITTLE,
  IMPLICIT_LITTLE,
} from '../build/data-set.ts';
import { INSTANCE, KEY } from './support/instance.ts';

const CANARY = 'Zyxwquandril';
const CANARY_UID = '1.2.826.0.1.3680043.99.4711.1';
const TEXT_VRS = ['LO', 'SH', 'ST', 'LT', 'UT', 'PN', 'UC'];
const BASIC = compileProfile('basic');
const DEFAULT = compileProfile('default');

/** Every attribute of Table E.1-1 that can hold text or a UID, with what must not survive in it. */
const CANARIES: readonly BuildElement[] = [...listedTags()]
  .filter((tag) => tag >>> 16 > 2 && !INSTANCE.some(([used]) => used === tag))
  .flatMap((tag): BuildElement[] => {
    const vr = implicitVr(tag);
    const basic = rowOf(tag)?.basic;
    if (basic === undefined || basic === 'K' || basic === 'C') return [];
    if (TEXT_VRS.includes(vr)) return [[tag, vr, CANARY]];
    return vr === 'UI' ? [[tag, vr, CANARY_UID]] : [];
  });

const element = fc.constantFrom(...CANARIES);
const privateElement = fc
  .tuple(fc.integer({ min: 4, max: 0x7f }), fc.integer({ min: 0x1001, max: 0x10ff }))
  .map(([group, number]): BuildElement => [group * 0x20000 + 0x10000 + number, 'LO', CANARY]);
const unknown = fc
  .integer({ min: 0x00190000, max: 0x0019ffff })
  .map((tag): BuildElement => [(tag & 0xfffeffff) >>> 0, 'LO', CANARY])
  .filter(([tag]) => implicitVr(Number(tag)) === 'UN');
const sequences = [0x00081115, 0x00400275, 0x00081140, 0x00540016, 0x00400555, 0x0040a730, 0x00091002];

const elements: fc.Arbitrary<BuildElement[]> = fc.letrec<{ list: BuildElement[] }>((tie) => ({
  list: fc
    .array(
      fc.oneof(
        { weight: 6, arbitrary: element },
        { weight: 2, arbitrary: privateElement },
        { weight: 1, arbitrary: unknown },
        {
          weight: 2,
          arbitrary: fc
            .tuple(
              fc.constantFrom(...sequences),
              fc.constantFrom('SQ', 'UN'),
              fc.array(tie('list'), { minLength: 1, maxLength: 2 }),
            )
            .map(([tag, vr, items]): BuildElement => [tag, vr, items.map(inOrder)]),
        },
      ),
      { maxLength: 6 },
    )
    .map((list) => inOrder(list)),
})).list;

function inOrder(list: readonly BuildElement[]): BuildElement[] {
  const byTag = new Map(list.map((one) => [Number(one[0]), one]));
  return [...byTag.values()].sort((a, b) => Number(a[0]) - Number(b[0]));
}

const syntax = fc.constantFrom(IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED_LITTLE);

describe('properties of de-identification', () => {
  test('nothing of a listed, private or unknown element survives, in any syntax, at any depth', () => {
    fc.assert(
      fc.property(
        elements,
        syntax,
        fc.boolean(),
        fc.constantFrom(BASIC, DEFAULT),
        (list, transferSyntax, definedLengths, profile) => {
          const input = buildPart10(inOrder([...INSTANCE, ...list]), { transferSyntax, definedLengths });
          const sink = new MemorySink();
          const { identity } = deidentify(bytesSource(input), sink, { profile, key: KEY });
          const output = readPart10(bytesSource(sink.bytes()));
          const text = Buffer.from(output.source.read(0, output.source.size)).toString('latin1');
          for (const canary of [CANARY, CANARY_UID, 'Quillfeather', 'HX-4045202', '1.2.826.1.3\0']) {
            assert.ok(!text.includes(canary), canary);
          }
          assert.deepEqual(leakCheck(bytesSource(sink.bytes()), identity), []);
        },
      ),
      { numRuns: process.env['LETHE_LONG'] === undefined ? 150 : 5000 },
    );
  });

  test('every listed attribute, one by one, loses its value', () => {
    for (const canary of CANARIES) {
      const sink = new MemorySink();
      deidentify(bytesSource(buildPart10(inOrder([...INSTANCE, canary]))), sink, { profile: BASIC, key: KEY });
      const text = Buffer.from(sink.bytes()).toString('latin1');
      assert.ok(!text.includes(CANARY) && !text.includes(CANARY_UID), Number(canary[0]).toString(16));
    }
    assert.ok(CANARIES.length > 300);
  });

  test('bytes that are no DICOM, or broken DICOM, are a typed error or an output, never a crash', () => {
    const file = buildPart10(INSTANCE);
    fc.assert(
      fc.property(
        fc.nat(file.length - 1),
        fc.uint8Array({ minLength: 1, maxLength: 4 }),
        fc.boolean(),
        (at, bytes, cut) => {
          const broken = cut ? file.slice(0, at) : file.slice();
          if (!cut) broken.set(bytes.subarray(0, file.length - at), at);
          try {
            deidentify(bytesSource(broken), new MemorySink(), { profile: DEFAULT, key: KEY });
          } catch (error) {
            assert.ok(error instanceof Error && error.name === 'LetheError', String(error));
            assert.ok(!error.message.includes('INVARIANT'), error.message);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
