/**
 * Text as it is compared: without case, accents and width (Unicode NFKD), cut into words. A word is a run of letters and
 * digits; what stands between two words never matters, so that `DOE^JANE`, `Doe, Jane` and `doe_jane` are the same.
 */

export interface Word {
  /** As compared. */
  readonly text: string;
  /** Where it stands in the original: `original.slice(start, end)`. */
  readonly start: number;
  readonly end: number;
}

const WORD = /[\p{L}\p{M}\p{N}]+/gu;
const MARKS = /\p{M}+/gu;
/** Letters that NFKD does not take apart, as they are written where there are no others. */
const LETTERS: Readonly<Record<string, string>> = {
  ø: 'o',
  đ: 'd',
  ł: 'l',
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ð: 'd',
  þ: 'th',
  ı: 'i',
};
const OTHER_LETTERS = /[øđłßæœðþı]/g;

/** As compared; its positions are not those of the original. */
export function fold(text: string): string {
  const lower = text.toLowerCase();
  if (isAscii(lower)) return lower;
  return lower
    .normalize('NFKD')
    .replace(MARKS, '')
    .replace(OTHER_LETTERS, (letter) => LETTERS[letter] ?? letter);
}

export function wordsOf(text: string): Word[] {
  const words: Word[] = [];
  for (const match of text.matchAll(WORD)) {
    words.push({ text: fold(match[0]), start: match.index, end: match.index + match[0].length });
  }
  return words;
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}
