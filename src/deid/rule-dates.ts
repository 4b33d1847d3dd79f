/**
 * What the rules of a profile leave of dates and times, for Longitudinal Temporal Information Modified (0028,0303): what a
 * rule keeps stays although no option asked for it, and an instance must not say that all of it was removed (PS3.15
 * §E.3.6). As with the options, the profile is spoken of and not what a single instance happens to have.
 */
import { attributeOf } from '../dicom/dictionary.ts';
import { isPrivate, type Tag } from '../dicom/tag.ts';
import type { Vr } from '../dicom/vr.ts';
import type { RuleDocument } from './profile-schema.ts';

export type DatesLeft = 'kept' | 'modified';

/** Tags that equal `value` under `mask`. */
export interface TagPattern {
  readonly mask: number;
  readonly value: Tag;
}

const TEMPORAL: readonly string[] = ['DA', 'DT', 'TM'] satisfies readonly Vr[];
const LEFT: Readonly<Partial<Record<RuleDocument['action'], DatesLeft>>> = {
  keep: 'kept',
  shift: 'modified',
  generalise: 'modified',
  truncate: 'modified',
  regexReplace: 'modified',
};
/** Patterns of more tags are of whole groups, such as those of overlays. */
const PATTERN_TAGS_MAX = 0x10000;

/** Undefined where the rule leaves none, or names no dates. */
export function datesLeftBy({ action, vr }: RuleDocument, patterns: readonly TagPattern[]): DatesLeft | undefined {
  const left = LEFT[action];
  if (left === undefined) return undefined;
  const isOfDates = vr === undefined ? patterns.some(holdsTemporal) : TEMPORAL.includes(vr);
  return isOfDates ? left : undefined;
}

function holdsTemporal({ mask, value }: TagPattern): boolean {
  const open = ~mask >>> 0;
  let tags = 0;
  // Every way to fill the open bits: the next one is the one before minus the mask, within them.
  for (let bits = open; ; bits = ((bits - 1) & open) >>> 0) {
    if (isTemporal((value | bits) >>> 0)) return true;
    if (bits === 0 || ++tags > PATTERN_TAGS_MAX) return false;
  }
}

function isTemporal(tag: Tag): boolean {
  return !isPrivate(tag) && (attributeOf(tag)?.vrs.some((vr) => TEMPORAL.includes(vr)) ?? false);
}
