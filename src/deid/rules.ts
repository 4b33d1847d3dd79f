/**
 * The rules of a site's profile: which elements a rule speaks of, under which conditions, and what is to be done with
 * them. A rule decides before the tables do; of several the first that matches counts.
 */
import { LetheError } from '../core/errors.ts';
import { compilePattern, type Pattern, PatternProblem } from '../core/pattern.ts';
import type { DataSet, Element } from '../dicom/data-set.ts';
import { elementOf, groupOf, isPrivate, type Tag, tagOf } from '../dicom/tag.ts';
import type { Place } from './element-policy.ts';
import type { ConditionDocument, RuleDocument } from './profile-schema.ts';
import { checkRule } from './rule-checks.ts';
import { type DatesLeft, datesLeftBy, type TagPattern } from './rule-dates.ts';
import { type RuleKeys, RuleProblem, tagMeant } from './rule-problem.ts';
import { meantVr } from './value-text.ts';

export type RuleAction = RuleDocument['action'];

/** What a rule may ask of the instance beside the element. */
export interface RuleSubject {
  readonly root: DataSet;
  readonly sopClassUid: string;
  readonly source: string | undefined;
}

export interface ProfileRule {
  readonly action: RuleAction;
  /** How `explain` names it. */
  readonly name: string;
  readonly value: string;
  readonly pattern: Pattern | undefined;
  readonly length: number;
  readonly to: 'year' | 'month' | 'decade' | undefined;
  readonly table: ReadonlyMap<string, string>;
}

export interface RuleSet {
  readonly size: number;
  /** Whether any of them encrypts: then a public key must be there. */
  readonly encrypts: boolean;
  /** What they leave of dates and times that no option asked for. */
  readonly dates: DatesLeft | undefined;
  /** The first rule that matches. */
  find(element: Element, dataSet: DataSet, place: Place, subject: RuleSubject): ProfileRule | undefined;
}

type Test = (element: Element, dataSet: DataSet, place: Place, subject: RuleSubject) => boolean;

const BLOCK_MASK = 0xffff00ff;
const WHOLE_TAG = 0xffffffff;

/** @throws DEID_PROFILE_INVALID naming the rule by its number, from 1 */
export function compileRules(documents: readonly RuleDocument[]): RuleSet {
  const compiled = documents.map((document, index) => {
    try {
      return { rule: compileRule(document, index), test: compileTest(document) };
    } catch (error) {
      if (!(error instanceof RuleProblem)) throw error;
      const key = ['rules', index, ...error.keys].join('.');
      const detail = { rule: index + 1, key, problem: error.message, ...error.detail };
      throw new LetheError('DEID_PROFILE_INVALID', detail, { cause: error });
    }
  });
  const dates = documents.map((document) => datesLeftBy(document, patternsOf(document.element ?? [])));
  return {
    size: compiled.length,
    dates: dates.includes('modified') ? 'modified' : dates.find((left) => left !== undefined),
    encrypts: compiled.some(({ rule }) => rule.action === 'encrypt'),
    find(element, dataSet, place, subject) {
      for (const { rule, test } of compiled) if (test(element, dataSet, place, subject)) return rule;
      return undefined;
    },
  };
}

/** What an action cannot do without, and what makes no sense beside it. */
const ARGUMENTS: Readonly<Partial<Record<RuleAction, readonly (keyof RuleDocument)[]>>> = {
  replace: ['value'],
  regexReplace: ['pattern', 'value'],
  truncate: ['length'],
  generalise: ['to'],
  lookup: ['table'],
};
const ALL_ARGUMENTS = ['value', 'pattern', 'length', 'to', 'table'] as const;

function compileRule(document: RuleDocument, index: number): ProfileRule {
  const { action } = document;
  const wanted = ARGUMENTS[action] ?? [];
  for (const argument of ALL_ARGUMENTS) {
    const isGiven = document[argument] !== undefined;
    if (wanted.includes(argument) !== isGiven) {
      throw isGiven
        ? new RuleProblem(`${action} takes no ${argument}`, [argument])
        : new RuleProblem(`${action} needs ${argument}`, ['action']);
    }
  }
  return {
    action,
    name: document.name ?? `rule ${index + 1}`,
    value: document.value ?? '',
    pattern: document.pattern === undefined ? undefined : expression(document.pattern, ['pattern']),
    length: document.length ?? 0,
    to: document.to,
    table: new Map(Object.entries(document.table ?? {})),
  };
}

function compileTest(document: RuleDocument): Test {
  const tests: Test[] = [];
  const { element, vr, privateCreator, inside, sopClass, source } = document;
  const patterns = element === undefined ? [] : patternsOf(element);
  const named = patterns.filter(({ mask }) => mask === WHOLE_TAG).map(({ value, keys }) => [value, keys] as const);
  checkRule(document, named);
  if (element !== undefined) tests.push(elementTest(patterns, privateCreator !== undefined));
  if (privateCreator !== undefined) {
    tests.push(({ tag }, dataSet) => isPrivate(tag) && creatorOf(tag, dataSet) === privateCreator);
  }
  if (vr !== undefined) tests.push((one) => meantVr(one) === vr);
  if (tests.length === 0) throw new RuleProblem('a rule needs element, privateCreator or vr');
  if (inside !== undefined) tests.push(insideTest(inside));
  if (sopClass !== undefined) {
    const classes = new Set(asList(sopClass));
    tests.push((_element, _dataSet, _place, subject) => classes.has(subject.sopClassUid));
  }
  if (source !== undefined) tests.push((_element, _dataSet, _place, subject) => subject.source === source);
  for (const [index, condition] of (document.when ?? []).entries()) tests.push(conditionTest(condition, index));
  return (...of) => tests.every((test) => test(...of));
}

/** Which tags a name stands for. */
interface NamedPattern extends TagPattern {
  readonly keys: RuleKeys;
}

function patternsOf(element: string | readonly string[]): readonly NamedPattern[] {
  if (typeof element === 'string') return [tagPattern(element, ['element'])];
  return element.map((name, index) => tagPattern(name, ['element', index]));
}

function elementTest(names: readonly TagPattern[], inBlock: boolean): Test {
  const exact = new Set<Tag>();
  const patterns: { mask: number; value: number }[] = [];
  for (const { mask, value } of names) {
    const whole = inBlock ? (mask & BLOCK_MASK) >>> 0 : mask;
    if (whole === WHOLE_TAG) exact.add(value);
    else patterns.push({ mask: whole, value: (value & whole) >>> 0 });
  }
  return ({ tag }) => exact.has(tag) || patterns.some(({ mask, value }) => (tag & mask) >>> 0 === value);
}

function insideTest(text: string): Test {
  if (text === 'top') return (_element, _dataSet, place) => place.ancestors.length === 0;
  const wanted = text.split('.').map((name) => tagMeant(name, ['inside']));
  return (_element, _dataSet, { ancestors }) => {
    const offset = ancestors.length - wanted.length;
    return offset >= 0 && wanted.every((tag, index) => ancestors[offset + index] === tag);
  };
}

function conditionTest(condition: ConditionDocument, index: number): Test {
  const tag = tagMeant(condition.element, ['when', index, 'element']);
  const { exists } = condition;
  const wanted = condition.equals === undefined ? undefined : new Set(asList(condition.equals));
  const pattern =
    condition.matches === undefined ? undefined : expression(condition.matches, ['when', index, 'matches']);
  if (exists === undefined && wanted === undefined && pattern === undefined) {
    throw new RuleProblem('a condition needs equals, matches or exists', ['when', index]);
  }
  return (_element, _dataSet, _place, { root }) => {
    const values = root.strings(tag);
    if (exists !== undefined && exists !== root.has(tag)) return false;
    if (wanted !== undefined && !values.some((value) => wanted.has(value))) return false;
    return pattern === undefined || values.some((value) => pattern.matches(value));
  };
}

function creatorOf(tag: Tag, dataSet: DataSet): string | undefined {
  return dataSet.string(tagOf(groupOf(tag), elementOf(tag) >>> 8));
}

/** A keyword, `(0010,0010)`, `00100010`, or digits of them replaced by `x`. */
function tagPattern(name: string, keys: RuleKeys): NamedPattern {
  const parts = /^\(?([0-9a-fA-Fx]{4}),?([0-9a-fA-Fx]{4})\)?$/.exec(name);
  if (parts === null) return { mask: WHOLE_TAG, value: tagMeant(name, keys), keys };
  const digits = `${parts[1]}${parts[2]}`;
  return {
    mask: Number.parseInt(digits.replace(/[^x]/g, 'f').replaceAll('x', '0'), 16),
    value: Number.parseInt(digits.replaceAll('x', '0'), 16),
    keys,
  };
}

function expression(source: string, keys: RuleKeys): Pattern {
  try {
    return compilePattern(source);
  } catch (error) {
    throw error instanceof PatternProblem ? new RuleProblem(error.message, keys) : error;
  }
}

function asList(value: string | readonly string[]): readonly string[] {
  return typeof value === 'string' ? [value] : value;
}
