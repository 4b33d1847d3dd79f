/**
 * The new value that a site's rule asks for: shift, replace, regexReplace, truncate, generalise, lookup. Undefined where
 * the action cannot be carried out on this value; the caller then holds the instance.
 */
import { LetheError } from '../core/errors.ts';
import { cappedAge } from './ages.ts';
import { shiftDate, shiftDateTime } from './dates.ts';
import type { ProfileRule } from './rules.ts';

const AGE_YEARS = /^(\d{3})Y$/;

export interface RuleValueContext {
  readonly vr: string;
  readonly shiftDays: number;
  readonly path: string;
}

/** One value. @throws DEID_LOOKUP_MISSING */
export function ruleValue(rule: ProfileRule, value: string, context: RuleValueContext): string | undefined {
  switch (rule.action) {
    case 'replace':
      return rule.value;
    case 'shift':
      if (context.vr === 'DA') return shiftDate(value, context.shiftDays);
      return context.vr === 'DT' ? shiftDateTime(value, context.shiftDays) : undefined;
    case 'regexReplace':
      return rule.pattern?.replaced(value, rule.value);
    case 'truncate':
      return [...value].slice(0, rule.length).join('');
    case 'generalise':
      return generalised(value, context.vr, rule.to);
    case 'lookup': {
      const found = rule.table.get(value);
      if (found === undefined) throw new LetheError('DEID_LOOKUP_MISSING', { rule: rule.name, path: context.path });
      return found;
    }
    default:
      return undefined;
  }
}

/** Dates to the first day of their month or year, ages to the decade. */
function generalised(value: string, vr: string, to: ProfileRule['to']): string | undefined {
  if (vr === 'AS') {
    const years = to === 'decade' ? AGE_YEARS.exec(cappedAge(value) ?? '') : null;
    return years === null ? undefined : `${String(Math.floor(Number(years[1]) / 10) * 10).padStart(3, '0')}Y`;
  }
  const isDate = vr === 'DA' ? shiftDate(value, 0) : vr === 'DT' ? shiftDateTime(value, 0) : undefined;
  if (isDate === undefined || to === 'decade' || isDate.length < 8) return undefined;
  return to === 'month' ? `${isDate.slice(0, 6)}01` : `${isDate.slice(0, 4)}0101`;
}
