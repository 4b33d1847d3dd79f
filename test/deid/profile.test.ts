/** Profiles and the rules of a site: what they do, and how a mistake in them is told. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { bytesSource } from '../../src/core/bytes.ts';
import { LetheError } from '../../src/core/errors.ts';
import { BUILTIN_PROFILES } from '../../src/deid/builtin-profiles.generated.ts';
import { leakCheck } from '../../src/deid/leak-check.ts';
import { compileProfile } from '../../src/deid/profile.ts';
import { ProfileSchema } from '../../src/deid/profile-schema.ts';
import { deidentified, instanceWith, KEY } from './support/instance.ts';

const PROFILES = join(import.meta.dirname, '../../profiles');

function withRules(rules: string): string {
  return `name: site\nbase: ps3.15\nrules:\n${rules}`;
}

describe('profiles', () => {
  test('default is ai-inference', () => assert.equal(compileProfile('default').name, 'ai-inference'));

  test('the shipped files are what is built in, and each compiles', () => {
    const names = readdirSync(PROFILES).filter((name) => name.endsWith('.yaml'));
    assert.deepEqual(names.map((name) => name.slice(0, -5)).sort(), Object.keys(BUILTIN_PROFILES).sort());
    for (const name of names) {
      const text = readFileSync(join(PROFILES, name), 'utf8');
      assert.deepEqual(parse(text), BUILTIN_PROFILES[name.slice(0, -5)]);
      assert.equal(compileProfile(text).name, name.slice(0, -5));
    }
  });

  test('the published schema is the one that is checked', () => {
    const published: unknown = JSON.parse(readFileSync(join(PROFILES, 'profile.schema.json'), 'utf8'));
    assert.deepEqual(published, JSON.parse(JSON.stringify(ProfileSchema)));
  });

  const rule = (text: string) => withRules(`  - ${text.replaceAll('\n', '\n    ')}\n`);
  const mistakes: readonly (readonly [string, string, string | undefined, RegExp])[] = [
    ['an unknown key', 'name: a\nbase: ps3.15\nredcat: regions\n', '3:1', /unknown key.*didYouMean=redact/],
    ['an unknown key of a rule', rule('element: PatientID\nactoin: keep'), '5:5', /unknown key.*didYouMean=action/],
    [
      'an unknown option',
      'name: a\nbase: ps3.15\noptions: [cleanGraphics, retainUids]\n',
      '3:26',
      /didYouMean=retainUIDs allowed=cleanPixelData, /,
    ],
    ['an unknown base', 'name: a\nbase: ps3.16\n', '2:7', /didYouMean=ps3.15 allowed=ps3.15, none/],
    [
      'both kinds of dates',
      'name: a\nbase: ps3.15\noptions: [retainLongitudinalFullDates, retainLongitudinalModifiedDates]\n',
      '3:10',
      /dates/,
    ],
    [
      'an unknown keyword',
      withRules('  - element: PatientID\n    action: keep\n  - element: [PatientID, PatientNmae]\n    action: keep\n'),
      '6:26',
      /PatientNmae is neither.*didYouMean=PatientName/,
    ],
    ['an unknown action', rule('element: PatientID\naction: truncat'), '5:13', /didYouMean=truncate allowed=keep, /],
    ['an unknown VR', rule('vr: LP\naction: keep'), '4:9', /LP is no VR.*allowed=AE, AS/],
    ['an action without its argument', rule('element: PatientID\naction: replace'), '5:13', /replace needs value/],
    [
      'an argument without its action',
      rule('element: PatientID\naction: keep\nvalue: x'),
      '6:12',
      /keep takes no value/,
    ],
    ['an argument of the wrong kind', rule('element: 5\naction: keep'), '4:14', /must be string or array/],
    ['a rule about nothing', rule('action: keep'), '4:5', /needs element/],
    [
      'a broken expression',
      rule('element: PatientID\naction: regexReplace\npattern: "("\nvalue: x'),
      '6:14',
      /regular expression/,
    ],
    [
      'an expression that cannot be bounded',
      rule('element: PatientID\naction: keep\nwhen:\n  - { element: Modality, matches: "(?=C)CT" }'),
      '7:39',
      /character 1/,
    ],
    [
      'an empty condition',
      rule('element: PatientID\naction: keep\nwhen: [{ element: Modality }]'),
      '6:12',
      /condition/,
    ],
    ['no YAML', 'name: [\n', '2:1', /./],
    ['a few aliases that stand for a million values', aliasBomb('name: x\nbase: ps3.15\nrules:\n'), '5:9', /aliases/],
    ['an unknown name', 'ai-interference', undefined, /no built-in profile.*didYouMean=ai-inference/],
  ];
  for (const [what, text, place, words] of mistakes) {
    test(`${what} is an error${place === undefined ? '' : ` at ${place}`}`, () => {
      assert.throws(
        () => compileProfile(text, '/etc/site.yaml'),
        (error: unknown) => {
          assert.ok(error instanceof LetheError);
          assert.equal(error.code, 'DEID_PROFILE_INVALID');
          const { path, line, column } = error.detail;
          if (place !== undefined) assert.equal(`${path}:${line}:${column}`, `/etc/site.yaml:${place}`);
          assert.match(error.message, words);
          return true;
        },
      );
    });
  }

  /** PS3.6 says which VR an attribute has; PS3.5 §6.2 what a value of it is. What is refused, why, and under which key. */
  const replace = (element: string, value: string) => `element: ${element}\naction: replace\nvalue: "${value}"`;
  const impossible: readonly (readonly [string, RegExp, string?])[] = [
    ['element: PatientID\naction: shift', /shift cannot be done on PatientID \(LO\)/],
    ['element: "(0010,0020)"\naction: shift', /shift cannot be done on PatientID \(LO\)/],
    ['element: StudyTime\naction: shift', /StudyTime \(TM\): only dates are shifted/],
    ['vr: TM\naction: shift', /elements of VR TM/, 'vr'],
    ['element: [StudyDate, Rows]\naction: shift', /Rows \(US\)/, 'element.1'],
    ['element: PatientAge\naction: generalise\nto: year', /PatientAge \(AS\): year and month are of dates/],
    ['element: PatientBirthDate\naction: generalise\nto: decade', /PatientBirthDate \(DA\): the decade is of ages/],
    [replace('Rows', '1'), /Rows \(US\): it works on text/],
    ['element: Rows\naction: truncate\nlength: 1', /Rows \(US\)/],
    [
      'element: ReferencedImageSequence\naction: regexReplace\npattern: a\nvalue: b',
      /ReferencedImageSequence \(SQ\): it works on text/,
    ],
    ['element: StudyDate\naction: truncate\nlength: 4', /StudyDate \(DA\).*generalise/],
    ['element: PatientAge\naction: truncate\nlength: 3', /PatientAge \(AS\)/],
    ['element: FrameOfReferenceUID\naction: truncate\nlength: 4', /FrameOfReferenceUID \(UI\)/],
    ['element: StudyDate\naction: pseudonym', /StudyDate \(DA\).*dates are shifted/],
    ['element: Rows\naction: clean', /Rows \(US\).*numbers are kept/],
    [replace('StudyDate', '2020'), /no value of StudyDate \(DA/, 'value'],
    [replace('StudyDate', '20230230'), /no value of StudyDate \(DA/, 'value'],
    [replace('AcquisitionDateTime', 'noon'), /no value of AcquisitionDateTime \(DT/, 'value'],
    [replace('StudyTime', 'noon'), /no value of StudyTime \(TM/, 'value'],
    [replace('Modality', 'ct'), /no value of Modality \(CS/, 'value'],
    [replace('ImageType', 'DERIVED\\\\Secondary'), /no value of ImageType \(CS/, 'value'],
    [replace('AccessionNumber', '12345678901234567'), /no value of AccessionNumber \(SH/, 'value'],
    [replace('PatientName', `A=${'B'.repeat(65)}`), /no value of PatientName \(PN/, 'value'],
    [replace('PatientAge', '45Y'), /no value of PatientAge \(AS/, 'value'],
    [replace('PatientSize', 'tall'), /no value of PatientSize \(DS/, 'value'],
    [replace('SeriesNumber', '7.5'), /no value of SeriesNumber \(IS/, 'value'],
    [replace('FrameOfReferenceUID', '1.02.3'), /no value of FrameOfReferenceUID \(UI/, 'value'],
    ['element: PatientAge\naction: lookup\ntable: { 001Y: young }', /no value of PatientAge \(AS/, 'table'],
    ['element: SOPClassUID\naction: remove', /says what the instance is/],
    ['element: SOPInstanceUID\naction: empty', /pseudonym maps it/],
    ['element: SeriesInstanceUID\naction: remove\ninside: top', /pseudonym maps it/],
    [replace('StudyInstanceUID', '1.2.3'), /pseudonym maps it/],
    [replace('SpecificCharacterSet', 'ISO_IR 192'), /written in it/],
    ['element: PixelData\naction: dummy', /options: \[cleanPixelData\]/],
    ['element: FloatPixelData\naction: empty', /options: \[cleanPixelData\]/],
    ['element: DoubleFloatPixelData\naction: empty', /options: \[cleanPixelData\]/],
    ['element: "(0002,0016)"\naction: keep', /written new/],
    ['element: "(0008,0000)"\naction: keep', /group lengths/],
    ['element: PatientID\nprivateCreator: WEX\naction: keep', /PatientID is not private/],
    ['element: PatientID\ninside: PatientName\naction: keep', /PatientName is no sequence/, 'inside'],
    [
      'element: PatientID\ninside: ReferencdImageSequence\naction: keep',
      /didYouMean=ReferencedImageSequence/,
      'inside',
    ],
    [
      'element: PatientID\nsopClass: CT Image Storge\naction: keep',
      /didYouMean=1\.2\.840\.10008\.5\.1\.4\.1\.1\.2\b/,
      'sopClass',
    ],
    [
      'element: PatientID\naction: keep\nwhen: [{ element: ReferencedImageSequence, equals: x }]',
      /ReferencedImageSequence is a sequence/,
      'when.0',
    ],
    [
      'element: PatientID\naction: keep\nwhen: [{ element: ReferencedImageSequence, matches: x }]',
      /ReferencedImageSequence is a sequence/,
      'when.0',
    ],
    [
      'element: PatientID\naction: keep\nwhen: [{ element: Modalty, equals: x }]',
      /didYouMean=Modality/,
      'when.0.element',
    ],
  ];
  for (const [text, words, key = 'element'] of impossible) {
    test(`${text.replaceAll('\n', ', ')} is refused when the profile is read`, () => {
      assert.throws(
        () => compileProfile(rule(text)),
        (error: unknown) => {
          assert.ok(error instanceof LetheError);
          assert.match(error.message, words);
          assert.equal(error.detail['key'], `rules.0.${key}`);
          return true;
        },
      );
    });
  }

  const possible: readonly string[] = [
    'element: AcquisitionDateTime\naction: shift',
    'element: PixelPaddingValue\naction: dummy',
    'element: PixelData\naction: keep',
    'element: PixelData\naction: remove',
    'element: SOPInstanceUID\naction: pseudonym',
    'element: SOPInstanceUID\naction: clean',
    'element: SOPInstanceUID\naction: dummy',
    'element: SOPInstanceUID\naction: encrypt',
    'element: StudyInstanceUID\ninside: ReferencedStudySequence\naction: remove',
    'element: PatientID\ninside: "(0029,1010).OtherPatientIDsSequence"\naction: keep',
    'element: ReferencedImageSequence\naction: clean',
    'element: "(0009,1001)"\naction: shift',
    replace('(0009,1001)', 'x'),
    'element: "(0010,xxxx)"\naction: shift',
    'element: "(5400,0100)"\naction: remove',
    'element: PatientID\naction: keep\nwhen: [{ element: ReferencedImageSequence, exists: true }]',
    replace('StudyDate', ''),
    replace('StudyDate', '20230412'),
    replace('StudyTime', '101112.5'),
    replace('AcquisitionDateTime', '20230412101112.5+0100'),
    replace('PatientAge', '045Y'),
    replace('PatientSize', '1.68'),
    replace('SeriesNumber', '7'),
    replace('FrameOfReferenceUID', '2.25.1'),
    replace('AccessionNumber', '1234567890123456'),
    replace('PatientName', `${'A'.repeat(64)}=${'B'.repeat(64)}`),
    replace('ImageType', 'DERIVED\\\\SECONDARY'),
  ];
  for (const text of possible) {
    test(`${text.replaceAll('\n', ', ')} is taken`, () => {
      assert.equal(compileProfile(rule(text)).rules.size, 1);
    });
  }

  test('what a table looks up stands in no error: it may be a name', () => {
    const text = rule('element: PatientID\naction: lookup\ntable:\n  WEXQUA^ANNA: 5');
    assert.throws(
      () => compileProfile(text),
      (error: unknown) =>
        error instanceof LetheError && error.detail['line'] === 7 && !error.message.includes('WEXQUA'),
    );
  });
});

function aliasBomb(head: string): string {
  const ten = (what: string) => `[${Array.from({ length: 10 }, () => what).join(', ')}]`;
  return `${head}  - &a ${ten('x')}\n  - &b ${ten('*a')}\n  - &c ${ten('*b')}\n  - &d ${ten('*c')}\n`;
}

describe('rules of a site', () => {
  const run = (rules: string, ...elements: readonly (readonly [number, ...unknown[]])[]) =>
    deidentified(instanceWith(...elements), withRules(rules)).dataSet;

  const INSTITUTION = 0x00080080;
  const actions: readonly (readonly [string, readonly [number, string, string], string | undefined])[] = [
    ['keep', [INSTITUTION, 'LO', 'Wexqua Clinic'], 'Wexqua Clinic'],
    ['remove', [0x00080070, 'LO', 'ACME'], undefined],
    ['empty', [0x00080070, 'LO', 'ACME'], undefined],
    ['dummy', [0x00080070, 'LO', 'ACME'], 'REMOVED'],
    ['clean', [0x00081030, 'LO', 'CT CHEST of Wexqua'], 'CT CHEST'],
    ['replace\n    value: OURS', [0x00080070, 'LO', 'ACME'], 'OURS'],
    ['regexReplace\n    pattern: "^(\\\\w+)-.*$"\n    value: "$1"', [0x00081010, 'SH', 'CT1-Room4'], 'CT1'],
    ['truncate\n    length: 3', [0x00081010, 'SH', 'ABCDE'], 'ABC'],
    ['generalise\n    to: decade', [0x00101010, 'AS', '067Y'], '060Y'],
    ['generalise\n    to: decade', [0x00101010, 'AS', '093Y'], '090Y'],
    ['generalise\n    to: year', [0x00100030, 'DA', '19610314'], '19610101'],
    ['generalise\n    to: month', [0x00100030, 'DA', '19610314'], '19610301'],
    ['lookup\n    table: { A: X, B: Y }', [0x00081010, 'SH', 'B'], 'Y'],
  ];
  for (const [action, element, expected] of actions) {
    const tag = element[0].toString(16).padStart(8, '0');
    test(`${action.replaceAll('\n   ', '')} makes of "${element[2]}" ${expected}`, () => {
      assert.equal(run(`  - element: "${tag}"\n    action: ${action}\n`, element).string(element[0]), expected);
    });
  }

  test('with Retain UIDs every UID stays, also where the table has no column for it', () => {
    const text = 'name: uids\nbase: ps3.15\noptions: [retainUIDs, cleanStructuredContent]\n';
    const content = [
      [
        [0x0040a040, 'CS', 'UIDREF'],
        [0x0040a124, 'UI', '1.2.826.1.50'],
      ],
    ];
    const { dataSet, bytes, result } = deidentified(instanceWith([0x0040a730, content]), text);
    assert.equal(dataSet.string(0x00080018), '1.2.826.1.3');
    assert.equal(dataSet.items(0x0040a730)[0]?.string(0x0040a124), '1.2.826.1.50');
    assert.equal(result.pseudonyms.studyInstanceUid, '1.2.826.1.1');
    assert.deepEqual(leakCheck(bytesSource(bytes), result.identity), []);
  });

  test('pseudonym is keyed, equal for equal values', () => {
    const rule = '  - element: InstitutionName\n    action: pseudonym\n';
    const one = run(rule, [INSTITUTION, 'LO', 'Wexqua Clinic']).string(INSTITUTION);
    assert.equal(one, run(rule, [INSTITUTION, 'LO', 'Wexqua Clinic']).string(INSTITUTION));
    assert.notEqual(one, run(rule, [INSTITUTION, 'LO', 'Other Clinic']).string(INSTITUTION));
    assert.match(one ?? '', /^[0-9A-Z]{16}$/);
  });

  test('shift moves a date though the options remove dates', () => {
    const value = run('  - element: StudyDate\n    action: shift\n').string(0x00080020);
    assert.match(value ?? '', /^20(?:1|2)\d{5}$/);
    assert.notEqual(value, '20230412');
  });

  /** PS3.15 §E.3.6: not REMOVED where dates or times are left. */
  const temporal: readonly (readonly [string, string, string])[] = [
    ['', '{ element: StationName, action: keep }', 'REMOVED'],
    ['', '{ element: StudyDate, action: keep }', 'UNMODIFIED'],
    ['', '{ vr: TM, action: keep }', 'UNMODIFIED'],
    ['', '{ element: "(0008,002x)", action: keep }', 'UNMODIFIED'],
    ['', '{ element: "(50xx,xxxx)", action: keep }', 'REMOVED'],
    ['', '{ element: StudyDate, action: empty }', 'REMOVED'],
    ['', '{ element: StudyDate, action: shift }', 'MODIFIED'],
    ['', '{ element: PatientBirthDate, action: generalise, to: year }', 'MODIFIED'],
    ['', '{ element: PatientAge, action: generalise, to: decade }', 'REMOVED'],
    ['retainLongitudinalModifiedDates', '{ element: StudyDate, action: keep }', 'MODIFIED'],
    ['retainLongitudinalFullDates', '{ element: StudyDate, action: keep }', 'UNMODIFIED'],
    ['retainLongitudinalFullDates', '{ element: StudyDate, action: shift }', 'MODIFIED'],
  ];
  for (const [option, text, expected] of temporal) {
    test(`with ${option || 'no option'} and ${text} dates are ${expected}`, () => {
      const profile = `name: site\nbase: ps3.15\noptions: [${option}]\nrules:\n  - ${text}\n`;
      assert.equal(deidentified(instanceWith(), profile).dataSet.string(0x00280303), expected);
    });
  }

  test('a value that a lookup table does not have holds the instance and is not named', () => {
    const rule = '  - element: StationName\n    action: lookup\n    table: { A: X }\n';
    assert.throws(
      () => run(rule, [0x00081010, 'SH', 'Secretname']),
      (error: unknown) =>
        error instanceof LetheError && error.code === 'DEID_LOOKUP_MISSING' && !error.message.includes('Secretname'),
    );
  });

  test('an action that cannot be carried out holds the instance', () => {
    assert.throws(() => run('  - element: "(0028,001x)"\n    action: replace\n    value: x\n', [0x00280010, 'US', 2]), {
      code: 'DEID_ACTION_FAILED',
    });
    assert.throws(() => run('  - element: StudyDate\n    action: shift\n', [0x00080020, 'DA', 'never']), {
      code: 'DEID_ACTION_FAILED',
    });
  });

  test('a replacement that looks at a long value again and again holds the instance', () => {
    const rule = (pattern: string) =>
      `  - { element: ImageComments, action: regexReplace, pattern: "${pattern}", value: x }\n`;
    const comments = [0x00204000, 'LT', 'a'.repeat(10_000)] as const;
    assert.throws(() => run(rule('a.*b|a'), comments), { code: 'DEID_ACTION_FAILED' });
    assert.equal(run(rule('(a+)+'), comments).string(0x00204000), 'x');
  });

  test('a pseudonym of a UID is its mapped UID, of a number or a sequence that a pattern meets a dummy', () => {
    const rules =
      '  - element: "(0020,00xx)"\n    action: pseudonym\n  - element: "(0028,00xx)"\n    action: pseudonym\n';
    const mapped = run(rules, [0x00200052, 'UI', '1.2.826.1.9']).string(0x00200052);
    const usual = run('  - { element: StationName, action: keep }\n', [0x00200052, 'UI', '1.2.826.1.9']);
    assert.equal(mapped, usual.string(0x00200052));
    assert.deepEqual(run(rules, [0x00280010, 'US', 2]).numbers(0x00280010), [0]);
  });

  test('an emptied sequence has no items', () => {
    const item = [[[0x00080050, 'SH', 'ACC1']]];
    const dataSet = run('  - { element: ReferencedImageSequence, action: empty }\n', [0x00081140, item]);
    assert.equal(dataSet.has(0x00081140), true);
    assert.deepEqual(dataSet.items(0x00081140), []);
  });

  test('the first rule that matches decides', () => {
    const rules = '  - { element: Manufacturer, action: remove }\n  - { element: Manufacturer, action: keep }\n';
    assert.equal(run(rules, [0x00080070, 'LO', 'ACME']).has(0x00080070), false);
  });

  test('a tag pattern, several elements, a VR', () => {
    const patterns = '  - { element: "(0008,10xx)", action: keep }\n';
    assert.equal(run(patterns, [0x00081010, 'SH', 'CT1']).string(0x00081010), 'CT1');
    assert.equal(run(patterns, [INSTITUTION, 'LO', 'W']).string(INSTITUTION), undefined);
    const several = '  - { element: [StationName, "00080080"], action: keep }\n';
    assert.equal(run(several, [0x00081010, 'SH', 'CT1'], [INSTITUTION, 'LO', 'W']).string(INSTITUTION), 'W');
    assert.equal(run('  - { vr: SH, action: keep }\n', [0x00081010, 'SH', 'CT1']).string(0x00081010), 'CT1');
  });

  test('private elements by creator, in whatever block they are', () => {
    const rules =
      '  - { privateCreator: WEX, element: "(0029,xx01)", action: keep }\n' +
      '  - { element: "(0029,0011)", action: keep }\n';
    const dataSet = run(rules, [0x00290011, 'LO', 'WEX'], [0x00291101, 'LO', 'a'], [0x00291102, 'LO', 'b']);
    assert.equal(dataSet.string(0x00291101), 'a');
    assert.equal(dataSet.has(0x00291102), false);
  });

  test('inside: at the top, or within the sequences named', () => {
    const item = [[[0x00080050, 'SH', 'ACC1']]];
    const rules = '  - { element: AccessionNumber, inside: ReferencedImageSequence, action: keep }\n';
    const dataSet = run(rules, [0x00081140, item]);
    assert.equal(dataSet.items(0x00081140)[0]?.string(0x00080050), 'ACC1');
    assert.notEqual(dataSet.string(0x00080050), 'ACC06129773');
    const top = run('  - { element: AccessionNumber, inside: top, action: keep }\n', [0x00081140, item]);
    assert.equal(top.string(0x00080050), 'ACC06129773');
    assert.notEqual(top.items(0x00081140)[0]?.string(0x00080050), 'ACC1');
  });

  test('SOP class, sender and conditions on other elements', () => {
    const station = [0x00081010, 'SH', 'CT1'] as const;
    const kept = (condition: string, source?: string) =>
      deidentified(instanceWith(station), withRules(`  - { element: StationName, action: keep, ${condition} }\n`), {
        key: KEY,
        ...(source === undefined ? {} : { source }),
      }).dataSet.string(0x00081010) === 'CT1';
    assert.ok(kept('sopClass: 1.2.840.10008.5.1.4.1.1.2'));
    assert.ok(!kept('sopClass: [1.2.840.10008.5.1.4.1.1.4]'));
    assert.ok(kept('source: radiology', 'radiology'));
    assert.ok(!kept('source: radiology', 'cardiology'));
    assert.ok(!kept('source: radiology'));
    assert.ok(kept('when: [{ element: Modality, equals: [MR, CT] }]'));
    assert.ok(!kept('when: [{ element: Modality, equals: MR }]'));
    assert.ok(kept('when: [{ element: StudyDescription, matches: "^CT" }]'));
    assert.ok(!kept('when: [{ element: StudyDescription, matches: "^MR" }]'));
    assert.ok(kept('when: [{ element: Laterality, exists: false }, { element: "(0008,0060)", exists: true }]'));
    assert.ok(!kept('when: [{ element: Laterality, exists: true }]'));
  });
});
