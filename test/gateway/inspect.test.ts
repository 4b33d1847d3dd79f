import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesSource } from '../../src/core/bytes.ts';
import { readPart10 } from '../../src/dicom/part10.ts';
import { compileRules, inspect, type Rule } from '../../src/gateway/inspect.ts';
import { buildPart10 } from '../build/data-set.ts';

const { dataSet } = readPart10(
  bytesSource(
    buildPart10([
      ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.2'],
      ['SOPInstanceUID', '2.25.1'],
      ['Modality', 'CT'],
      ['SeriesDescription', 'Dose Report'],
    ]),
  ),
);
const FACTS = { customer: 'north', sourceName: 'PACS' };

function verdict(...rules: Rule[]) {
  return inspect(dataSet, FACTS, compileRules(rules));
}

test('without a rule that matches everything proceeds to all destinations', () => {
  const other: Rule = { name: 'mr', action: 'discard', when: [{ element: 'Modality', equals: 'MR' }] };
  assert.deepEqual(verdict(other), { kind: 'proceed', destinations: undefined, urgent: false });
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
  assert.deepEqual(verdict(...rules), { kind: 'proceed', destinations: ['a'], urgent: true });
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
  ];
  for (const [what, when] of wrong)
    assert.throws(() => compileRules([{ name: 'wrong', action: 'hold', when }]), /CONFIG_INVALID.*wrong/, what);
});
