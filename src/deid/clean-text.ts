/**
 * Free text made safe (PS3.15 §E.3.5 Clean Descriptors): a text keeps the words that are known to identify nobody and
 * loses everything else, so that a name nobody told us of goes with the rest. Decided in this order:
 *
 *   1. identifiers known for this instance, and patterns (mail, telephone, dates, social security and long numbers,
 *      street addresses) are removed;
 *   2. a word stays when it is in the vocabulary, a short number, or a code of radiology such as T2, B30f, 15cm;
 *   3. an eponym stays before the noun that makes it one ("Wilson disease"); a common word goes where a name must be
 *      ("Dr Long").
 *
 * A text that loses nothing stays as it was, to the byte.
 */
import { findIdentity, type KnownIdentity } from './identity.ts';
import { type Word, wordsOf } from './text.ts';
import {
  DISORDERS,
  DONE_BY,
  EPONYMS,
  isCommonWord,
  NAME_FOLLOWS,
  NAME_LIKE,
  PERSON_FOLLOWS,
  STREETS,
  TITLES,
} from './vocabulary.ts';
import { writtenDateAt } from './written-dates.ts';

/** Only looked for where there is a digit. */
const DIGIT_PATTERNS: readonly RegExp[] = [
  /\b\d{1,4}[-./]\d{1,2}[-./]\d{1,4}\b/g, // dates
  /\b\d{1,2}[ .-]?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ .,-]*\d{2,4}\b/gi,
  /\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?[ -]\d{1,2},?[ -]+\d{2,4}\b/gi,
  /(?:\+\d{1,3}[ .-]?)?\(?\b\d{2,5}\)?[ ./-]\d{3,4}[ .-]?\d{2,4}(?:[ .-]?\d{2,4})?\b/g, // telephone
  /\b\d{3}[-. ]\d{4}\b/g, // telephone within one area
  /\b\d{1,2}(?:st|nd|rd|th)?[ .-]?(?:of )?(?:january|february|march|april|may|june|july|august|september|october|november|december|(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b)/gi, // a day without its year
  /\b(?:january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.?[ -]\d{1,2}(?:st|nd|rd|th)?\b/gi,
  /\b\d{3}-\d{2}-\d{4}\b/g, // social security
  /\b\d+(?:\.\d+){3,}\b/g, // UIDs, IP addresses
  // Ages above 89, which few people reach (45 CFR 164.514(b)(2)(i)(C)): 93-year-old, 93 y/o, 93M, aged 93, 093Y.
  /\b0?(?:9\d|1[0-4]\d)[ -]?(?:years?|yrs?|y\.?[ /]?o|y|jahre?|ans|a[nñ]os|anni|jaar)\b\.?(?:[ -]old\b)?/giu,
  /\b(?:9\d|1[0-4]\d)[ -]?[MF]\b/gu,
  /\b(?:aged?|alter|[aâ]ge|edad)[ :=]*0?(?:9\d|1[0-4]\d)\b/giu,
];
const MAIL = /[\p{L}\p{N}._%+-]+@[\p{L}\p{N}.-]+/gu;
const URL_LIKE = /\b(?:https?|ftp|file):\/\/\S+|\bwww\.\S+/giu;
const NETWORK_PATH = /[\p{L}\p{N}_.-]*\\\\[^\s]+/gu;
const DIGIT = /\d/;
/** Street addresses: compiled with Unicode only where a text has a word for a street. */
const STREET_WORD = new RegExp(STREETS, 'i');
const STREET_ADDRESS = new RegExp(`\\b\\d{1,5}[a-z]?[ ,]+(?:[\\p{L}.'-]+ +){1,4}(?:${STREETS})\\b\\.?`, 'giu');
const LONG_NUMBER = /\d{5}/;
/** Numbers with a prefix: MRN-123456. */
const PREFIXED_NUMBER = /\b\p{L}{1,5}[-_/ ]?\d{5,}\b/gu;
const LETTERS = /^\p{L}+$/u;
const SHORT_NUMBER = /^\d{1,4}$/;
const YEAR = /^(?:18|19|20)\d\d$/;
const CODE_CHARACTERS_MAX = 8;
const CODE_DIGITS_MAX = 4;
const CODE_LETTERS_MAX = 3;
const NAMES_AFTER_TITLE_MAX = 3;
/** Twice what LT may hold (PS3.5 Table 6.2-1); a longer text is no description, and costs more than it is worth. */
const TEXT_CHARACTERS_MAX = 20_480;

interface Span {
  start: number;
  end: number;
}

/** What may stay of the text; '' where that is nothing. */
export function cleanText(text: string, identity: KnownIdentity): string {
  if (text.length > TEXT_CHARACTERS_MAX) return '';
  const spans: Span[] = findIdentity(text, identity);
  addPatterns(text, spans);
  addWords(text, spans);
  return spans.length === 0 ? text : without(text, spans);
}

/** A value of a component that names things (not a person): kept whole, or without what is known to identify. */
export function scrubText(text: string, identity: KnownIdentity): string {
  return findIdentity(text, identity).length === 0 ? text : cleanText(text, identity);
}

/** Most texts hold none of the characters without which a pattern cannot match. */
function addPatterns(text: string, spans: Span[]): void {
  const add = (pattern: RegExp, within = text): void => {
    for (const match of within.matchAll(pattern))
      spans.push({ start: match.index, end: match.index + match[0].length });
  };
  if (text.includes('@')) add(MAIL);
  if (text.includes('://') || /www\./i.test(text)) add(URL_LIKE);
  if (text.includes('\\\\')) add(NETWORK_PATH);
  if (!DIGIT.test(text)) return;
  // To a regular expression an underscore is a letter, to people a space.
  const spaced = text.replaceAll('_', ' ');
  for (const pattern of DIGIT_PATTERNS) add(pattern, spaced);
  if (STREET_WORD.test(text)) add(STREET_ADDRESS, spaced);
  if (LONG_NUMBER.test(text)) add(PREFIXED_NUMBER, spaced);
}

function addWords(text: string, spans: Span[]): void {
  const words = wordsOf(text);
  const mayHoldDates = DIGIT.test(text);
  let names = 0; // words yet to come that must be a person's name
  words.forEach((word, index) => {
    const original = text.slice(word.start, word.end);
    const date = mayHoldDates ? writtenDateAt(text, words, index) : undefined;
    const dateEnd = words[index + (date?.words ?? 0) - 1];
    if (dateEnd !== undefined && dateEnd.start >= word.start) spans.push({ start: word.start, end: dateEnd.end });
    if (isTitle(word.text, original)) {
      names = NAMES_AFTER_TITLE_MAX;
      spans.push({ start: word.start, end: text[word.end] === '.' ? word.end + 1 : word.end });
      return;
    }
    if (names > 0 && startsUpper(original) && LETTERS.test(original) && followsClosely(text, words, index)) {
      names--;
      spans.push(word);
      return;
    }
    names = 0;
    if (!mayStay(text, words, index, word) || isNameByPlace(text, words, index)) spans.push(word);
  });
}

/** MR, MS and DR in capitals are modalities, unless everything is in capitals; then the name goes as an unknown word. */
function isTitle(word: string, original: string): boolean {
  return TITLES.has(word) && (original !== original.toUpperCase() || !isCommonWord(word));
}

/** Between a title and a name, and between two parts of a name, stands nothing that ends a sentence. */
function followsClosely(text: string, words: readonly Word[], index: number): boolean {
  const previous = words[index - 1];
  const word = words[index];
  if (previous === undefined || word === undefined) return false;
  return /^[ .,^_-]{0,3}$/.test(text.slice(previous.end, word.start));
}

/** A word that is also a name where a name must be: "by Long", "by May Stone", "STONE^MAY", "Young, Mark". */
function isNameByPlace(text: string, words: readonly Word[], index: number): boolean {
  const isNameLike = (at: number): boolean => NAME_LIKE.has(words[at]?.text ?? '');
  const between = (at: number): string => text.slice(words[at - 1]?.end ?? 0, words[at]?.start ?? 0);
  if (!isNameLike(index)) return false;
  const isPair = (at: number): boolean => isNameLike(at - 1) && isNameLike(at) && /^(?:\^|, ?)$/.test(between(at));
  if (isPair(index) || isPair(index + 1)) return true;
  for (let before = index - 1; before >= index - 2 && before >= 0; before--) {
    if (!/^[ .:]{1,2}$/.test(between(before + 1))) return false;
    const word = words[before]?.text ?? '';
    if (PERSON_FOLLOWS.has(word)) return true;
    if (word === 'by') return before === 0 || DONE_BY.has(words[before - 1]?.text ?? '');
    if (!isNameLike(before)) return false;
  }
  return false;
}

function startsUpper(word: string): boolean {
  const first = word.slice(0, 1);
  return first !== first.toLowerCase();
}

function mayStay(text: string, words: readonly Word[], index: number, word: Word): boolean {
  if (isCommonWord(word.text)) return true;
  if (SHORT_NUMBER.test(word.text)) return !YEAR.test(word.text);
  if (word.text.length === 1) return true;
  if (EPONYMS.has(word.text)) return isEponym(text, words, index);
  return isCode(word.text) || isJoined(text.slice(word.start, word.end));
}

/** "Wilson disease", "Baker's cyst", "Legg-Calve-Perthes disease": the noun within the next words, nothing between. */
function isEponym(text: string, words: readonly Word[], index: number): boolean {
  for (let ahead = index + 1; ahead <= index + 3; ahead++) {
    const next = words[ahead];
    const before = words[ahead - 1];
    if (next === undefined || before === undefined) return false;
    if (!/^[ '’-]{1,2}$/.test(text.slice(before.end, next.start))) return false;
    if (DISORDERS.has(next.text)) return true;
    if (next.text !== 's' && !EPONYMS.has(next.text)) return false;
  }
  return false;
}

/** Common words written as one: ImagePositionPatient, MobiView. */
function isJoined(word: string): boolean {
  const humps = word.split(/(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/u);
  return humps.length > 1 && humps.every((hump) => hump.length > 1 && isCommonWord(hump.toLowerCase()));
}

/** Letters and digits mixed, few of both: T2, L5, B30f, 15cm, FCR0217. Identifiers are longer. */
function isCode(word: string): boolean {
  if (word.length > CODE_CHARACTERS_MAX || !/\d/.test(word) || !/\p{L}/u.test(word)) return false;
  const digits = word.replace(/\D/g, '').length;
  if (digits > CODE_DIGITS_MAX) return false;
  return (word.match(/\p{L}+/gu) ?? []).every((run) => run.length <= CODE_LETTERS_MAX || isCommonWord(run));
}

/** The text without the spans, and without the punctuation and the prepositions that lost their object. */
function without(text: string, spans: readonly Span[]): string {
  const sorted = spans.toSorted((a, b) => a.start - b.start);
  let kept = '';
  let position = 0;
  for (const { start, end } of sorted) {
    if (start > position) kept += text.slice(position, start);
    if (end > position) {
      kept += ' ';
      position = end;
    }
  }
  kept += text.slice(position);
  return tidy(kept);
}

function tidy(text: string): string {
  const lines = text.split(/\r\n|\r|\n/).map((line) => tidyLine(line));
  return lines.filter((line) => line !== '').join('\r\n');
}

function tidyLine(line: string): string {
  let kept = line
    .replace(/[([{]\s*[)\]}]/g, ' ')
    .replace(/\s+/g, ' ')
    .replace(/ (?=[,;:.!?)])/g, '')
    .replace(/([,;:.!?-])(?:\s*[,;:.!?-])+/g, '$1')
    .trim();
  for (;;) {
    const shorter = kept.replace(/^[\s,;:.!?^_/#=*-]+|[\s,;:^_/#=*(-]+$/g, '').replace(DANGLING, '');
    if (shorter === kept) return kept;
    kept = shorter;
  }
}

/** What is left of "by NAME" or "on DATE", at the end of a line or of a part of it. */
const DANGLING = new RegExp(
  `\\s(?:${[...NAME_FOLLOWS].join('|')}|of|at|on|with|from|to|and|by|in|mail|phone|call|ssn|req|dx)(?=\\s*(?:[.,;:]|$))`,
  'giu',
);
