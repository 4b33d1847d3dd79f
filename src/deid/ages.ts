/** Ages, PS3.5 Table 6.2-1 AS. */

const AGE = /^(\d{1,3})([DWMY])$/;
/** Ages above this are one age: fewer people reach each of them (45 CFR 164.514(b)(2)(i)(C)). */
const AGE_YEARS_MAX = 89;
const AGE_ABOVE = '090Y';
const UNITS_IN_A_YEAR: Readonly<Record<string, number>> = { D: 365.25, W: 52.18, M: 12, Y: 1 };

/** The age, above 89 years `090Y`; undefined for what is no age. */
export function cappedAge(value: string): string | undefined {
  const parts = AGE.exec(value);
  if (parts === null) return undefined;
  const [, count = '', unit = ''] = parts;
  const years = Number(count) / (UNITS_IN_A_YEAR[unit] ?? 1);
  return years >= AGE_YEARS_MAX + 1 ? AGE_ABOVE : value;
}

/** Whole years as `nnnY`, less than a year as `000Y`; undefined for what is no age. */
export function ageInYears(value: string): string | undefined {
  const capped = cappedAge(value);
  if (capped === undefined) return undefined;
  return capped.endsWith('Y') ? capped.padStart(4, '0') : '000Y';
}
