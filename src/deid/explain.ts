/**
 * What de-identification does to one instance, element by element: before, action, rule and clause, after. The same
 * policy that writes the output decides here. It holds original values: only for whoever may see them.
 */
import type { ByteSource } from '../core/bytes.ts';
import { asciiText, latin1Text } from '../dicom/charset.ts';
import type { DataSet, Element } from '../dicom/data-set.ts';
import { attributeOf } from '../dicom/dictionary.ts';
import { openPart10 } from '../dicom/part10.ts';
import { type Tag, tagText } from '../dicom/tag.ts';
import { decodeNumbers } from '../dicom/values.ts';
import { VRS, type Vr } from '../dicom/vr.ts';
import type { Action } from './actions.ts';
import { additionsOf, type DeidentifyOptions, instanceOf } from './deidentify.ts';
import { type Because, ElementPolicy, type Place, TOP_LEVEL, type Verdict } from './element-policy.ts';
import type { Addition } from './markers.ts';
import { readHeader } from './read-header.ts';
import { inOrder } from './rewriter.ts';
import { EDITION, rowOf } from './tables.ts';
import { meantVr, textValues } from './value-text.ts';

export interface ExplainLine {
  /** `(0040,0275)[0].(0032,1060)`; items count from 0. */
  readonly path: string;
  readonly keyword: string;
  readonly vr: string;
  readonly before: string;
  readonly action: string;
  readonly rule: string;
  /** Clause and edition of the standard, or the profile's line. */
  readonly clause: string;
  /** Undefined when removed. */
  readonly after: string | undefined;
}

const SHOWN_CHARACTERS_MAX = 256;
const LINES_MAX = 100_000;

const RULES: Readonly<Record<Because, readonly [rule: string, clause: string]>> = {
  rule: ["the site's profile", 'profile'],
  'no place': ['command, file meta and group length elements are not written', 'PS3.15 §E.1.1'],
  private: ['private attributes are removed unless known to be safe', 'PS3.15 Table E.1-1'],
  'safe private': ['safe private attribute', 'PS3.15 §E.3.10, Table E.3.10-1'],
  overlay: ['a bitmap may show text', 'PS3.15 §E.3.3'],
  curve: ['a curve may hold text', 'PS3.15 §E.3.3'],
  document: ['a document cannot be cleaned; an empty one takes its place', 'PS3.15 §E.1.1'],
  'content item': ['content item of a structured report', 'PS3.15 §E.3.4, Table E.3.4-1'],
  table: ['attribute of Table E.1-1', 'PS3.15 Table E.1-1'],
  unlisted: ['not listed as identifying; texts are cleaned', 'PS3.15 §E.1.1'],
  unknown: ['not an attribute of PS3.6, retired text, or a copy of the pixels', 'PS3.15 §E.1.1'],
};

/** @throws as `deidentify` */
export function explain(source: ByteSource, options: DeidentifyOptions): ExplainLine[] {
  const open = openPart10(source);
  const { dataSet } = readHeader(open);
  const instance = instanceOf(open, dataSet, options);
  const explainer = new Explainer(new ElementPolicy(instance), options);
  explainer.walk(dataSet, TOP_LEVEL, '', additionsOf(instance, options.replacements));
  return explainer.lines;
}

class Explainer {
  readonly lines: ExplainLine[] = [];
  readonly #policy: ElementPolicy;
  readonly #options: DeidentifyOptions;

  constructor(policy: ElementPolicy, options: DeidentifyOptions) {
    this.#policy = policy;
    this.#options = options;
  }

  walk(dataSet: DataSet, place: Place, path: string, additions: ReadonlyMap<Tag, Addition>): void {
    for (const element of inOrder(dataSet)) {
      if (this.lines.length >= LINES_MAX) return;
      if (!additions.has(element.tag)) this.#element(element, dataSet, place, path);
    }
    for (const [tag, addition] of additions) this.#addition(tag, addition, dataSet.element(tag), dataSet);
    if (path === '') this.lines.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  }

  #element(element: Element, dataSet: DataSet, place: Place, path: string): void {
    const here = path + tagText(element.tag);
    const replacement = path === '' ? this.#options.replacements?.replace.get(element.tag) : undefined;
    const verdict = this.#policy.verdict(element, dataSet, place);
    if (replacement !== undefined) {
      const isGone = replacement.kind === 'remove';
      this.#line(here, element, shown(element, dataSet), {
        action: isGone ? 'X' : 'C',
        rule: ['pixels were redacted', 'PS3.15 §E.3.1'],
        after: isGone ? undefined : `(${replacement.kind})`,
      });
      return;
    }
    this.#line(here, element, shown(element, dataSet), {
      action: verdict.action,
      rule: ruleOf(verdict, element.tag),
      after: afterOf(verdict, element, dataSet),
    });
    if (verdict.kind !== 'items') return;
    for (const [index, item] of verdict.items.entries()) {
      const inside = this.#policy.itemPlace(element.tag, item, verdict.place);
      if (inside !== undefined) this.walk(item, inside, `${here}[${index}].`, NO_ADDITIONS);
    }
  }

  #addition(tag: Tag, addition: Addition, original: Element | undefined, dataSet: DataSet): void {
    const vr: Vr = addition.kind === 'value' ? addition.vr : 'SQ';
    const after = additionShown(addition);
    this.#line(tagText(tag), { tag, vr }, original === undefined ? '' : shown(original, dataSet), {
      action: 'D',
      rule: ['written into every de-identified instance', 'PS3.15 §E.1.1'],
      after: after.trim(),
    });
  }

  #line(
    path: string,
    element: { tag: Tag; vr: Vr },
    before: string,
    what: { action: Action; rule: readonly [string, string]; after: string | undefined },
  ): void {
    this.lines.push({
      path,
      keyword: attributeOf(element.tag)?.keyword ?? '',
      vr: element.vr,
      before,
      action: what.action,
      rule: what.rule[0],
      clause: what.rule[1].startsWith('PS3') ? `${what.rule[1]} (${EDITION})` : what.rule[1],
      after: what.after,
    });
  }
}

function additionShown(addition: Addition): string {
  if (addition.kind === 'value') return latin1Text(addition.value);
  if (addition.kind === 'items') return `${addition.items.length} items`;
  return addition.codes.map(([, meaning]) => meaning).join('; ');
}

const NO_ADDITIONS: ReadonlyMap<Tag, Addition> = new Map();

function ruleOf(verdict: Verdict, tag: Tag): readonly [string, string] {
  if (verdict.rule !== undefined) return [verdict.rule, 'profile'];
  const [rule, clause] = RULES[verdict.because];
  const row = verdict.because === 'table' ? rowOf(tag) : undefined;
  return row === undefined ? [rule, clause] : [`${rule}: ${row.basic} without options`, clause];
}

function afterOf(verdict: Verdict, element: Element, dataSet: DataSet): string | undefined {
  switch (verdict.kind) {
    case 'remove':
      return undefined;
    case 'keep':
      return shown(element, dataSet);
    case 'items':
      return `${verdict.items.length} items`;
    case 'value':
      return shown({ ...element, vr: verdict.vr, value: verdict.value, length: verdict.value.length }, dataSet);
  }
}

/** A value as a person reads it, short. */
function shown(element: Element, dataSet: DataSet): string {
  if (element.items !== undefined) return `${element.items.length} items`;
  if (element.fragments !== undefined) return `${Math.max(0, element.fragments.length - 1)} fragments`;
  if (element.length === 0) return '';
  const { value } = element;
  const vr = meantVr(element);
  if (value === undefined) return `${element.length} bytes`;
  const text = VRS[vr].text ? textValues(element, vr, dataSet)?.join('\\') : numbersShown(value, vr, dataSet);
  return (text ?? asciiText(value) ?? `${element.length} bytes`).slice(0, SHOWN_CHARACTERS_MAX);
}

function numbersShown(value: Uint8Array, vr: Vr, dataSet: DataSet): string {
  const isBytes = vr === 'OB' || vr === 'OW' || vr === 'UN' || vr === 'SQ';
  if (isBytes || value.length > SHOWN_CHARACTERS_MAX) return `${value.length} bytes`;
  const numbers = decodeNumbers(value, vr, dataSet.littleEndian);
  return vr === 'AT' ? numbers.map(tagText).join('\\') : numbers.join('\\');
}
