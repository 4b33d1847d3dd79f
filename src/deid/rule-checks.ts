/**
 * Whether a rule of a profile can do anything with the elements that it names: told when the profile is read, because the
 * dictionary knows their VRs (PS3.6), and what an action makes must be a value of the VR (PS3.5 §6.2). Elements that a rule
 * names by pattern, and private ones, are met with their VR only in the instance, which is held where the action fails.
 */
import { nearestName } from '../core/nearest.ts';
import { attributeOf } from '../dicom/dictionary.ts';
import { elementOf, groupOf, isPrivate, type Tag, tagText } from '../dicom/tag.ts';
import { isValidUid, STORAGE_SOP_CLASSES } from '../dicom/uids.ts';
import { parseDecimal } from '../dicom/values.ts';
import { isVr, VRS, type Vr } from '../dicom/vr.ts';
import { isTime, shiftDate, shiftDateTime } from './dates.ts';
import type { ConditionDocument, RuleDocument } from './profile-schema.ts';
import { meant, type RuleKeys, RuleProblem, tagMeant } from './rule-problem.ts';
import { PSEUDONYM_VRS } from './value-actions.ts';

type Action = RuleDocument['action'];

const DATES: readonly Vr[] = ['DA', 'DT'];
/** A part of one of these is none. */
const WHOLE_OR_NOTHING: readonly Vr[] = ['AS', 'DA', 'UI'];
const AGE = /^\d{3}[DWMY]$/;
const CODE_STRING = /^[A-Z0-9 _]*$/;

const SPECIFIC_CHARACTER_SET = 0x00080005;
const SOP_CLASS_UID = 0x00080016;
/** SOP Instance, Study Instance and Series Instance UID: Type 1 of every composite instance (PS3.3 §C.12.1, C.7). */
const INSTANCE_UIDS: readonly Tag[] = [0x00080018, 0x0020000d, 0x0020000e];
const PIXELS: readonly Tag[] = [0x7fe00008, 0x7fe00009, 0x7fe00010];
const GROUP_OF_DATA_MIN = 0x0008;

interface Suits {
  readonly vrs: (vr: Vr) => boolean;
  readonly why: string;
}

const isText = (vr: Vr) => VRS[vr].text;
const OF_TEXT: Suits = {
  vrs: isText,
  why: 'it works on text; numbers and sequences are kept, removed or made a dummy',
};

const SUITS: Readonly<Partial<Record<Action, Suits>>> = {
  clean: {
    vrs: (vr) => isText(vr) || vr === 'SQ',
    why: 'only text, dates, UIDs and sequences can be cleaned; numbers are kept, removed or made a dummy',
  },
  pseudonym: {
    vrs: (vr) => PSEUDONYM_VRS.includes(vr) || vr === 'UI',
    why: 'a pseudonym is text or a UID; dates are shifted, ages generalised, all others made a dummy',
  },
  shift: { vrs: (vr) => DATES.includes(vr), why: 'only dates are shifted (DA, DT); a time of day stays as it is' },
  replace: OF_TEXT,
  regexReplace: OF_TEXT,
  lookup: OF_TEXT,
  truncate: {
    vrs: (vr) => isText(vr) && !WHOLE_OR_NOTHING.includes(vr),
    why: 'what is left of a date, an age or a UID is none; generalise, shift or pseudonym gives whole ones',
  },
};

/** Year and month are of dates, decade of ages. */
function suitsOf({ action, to }: RuleDocument): Suits | undefined {
  if (action !== 'generalise') return SUITS[action];
  return to === 'decade'
    ? { vrs: (vr) => vr === 'AS', why: 'the decade is of ages (AS)' }
    : { vrs: (vr) => DATES.includes(vr), why: 'year and month are of dates (DA, DT)' };
}

/** @param tags those that the rule names one by one, with the key that names each. @throws RuleProblem */
export function checkRule(document: RuleDocument, tags: readonly (readonly [Tag, RuleKeys])[]): void {
  const { vr, sopClass, inside, when = [] } = document;
  if (vr !== undefined && !isVr(vr)) {
    const known = Object.keys(VRS);
    throw new RuleProblem(`${vr} is no VR`, ['vr'], { ...meant(nearestName(vr, known)), allowed: known.join(', ') });
  }
  for (const [tag, keys] of tags) checkElement(document, tag, keys);
  if (tags.length === 0 && vr !== undefined) checkVrs(document, [vr as Vr], `elements of VR ${vr}`, ['vr']);
  if (sopClass !== undefined) checkSopClasses(sopClass);
  if (inside !== undefined && inside !== 'top') checkSequences(inside);
  for (const [index, condition] of when.entries()) checkCondition(condition, ['when', index]);
}

function checkElement(document: RuleDocument, tag: Tag, keys: RuleKeys): void {
  const { action, privateCreator, vr } = document;
  const name = attributeOf(tag)?.keyword || tagText(tag);
  if (privateCreator !== undefined && !isPrivate(tag))
    throw new RuleProblem(`${name} is not private, so no private creator has it`, keys);
  checkPlace(document, tag, { name, keys });
  const vrs = isPrivate(tag) ? [] : (attributeOf(tag)?.vrs ?? []);
  const possible = vr === undefined ? vrs : [vr as Vr];
  if (possible.length > 0) checkVrs(document, possible, `${name} (${possible.join(' or ')})`, keys);
  if (possible.length > 0) checkValues(document, possible, name);
  if (PIXELS.includes(tag) && action !== 'keep' && action !== 'remove')
    throw new RuleProblem(`${action} cannot be done on ${name}; pixels are cleaned by options: [cleanPixelData]`, keys);
}

/** What an instance must have to be one, whatever a site wants. */
function checkPlace(
  { action, inside }: RuleDocument,
  tag: Tag,
  { name, keys }: { name: string; keys: RuleKeys },
): void {
  const refuse = (why: string) => {
    throw new RuleProblem(`${action} cannot be done on ${name}: ${why}`, keys);
  };
  if (action === 'keep') {
    if (groupOf(tag) < GROUP_OF_DATA_MIN) refuse('file meta information and commands are written new');
    if (elementOf(tag) === 0) refuse('group lengths have no place in what is written (PS3.5 §7.2)');
    return;
  }
  if (tag === SPECIFIC_CHARACTER_SET) refuse('the texts of the instance are written in it');
  if (inside !== undefined && inside !== 'top') return;
  if (tag === SOP_CLASS_UID) refuse('it says what the instance is');
  const isMapped = action === 'pseudonym' || action === 'clean' || action === 'dummy' || action === 'encrypt';
  if (INSTANCE_UIDS.includes(tag) && !isMapped) refuse('every instance has one of its own; pseudonym maps it');
}

function checkVrs(document: RuleDocument, vrs: readonly Vr[], what: string, keys: RuleKeys): void {
  const suits = suitsOf(document);
  if (suits === undefined || vrs.some(suits.vrs)) return;
  throw new RuleProblem(`${document.action} cannot be done on ${what}: ${suits.why}`, keys);
}

/** Of replace and lookup: what they put there must be values of the VR. */
function checkValues({ action, value, table }: RuleDocument, vrs: readonly Vr[], name: string): void {
  const made: readonly (readonly [string, RuleKeys])[] =
    action === 'replace' && value !== undefined
      ? [[value, ['value']]]
      : Object.values(table ?? {}).map((to) => [to, ['table']]); // not the key: it may be somebody's name
  for (const [text, keys] of made)
    if (!vrs.some((vr) => isValue(text, vr)))
      throw new RuleProblem(`the new text is no value of ${name} (${vrs.join(' or ')}, PS3.5 §6.2)`, keys);
}

/** PS3.5 Table 6.2-1; several values where a backslash separates them. */
function isValue(text: string, vr: Vr): boolean {
  const { multiValued, maxBytes, maxCharacters } = VRS[vr];
  const longest = maxCharacters ?? maxBytes ?? Number.POSITIVE_INFINITY;
  const values = multiValued ? text.split('\\') : [text];
  const fits = (part: string) => [...part].length <= longest;
  const areFitting = (value: string) => (vr === 'PN' ? value.split('=').every(fits) : fits(value));
  return values.every((value) => value === '' || (areFitting(value) && isOne(value, vr)));
}

function isOne(value: string, vr: Vr): boolean {
  switch (vr) {
    case 'AS':
      return AGE.test(value);
    case 'CS':
      return CODE_STRING.test(value);
    case 'DA':
      return shiftDate(value, 0) === value;
    case 'DT':
      return shiftDateTime(value, 0) === value;
    case 'TM':
      return isTime(value);
    case 'DS':
      return !Number.isNaN(parseDecimal(value));
    case 'IS':
      return Number.isInteger(parseDecimal(value));
    case 'UI':
      return isValidUid(value);
    default:
      return true;
  }
}

function checkSopClasses(sopClass: string | readonly string[]): void {
  for (const one of typeof sopClass === 'string' ? [sopClass] : sopClass) {
    if (isValidUid(one)) continue;
    const names = new Map([...STORAGE_SOP_CLASSES].map(([uid, name]) => [name.replaceAll(' ', ''), uid]));
    const near = nearestName(one.replaceAll(' ', ''), [...names.keys()]);
    throw new RuleProblem(`${one} is no SOP Class UID`, ['sopClass'], meant(names.get(near ?? '')));
  }
}

function checkSequences(inside: string): void {
  for (const name of inside.split('.')) {
    const tag = tagMeant(name, ['inside']);
    const vrs = isPrivate(tag) ? [] : (attributeOf(tag)?.vrs ?? []);
    if (vrs.length > 0 && !vrs.includes('SQ')) throw new RuleProblem(`${name} is no sequence`, ['inside']);
  }
}

function checkCondition({ element, equals, matches }: ConditionDocument, keys: RuleKeys): void {
  const isSequence = attributeOf(tagMeant(element, [...keys, 'element']))?.vrs[0] === 'SQ';
  if (isSequence && (equals !== undefined || matches !== undefined))
    throw new RuleProblem(`${element} is a sequence, which has no text; ask whether it exists`, keys);
}
