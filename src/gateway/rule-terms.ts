/**
 * The conditions of a site's rules: each asks one thing of an instance, and can say in words what it asked. Pure. A
 * condition that cannot be judged does not hold: an element that is absent equals nothing. The words name elements and
 * the rule's own values, never what stands in the instance.
 */
import { LetheError } from '../core/errors.ts';
import { nearestName } from '../core/nearest.ts';
import { compilePattern, type Pattern, PatternProblem } from '../core/pattern.ts';
import { opensInMs, parseTimeWindow } from '../delivery/pace.ts';
import type { DataSet } from '../dicom/data-set.ts';
import { attributeOf, nearestKeyword, tagNamed } from '../dicom/dictionary.ts';
import { isPrivate, type Tag } from '../dicom/tag.ts';

export interface RuleTerm {
  /** Keyword or tag; through sequences with dots: `RequestAttributesSequence.ScheduledProcedureStepID` (any item). */
  readonly element?: string;
  readonly equals?: string | readonly string[];
  readonly matches?: string;
  readonly exists?: boolean;
  /** Numbers; one of the values must be in the range. */
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly customer?: string | readonly string[];
  /** Calling AE title, folder or client. */
  readonly source?: string | readonly string[];
  /** By which way it came. */
  readonly via?: string | readonly string[];
  /** When it was received, as a time window. */
  readonly during?: string | readonly string[];
  readonly timeZone?: string;
  /** The opposite of all that the term says. */
  readonly not?: boolean;
}

export interface InstanceFacts {
  readonly customer: string;
  readonly sourceName: string;
  /** `dicom`, `folder`, `http`, `stow`, `pull`. */
  readonly sourceKind: string;
  /** Milliseconds since the epoch: a rule says the same whenever it is asked. */
  readonly receivedAtMs: number;
}

export interface CompiledTerm {
  readonly words: string;
  holds(dataSet: DataSet, facts: InstanceFacts): boolean;
}

/** What is wrong with a term, under which of its keys, and what was probably meant. */
export class TermProblem extends Error {
  readonly key: keyof RuleTerm | undefined;
  readonly didYouMean: string | undefined;

  constructor(message: string, key?: keyof RuleTerm, didYouMean?: string) {
    super(message);
    this.key = key;
    this.didYouMean = didYouMean;
  }
}

const PATH_DEPTH_MAX = 8;
const WAYS = ['dicom', 'folder', 'http', 'stow', 'pull'];

/** @throws TermProblem */
export function compileTerm(term: RuleTerm): CompiledTerm {
  const checks = [...placeChecks(term), ...timeChecks(term), ...elementChecks(term)];
  if (checks.length === 0) throw new TermProblem('an empty condition matches everything; say what is meant');
  const words = checks.map((check) => check.words).join(' and ');
  const holds: CompiledTerm['holds'] = (dataSet, facts) => checks.every((check) => check.holds(dataSet, facts));
  if (term.not !== true) return { words, holds };
  return { words: `not (${words})`, holds: (dataSet, facts) => !holds(dataSet, facts) };
}

function placeChecks({ customer, source, via }: RuleTerm): CompiledTerm[] {
  const unknown = via === undefined ? undefined : listOf(via).find((way) => !WAYS.includes(way));
  if (unknown !== undefined)
    throw new TermProblem(`${unknown} is no way in; those are ${WAYS.join(', ')}`, 'via', nearestName(unknown, WAYS));
  const check = (
    name: string,
    wanted: string | readonly string[] | undefined,
    of: (facts: InstanceFacts) => string,
  ) => {
    if (wanted === undefined) return [];
    const values = listOf(wanted);
    return [
      {
        words: `${name} is ${values.join(' or ')}`,
        holds: (_: DataSet, facts: InstanceFacts) => values.includes(of(facts)),
      },
    ];
  };
  return [
    ...check('customer', customer, (facts) => facts.customer),
    ...check('source', source, (facts) => facts.sourceName),
    ...check('via', via, (facts) => facts.sourceKind),
  ];
}

function timeChecks({ during, timeZone }: RuleTerm): CompiledTerm[] {
  if (during === undefined) {
    if (timeZone !== undefined) throw new TermProblem('timeZone belongs to during', 'timeZone');
    return [];
  }
  const zone = timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  const windows = listOf(during).map((text) => asProblem('during', () => parseTimeWindow(text)));
  asProblem('timeZone', () => opensInMs(windows, 0, zone));
  return [
    {
      words: `received during ${listOf(during).join(' or ')}`,
      holds: (_, { receivedAtMs }) => opensInMs(windows, receivedAtMs, zone) === 0,
    },
  ];
}

function asProblem<Result>(key: keyof RuleTerm, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    const what = error instanceof LetheError ? error.detail['what'] : undefined;
    throw new TermProblem(typeof what === 'string' ? what : 'not a time zone that is known here', key);
  }
}

function elementChecks(term: RuleTerm): CompiledTerm[] {
  const { element, equals, matches, exists, atLeast, atMost } = term;
  if (element === undefined) {
    const stray = (['equals', 'matches', 'exists', 'atLeast', 'atMost'] as const).find(
      (key) => term[key] !== undefined,
    );
    if (stray === undefined) return [];
    throw new TermProblem('equals, matches, exists, atLeast and atMost need an element', stray);
  }
  const path = pathOf(element);
  const asksText = equals !== undefined || matches !== undefined || atLeast !== undefined || atMost !== undefined;
  if (asksText && isSequence(path.at(-1)) === true)
    throw new TermProblem(`${element} is a sequence, which has no text; ask whether it exists`, 'element');
  const checks: CompiledTerm[] = [];
  const add = (words: string, test: (values: readonly string[]) => boolean) =>
    checks.push({ words: `${element} ${words}`, holds: (dataSet) => test(valuesAt(dataSet, path)) });
  const some = (test: (value: string) => boolean) => (values: readonly string[]) => values.some(test);
  if (exists !== undefined)
    add(exists ? 'has a value' : 'has no value', (values) => exists === values.some((value) => value !== ''));
  if (equals !== undefined) {
    const wanted = new Set(listOf(equals));
    add(
      `is ${[...wanted].join(' or ')}`,
      some((value) => wanted.has(value)),
    );
  }
  if (matches !== undefined) {
    const pattern = expression(matches);
    add(
      `matches ${matches}`,
      some((value) => pattern.matches(value)),
    );
  }
  if (atLeast !== undefined)
    add(
      `is at least ${atLeast}`,
      some((value) => numberOf(value) >= atLeast),
    );
  if (atMost !== undefined)
    add(
      `is at most ${atMost}`,
      some((value) => numberOf(value) <= atMost),
    );
  if (checks.length === 0)
    throw new TermProblem('an element alone asks nothing; add equals, matches, exists, atLeast or atMost', 'element');
  return checks;
}

function pathOf(element: string): readonly Tag[] {
  const names = element.split('.');
  if (names.length > PATH_DEPTH_MAX) throw new TermProblem(`a path has at most ${PATH_DEPTH_MAX} elements`, 'element');
  const path = names.map(tagMeant);
  const stop = path.slice(0, -1).findIndex((tag) => isSequence(tag) === false);
  if (stop >= 0) throw new TermProblem(`${names[stop]} is no sequence`, 'element');
  return path;
}

/** Undefined where the dictionary does not know. */
function isSequence(tag: Tag | undefined): boolean | undefined {
  const vrs = tag === undefined || isPrivate(tag) ? undefined : attributeOf(tag)?.vrs;
  return vrs === undefined || vrs.length === 0 ? undefined : vrs.includes('SQ');
}

/** Values of every item on the way. */
function valuesAt(dataSet: DataSet, [tag, ...rest]: readonly Tag[]): readonly string[] {
  if (tag === undefined) return [];
  if (rest.length === 0) {
    // A sequence has a value when it has an item (PS3.5 §7.5).
    const values = dataSet.strings(tag);
    return values.length === 0 && dataSet.items(tag).length > 0 ? ['item'] : values;
  }
  return dataSet.items(tag).flatMap((item) => valuesAt(item, rest));
}

function numberOf(value: string): number {
  return value.trim() === '' ? Number.NaN : Number(value);
}

function listOf(value: string | readonly string[]): readonly string[] {
  return typeof value === 'string' ? [value] : value;
}

function expression(source: string): Pattern {
  try {
    return compilePattern(source);
  } catch (error) {
    throw error instanceof PatternProblem ? new TermProblem(error.message, 'matches') : error;
  }
}

function tagMeant(name: string): Tag {
  const tag = tagNamed(name);
  if (tag !== undefined) return tag;
  throw new TermProblem(`${name} is neither a tag nor a keyword of PS3.6`, 'element', nearestKeyword(name));
}
