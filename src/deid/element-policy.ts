/**
 * What happens to one element of one instance, and why. In this order: the site's rules, what has no place in a file that
 * leaves (command and meta groups, group lengths), private elements (PS3.15 §E.3.10), overlays and curves, content items
 * of structured reports (Table E.3.4-1), Table E.1-1 with the options, and at last what no table lists.
 *
 * An attribute that no table lists is kept when PS3.6 knows it; its text is cleaned all the same, since code meanings and
 * labels hold what an operator typed. What PS3.6 does not know is removed.
 */
import { LetheError } from '../core/errors.ts';
import { latin1Text } from '../dicom/charset.ts';
import type { DataSet, Element } from '../dicom/data-set.ts';
import { attributeOf } from '../dicom/dictionary.ts';
import { elementOf, groupOf, isPrivate, isPrivateCreator, type Tag, tagOf, tagText } from '../dicom/tag.ts';
import { itemsInUn, looksLikeItems } from '../dicom/un-sequence.ts';
import { VRS, type Vr } from '../dicom/vr.ts';
import { encodeNumbers } from '../dicom/writer.ts';
import { type Action, settle } from './actions.ts';
import { emptyDocument } from './documents.ts';
import { withoutProfileTexts } from './icc-profile.ts';
import type { Instance } from './instance.ts';
import type { ProfileRule, RuleSubject } from './rules.ts';
import { SafePrivate } from './safe-private.ts';
import { contentItemRow, rowOf, safePrivateVr, type TableRow, typeOf } from './tables.ts';
import { textTreatment, UNLISTED_TO_REMOVE } from './unlisted.ts';
import { ValueActions } from './value-actions.ts';
import { isReadable, meantVr } from './value-text.ts';

/** Where an element stands, as far as that decides. */
export interface Place {
  /** The sequence around; undefined at the top level. */
  readonly parent: Tag | undefined;
  /** All sequences around, outermost first. */
  readonly ancestors: readonly Tag[];
  /** Inside a sequence whose action is D: whatever text is here becomes a dummy. */
  readonly dummies: boolean;
  /** The row of Table E.3.4-1 where this item is a content item that the table lists. */
  readonly concept: TableRow | undefined;
}

export const TOP_LEVEL: Place = { parent: undefined, ancestors: [], dummies: false, concept: undefined };

/** What decided, for `explain`. */
export type Because =
  | 'rule'
  | 'no place'
  | 'private'
  | 'safe private'
  | 'overlay'
  | 'curve'
  | 'document'
  | 'content item'
  | 'table'
  | 'unlisted'
  | 'unknown';

/** `rule` names the site's rule that decided; `encrypt`: the original goes into the Encrypted Attributes Sequence. */
export type Verdict = {
  readonly action: Action;
  readonly because: Because;
  readonly rule?: string;
  readonly encrypt?: true;
} & (
  | { readonly kind: 'remove' }
  /** As it is, in the bytes of the source. */
  | { readonly kind: 'keep' }
  | { readonly kind: 'value'; readonly vr: Vr; readonly value: Uint8Array }
  /** The items are walked in their turn. */
  | { readonly kind: 'items'; readonly items: readonly DataSet[]; readonly place: Place }
);

const SPECIFIC_CHARACTER_SET = 0x00080005;
const CONTENT_SEQUENCE = 0x0040a730;
const CONCEPT_NAME_CODE_SEQUENCE = 0x0040a043;
const CODE_VALUE = 0x00080100;
const CODING_SCHEME_DESIGNATOR = 0x00080102;
const TEXT_VALUE = 0x0040a160;
const CURVES = 0x5000;
const OVERLAYS = 0x6000;
const ENCAPSULATED_DOCUMENT = 0x00420011;
const ENCAPSULATED_DOCUMENT_LENGTH = 0x00420015;
const ICC_PROFILE = 0x00282000;
const EMPTY = new Uint8Array(0);
const DATE_OR_UID = /^[0-9.:+\-\\ \0]*$/;

/** What the rewriter asks. */
export interface Policy {
  verdict(element: Element, dataSet: DataSet, place: Place): Verdict;
  /** The place of an item's elements; undefined where the whole item goes. */
  itemPlace(tag: Tag, item: DataSet, place: Place): Place | undefined;
}

export class ElementPolicy implements Policy {
  readonly #instance: Instance;
  readonly #values: ValueActions;
  readonly #subject: RuleSubject;
  readonly #safePrivate: SafePrivate;

  constructor(instance: Instance) {
    this.#instance = instance;
    this.#safePrivate = new SafePrivate(instance.dataSet);
    this.#subject = { root: instance.dataSet, sopClassUid: instance.sopClassUid, source: instance.source };
    this.#values = new ValueActions(instance);
  }

  /** UIDs of which it mattered whether they are the instance's. */
  get askedUids(): ReadonlySet<string> {
    return this.#values.askedUids;
  }

  verdict(element: Element, dataSet: DataSet, place: Place): Verdict {
    const { profile } = this.#instance;
    const rule = profile.rules.size === 0 ? undefined : profile.rules.find(element, dataSet, place, this.#subject);
    if (rule?.action === 'encrypt') return { ...this.#encrypted(element, dataSet, place), rule: rule.name };
    if (rule !== undefined) return { ...this.#byRule(rule, element, dataSet, place), rule: rule.name };
    return this.#byTables(element, dataSet, place);
  }

  #byTables(element: Element, dataSet: DataSet, place: Place): Verdict {
    const { tag } = element;
    const { profile } = this.#instance;
    if (profile.base === 'none') return this.#kept(element, dataSet, place, 'unlisted');
    const group = groupOf(tag);
    if (group <= 0x0007 || elementOf(tag) === 0 || group >= 0xfffc) return remove('no place');
    if (isPrivate(tag)) return this.#private(element, dataSet, place);
    // A bitmap can hold any text: without reading it, an overlay plane or a curve cannot be cleaned (PS3.15 §E.3.3).
    if ((group & 0xff00) === OVERLAYS) return remove('overlay');
    if ((group & 0xff00) === CURVES) return remove('curve');
    if (tag === ENCAPSULATED_DOCUMENT || tag === ENCAPSULATED_DOCUMENT_LENGTH) return this.#document(element);
    if (tag === TEXT_VALUE && place.parent === CONTENT_SEQUENCE) return this.#contentText(element, dataSet, place);
    const code = profile.codeOf(tag);
    if (code === undefined) return this.#unlisted(element, dataSet, place);
    const type = typeOf(this.#instance.sopClassUid, place.parent, tag);
    return this.#apply(settle(code, type, meantVr(element) === 'SQ'), element, dataSet, place, 'table');
  }

  /** The place of an item's elements; undefined where the whole item goes. */
  itemPlace(tag: Tag, item: DataSet, place: Place): Place | undefined {
    if (tag !== CONTENT_SEQUENCE || this.#instance.profile.base === 'none') return place;
    const concept = item.items(CONCEPT_NAME_CODE_SEQUENCE)[0];
    const row = contentItemRow(concept?.string(CODE_VALUE) ?? '', concept?.string(CODING_SCHEME_DESIGNATOR) ?? '');
    if (row !== undefined && this.#instance.profile.codeOfRow(row) === 'X') return undefined;
    return { ...place, concept: row };
  }

  /** Reached only where the profile removes documents. */
  #document({ tag }: Element): Verdict {
    const { dataSet } = this.#instance;
    const value = emptyDocument(dataSet);
    const isLength = tag === ENCAPSULATED_DOCUMENT_LENGTH;
    const made = { kind: 'value', action: 'D', because: 'document' } as const;
    if (!isLength) return { ...made, vr: 'OB', value };
    return { ...made, vr: 'UL', value: encodeNumbers([value.length], 'UL', dataSet.littleEndian) };
  }

  /** What stays in the place of an encrypted original: as the tables ask, and nothing that they would keep. */
  #encrypted(element: Element, dataSet: DataSet, place: Place): Verdict {
    const { base } = this.#instance.profile;
    const verdict = base === 'none' ? remove('rule') : this.#byTables(element, dataSet, place);
    const isRetained = verdict.kind === 'keep' || (verdict.kind === 'value' && verdict.action === 'C');
    return { ...(isRetained ? this.#dummy(element, dataSet, place, 'rule') : verdict), encrypt: true };
  }

  #byRule(rule: ProfileRule, element: Element, dataSet: DataSet, place: Place): Verdict {
    const because = 'rule';
    const vr = meantVr(element);
    switch (rule.action) {
      case 'keep':
        return this.#kept(element, dataSet, place, because);
      case 'remove':
        return remove(because);
      case 'empty':
        if (vr === 'SQ' || element.items !== undefined) return items('Z', because, [], TOP_LEVEL);
        return { kind: 'value', action: 'Z', because, vr, value: EMPTY };
      case 'dummy':
        return this.#dummy(element, dataSet, place, because);
      case 'pseudonym':
        if (!VRS[vr].text) return this.#dummy(element, dataSet, place, because);
        return { kind: 'value', action: 'D', because, vr, value: this.#values.pseudonym(element, vr, dataSet) };
      case 'clean':
        return this.#apply('C', element, dataSet, place, because);
      default: {
        const value = this.#values.byRule(rule, element, vr, dataSet);
        if (value !== undefined) return { kind: 'value', action: 'D', because, vr, value };
        throw new LetheError('DEID_ACTION_FAILED', { rule: rule.name, path: tagText(element.tag) });
      }
    }
  }

  #private(element: Element, dataSet: DataSet, place: Place): Verdict {
    if (!this.#instance.profile.options.has('retainSafePrivate')) return remove('private');
    const { tag } = element;
    const group = groupOf(tag);
    if (!this.#safePrivate.mayKeep(group)) return remove('private');
    if (isPrivateCreator(tag)) {
      const wanted = this.#hasSafeElement(dataSet, group, elementOf(tag));
      return wanted ? { kind: 'keep', action: 'K', because: 'safe private' } : remove('private');
    }
    const action = this.#safePrivate.actionOf(group, creatorOf(tag, dataSet), elementOf(tag));
    if (action === undefined) return remove('private');
    if (action === 'K') {
      // Where the file names no VR, the one of the table says whether it is text.
      const vr = safePrivateVr(group, creatorOf(tag, dataSet), elementOf(tag));
      const known = vr === undefined || element.vr !== 'UN' ? element : { ...element, vr };
      return this.#kept(known, dataSet, place, 'safe private');
    }
    return this.#apply(action, element, dataSet, place, 'safe private');
  }

  #hasSafeElement(dataSet: DataSet, group: number, block: number): boolean {
    return dataSet.someTag((tag) => {
      if (groupOf(tag) !== group || elementOf(tag) >>> 8 !== block) return false;
      return this.#safePrivate.actionOf(group, creatorOf(tag, dataSet), elementOf(tag)) !== undefined;
    });
  }

  /** A TEXT content item, PS3.15 §E.3.4: by its concept where Table E.3.4-1 lists it, else cleaned or a dummy. */
  #contentText(element: Element, dataSet: DataSet, place: Place): Verdict {
    const { profile } = this.#instance;
    const code = place.concept === undefined ? undefined : profile.codeOfRow(place.concept);
    const action = code ?? (profile.options.has('cleanStructuredContent') ? 'C' : 'D');
    // A content item whose action is X went as a whole; of a choice the dummy keeps the template valid.
    return this.#apply(action === 'K' || action === 'C' ? 'C' : 'D', element, dataSet, place, 'content item');
  }

  #unlisted(element: Element, dataSet: DataSet, place: Place): Verdict {
    const attribute = attributeOf(element.tag);
    const vr = meantVr(element);
    if (attribute === undefined || vr === 'UN' || UNLISTED_TO_REMOVE.has(element.tag)) return remove('unknown');
    if (isMisplaced(vr, attribute.vrs)) return remove('unknown');
    if (attribute.retired && VRS[vr].charset) return remove('unknown');
    return this.#kept(element, dataSet, place, 'unlisted');
  }

  /** What stays: sequences are walked, UIDs mapped, dates shifted, ages capped, texts freed of what identifies. */
  #kept(element: Element, dataSet: DataSet, place: Place, because: Because): Verdict {
    const keep: Verdict = { kind: 'keep', action: 'K', because };
    if (this.#instance.profile.base === 'none' && because === 'unlisted') {
      return element.items === undefined ? keep : items('K', because, element.items, inside(place, element.tag, false));
    }
    const inner = sequenceItems(element);
    if (inner !== undefined) return items('K', because, inner, inside(place, element.tag, place.dummies));
    if (element.length === 0) return keep;
    const vr = meantVr(element);
    if (element.value === undefined) return VRS[vr].text || element.tag === ICC_PROFILE ? remove(because) : keep;
    if (vr === 'SQ' || looksLikeItems(element.value)) return remove(because);
    if (!VRS[vr].text) return this.#keptBinary(element, vr, because);
    const isDummy = place.dummies && because === 'unlisted' && vr !== 'CS' && vr !== 'UI';
    const treatment = isDummy ? 'dummy' : textTreatment(element.tag, vr, because);
    if (element.tag === SPECIFIC_CHARACTER_SET && !isReadable(dataSet)) return remove('unknown');
    if (treatment === 'keep') return keep;
    if (treatment === 'remove') return remove(because);
    if (treatment === 'dummy') return this.#dummy(element, dataSet, place, because);
    const value = this.#values.clean(element, vr, dataSet, treatment);
    if (value === undefined) return this.#undecided(element, dataSet, place, because);
    if (value === element.value && vr === element.vr) return keep;
    return { kind: 'value', action: value === element.value ? 'K' : 'C', because, vr, value };
  }

  /** Numbers stay; of byte strings only what is known to hold no text, and numbers that are cut are none. */
  #keptBinary(element: Element, vr: Vr, because: Because): Verdict {
    const { value } = element;
    const keep: Verdict = { kind: 'keep', action: 'K', because };
    const attribute = attributeOf(element.tag);
    if (because === 'table' && isMisplaced(vr, attribute?.vrs ?? [])) return remove('unknown');
    if (value === undefined || because !== 'unlisted') return keep;
    const unitBytes = vr === 'AT' ? 4 : VRS[vr].unitBytes;
    if (value.length % unitBytes !== 0) return remove('unknown');
    // More numbers than the attribute may have (PS3.5 §6.4) are none that anybody reads, and may be letters.
    const bytesMax = isByteString(vr) ? undefined : valuesMax(attribute?.vm ?? '');
    if (bytesMax !== undefined && value.length > bytesMax * unitBytes)
      return { kind: 'value', action: 'C', because, vr, value: value.subarray(0, bytesMax * unitBytes) };
    if (element.tag !== ICC_PROFILE) return keep;
    const clean = withoutProfileTexts(value);
    return clean === undefined ? remove('unknown') : { kind: 'value', action: 'C', because, vr, value: clean };
  }

  #apply(action: Action, element: Element, dataSet: DataSet, place: Place, because: Because): Verdict {
    switch (action) {
      case 'X':
        return remove(because);
      case 'Z':
        return this.#emptied(element, dataSet, because);
      case 'D':
        return this.#dummy(element, dataSet, place, because);
      case 'U':
        return this.#uids(element, dataSet, place, because);
      case 'K':
        return this.#retained(element, dataSet, place, because);
      case 'C':
        return this.#cleaned(element, dataSet, place, because);
    }
  }

  #emptied(element: Element, dataSet: DataSet, because: Because): Verdict {
    const vr = meantVr(element);
    const value = this.#values.identifier(element, dataSet);
    if (value !== undefined) return { kind: 'value', action: 'D', because, vr, value };
    if (vr === 'SQ' || element.items !== undefined) return items('Z', because, [], TOP_LEVEL);
    return { kind: 'value', action: 'Z', because, vr, value: EMPTY };
  }

  #dummy(element: Element, dataSet: DataSet, place: Place, because: Because): Verdict {
    const inner = sequenceItems(element);
    if (inner !== undefined) {
      const dummies = element.tag !== CONTENT_SEQUENCE;
      return items('D', because, inner, inside(place, element.tag, dummies || place.dummies));
    }
    const vr = meantVr(element);
    if (vr === 'SQ' || element.fragments !== undefined) return remove(because);
    const value = element.length === 0 ? EMPTY : this.#values.dummy(element, vr, dataSet);
    const named = this.#values.identifier(element, dataSet);
    return { kind: 'value', action: 'D', because, vr, value: named ?? value };
  }

  #uids(element: Element, dataSet: DataSet, place: Place, because: Because): Verdict {
    const inner = sequenceItems(element);
    if (inner !== undefined) return items('U', because, inner, inside(place, element.tag, false));
    const vr = meantVr(element);
    if (vr !== 'UI' || element.value === undefined) return this.#dummy(element, dataSet, place, because);
    return { kind: 'value', action: 'U', because, vr, value: this.#values.uids(element.value) };
  }

  #retained(element: Element, dataSet: DataSet, place: Place, because: Because): Verdict {
    const vr = meantVr(element);
    if (vr === 'UI' || vr === 'DA' || vr === 'DT' || vr === 'TM') {
      // Words in the place of a date or a UID are neither.
      const isPlain = element.value === undefined || DATE_OR_UID.test(latin1Text(element.value));
      return isPlain ? { kind: 'keep', action: 'K', because } : this.#undecided(element, dataSet, place, because);
    }
    return this.#kept(element, dataSet, place, because);
  }

  /** C, and where it cannot be carried out what the table asks for without the option. */
  #cleaned(element: Element, dataSet: DataSet, place: Place, because: Because): Verdict {
    const inner = sequenceItems(element);
    if (inner !== undefined) return items('C', because, inner, inside(place, element.tag, false));
    if (element.length === 0) return { kind: 'keep', action: 'K', because };
    const vr = meantVr(element);
    const value = VRS[vr].text ? this.#values.clean(element, vr, dataSet, 'clean') : undefined;
    if (value !== undefined) return { kind: 'value', action: 'C', because, vr, value };
    return this.#undecided(element, dataSet, place, because);
  }

  /** What could not be cleaned: as the table asks without the option; what no table lists becomes a dummy. */
  #undecided(element: Element, dataSet: DataSet, place: Place, because: Because): Verdict {
    const row = rowOf(element.tag);
    const basic =
      row === undefined ? 'D' : settle(row.basic, typeOf(this.#instance.sopClassUid, place.parent, element.tag));
    return this.#apply(basic === 'C' || basic === 'K' ? 'X' : basic, element, dataSet, place, because);
  }
}

/**
 * A value in a VR that the attribute cannot have: text is cleaned as text, but bytes in the place of text, of numbers or
 * of a sequence are not trusted.
 */
function isMisplaced(vr: Vr, expected: readonly Vr[]): boolean {
  if (expected.length === 0 || expected.includes(vr)) return false;
  if (vr === 'SQ' || expected.includes('SQ')) return true;
  if (VRS[vr].text) return false;
  return expected.some((one) => VRS[one].text) || (isByteString(vr) && !expected.some(isByteString));
}

function isByteString(vr: Vr): boolean {
  return vr === 'UN' || vr.startsWith('O');
}

/** The most values of a multiplicity such as 1, 2 or 1-3 (PS3.6); undefined where there is no most, as of 1-n. */
function valuesMax(vm: string): number | undefined {
  const most = /^(?:\d+-)?(\d+)$/.exec(vm)?.[1];
  return most === undefined ? undefined : Number(most);
}

/** The creator of the block that a private element is in (PS3.5 §7.8.1). */
function creatorOf(tag: Tag, dataSet: DataSet): string {
  return latin1Text(dataSet.bytes(tagOf(groupOf(tag), elementOf(tag) >>> 8)) ?? EMPTY).trim();
}

function remove(because: Because): Verdict {
  return { kind: 'remove', action: 'X', because };
}

function inside(place: Place, tag: Tag, dummies: boolean): Place {
  return { parent: tag, ancestors: [...place.ancestors, tag], dummies, concept: undefined };
}

function items(action: Action, because: Because, inner: readonly DataSet[], place: Place): Verdict {
  return { kind: 'items', action, because, items: inner, place };
}

/** The items of a sequence, hidden ones in UN too (PS3.5 §6.2.2); undefined for what is none. */
export function sequenceItems(element: Element): readonly DataSet[] | undefined {
  if (element.items !== undefined) return element.items;
  if (element.vr === 'SQ') return [];
  return element.vr === 'UN' && element.value !== undefined ? itemsInUn(element.tag, element.value) : undefined;
}
