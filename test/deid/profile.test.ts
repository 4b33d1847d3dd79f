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

  const mistakes: readonly (readonly [string, string, number | undefined, RegExp])[] = [
    ['an unknown key', 'name: a\nbase: ps3.15\nfoo: 1\n', 3, /unknown key/],
    ['an unknown option', 'name: a\nbase: ps3.15\noptions: [cleanAll]\n', 3, /allowed values/],
    [
      'both kinds of dates',
      'name: a\nbase: ps3.15\noptions: [retainLongitudinalFullDates, retainLongitudinalModifiedDates]\n',
      3,
      /dates/,
    ],
    [
      'an unknown keyword',
      withRules('  - element: PatientID\n    action: keep\n  - element: Foo\n    action: keep\n'),
      6,
      /Foo is neither/,
    ],
    ['an unknown action', withRules('  - element: PatientID\n    action: burn\n'), 5, /allowed values/],
    [
      'an action without its argument',
      withRules('  - element: PatientID\n    action: replace\n'),
      4,
      /replace needs value/,
    ],
    [
      'an argument without its action',
      withRules('  - element: PatientID\n    action: keep\n    value: x\n'),
      4,
      /keep takes no value/,
    ],
    ['a rule about nothing', withRules('  - action: keep\n'), 4, /needs element/],
    [
      'a broken expression',
      withRules('  - element: PatientID\n    action: regexReplace\n    pattern: "("\n    value: x\n'),
      4,
      /regular expression/,
    ],
    [
      'an empty condition',
      withRules('  - element: PatientID\n    action: keep\n    when: [{ element: Modality }]\n'),
      4,
      /condition needs/,
    ],
    ['no YAML', 'name: [\n', 2, /./],
    ['a few aliases that stand for a million values', aliasBomb('name: x\nbase: ps3.15\nrules:\n'), 5, /aliases/],
    ['an unknown name', 'hipaa', undefined, /no built-in profile/],
  ];
  for (const [what, text, line, problem] of mistakes) {
    test(`${what} is an error${line === undefined ? '' : ` in line ${line}`}`, () => {
      assert.throws(
        () => compileProfile(text),
        (error: unknown) => {
          assert.ok(error instanceof LetheError);
          assert.equal(error.code, 'DEID_PROFILE_INVALID');
          assert.equal(error.detail['line'], line);
          assert.match(String(error.detail['problem']), problem);
          return true;
        },
      );
    });
  }
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

  test('a value that a lookup table does not have holds the instance and is not named', () => {
    const rule = '  - element: StationName\n    action: lookup\n    table: { A: X }\n';
    assert.throws(
      () => run(rule, [0x00081010, 'SH', 'Secretname']),
      (error: unknown) =>
        error instanceof LetheError && error.code === 'DEID_LOOKUP_MISSING' && !error.message.includes('Secretname'),
    );
  });

  test('an action that cannot be carried out holds the instance', () => {
    assert.throws(() => run('  - element: Rows\n    action: replace\n    value: x\n', [0x00280010, 'US', 2]), {
      code: 'DEID_ACTION_FAILED',
    });
    assert.throws(() => run('  - element: StudyDate\n    action: shift\n', [0x00080020, 'DA', 'never']), {
      code: 'DEID_ACTION_FAILED',
    });
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
