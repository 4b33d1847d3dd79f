/**
 * Dates as people write them: "03 Mar 1961", "March 3rd, 1961", "3. März 1961", "3 de março de 1961", "03MAR61",
 * "3/4/1961", "04.03.61". Read from the words of `text.ts`, so that case, accents and most punctuation do not matter;
 * a date that was read is compared with known ones as YYYYMMDD.
 *
 * A year alone, or a month and its year, is no date here. Two digits are a year only beside the name of a month, or after
 * a day and a month in one of the separators of dates, standing free: a version 2.1.05 and an address 10.4.3.61 are none.
 */
import type { Word } from './text.ts';

/** A date in a text: from the word it was asked for on. */
export interface WrittenDate {
  /** How many words it takes, at least 1. */
  readonly words: number;
  /** What it may say, as YYYYMMDD: two where day and month may be either way round. */
  readonly readings: readonly string[];
}

/** In full and abbreviated: English, German, French, Spanish, Portuguese, Italian, Dutch; folded as `fold` does. */
const MONTH_NAMES = [
  'jan january januar janner jaenner jan janvier janv enero ene janeiro gennaio gen januari',
  'feb february februar feber fevrier fevr fev febrero fevereiro febbraio februari',
  'mar march marz maerz mrz mars marzo marco maart mrt',
  'apr april avril avr abril abr aprile',
  'may mai mayo maio maggio mag mei',
  'jun june juni juin junio junho giugno giu',
  'jul july juli juillet juil julio julho luglio lug',
  'aug august aout agosto ago augustus',
  'sep sept september septembre septiembre setiembre set setembro settembre sett',
  'oct october okt oktober octobre octubre out outubro ottobre ott',
  'nov november novembre noviembre novembro',
  'dec december dez dezember decembre diciembre dic dezembro dicembre',
];
/** Also words of English and of radiology ("3 out 12", "1 set 20"): beside them two digits are no year. */
const AMBIGUOUS_MONTHS = new Set(['set', 'out', 'mag', 'gen', 'ago']);
const MONTHS: ReadonlyMap<string, string> = new Map(
  MONTH_NAMES.flatMap((names, index) => names.split(' ').map((name) => [name, twoDigits(index + 1)] as const)),
);
/** Between the parts of a date: "3rd of March", "March the 3rd", "3 de marzo de 1961", and ordinals written apart. */
const BETWEEN = new Set('of the de del di den der st nd rd th'.split(' '));
const BETWEEN_MAX = 2;
/** No more than this stands between two words of one date: ". ", ", ", " - ", " '". */
const GAP_CHARACTERS_MAX = 3;
const DAY = /^(\d{1,2})(?:st|nd|rd|th|er|re|e|eme|de|ste|o|a)?$/;
const YEAR = /^(?:1[89]|20)\d\d$/;
const DIGITS = /^\d+$/;
/** Day, month and year in one word: 03mar1961, 3march61. */
const JOINED_DAY_FIRST = /^(\d{1,2})([a-z]{3,10})(\d{4}|\d{2})$/;
/** mar031961, march3. */
const JOINED_MONTH_FIRST = /^([a-z]{3,10})(\d{2})(\d{4})$/;
const JOINED_YEAR_FIRST = /^(\d{4})([a-z]{3,10})(\d{2})$/;
/** DDMMYYYY or MMDDYYYY. */
const EIGHT_DIGITS = /^(\d{2})(\d{2})((?:1[89]|20)\d\d)$/;

/** The date that begins with this word; undefined where none does. `words` are those of the text, in order. */
export function writtenDateAt(text: string, words: readonly Word[], index: number): WrittenDate | undefined {
  const word = words[index]?.text ?? '';
  const isNumber = isDigit(word);
  if (!isNumber && !isDigit(word.slice(-1)) && !MONTHS.has(word)) return undefined;
  const joined = joinedDate(word);
  if (joined !== undefined) return joined;
  // What follows says which of the two it can be, and of most words and numbers that it is neither.
  const next = words[index + 1]?.text ?? '';
  if (isNumber && DIGITS.test(next)) return numericDate(text, words, index);
  return isDigit(next) || MONTHS.has(next) || BETWEEN.has(next) ? namedDate(words, index) : undefined;
}

function isDigit(word: string): boolean {
  const code = word.charCodeAt(0);
  return code >= 0x30 && code <= 0x39;
}

function joinedDate(word: string): WrittenDate | undefined {
  if (word.length < 6 || word.length > 16) return undefined;
  const digits = EIGHT_DIGITS.exec(word);
  if (digits !== null) {
    const [, first = '', second = '', year = ''] = digits;
    return dateOf(1, year, [first, second], [second, first]);
  }
  const dayFirst = JOINED_DAY_FIRST.exec(word);
  if (dayFirst !== null) return named(1, dayFirst[3], dayFirst[2], dayFirst[1]);
  const monthFirst = JOINED_MONTH_FIRST.exec(word);
  if (monthFirst !== null) return named(1, monthFirst[3], monthFirst[1], monthFirst[2]);
  const yearFirst = JOINED_YEAR_FIRST.exec(word);
  return yearFirst === null ? undefined : named(1, yearFirst[1], yearFirst[2], yearFirst[3]);
}

/** Three numbers: 4.3.1961, 03/4/1961, 1961-03-04, and 04.03.61, 3/4/61. */
function numericDate(text: string, words: readonly Word[], index: number): WrittenDate | undefined {
  const [first, second, third] = [words[index], words[index + 1], words[index + 2]];
  if (first === undefined || second === undefined || third === undefined) return undefined;
  const parts = [first.text, second.text, third.text] as const;
  if (!parts.every((part) => DIGITS.test(part) && part.length <= 4)) return undefined;
  if (!isClose(first, second) || !isClose(second, third)) return undefined;
  const [a, b, c] = parts;
  if (YEAR.test(c)) return dateOf(3, c, [a, b], [b, a]);
  if (YEAR.test(a)) return dateOf(3, a, [c, b]);
  return isFreeShortDate(text, first, second, third) ? dateOf(3, c, [a, b], [b, a]) : undefined;
}

/** Slashes for any, points and hyphens where day and month have two digits; nothing of a longer number around. */
function isFreeShortDate(text: string, first: Word, second: Word, third: Word): boolean {
  const separator = text.slice(first.end, second.start);
  if (separator !== text.slice(second.end, third.start) || third.text.length !== 2) return false;
  const isWide = first.text.length === 2 && second.text.length === 2;
  if (!(separator === '/' || ((separator === '.' || separator === '-') && isWide))) return false;
  return text[first.start - 1] !== separator && !(text[third.end] === separator && isDigit(text[third.end + 1] ?? ''));
}

/** With the name of its month: day month year, month day year, year month day. */
function namedDate(words: readonly Word[], index: number): WrittenDate | undefined {
  const [first, second, third, count] = threeParts(words, index);
  if (first === undefined || second === undefined || third === undefined) return undefined;
  if (MONTHS.has(second) && YEAR.test(first)) return named(count, first, second, DAY.exec(third)?.[1]);
  const year = /^\d\d$/.test(third) || YEAR.test(third) ? third : undefined;
  if (MONTHS.has(second)) return named(count, year, second, DAY.exec(first)?.[1]);
  return named(count, year, first, DAY.exec(second)?.[1]);
}

/** The next three words that say something, and how many words they take with what stands between them. */
function threeParts(
  words: readonly Word[],
  index: number,
): [first: string | undefined, second: string | undefined, third: string | undefined, count: number] {
  const parts: string[] = [];
  let at = index;
  let between = 0;
  for (; parts.length < 3; at++) {
    const [before, word] = [words[at - 1], words[at]];
    if (word === undefined) break;
    if (at > index && (before === undefined || !isClose(before, word))) break;
    if (parts.length > 0 && BETWEEN.has(word.text) && between < BETWEEN_MAX) {
      between++;
      continue;
    }
    between = 0;
    parts.push(word.text);
  }
  return [parts[0], parts[1], parts[2], at - index];
}

function isClose(before: Word, after: Word): boolean {
  return after.start - before.end <= GAP_CHARACTERS_MAX;
}

function named(
  words: number,
  year: string | undefined,
  month: string | undefined,
  day: string | undefined,
): WrittenDate | undefined {
  const number = MONTHS.get(month ?? '');
  if (year === undefined || month === undefined || day === undefined || number === undefined) return undefined;
  if (year.length === 2 && AMBIGUOUS_MONTHS.has(month)) return undefined;
  return dateOf(words, year, [day, number]);
}

/** Of the readings as [day, month] those that are dates; a year of two digits is of any century. */
function dateOf(
  words: number,
  year: string,
  ...readings: readonly (readonly [day: string, month: string])[]
): WrittenDate | undefined {
  const years = year.length === 2 ? [`18${year}`, `19${year}`, `20${year}`] : YEAR.test(year) ? [year] : [];
  const found: string[] = [];
  for (const [day, month] of readings) {
    if (!isWithin(day, 31) || !isWithin(month, 12)) continue;
    for (const full of years) found.push(full + twoDigits(Number(month)) + twoDigits(Number(day)));
  }
  return found.length === 0 ? undefined : { words, readings: found };
}

function isWithin(number: string, max: number): boolean {
  const value = Number(number);
  return number.length <= 2 && value >= 1 && value <= max;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
