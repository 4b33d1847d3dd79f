/**
 * The tables of PS3.15 Annex E ready for questions: Table E.1-1 (action by attribute and option), Table E.3.4-1 (content
 * items of structured reports), Table E.3.10-1 (safe private attributes), and the Types of attributes by IOD (PS3.3) that
 * settle the actions with a choice. The generated texts are parsed at the first question.
 */
import { elementOf, groupOf, type Tag } from '../dicom/tag.ts';
import { VRS, type Vr } from '../dicom/vr.ts';
import { MODULE_TYPES, SOP_CLASS_MODULES } from './attribute-types.generated.ts';
import { TABLE_E3_4_1 } from './content-items.generated.ts';
import { TABLE_E3_10_1 } from './safe-private.generated.ts';
import { TABLE_E1_1 } from './table-e1-1.generated.ts';

export { EDITION } from './table-e1-1.generated.ts';

/** The action codes of PS3.15 Table E.1-1a. */
export type ActionCode = 'D' | 'Z' | 'X' | 'K' | 'C' | 'U' | 'Z/D' | 'X/Z' | 'X/D' | 'X/Z/D' | 'X/Z/U*';

/** The option columns of Table E.1-1, by the letter that the generated tables use for them. */
export const OPTION_COLUMNS = {
  p: 'retainSafePrivate',
  u: 'retainUIDs',
  d: 'retainDeviceIdentity',
  i: 'retainInstitutionIdentity',
  c: 'retainPatientCharacteristics',
  f: 'retainLongitudinalFullDates',
  m: 'retainLongitudinalModifiedDates',
  t: 'cleanDescriptors',
  s: 'cleanStructuredContent',
  g: 'cleanGraphics',
} as const;

export type ColumnOption = (typeof OPTION_COLUMNS)[keyof typeof OPTION_COLUMNS];

export interface TableRow {
  readonly basic: ActionCode;
  readonly options: Readonly<Partial<Record<ColumnOption, ActionCode>>>;
}

/** PS3.5 §7.4: whether an attribute must be there (1, 2) and must have a value (1); C depends on a condition. */
export type AttributeType = '1' | '1C' | '2' | '2C' | '3';

const STRICTNESS: readonly string[] = ['1', '1C', '2', '2C', '3'];
const CURVE_GROUP = 0x5000;
const OVERLAY_GROUP = 0x6000;

interface ActionTable {
  readonly rows: ReadonlyMap<Tag, TableRow>;
  /** The whole of a curve group, and elements of overlay groups (PS3.5 §7.6). */
  readonly curve: TableRow | undefined;
  readonly overlay: ReadonlyMap<number, TableRow>;
}

let actionTable: ActionTable | undefined;

/** The row of PS3.15 Table E.1-1; undefined for what it does not list. Private attributes are not for here. */
export function rowOf(tag: Tag): TableRow | undefined {
  actionTable ??= parseActions();
  const row = actionTable.rows.get(tag);
  if (row !== undefined) return row;
  const family = groupOf(tag) & 0xff00;
  if (family === CURVE_GROUP) return actionTable.curve;
  return family === OVERLAY_GROUP ? actionTable.overlay.get(elementOf(tag)) : undefined;
}

/** Every attribute that Table E.1-1 lists with one tag. */
export function listedTags(): Iterable<Tag> {
  actionTable ??= parseActions();
  return actionTable.rows.keys();
}

function parseActions(): ActionTable {
  const rows = new Map<Tag, TableRow>();
  const overlay = new Map<number, TableRow>();
  let curve: TableRow | undefined;
  for (const line of TABLE_E1_1.trim().split('\n')) {
    const [id = '', basic = '', options = ''] = line.split(' ');
    const row = { basic: basic as ActionCode, options: parseOptions(options) };
    if (id.startsWith('50xx')) curve = row;
    else if (id.startsWith('60xx')) overlay.set(Number.parseInt(id.slice(4), 16), row);
    else rows.set(Number.parseInt(id, 16), row);
  }
  return { rows, curve, overlay };
}

function parseOptions(text: string): TableRow['options'] {
  const options: Partial<Record<ColumnOption, ActionCode>> = {};
  for (const [, letter = '', action = ''] of text.matchAll(/([a-z])([A-Z](?:\/[A-Z]\*?)*)/g)) {
    options[OPTION_COLUMNS[letter as keyof typeof OPTION_COLUMNS]] = action as ActionCode;
  }
  return options;
}

/** Types by `parent/tag` (at the top level `tag`), eight digits each. */
type IodTypes = ReadonlyMap<string, AttributeType>;

const iods = new Map<string, IodTypes | undefined>();
let modules: readonly string[] | undefined;
let modulesByClass: ReadonlyMap<string, string> | undefined;

/**
 * The strictest Type that any module of the SOP class's IOD gives the attribute; undefined where the tables do not know:
 * the SOP class, or this place in it, may be younger than they are. Type 3 is known only where an action has a choice.
 */
export function typeOf(sopClassUid: string, parent: Tag | undefined, tag: Tag): AttributeType | undefined {
  let types = iods.get(sopClassUid);
  if (types === undefined && !iods.has(sopClassUid)) {
    types = parseIod(sopClassUid);
    if (types !== undefined) iods.set(sopClassUid, types); // only what the table knows: a sender cannot fill it
  }
  return types?.get(parent === undefined ? digits(tag) : `${digits(parent)}/${digits(tag)}`);
}

function parseIod(sopClassUid: string): IodTypes | undefined {
  modules ??= MODULE_TYPES.trim().split('\n');
  modulesByClass ??= new Map(
    SOP_CLASS_MODULES.trim()
      .split('\n')
      .map((line): [string, string] => {
        const [uid = '', list = ''] = line.split(' ');
        return [uid, list];
      }),
  );
  const list = modulesByClass.get(sopClassUid);
  if (list === undefined) return undefined;
  const types = new Map<string, AttributeType>();
  for (const index of list.split(',')) {
    for (const entry of (modules[Number(index)] ?? '').split(' ')) {
      const [path = '', type = '3'] = entry.split(':');
      const known = types.get(path);
      if (known === undefined || STRICTNESS.indexOf(type) < STRICTNESS.indexOf(known)) {
        types.set(path, type as AttributeType);
      }
    }
  }
  return types;
}

function digits(tag: Tag): string {
  return tag.toString(16).toUpperCase().padStart(8, '0');
}

let contentItems: ReadonlyMap<string, TableRow> | undefined;

/** PS3.15 Table E.3.4-1: the action for a content item by its concept; undefined where the table has none. */
export function contentItemRow(codeValue: string, scheme: string): TableRow | undefined {
  contentItems ??= new Map(
    TABLE_E3_4_1.trim()
      .split('\n')
      .map((line): [string, TableRow] => {
        const [code = '', designator = '', , basic = '', options = ''] = line.split('|');
        return [`${code}|${designator}`, { basic: basic as ActionCode, options: parseOptions(options) }];
      }),
  );
  return contentItems.get(`${codeValue}|${scheme}`);
}

/** VRs of elements (last two digits) by creator, by group. */
type SafeGroups = Map<number, Map<string, ReadonlyMap<number, Vr | undefined>>>;
let safePrivate: SafeGroups | undefined;

/** True where Table E.3.10-1 lists anything in this private group. */
export function isSafeGroup(group: number): boolean {
  safePrivate ??= parseSafePrivate();
  return safePrivate.has(group);
}

/** True where PS3.15 Table E.3.10-1 lists the element (last two digits of its tag) of this creator's block. */
export function isSafePrivate(group: number, creator: string, element: number): boolean {
  safePrivate ??= parseSafePrivate();
  return (
    safePrivate
      .get(group)
      ?.get(creator)
      ?.has(element & 0xff) ?? false
  );
}

/** The VR that Table E.3.10-1 gives the element; undefined where it gives none. */
export function safePrivateVr(group: number, creator: string, element: number): Vr | undefined {
  safePrivate ??= parseSafePrivate();
  return safePrivate
    .get(group)
    ?.get(creator)
    ?.get(element & 0xff);
}

function parseSafePrivate(): SafeGroups {
  const groups: SafeGroups = new Map();
  for (const line of TABLE_E3_10_1.trim().split('\n')) {
    const [group = '', creator = '', elements = ''] = line.split('|');
    const number = Number.parseInt(group, 16);
    const creators = groups.get(number) ?? new Map<string, ReadonlyMap<number, Vr | undefined>>();
    const vrOf = (element: string): [number, Vr | undefined] => {
      const vr = element.slice(2);
      return [Number.parseInt(element.slice(0, 2), 16), vr in VRS ? (vr as Vr) : undefined];
    };
    creators.set(creator, new Map(elements.split(' ').map(vrOf)));
    groups.set(number, creators);
  }
  return groups;
}
