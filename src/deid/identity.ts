/**
 * What is known to identify the patient, the people and the places of one instance: collected from the original before
 * anything is written, removed from every text that is kept, and searched for in everything that is about to leave.
 *
 * Names are known by their components in all groups (PS3.5 §6.2.1.1: alphabetic, ideographic, phonetic), identifiers
 * whole, places and institutions as phrases, dates in the usual spellings, UIDs as they were. What is too short or too
 * common to identify anybody ("CT", "12", "CHEST PHANTOM") is not taken. It never leaves the process and is never logged.
 */
import { type Word, wordsOf } from './text.ts';
import { isCommonWord, TITLES } from './vocabulary.ts';
import { writtenDateAt } from './written-dates.ts';

/** Plain data. Phrases are words of `text.ts` joined by one space. */
export interface KnownIdentity {
  /** One word each: components of names and identifiers, matched as words. */
  readonly words: ReadonlySet<string>;
  /** Several words each, matched in sequence; by their first word. */
  readonly phrases: ReadonlyMap<string, readonly (readonly string[])[]>;
  readonly uids: ReadonlySet<string>;
  /** YYYYMMDD, found again however they are written (`written-dates.ts`). */
  readonly dates: ReadonlySet<string>;
}

/** What is looked for in texts. */
export type KnownWords = Omit<KnownIdentity, 'uids'>;

/** What kind of thing a value is, for how much of it identifies. */
export type IdentityKind = 'name' | 'identifier' | 'place' | 'date';

const NAME_CHARACTERS_MIN = 3;
const IDENTIFIER_CHARACTERS_MIN = 4;
const DIGITS_ONLY_MIN = 5;
const PHRASE_CHARACTERS_MIN = 6;
/** Beyond these an instance is no instance but an attack on the search. */
export const ENTRIES_MAX = 4096;
const VALUE_CHARACTERS_MAX = 1024;
/** Of a DA or DT value: the day. */
const DATE_CHARACTERS = 8;
/** Fills an identifier where there is none. */
const PLACEHOLDER =
  /^(?:anon|anonymous|anonymi[sz]ed|none|unknown|unspecified|test|default|null|na|nil|removed|(.)\1*)$/;
const DIGIT = /\d/;
const IDEOGRAPHIC = /[\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]/u;

/** What stands in the place of one and has no dot names nothing. */
export function isUid(value: string): boolean {
  return value.includes('.');
}

/** As much of a value as counts: two with the same essence make the same identity. */
export function essence(kind: IdentityKind, value: string): string {
  return kind === 'date' && value.length <= VALUE_CHARACTERS_MAX ? value.slice(0, DATE_CHARACTERS) : value;
}

export class IdentityCollector {
  readonly #words = new Set<string>();
  readonly #phrases = new Map<string, string[][]>();
  readonly #uids = new Set<string>();
  readonly #dates = new Set<string>();
  readonly #seen = new Set<string>();

  add(kind: IdentityKind, value: string): void {
    if (value === '' || value.length > VALUE_CHARACTERS_MAX || this.#seen.size >= ENTRIES_MAX) return;
    const key = `${kind} ${value}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    if (kind === 'name') this.#addName(value);
    else if (kind === 'identifier') this.#addIdentifier(value);
    else if (kind === 'place') this.#addPlace(value);
    else this.#addDate(value);
  }

  addUid(uid: string): void {
    if (isUid(uid) && this.#uids.size < ENTRIES_MAX * 16) this.#uids.add(uid);
  }

  identity(): KnownIdentity {
    return { words: this.#words, phrases: this.#phrases, uids: this.#uids, dates: this.#dates };
  }

  #addName(value: string): void {
    const parts = wordsOf(value).map(({ text }) => text);
    for (const [index, part] of parts.entries()) {
      if (IDEOGRAPHIC.test(part) ? part.length >= 2 : part.length >= NAME_CHARACTERS_MIN) this.#addWord(part);
      // Two words that mean something else apart name a person together: "May Stone", "Stone, May".
      const next = parts[index + 1];
      if (next === undefined || part.length < 2 || next.length < 2) continue;
      this.#addSequence([part, next]);
      this.#addSequence([next, part]);
    }
  }

  #addIdentifier(value: string): void {
    const parts = wordsOf(value).map(({ text }) => text);
    const joined = parts.join('');
    if (joined.length < IDENTIFIER_CHARACTERS_MIN || PLACEHOLDER.test(joined)) return;
    if (/^\d+$/.test(joined) && joined.length < DIGITS_ONLY_MIN) return;
    this.#addPhrase(parts);
  }

  #addPlace(value: string): void {
    const parts = wordsOf(value).map(({ text }) => text);
    if (parts.join('').length >= PHRASE_CHARACTERS_MIN && !PLACEHOLDER.test(parts.join(''))) this.#addPhrase(parts);
    for (const part of parts) if (part.length >= PHRASE_CHARACTERS_MIN && /^\p{L}+$/u.test(part)) this.#addWord(part);
  }

  /** DA or DT: YYYYMMDD at its start. */
  #addDate(value: string): void {
    const parts = /^(\d{4})(\d{2})(\d{2})/.exec(value);
    if (parts === null) return;
    const [, year = '', month = '', day = ''] = parts;
    this.#addWord(year + month + day);
    this.#dates.add(year + month + day);
    for (const [m, d] of [
      [month, day],
      [String(Number(month)), String(Number(day))],
    ]) {
      if (m === undefined || d === undefined) continue;
      for (const phrase of [
        [year, m, d],
        [d, m, year],
        [m, d, year],
      ])
        this.#addPhrase(phrase);
    }
  }

  #addPhrase(parts: readonly string[]): void {
    const [first] = parts;
    if (first === undefined) return;
    if (parts.length === 1) {
      this.#addWord(first);
      return;
    }
    if (parts.every((part) => isCommonWord(part))) return;
    this.#addSequence(parts);
  }

  #addSequence(parts: readonly string[]): void {
    const [first = ''] = parts;
    const others = this.#phrases.get(first) ?? [];
    others.push([...parts]);
    this.#phrases.set(first, others);
  }

  #addWord(word: string): void {
    if (!isCommonWord(word) && !TITLES.has(word) && !PLACEHOLDER.test(word)) this.#words.add(word);
  }
}

/**
 * Where the text holds something known: positions in the text, in order, not overlapping. A long identifier counts also
 * inside of a longer word.
 */
export function findIdentity(text: string, identity: KnownWords): { start: number; end: number }[] {
  const found: { start: number; end: number }[] = [];
  const words = wordsOf(text);
  const mayHoldDates = identity.dates.size > 0 && DIGIT.test(text);
  for (let index = 0; index < words.length; index++) {
    const word = words[index];
    if (word === undefined) continue;
    const length = isKnownWord(word.text, identity)
      ? 1
      : phraseLength(words, index, identity) || (mayHoldDates ? dateLength(text, words, index, identity) : 0);
    const last = words[index + length - 1];
    if (length === 0 || last === undefined) continue;
    found.push({ start: word.start, end: last.end });
    index += length - 1;
  }
  return found;
}

/** Whether `findIdentity` would find anything. */
export function holdsIdentity(text: string, identity: KnownWords): boolean {
  return findIdentity(text, identity).length > 0;
}

const INSIDE_CHARACTERS_MIN = 7;

function isKnownWord(word: string, identity: KnownWords): boolean {
  if (identity.words.has(word)) return true;
  if (word.length <= INSIDE_CHARACTERS_MIN) return false;
  for (const known of identity.words) {
    if (known.length >= INSIDE_CHARACTERS_MIN && word.includes(known)) return true;
  }
  return false;
}

function dateLength(text: string, words: readonly Word[], index: number, { dates }: KnownWords): number {
  const date = writtenDateAt(text, words, index);
  return date?.readings.some((reading) => dates.has(reading)) === true ? date.words : 0;
}

function phraseLength(words: readonly { text: string }[], index: number, identity: KnownWords): number {
  const phrases = identity.phrases.get(words[index]?.text ?? '');
  if (phrases === undefined) return 0;
  const phrase = phrases.find((parts) => parts.every((part, offset) => words[index + offset]?.text === part));
  return phrase?.length ?? 0;
}
