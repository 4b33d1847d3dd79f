/**
 * The data dictionary: PS3.6 Tables 6-1, 7-1 and 8-1 (edition in `EDITION`), with repeating groups (PS3.5 §7.6) and
 * repeating elements resolved, and the VR that a tag has where the encoding does not say it (PS3.5 §7.1.3, Annex A.1).
 *
 * The generated rows are one text; it is indexed at the first question (about 1 ms) and a row is split when asked for.
 */
import { nearestName } from '../core/nearest.ts';
import { ROWS } from './dictionary.generated.ts';
import { elementOf, groupOf, isPrivate, isPrivateCreator, type Tag } from './tag.ts';
import { isVr, type Vr } from './vr.ts';

export { EDITION } from './dictionary.generated.ts';

export interface Attribute {
  /** As in PS3.6; empty for the few retired rows that have none. */
  readonly keyword: string;
  readonly name: string;
  /** More than one where the VR depends on the instance (US or SS, OB or OW); none where PS3.6 says none. */
  readonly vrs: readonly Vr[];
  readonly vm: string;
  readonly retired: boolean;
}

/** A row whose tag holds `x`: it stands for every tag that equals `value` under `mask`. */
interface RepeatingRow {
  readonly mask: Tag;
  readonly value: Tag;
  readonly row: number;
}

interface Index {
  /** Tag to where its row starts in ROWS. */
  readonly rows: ReadonlyMap<Tag, number>;
  readonly repeating: readonly RepeatingRow[];
}

const TAG_CHARACTERS = 8;
/** Curves and overlays repeat in the even groups 5000-501E and 6000-601E only (PS3.5 §7.6). */
const LAST_REPEATING_GROUP = 0x1e;

let index: Index | undefined;
const attributes = new Map<number, Attribute>();

/** What PS3.6 says of a tag; undefined for private tags and for what this edition does not list. */
export function attributeOf(tag: Tag): Attribute | undefined {
  const row = rowOf(tag);
  if (row === undefined) return undefined;
  let attribute = attributes.get(row);
  if (attribute === undefined) {
    attribute = parseRow(row);
    attributes.set(row, attribute);
  }
  return attribute;
}

let keywords: ReadonlyMap<string, Tag> | undefined;

/** The tag of a PS3.6 keyword; of a repeating group its first (OverlayData is (6000,3000)). */
export function tagOfKeyword(keyword: string): Tag | undefined {
  keywords ??= indexKeywords();
  return keywords.get(keyword);
}

/** As people write a tag: `(0010,0020)`, `00100020`, or a keyword of PS3.6; undefined for what is neither. */
export function tagNamed(name: string): Tag | undefined {
  const digits = /^\(?([0-9a-fA-F]{4}),?([0-9a-fA-F]{4})\)?$/.exec(name);
  return digits === null ? tagOfKeyword(name) : Number.parseInt(`${digits[1]}${digits[2]}`, 16);
}

/** What was probably meant by a name that is no keyword. */
export function nearestKeyword(name: string): string | undefined {
  keywords ??= indexKeywords();
  return nearestName(name, [...keywords.keys()]);
}

/**
 * The VR in Implicit VR Little Endian. Where PS3.6 leaves a choice: OW for OB or OW (PS3.5 A.1), US for US or SS (the
 * tokenizer turns it into SS by Pixel Representation). Unknown and private: UN, private creators LO.
 */
export function implicitVr(tag: Tag): Vr {
  if (elementOf(tag) === 0) return 'UL';
  if (isPrivate(tag)) return isPrivateCreator(tag) ? 'LO' : 'UN';
  const vrs = attributeOf(tag)?.vrs;
  if (vrs === undefined) return 'UN';
  return vrs.includes('OW') ? 'OW' : (vrs[0] ?? 'UN');
}

/** True where PS3.6 says "US or SS": Pixel Representation (0028,0103) decides. */
export function isSignDependent(tag: Tag): boolean {
  const vrs = isPrivate(tag) ? undefined : attributeOf(tag)?.vrs;
  return vrs !== undefined && vrs[0] === 'US' && vrs[1] === 'SS';
}

function rowOf(tag: Tag): number | undefined {
  index ??= indexRows();
  const row = index.rows.get(tag);
  if (row !== undefined || isPrivate(tag)) return row;
  for (const repeating of index.repeating) {
    // Masks come out of `&` signed; `>>> 0` makes them the unsigned tags that they stand for.
    if ((tag & repeating.mask) >>> 0 === repeating.value && isRepeatingGroup(tag)) return repeating.row;
  }
  return undefined;
}

function isRepeatingGroup(tag: Tag): boolean {
  const base = groupOf(tag) & 0xff00;
  return (base !== 0x5000 && base !== 0x6000) || (groupOf(tag) & 0xff) <= LAST_REPEATING_GROUP;
}

function indexRows(): Index {
  const rows = new Map<Tag, number>();
  const repeating: RepeatingRow[] = [];
  for (let at = 1; at < ROWS.length; at = ROWS.indexOf('\n', at) + 1) {
    const text = ROWS.slice(at, at + TAG_CHARACTERS);
    if (text.includes('x')) repeating.push(repeatingRow(text, at));
    else rows.set(Number.parseInt(text, 16), at);
  }
  return { rows, repeating };
}

function repeatingRow(text: string, row: number): RepeatingRow {
  const mask = Number.parseInt(text.replace(/[^x]/g, 'F').replaceAll('x', '0'), 16);
  return { mask, value: Number.parseInt(text.replaceAll('x', '0'), 16), row };
}

function indexKeywords(): ReadonlyMap<string, Tag> {
  const tags = new Map<string, Tag>();
  for (let at = 1; at < ROWS.length; at = ROWS.indexOf('\n', at) + 1) {
    const start = at + TAG_CHARACTERS + 1;
    const keyword = ROWS.slice(start, ROWS.indexOf('|', start));
    const tag = Number.parseInt(ROWS.slice(at, at + TAG_CHARACTERS).replaceAll('x', '0'), 16);
    if (keyword !== '' && !keyword.includes('\n')) tags.set(keyword, tag);
  }
  return tags;
}

function parseRow(at: number): Attribute {
  const fields = ROWS.slice(at, ROWS.indexOf('\n', at)).split('|');
  const keyword = fields[1] ?? '';
  return {
    keyword,
    name: fields[5] ?? spelledOut(keyword),
    vrs: (fields[2] ?? '').split(' ').filter(isVr),
    vm: fields[3] ?? '',
    retired: fields[4] === 'R',
  };
}

/** The name as the keyword spells it; the generator leaves out the names for which this holds. */
function spelledOut(keyword: string): string {
  return keyword.replace(/([a-z0-9])([A-Z])/g, '$1 $2').replace(/([A-Z])([A-Z][a-z])/g, '$1 $2');
}
