/**
 * Identifiers planted by a generator wherever a value can stand, in the spellings that people use, and searched for in
 * all bytes of the output. The names are made of syllables: no list of strings could have been written for them.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { bytesSource, MemorySink } from '../../src/core/bytes.ts';
import { deidentify } from '../../src/deid/deidentify.ts';
import { leakCheck } from '../../src/deid/leak-check.ts';
import { compileProfile } from '../../src/deid/profile.ts';
import { ROWS } from '../../src/dicom/dictionary.generated.ts';
import { attributeOf, implicitVr } from '../../src/dicom/dictionary.ts';
import {
  type BuildElement,
  buildPart10,
  DEFLATED_LITTLE,
  EXPLICIT_BIG,
  EXPLICIT_LITTLE,
  IMPLICIT_LITTLE,
} from '../build/data-set.ts';
import { instanceWith, KEY } from './support/instance.ts';

const isLong = process.env['LETHE_LONG'] !== undefined;
const PROFILES = ['basic', 'default'].map((name) => compileProfile(name));
const SYLLABLES =
  'bar cul dren drum fos gav hul jor kel lim mur nav olt pez quin ros sar thal tob ulv vik wex yor zan'.split(' ');
const TEXT_VRS = ['LO', 'SH', 'ST', 'LT', 'UT', 'UC', 'PN', 'AE', 'UR'];

/** Attributes outside Table E.1-1 that name equipment or kinds of things: an unknown word in them is a product's. */
const TECHNICAL =
  /Manufacturer|Model|Version|Filter|Kernel|Sequence(?:Name)|Algorithm|Method|Radiopharmaceutical|Isotope|CodeValue|CodingSchemeDesignator|MappingResourceName|PositionReferenceIndicator|RescaleType|LUTExplanation|ModalityLUTType|MIMEType|Material|ImagedNucleus|Format|PlateType|TimeSource|OutputPower|StackID|Priority|OpticalPathIdentifier|DevicePosition|TemplateType/;

const name = fc
  .array(fc.constantFrom(...SYLLABLES), { minLength: 3, maxLength: 3 })
  .map(([first = '', ...rest]) => first.slice(0, 1).toUpperCase() + first.slice(1) + rest.join(''));

/** Tags of PS3.6 with a VR of text, without command and file meta elements. */
function textTags(): number[] {
  return [...ROWS.matchAll(/^([0-9A-F]{8})\|/gm)]
    .map(([, digits = '']) => Number.parseInt(digits, 16))
    .filter((tag) => tag >>> 16 > 2 && TEXT_VRS.includes(implicitVr(tag)));
}

function output(elements: readonly BuildElement[], profile = PROFILES[1], transferSyntax = EXPLICIT_LITTLE) {
  assert.ok(profile !== undefined);
  const sink = new MemorySink();
  const input = buildPart10(elements, { transferSyntax });
  const { identity } = deidentify(bytesSource(input), sink, { profile, key: KEY });
  return { bytes: Buffer.from(sink.bytes()), identity };
}

/** In the encodings that text comes in, whatever the case. */
function holds(bytes: Buffer, value: string): boolean {
  const latin = bytes.toString('latin1').toLowerCase();
  const wanted = value.toLowerCase();
  return (
    latin.includes(wanted) ||
    latin.replaceAll('\0', '').includes(wanted) ||
    latin.includes(Buffer.from(wanted, 'utf8').toString('latin1'))
  );
}

describe('planted identifiers', () => {
  const tags = textTags();

  for (const [index, profile] of PROFILES.entries()) {
    test(`the patient's name survives in no attribute of PS3.6, a stranger's in none that people type into: ${profile.name}`, () => {
      assert.ok(tags.length > 700);
      for (const [at, tag] of tags.entries()) {
        if (!isLong && at % 3 !== index) continue;
        const vr = implicitVr(tag);
        const keyword = attributeOf(tag)?.keyword ?? '';
        for (const [who, isKnown] of [
          ['Quillfeather', true],
          ['Hulvikyor', false],
        ] as const) {
          if (!isKnown && TECHNICAL.test(keyword)) continue;
          const value = vr === 'PN' ? `${who}^Kel` : vr === 'LT' || vr === 'LO' ? `CT for ${who}` : who;
          const element: BuildElement = [tag, vr, value];
          const { bytes } = output(instanceWith(element as unknown as readonly [number, ...unknown[]]), profile);
          assert.ok(!holds(bytes, who), keyword);
          const nested = output(instanceWith([0x00400555, [[[0x00400555, [[element]]]]]]), profile);
          assert.ok(!holds(nested.bytes, who), `nested ${keyword}`);
        }
      }
    });
  }

  const digits = (count: number) =>
    fc.array(fc.integer({ min: 0, max: 9 }), { minLength: count, maxLength: count }).map((list) => list.join(''));
  const two = (number: number) => String(number).padStart(2, '0');
  const months = 'January February March April May June July August September October November December'.split(' ');
  const date = fc
    .tuple(
      fc.integer({ min: 1920, max: 2024 }),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 13, max: 28 }),
      fc.nat(7),
    )
    .map(([year, month, day, form]) => {
      const word = months[month - 1] ?? '';
      return [
        `${year}-${two(month)}-${day}`,
        `${day}.${two(month)}.${year}`,
        `${two(month)}/${day}/${year}`,
        `${year}${two(month)}${day}`,
        `${day} ${word} ${year}`,
        `${word} ${day}, ${year}`,
        `${day}-${word.slice(0, 3).toUpperCase()}-${year}`,
        `${month}/${day}/${String(year).slice(2)}`,
      ][form] as string;
    });
  const phone = fc
    .tuple(digits(3), digits(4), fc.nat(4))
    .map(
      ([area, last, form]) =>
        [
          `(${area}) 555-${last}`,
          `${area}-555-${last}`,
          `+1 ${area} 555 ${last}`,
          `555-${last}`,
          `${area}.555.${last}`,
        ][form] as string,
    );
  const identifier = fc.oneof(
    fc.tuple(fc.constantFrom('MR', 'HX', 'K', 'RP'), digits(7)).map(([prefix, number]) => `${prefix}-${number}`),
    fc.tuple(digits(3), digits(2), digits(4)).map((parts) => parts.join('-')),
    fc.tuple(name, name).map(([user, host]) => `${user}.${host}@example.org`.toLowerCase()),
    fc.tuple(digits(4), name).map(([number, street]) => `${number} ${street} Lane`),
    fc.tuple(name).map(([host]) => `http://${host}.example.com/p?x=1`),
    phone,
    date,
    name,
    fc.tuple(name, name).map(([family, given]) => `${family}, ${given}`),
    fc.tuple(name).map(([family]) => `Dr. ${family.toUpperCase()}`),
  );
  const sentence = fc
    .tuple(
      fc.constantFrom('CT CHEST', 'fall', 'cough since', 'Follow up', 'head'),
      fc.constantFrom(' for ', ' of ', ', ', '; ref ', ' on ', '_', '\r\n'),
      identifier,
      fc.constantFrom('', ', left', ' with contrast', '.'),
    )
    .map(([before, joint, secret, behind]) => ({ text: before + joint + secret + behind, secret }));
  const FREE_TEXT = [0x00081030, 0x0008103e, 0x00102000, 0x001021b0, 0x00104000, 0x00184000, 0x00204000, 0x00321030];
  const UNLISTED = [0x00080104, 0x00420010, 0x00281055, 0x0070000a];
  const syntax = fc.constantFrom(IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED_LITTLE);

  test('whatever is written in free text, of one line or several, nothing that identifies stays', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...FREE_TEXT, ...UNLISTED),
        sentence,
        fc.boolean(),
        (tag, { text, secret }, isNested) => {
          const element: BuildElement = [tag, implicitVr(tag), text];
          const place = isNested
            ? ([0x00400260, [[element]]] as const)
            : (element as unknown as readonly [number, ...unknown[]]);
          const { bytes } = output(instanceWith(place));
          assert.ok(!holds(bytes, secret), `${tag.toString(16)} of a kind with ${secret.length} characters`);
          for (const word of secret.match(/[\p{L}]{5,}|\d{5,}/gu) ?? [])
            if (!months.includes(word) && !/example|http/.test(word)) assert.ok(!holds(bytes, word), 'a part of it');
        },
      ),
      { numRuns: isLong ? 20_000 : 500 },
    );
  });

  test('a person known from one element is found in every other, in any order, case and with any joint', () => {
    fc.assert(
      fc.property(
        name,
        name,
        fc.constantFrom('^', ' ', ', ', '_', '-'),
        fc.boolean(),
        syntax,
        (family, given, joint, isUpper, transferSyntax) => {
          const text = isUpper ? `${given}${joint}${family}`.toUpperCase() : `${family}${joint}${given}`;
          const elements = instanceWith(
            [0x00080070, 'LO', `ACME ${text}`],
            [0x00080090, 'PN', `${family}^${given}`],
            [0x00081090, 'LO', text],
            [0x00180015, 'CS', family.toUpperCase()],
            [0x00181020, 'LO', ['V1', text]],
            [0x00181210, 'SH', family],
          );
          const { bytes, identity } = output(elements, PROFILES[1], transferSyntax);
          for (const part of [family, given]) {
            if (transferSyntax !== DEFLATED_LITTLE) assert.ok(!holds(bytes, part));
          }
          assert.deepEqual(leakCheck(bytesSource(bytes), identity), []);
        },
      ),
      { numRuns: isLong ? 3000 : 150 },
    );
  });

  test('what says nothing of anybody stays to the byte', () => {
    const harmless: readonly (readonly [number, string, string])[] = [
      [0x00080060, 'CS', 'CT'],
      [0x00080070, 'LO', 'GE MEDICAL SYSTEMS'],
      [0x00081030, 'LO', 'CT CHEST WITH CONTRAST'],
      [0x00081090, 'LO', 'LightSpeed VCT'],
      [0x00180015, 'CS', 'CHEST'],
      [0x00180050, 'DS', '5.000000'],
      [0x00181020, 'LO', '05.1.2'],
      [0x00181160, 'SH', 'LARGE BOWTIE FIL'],
      [0x00181210, 'SH', 'STANDARD'],
      [0x00185100, 'CS', 'FFS'],
      [0x00200037, 'DS', '1\\0\\0\\0\\1\\0'],
    ];
    const { bytes } = output(instanceWith(...harmless));
    for (const [tag, , value] of harmless) assert.ok(bytes.includes(value), tag.toString(16));
  });
});
