/**
 * Dates under the option Retain Longitudinal Temporal Information with Modified Dates (PS3.15 §E.3.6): every date of a
 * patient moves by the same whole number of days, so that intervals survive and times of day need no change.
 *
 * DA and DT are read by PS3.5 Table 6.2-1. What is no date there is answered with undefined: the caller removes it.
 * Pure calendar arithmetic (proleptic Gregorian), no time zone of the machine is involved.
 */

const DAY_MS = 86_400_000;
const DATE = /^(\d{4})(\d{2})(\d{2})$/;
/** Tolerance: the form of ACR-NEMA 2.0, and ISO 8601, which some senders write. */
const DOTTED_DATE = /^(\d{4})[.-](\d{2})[.-](\d{2})$/;
const DATE_TIME =
  /^(\d{4})(?:(\d{2})(?:(\d{2})((?:[01]\d|2[0-3])(?:[0-5]\d(?:(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?)?)?)?([+-]\d{4})?$/;
const TIME = /^(?:[01]\d|2[0-3])(?::?[0-5]\d(?::?(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?$/;

/** One DA value, moved; undefined where it is no date. */
export function shiftDate(value: string, days: number): string | undefined {
  const parts = DATE.exec(value) ?? DOTTED_DATE.exec(value);
  return parts === null ? undefined : shifted(parts[1], parts[2], parts[3], days);
}

/**
 * One DT value, moved; time of day and offset from UTC stay. A year or a month alone moves as its middle day does and
 * stays as short as it was.
 */
export function shiftDateTime(value: string, days: number): string | undefined {
  const parts = DATE_TIME.exec(value);
  if (parts === null) return undefined;
  const [, year, month, day, time = '', zone = ''] = parts;
  if (month === undefined) return withZone(shifted(year, '07', '01', days)?.slice(0, 4), zone);
  if (day === undefined) return withZone(shifted(year, month, '15', days)?.slice(0, 6), zone);
  return withZone(shifted(year, month, day, days), time + zone);
}

/** True for one TM value of PS3.5 Table 6.2-1. Tolerance: colons, as ACR-NEMA 2.0 had them. */
export function isTime(value: string): boolean {
  return TIME.test(value);
}

/** Days since 1970-01-01; undefined for what no calendar has, such as 31 February or year 0. */
export function dayNumber(year: number, month: number, day: number): number | undefined {
  if (year < 1) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day); // not Date.UTC, which takes years below 100 for 19xx
  const same = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return same ? date.getTime() / DAY_MS : undefined;
}

function shifted(year = '', month = '', day = '', days = 0): string | undefined {
  const number = dayNumber(Number(year), Number(month), Number(day));
  if (number === undefined) return undefined;
  const date = new Date((number + days) * DAY_MS);
  const newYear = date.getUTCFullYear();
  if (newYear < 1 || newYear > 9999) return undefined;
  return digits(newYear, 4) + digits(date.getUTCMonth() + 1, 2) + digits(date.getUTCDate(), 2);
}

function withZone(text: string | undefined, rest: string): string | undefined {
  return text === undefined ? undefined : text + rest;
}

function digits(number: number, width: number): string {
  return String(number).padStart(width, '0');
}
