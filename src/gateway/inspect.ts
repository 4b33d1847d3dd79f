/**
 * What the site's rules say of one instance, before anything is done to it. Pure: reads elements, decides, names the
 * rule. Of each kind (discard, hold, route, profile, urgent) the first rule that matches counts; discard wins over hold,
 * hold over the rest.
 */
import { LetheError } from '../core/errors.ts';
import type { DataSet } from '../dicom/data-set.ts';
import { type CompiledTerm, compileTerm, type InstanceFacts, type RuleTerm, TermProblem } from './rule-terms.ts';

export type { InstanceFacts, RuleTerm } from './rule-terms.ts';

export interface Rule {
  readonly name: string;
  readonly when: readonly RuleTerm[];
  readonly action: 'discard' | 'hold' | 'route' | 'profile' | 'urgent';
  /** For route. */
  readonly destinations?: readonly string[];
  /** For profile: its name in the configuration. */
  readonly profile?: string;
}

export type Inspection =
  | { readonly kind: 'discard'; readonly rule: string }
  | { readonly kind: 'hold'; readonly rule: string }
  | {
      readonly kind: 'proceed';
      readonly destinations: readonly string[] | undefined;
      readonly profile: string | undefined;
      readonly urgent: boolean;
    };

/** A rule with its tags resolved and its expressions compiled, so that a mistake shows at start-up. */
export interface CompiledRule {
  readonly name: string;
  readonly action: Rule['action'];
  readonly destinations: readonly string[] | undefined;
  readonly profile: string | undefined;
  readonly terms: readonly CompiledTerm[];
}

/** Line and column of a place in the configuration, where it came from a file. */
export type PlaceOf = (keys: readonly (string | number)[]) => Readonly<Record<string, string | number>>;

/** @throws CONFIG_INVALID naming the rule, and its place where `placeOf` knows it */
export function compileRules(rules: readonly Rule[], placeOf: PlaceOf = () => ({})): CompiledRule[] {
  return rules.map((rule, index) => {
    const refuse = (problem: string, keys: readonly (string | number)[], cause?: TermProblem): never => {
      const detail = { rule: rule.name, problem, didYouMean: cause?.didYouMean };
      throw new LetheError('CONFIG_INVALID', { ...placeOf(['rules', index, ...keys]), ...detail }, { cause });
    };
    if ((rule.action === 'route') !== (rule.destinations !== undefined))
      refuse('destinations belong to action: route, and it needs them', ['destinations']);
    if ((rule.action === 'profile') !== (rule.profile !== undefined))
      refuse('profile belongs to action: profile, and it needs one', ['profile']);
    const terms = rule.when.map((term, number) => {
      try {
        return compileTerm(term);
      } catch (error) {
        if (!(error instanceof TermProblem)) throw error;
        return refuse(error.message, ['when', number, ...(error.key === undefined ? [] : [error.key])], error);
      }
    });
    const { name, action, destinations, profile } = rule;
    return { name, action, destinations, profile, terms };
  });
}

export function inspect(dataSet: DataSet, facts: InstanceFacts, rules: readonly CompiledRule[]): Inspection {
  return decide(rules.filter(({ terms }) => terms.every((term) => term.holds(dataSet, facts))));
}

function decide(matching: readonly CompiledRule[]): Inspection {
  const first = (action: Rule['action']) => matching.find((rule) => rule.action === action);
  const discard = first('discard');
  if (discard !== undefined) return { kind: 'discard', rule: discard.name };
  const hold = first('hold');
  if (hold !== undefined) return { kind: 'hold', rule: hold.name };
  return {
    kind: 'proceed',
    destinations: first('route')?.destinations,
    profile: first('profile')?.profile,
    urgent: first('urgent') !== undefined,
  };
}

/** Of one rule: what it asked and how the instance answered. */
export interface RuleFinding {
  readonly rule: string;
  readonly action: Rule['action'];
  readonly matches: boolean;
  /** It matched, and it is the one that decided its kind. */
  readonly counts: boolean;
  readonly terms: readonly { readonly asks: string; readonly holds: boolean }[];
}

/** For people who test rules: every rule with every condition, and what comes of them. */
export function explainInspection(
  dataSet: DataSet,
  facts: InstanceFacts,
  rules: readonly CompiledRule[],
): { readonly verdict: Inspection; readonly findings: readonly RuleFinding[] } {
  const found = rules.map((rule) => ({
    rule,
    terms: rule.terms.map((term) => ({ asks: term.words, holds: term.holds(dataSet, facts) })),
  }));
  const matching = found.filter(({ terms }) => terms.every(({ holds }) => holds)).map(({ rule }) => rule);
  const verdict = decide(matching);
  const stops = verdict.kind === 'proceed' ? undefined : verdict.kind;
  const findings = found.map(({ rule, terms }) => ({
    rule: rule.name,
    action: rule.action,
    matches: matching.includes(rule),
    counts:
      matching.find(({ action }) => action === rule.action) === rule && (stops === undefined || stops === rule.action),
    terms,
  }));
  return { verdict, findings };
}
