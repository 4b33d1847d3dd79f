/**
 * Expressions that a site writes into its rules, matched against values that a stranger wrote. They are those of RE2,
 * whose engine cannot be made to loop: what a match costs is at most the expression's steps times the value's characters,
 * whatever both hold. What cannot be matched so (looking ahead or behind, references back to a group) is refused.
 *
 * Bounds, all counted and none by a clock, so that the same value has the same answer on every machine: the length of an
 * expression, its steps, and for a replacement, which looks again behind each match, the work over all of a value.
 */
import { createRequire } from 'node:module';
import type { RE2JSSyntaxException, RE2JS as Re2 } from 're2js';

/** UTF-16 code units of an expression. */
export const PATTERN_CHARACTERS_MAX = 256;
/** Characters of a value: as many as an LT may have, the longest VR that is bounded (PS3.5 Table 6.2-1). */
export const MATCHED_CHARACTERS_MAX = 10240;

/** Instructions of the compiled expression: of the longest value, as many take half a second at worst. */
const STEPS_MAX = 1000;
/** Steps times characters of one replacement: a second at worst. */
const WORK_MAX = 2 ** 25;

/** What is wrong with an expression, where in it, and what to write instead. */
export class PatternProblem extends Error {}

export interface Pattern {
  /** Whether it matches somewhere in the first `MATCHED_CHARACTERS_MAX` characters. */
  matches(text: string): boolean;
  /** All matches replaced (`$1`, `$<name>`, `$&`); undefined where the text is too long or its matches cost too much. */
  replaced(text: string, replacement: string): string | undefined;
}

/** @throws PatternProblem */
export function compilePattern(source: string): Pattern {
  if (source.length > PATTERN_CHARACTERS_MAX)
    throw new PatternProblem(`an expression has at most ${PATTERN_CHARACTERS_MAX} characters`);
  const compiled = compiledBy(source);
  const steps = compiled.programSize();
  if (steps > STEPS_MAX)
    throw new PatternProblem(`the expression takes ${steps} steps a character, at most are ${STEPS_MAX}: repeat less`);
  return {
    // Not `test`: its automaton keeps up to 8 MiB for each expression, a matcher nothing.
    matches: (text) => compiled.matcher(text.slice(0, MATCHED_CHARACTERS_MAX)).find(),
    replaced: (text, replacement) =>
      isAffordable(compiled, steps, text) ? compiled.matcher(text).replaceAll(replacement) : undefined,
  };
}

/** Each search starts behind the match before and may look at all that is left. */
function isAffordable(compiled: Re2, steps: number, text: string): boolean {
  if (text.length > MATCHED_CHARACTERS_MAX) return false;
  const matcher = compiled.matcher(text);
  let work = steps * text.length;
  while (matcher.find()) {
    work += steps * (text.length - matcher.end());
    if (work > WORK_MAX) return false;
  }
  return true;
}

type Engine = typeof import('re2js');

/** The engine is loaded by those alone who have expressions. */
function compiledBy(source: string): Re2 {
  const engine = createRequire(import.meta.url)('re2js') as Engine;
  const fault = faultIn(engine, source);
  if (fault === undefined) return engine.RE2JS.compile(source);
  const at = placeOf(engine, source, fault);
  throw new PatternProblem(`${wordsFor(fault)}${at === undefined ? '' : ` (at its character ${at})`}`);
}

function faultIn({ RE2JS, RE2JSSyntaxException: SyntaxFault }: Engine, source: string) {
  try {
    RE2JS.compile(source);
    return undefined;
  } catch (error) {
    if (error instanceof SyntaxFault) return error;
    throw error;
  }
}

/** From 1: the engine names the fragment, and the shortest beginning that has the same fault ends in it. */
function placeOf(engine: Engine, source: string, { error, input }: RE2JSSyntaxException) {
  if (input === null) return source.length;
  if (input === source) return undefined;
  for (let length = 1; length <= source.length; length++) {
    const part = source.slice(0, length);
    const found = faultIn(engine, part);
    if (found?.error !== error) continue;
    // The beginning may end within what is right as a whole: `(?` of `(?:`.
    const at = part.lastIndexOf(found.input ?? '');
    if (source.startsWith(input, at)) return at + 1;
  }
  return undefined;
}

/** What to write instead, by how the fragment begins. */
const ADVICE: readonly (readonly [beginnings: readonly string[], words: string])[] = [
  [
    ['(?=', '(?!', '(?<=', '(?<!', '(?>'],
    'what looks ahead or behind cannot be bounded: match what stands around too and put it back as $1, or add a condition',
  ],
  [
    ['\\1', '\\2', '\\3', '\\4', '\\5', '\\6', '\\7', '\\8', '\\9', '\\k'],
    'a reference back to a group cannot be bounded: write out the alternatives',
  ],
  [['\\u', '\\c'], 'a character by its number is written \\x{e4}'],
  [['{'], 'a repetition goes to 1000 at most, also where one is inside another'],
  [['\\p', '\\P'], 'a class of characters is a general category or a script by name, as \\p{Lu} or \\p{Greek}'],
];

function wordsFor({ error, input }: RE2JSSyntaxException): string {
  const fragment = input ?? '';
  const advice = ADVICE.find(([beginnings]) => beginnings.some((one) => fragment.startsWith(one)))?.[1];
  return `not a regular expression as they are known here (RE2), "${fragment}": ${advice ?? error}`;
}
