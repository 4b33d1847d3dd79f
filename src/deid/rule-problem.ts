/** What is wrong with a rule of a profile, under which of its keys, and what was probably meant. */
import { nearestKeyword, tagNamed } from '../dicom/dictionary.ts';
import type { Tag } from '../dicom/tag.ts';

export type RuleKeys = readonly (string | number)[];

export class RuleProblem extends Error {
  readonly keys: RuleKeys;
  readonly detail: { readonly didYouMean?: string; readonly allowed?: string };

  constructor(message: string, keys: RuleKeys = [], detail: RuleProblem['detail'] = {}) {
    super(message);
    this.keys = keys;
    this.detail = detail;
  }
}

/** @throws RuleProblem with the nearest keyword */
export function tagMeant(name: string, keys: RuleKeys): Tag {
  const tag = tagNamed(name);
  if (tag !== undefined) return tag;
  throw new RuleProblem(`${name} is neither a tag nor a keyword of PS3.6`, keys, meant(nearestKeyword(name)));
}

export function meant(name: string | undefined): { readonly didYouMean?: string } {
  return name === undefined ? {} : { didYouMean: name };
}
