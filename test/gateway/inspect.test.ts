import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesSource } from '../../src/core/bytes.ts';
import { readPart10 } from '../../src/dicom/part10.ts';
import { compileRules, explainInspection, inspect, type Rule } from '../../src/gateway/inspect.ts';
import { buildPart10 } from '../build/data-set.ts';

const { dataSet } = readPart10(
  bytesSource(
    buildPart10([
      ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.2'],
      ['SOPInstanceUID', '2.25.1'],
      ['Modality', 'CT'],
      ['SeriesDescription', 'Dose Report'],
      ['SeriesNumber', '7'],
      ['RequestAttributesSequence', [[['ScheduledProcedureStepID', 'S1']], [['ScheduledProcedureStepID', 'S2']]]],
      [0x00091001, 'LO', 'private'],
    ]),
  ),
);
const FACTS = {
  customer: 'north',
  sourceName: 'PACS',
  sourceKind: 'dicom',
  receivedAtMs: Date.parse('2026-03-02T21:30:00Z'), // a Monday
};

function verdict(...rules: Rule[]) {
  return inspect(dataSet, FACTS, compileRules(rules));
}

test('without a rule that matches everything proceeds to all destinations', () => {
  const other: Rule = { name: 'mr', action: 'discard', when: [{ element: 'Modality', equals: 'MR' }] };
  assert.deepEqual(verdict(other), { kind: 'proceed', destinations: undefined, profile: undefined, urgent: false });
});

test('all conditions of a rule must hold; tags, keywords, lists, patterns, source and customer are understood', () => {
  const rule: Rule = {
    name: 'dose',
    action: 'discard',
    when: [
      { element: '(0008,0060)', equals: ['MR', 'CT'] },
      { element: 'SeriesDescription', matches: '^Dose' },
      { source: 'PACS', customer: 'north' },
    ],
  };
  assert.deepEqual(verdict(rule), { kind: 'discard', rule: 'dose' });
  assert.equal(verdict({ ...rule, when: [...rule.when, { element: 'PatientName', exists: true }] }).kind, 'proceed');
  assert.equal(verdict({ ...rule, when: [...rule.when, { element: 'PatientName', exists: false }] }).kind, 'discard');
});

test('discard wins over hold, hold over route, and the first route counts', () => {
  const when = [{ source: 'PACS' }];
  const route = (name: string, to: string): Rule => ({ name, action: 'route', when, destinations: [to] });
  const rules: Rule[] = [route('r1', 'a'), route('r2', 'b'), { name: 'stat', action: 'urgent', when }];
  assert.deepEqual(verdict(...rules), { kind: 'proceed', destinations: ['a'], profile: undefined, urgent: true });
  assert.deepEqual(verdict(...rules, { name: 'h', action: 'hold', when }), { kind: 'hold', rule: 'h' });
  assert.deepEqual(verdict(...rules, { name: 'h', action: 'hold', when }, { name: 'd', action: 'discard', when }), {
    kind: 'discard',
    rule: 'd',
  });
});

test('a rule that cannot be meant is refused at the start, by its name', () => {
  const wrong: [string, Rule['when']][] = [
    ['an unknown keyword', [{ element: 'Modalty', equals: 'CT' }]],
    ['a broken pattern', [{ element: 'Modality', matches: '(' }]],
    ['a comparison with nothing', [{ equals: 'CT' }]],
    ['an empty condition', [{}]],
    ['a time that is none', [{ during: 'noon' }]],
    ['a time zone that is none', [{ during: '08:00-09:00', timeZone: 'Mars/Olympus' }]],
    ['an element that is asked nothing', [{ element: 'Modality' }]],
  ];
  for (const [what, when] of wrong)
    assert.throws(() => compileRules([{ name: 'wrong', action: 'hold', when }]), /CONFIG_INVALID.*wrong/, what);
});

test('an expression that another engine would never finish has its answer', () => {
  const long = readPart10(
    bytesSource(
      buildPart10([
        ['SOPClassUID', '1.2.3'],
        ['StudyDescription', `${'a'.repeat(63)}!`],
      ]),
    ),
  );
  const [rule] = compileRules([
    { name: 'r', action: 'hold', when: [{ element: 'StudyDescription', matches: '^(a+)+$' }] },
  ]);
  assert.ok(rule !== undefined);
  assert.equal(inspect(long.dataSet, FACTS, [rule]).kind, 'proceed');
});

test('conditions reach into sequences and private elements, compare numbers, and can be turned round', () => {
  const holds = (...when: Rule['when']) => verdict({ name: 'r', action: 'hold', when }).kind === 'hold';
  assert.ok(holds({ element: 'RequestAttributesSequence.ScheduledProcedureStepID', equals: 'S2' }));
  assert.ok(!holds({ element: 'RequestAttributesSequence.ScheduledProcedureStepID', equals: 'S3' }));
  assert.ok(holds({ element: 'RequestAttributesSequence', exists: true }));
  assert.ok(holds({ element: '00091001', equals: 'private' }));
  assert.ok(holds({ element: 'SeriesNumber', atLeast: 7, atMost: 7 }));
  assert.ok(!holds({ element: 'SeriesNumber', atLeast: 8 }));
  assert.ok(!holds({ element: 'Modality', atMost: 8 }), 'what is no number is in no range');
  assert.ok(holds({ element: 'Modality', equals: 'MR', not: true }));
  assert.ok(holds({ via: ['folder', 'dicom'], customer: ['north', 'south'] }));
  assert.ok(!holds({ via: 'http' }));
});

test('a rule may ask when an instance was received, in a time zone of its own', () => {
  const during = (text: string, timeZone = 'UTC') =>
    verdict({ name: 'night', action: 'urgent', when: [{ during: text, timeZone }] });
  assert.deepEqual(during('mon-fri 21:00-06:00'), {
    kind: 'proceed',
    destinations: undefined,
    profile: undefined,
    urgent: true,
  });
  const isUrgent = (found: ReturnType<typeof verdict>) => found.kind === 'proceed' && found.urgent;
  assert.ok(!isUrgent(during('sat,sun 00:00-24:00')));
  assert.ok(!isUrgent(during('21:00-22:00', 'Asia/Tokyo')));
});

test('a rule picks a profile; the first counts', () => {
  const when = [{ source: 'PACS' }];
  const rules: Rule[] = [
    { name: 'p1', action: 'profile', when, profile: 'basic' },
    { name: 'p2', action: 'profile', when, profile: 'research' },
  ];
  const found = verdict(...rules);
  assert.equal(found.kind === 'proceed' && found.profile, 'basic');
});

test('an action without what it needs, or with what it does not, is refused', () => {
  const when = [{ source: 'PACS' }];
  assert.throws(() => compileRules([{ name: 'r', action: 'route', when }]), /destinations/);
  assert.throws(() => compileRules([{ name: 'r', action: 'hold', when, destinations: ['a'] }]), /destinations/);
  assert.throws(() => compileRules([{ name: 'r', action: 'profile', when }]), /profile/);
});

test('the explanation names every rule, every condition and who decides, and no value of the instance', () => {
  const rules = compileRules([
    { name: 'ct', action: 'urgent', when: [{ element: 'Modality', equals: ['CT', 'PT'] }, { source: 'PACS' }] },
    { name: 'mr', action: 'hold', when: [{ element: 'Modality', equals: 'MR' }] },
    { name: 'all', action: 'hold', when: [{ customer: 'north' }] },
    { name: 'dose', action: 'discard', when: [{ element: 'SeriesDescription', matches: 'Report$' }] },
  ]);
  const { verdict: found, findings } = explainInspection(dataSet, FACTS, rules);
  assert.deepEqual(found, { kind: 'discard', rule: 'dose' });
  assert.deepEqual(
    findings.map(({ rule, matches, counts }) => [rule, matches, counts]),
    [
      ['ct', true, false],
      ['mr', false, false],
      ['all', true, false],
      ['dose', true, true],
    ],
  );
  assert.deepEqual(findings[0]?.terms, [
    { asks: 'Modality is CT or PT', holds: true },
    { asks: 'source is PACS', holds: true },
  ]);
  assert.ok(!JSON.stringify(findings).includes('Dose'));
});
