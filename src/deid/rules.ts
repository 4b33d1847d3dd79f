/**
 * The rules of a site's profile: which elements a rule speaks of, and what is to be done with them. A rule decides before
 * the tables do; of several the first that matches counts.
 */
import { LetheError } from '../core/errors.ts';
import { tagOfKeyword } from '../dicom/dictionary.ts';
import type { Tag } from '../dicom/tag.ts';

export type RuleAction = 'keep' | 'remove' | 'empty' | 'dummy' | 'clean' | 'pseudonym';

export interface ProfileRule {
  readonly tag: Tag;
  readonly action: RuleAction;
  /** How `explain` names it. */
  readonly name: string;
}

const ACTIONS: readonly string[] = ['keep', 'remove', 'empty', 'dummy', 'clean', 'pseudonym'];

/** @throws DEID_PROFILE_INVALID naming the rule by its number, from 1 */
export function compileRules(rules: readonly unknown[]): ProfileRule[] {
  return rules.map((rule, index) => {
    const { keyword, action } = rule as { keyword?: unknown; action?: unknown };
    const tag = typeof keyword === 'string' ? tagOfKeyword(keyword) : undefined;
    if (tag === undefined || typeof action !== 'string' || !ACTIONS.includes(action)) {
      throw new LetheError('DEID_PROFILE_INVALID', { rule: index + 1 });
    }
    return { tag, action: action as RuleAction, name: `rule ${index + 1}` };
  });
}
