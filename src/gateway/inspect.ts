/**
 * What the site's rules say of one instance, before anything is done to it. Pure: reads elements, decides, names the
 * rule. Of each kind (discard, hold, route, urgent) the first rule that matches counts; discard wins over hold, hold over
 * the rest. A rule that cannot be judged does not match: an element that is absent equals nothing.
 */
import { LetheError } from '../core/errors.ts';
import type { DataSet } from '../dicom/data-set.ts';
import { tagOfKeyword } from '../dicom/dictionary.ts';
import { type Tag, tagOf } from '../dicom/tag.ts';

export interface RuleTerm {
  readonly element?: string;
  readonly equals?: string | readonly string[];
  readonly matches?: string;
  readonly exists?: boolean;
  readonly customer?: string;
  readonly source?: string;
}

export interface Rule {
  readonly name: string;
  readonly when: readonly RuleTerm[];
  readonly action: 'discard' | 'hold' | 'route' | 'urgent';
  readonly destinations?: readonly string[];
}

export interface InstanceFacts {
  readonly customer: string;
  readonly sourceName: string;
}

export type Inspection =
  | { readonly kind: 'discard'; readonly rule: string }
  | { readonly kind: 'hold'; readonly rule: string }
  | { readonly kind: 'proceed'; readonly destinations: readonly string[] | undefined; readonly urgent: boolean };

/** A rule with its tags resolved and its expressions compiled, so that a mistake shows at start-up. */
export interface CompiledRule {
  readonly name: string;
  readonly action: Rule['action'];
  readonly destinations: readonly string[] | undefined;
  matches(dataSet: DataSet, facts: InstanceFacts): boolean;
}

/** @throws CONFIG_INVALID naming the rule */
export function compileRules(rules: readonly Rule[]): CompiledRule[] {
  return rules.map((rule) => {
    const terms = rule.when.map((term) => compileTerm(rule.name, term));
    return {
      name: rule.name,
      action: rule.action,
      destinations: rule.destinations,
      matches: (dataSet, facts) => terms.every((term) => term(dataSet, facts)),
    };
  });
}

export function inspect(dataSet: DataSet, facts: InstanceFacts, rules: readonly CompiledRule[]): Inspection {
  const matching = rules.filter((rule) => rule.matches(dataSet, facts));
  const first = (action: Rule['action']) => matching.find((rule) => rule.action === action);
  const discard = first('discard');
  if (discard !== undefined) return { kind: 'discard', rule: discard.name };
  const hold = first('hold');
  if (hold !== undefined) return { kind: 'hold', rule: hold.name };
  return { kind: 'proceed', destinations: first('route')?.destinations, urgent: first('urgent') !== undefined };
}

type Term = (dataSet: DataSet, facts: InstanceFacts) => boolean;

function compileTerm(rule: string, term: RuleTerm): Term {
  const checks: Term[] = [];
  if (term.customer !== undefined) checks.push((_, facts) => facts.customer === term.customer);
  if (term.source !== undefined) checks.push((_, facts) => facts.sourceName === term.source);
  if (term.element !== undefined) checks.push(elementTerm(rule, term, tagNamed(rule, term.element)));
  else if (term.equals !== undefined || term.matches !== undefined || term.exists !== undefined) {
    throw new LetheError('CONFIG_INVALID', { rule, problem: 'equals, matches and exists need an element' });
  }
  if (checks.length === 0)
    throw new LetheError('CONFIG_INVALID', {
      rule,
      problem: 'an empty condition matches everything; say what is meant',
    });
  return (dataSet, facts) => checks.every((check) => check(dataSet, facts));
}

function elementTerm(rule: string, term: RuleTerm, tag: Tag): Term {
  const wanted =
    term.equals === undefined ? undefined : new Set(typeof term.equals === 'string' ? [term.equals] : term.equals);
  const pattern = term.matches === undefined ? undefined : compilePattern(rule, term.matches);
  return (dataSet) => {
    const values = dataSet.strings(tag);
    if (term.exists !== undefined && term.exists !== values.some((value) => value !== '')) return false;
    if (wanted !== undefined && !values.some((value) => wanted.has(value))) return false;
    return pattern === undefined || values.some((value) => pattern.test(value.slice(0, PATTERN_INPUT_MAX)));
  };
}

const PATTERN_INPUT_MAX = 1024; // bounds what a costly expression of the operator's can cost
const PATTERN_LENGTH_MAX = 256;

function compilePattern(rule: string, source: string): RegExp {
  try {
    if (source.length > PATTERN_LENGTH_MAX) throw new SyntaxError(`longer than ${PATTERN_LENGTH_MAX} characters`);
    return new RegExp(source, 'u');
  } catch (error) {
    throw new LetheError('CONFIG_INVALID', { rule, problem: 'matches is not a regular expression' }, { cause: error });
  }
}

function tagNamed(rule: string, name: string): Tag {
  const digits = /^\(?([0-9a-fA-F]{4}),?([0-9a-fA-F]{4})\)?$/.exec(name);
  if (digits !== null) return tagOf(Number.parseInt(digits[1] ?? '', 16), Number.parseInt(digits[2] ?? '', 16));
  const tag = tagOfKeyword(name);
  if (tag === undefined)
    throw new LetheError('CONFIG_INVALID', { rule, problem: `${name} is neither a tag nor a keyword of PS3.6` });
  return tag;
}
