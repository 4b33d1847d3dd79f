/**
 * What a line that was read says, for deciding whether it may stay: whether it names somebody known, allowing for what
 * reading mistakes for what, and whether it is one of the markings every image may carry: sides, projections, positions,
 * numbers on a scale with their units. Pure; the text never leaves it.
 */
import type { KnownIdentity } from '../identity.ts';
import { wordsOf } from '../text.ts';

/** Letters and digits that are read for each other, and what all of them are compared as. */
const CONFUSED: Readonly<Record<string, string>> = {
  o: '0',
  q: '0',
  d: '0',
  i: '1',
  l: '1',
  t: '1',
  s: '5',
  b: '8',
  z: '2',
  g: '6',
};
/** Shorter ones are found in anything. */
const INSIDE_CHARACTERS_MIN = 4;
const TOLERANT_CHARACTERS_MIN = 6;

/** A predicate for one instance: does the line hold something that identifies? In any order and case. */
export function identityMatcher(identity: KnownIdentity): (line: string) => boolean {
  const whole = new Set<string>();
  const inside = new Set<string>();
  const take = (text: string): void => {
    const compared = comparable(text);
    whole.add(compared);
    if (compared.length >= INSIDE_CHARACTERS_MIN) inside.add(compared);
  };
  for (const word of identity.words) take(word);
  for (const phrases of identity.phrases.values()) for (const parts of phrases) take(parts.join(''));
  return (line) => {
    const words = wordsOf(line).map(({ text }) => comparable(text));
    if (words.some((word) => whole.has(word))) return true;
    const joined = words.join('');
    for (const known of inside) if (holdsNearly(joined, known)) return true;
    return false;
  };
}

function comparable(word: string): string {
  return [...word].map((letter) => CONFUSED[letter] ?? letter).join('');
}

/** Whether the text holds the word, one character wrong, missing or too many where it is long. */
function holdsNearly(text: string, word: string): boolean {
  if (text.includes(word)) return true;
  if (word.length < TOLERANT_CHARACTERS_MIN) return false;
  // One difference leaves one half of the word whole.
  const half = Math.floor(word.length / 2);
  const [first, second] = [word.slice(0, half), word.slice(half)];
  for (let at = text.indexOf(first); at >= 0; at = text.indexOf(first, at + 1))
    if (startsNearly(text.slice(at + half), second)) return true;
  for (let at = text.indexOf(second); at >= 0; at = text.indexOf(second, at + 1))
    if (startsNearly(reversed(text.slice(0, at)), reversed(first))) return true;
  return false;
}

/** Whether the text begins with the word, one difference allowed. */
function startsNearly(text: string, word: string): boolean {
  let same = 0;
  while (same < word.length && text[same] === word[same]) same++;
  const rest = word.slice(same + 1);
  return text.startsWith(rest, same + 1) || text.startsWith(rest, same) || text.startsWith(word.slice(same), same + 1);
}

function reversed(text: string): string {
  return [...text].reverse().join('');
}

const SIDES = 'l r lt rt left right lat lateral med medial bilat bilateral';
const PROJECTIONS =
  'ap pa ll rl lao rao obl oblique cc mlo ml lm xccl lcc rcc lmlo rmlo ax axial cor sag coronal sagittal';
const POSITIONS =
  'a p s i h f ant post sup inf head feet erect upright supine prone decub decubitus standing sitting portable mobile insp exp flex ext wb';
const MARKS: ReadonlySet<string> = new Set(`${SIDES} ${PROJECTIONS} ${POSITIONS}`.split(' '));
const UNITS =
  'mm cm m um µm nm ms s sec min hz khz mhz kv kvp ma mas mgy msv gy db fps bpm hu px deg cm/s m/s mmhg ml cc kg g t mt';
const UNIT_SET: ReadonlySet<string> = new Set([...UNITS.split(' '), '%', '°', '℃', '°c']);
/** Up to three digits: a year, a time or a record number has more. */
const NUMBER = /^[-+±]?\d{1,3}(?:[.,]\d{1,3})?$/;
const NUMBER_WITH_UNIT = /^([-+±]?\d{1,4}(?:[.,]\d{1,3})?)([^\d\s]+)$/;
/** What keeps a line from being a scale, however its parts look. */
const DATE_OR_TIME = /\d\s*[:/.-]\s*\d+\s*[:/.-]\s*\d|\d\s*[:/]\s*\d/;
const NUMBERS_MAX = 4;

/** Nothing but markings that say nothing of a person. */
export function isHarmless(line: string): boolean {
  const text = line.trim().toLowerCase();
  if (text === '') return true;
  if (DATE_OR_TIME.test(text)) return false;
  const parts = text.split(/[\s,;:=()[\]|]+/).filter((part) => part !== '');
  if (parts.filter((part) => /\d/.test(part)).length > NUMBERS_MAX) return false;
  return parts.every((part) => isMark(part));
}

function isMark(part: string): boolean {
  if (MARKS.has(part) || UNIT_SET.has(part) || NUMBER.test(part)) return true;
  const measured = NUMBER_WITH_UNIT.exec(part);
  if (measured !== null) return UNIT_SET.has(measured[2] ?? '');
  return !/[\p{L}\p{N}]/u.test(part);
}
