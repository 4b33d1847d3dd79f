/** The configuration's rules as the stages take them: what was not written is not there. */
import type { Configuration } from '../config/schema.ts';
import type { Rule, RuleTerm } from './inspect.ts';

export function rulesOf({ rules }: Configuration): Rule[] {
  return rules.map(({ when, ...rule }) => ({
    ...(written(rule) as Rule),
    when: when.map((term) => written(term) as RuleTerm),
  }));
}

function written(record: object): object {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}
