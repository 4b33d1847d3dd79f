/**
 * The rules of a site's profile: which elements a rule speaks of, under which conditions, and what is to be done with
 * them. A rule decides before the tables do; of several the first that matches counts.
 */
import { LetheError } from '../core/errors.ts';
import type { DataSet, Element } from '../dicom/data-set.ts';
import { tagOfKeyword } from '../dicom/dictionary.ts';
import { elementOf, groupOf, isPrivate, type Tag, tagOf } from '../dicom/tag.ts';
import type { Place } from './element-policy.ts';
import type { ConditionDocument, RuleDocument } from './profile-schema.ts';
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
  readonly pattern: RegExp | undefined;
  readonly length: number;
  readonly to: 'year' | 'month' | 'decade' | undefined;
  readonly table: ReadonlyMap<string, string>;
}

export interface RuleSet {
  readonly size: number;
  /** Whether any of them encrypts: then a public key must be there. */
  readonly encrypts: boolean;
  /** The first rule that matches. */
  find(element: Element, dataSet: DataSet, place: Place, subject: RuleSubject): ProfileRule | undefined;
}

type Test = (element: Element, dataSet: DataSet, place: Place, subject: RuleSubject) => boolean;

const VALUE_CHARACTERS_MAX = 1024; // bounds what a costly expression of a site's can cost
const BLOCK_MASK = 0xffff00ff;

/** @throws DEID_PROFILE_INVALID naming the rule by its number, from 1 */
export function compileRules(documents: readonly RuleDocument[]): RuleSet {
  const compiled = documents.map((document, index) => {
    try {
      return { rule: compileRule(document, index), test: compileTest(document) };
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      throw new LetheError('DEID_PROFILE_INVALID', { rule: index + 1, problem: error.message });
    }
  });
  return {
    size: compiled.length,
    encrypts: compiled.some(({ rule }) => rule.action === 'encrypt'),
    find(element, dataSet, place, subject) {
      for (const { rule, test } of compiled) if (test(element, dataSet, place, subject)) return rule;
      return undefined;
    },
  };
}

class ProblemError extends Error {}

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
      throw new ProblemError(isGiven ? `${action} takes no ${argument}` : `${action} needs ${argument}`);
    }
  }
  return {
    action,
    name: document.name ?? `rule ${index + 1}`,
    value: document.value ?? '',
    pattern: document.pattern === undefined ? undefined : expression(document.pattern, 'gu'),
    length: document.length ?? 0,
    to: document.to,
    table: new Map(Object.entries(document.table ?? {})),
  };
}

function compileTest(document: RuleDocument): Test {
  const tests: Test[] = [];
  const { element, vr, privateCreator, inside, sopClass, source } = document;
  if (element !== undefined) tests.push(elementTest(asList(element), privateCreator !== undefined));
  if (privateCreator !== undefined) {
    tests.push(({ tag }, dataSet) => isPrivate(tag) && creatorOf(tag, dataSet) === privateCreator);
  }
  if (vr !== undefined) tests.push((one) => meantVr(one) === vr);
  if (tests.length === 0) throw new ProblemError('a rule needs element, privateCreator or vr');
  if (inside !== undefined) tests.push(insideTest(inside));
  if (sopClass !== undefined) {
    const classes = new Set(asList(sopClass));
    tests.push((_element, _dataSet, _place, subject) => classes.has(subject.sopClassUid));
  }
  if (source !== undefined) tests.push((_element, _dataSet, _place, subject) => subject.source === source);
  for (const condition of document.when ?? []) tests.push(conditionTest(condition));
  return (...of) => tests.every((test) => test(...of));
}

function elementTest(names: readonly string[], inBlock: boolean): Test {
  const exact = new Set<Tag>();
  const patterns: { mask: number; value: number }[] = [];
  for (const name of names) {
    const { mask, value } = tagPattern(name);
    const whole = inBlock ? (mask & BLOCK_MASK) >>> 0 : mask;
    if (whole === 0xffffffff) exact.add(value);
    else patterns.push({ mask: whole, value: (value & whole) >>> 0 });
  }
  return ({ tag }) => exact.has(tag) || patterns.some(({ mask, value }) => (tag & mask) >>> 0 === value);
}

function insideTest(text: string): Test {
  if (text === 'top') return (_element, _dataSet, place) => place.ancestors.length === 0;
  const wanted = text.split('.').map(tagNamed);
  return (_element, _dataSet, { ancestors }) => {
    const offset = ancestors.length - wanted.length;
    return offset >= 0 && wanted.every((tag, index) => ancestors[offset + index] === tag);
  };
}

function conditionTest(condition: ConditionDocument): Test {
  const tag = tagNamed(condition.element);
  const { exists } = condition;
  const wanted = condition.equals === undefined ? undefined : new Set(asList(condition.equals));
  const pattern = condition.matches === undefined ? undefined : expression(condition.matches, 'u');
  if (exists === undefined && wanted === undefined && pattern === undefined) {
    throw new ProblemError('a condition needs equals, matches or exists');
  }
  return (_element, _dataSet, _place, { root }) => {
    const values = root.strings(tag);
    if (exists !== undefined && exists !== root.has(tag)) return false;
    if (wanted !== undefined && !values.some((value) => wanted.has(value))) return false;
    return pattern === undefined || values.some((value) => pattern.test(value.slice(0, VALUE_CHARACTERS_MAX)));
  };
}

function creatorOf(tag: Tag, dataSet: DataSet): string | undefined {
  return dataSet.string(tagOf(groupOf(tag), elementOf(tag) >>> 8));
}

/** A keyword, `(0010,0010)`, `00100010`, or digits of them replaced by `x`. */
function tagPattern(name: string): { mask: number; value: number } {
  const parts = /^\(?([0-9a-fA-Fx]{4}),?([0-9a-fA-Fx]{4})\)?$/.exec(name);
  if (parts === null) return { mask: 0xffffffff, value: tagNamed(name) };
  const digits = `${parts[1]}${parts[2]}`;
  return {
    mask: Number.parseInt(digits.replace(/[^x]/g, 'f').replaceAll('x', '0'), 16),
    value: Number.parseInt(digits.replaceAll('x', '0'), 16),
  };
}

function tagNamed(name: string): Tag {
  const parts = /^\(?([0-9a-fA-F]{4}),?([0-9a-fA-F]{4})\)?$/.exec(name);
  if (parts !== null) return Number.parseInt(`${parts[1]}${parts[2]}`, 16);
  const tag = tagOfKeyword(name);
  if (tag === undefined) throw new ProblemError(`${name} is neither a tag nor a keyword of PS3.6`);
  return tag;
}

function expression(source: string, flags: string): RegExp {
  try {
    return new RegExp(source, flags);
  } catch {
    throw new ProblemError('a regular expression is not valid');
  }
}

function asList(value: string | readonly string[]): readonly string[] {
  return typeof value === 'string' ? [value] : value;
}
