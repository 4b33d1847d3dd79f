/**
 * A confidentiality profile made ready: PS3.15 Table E.1-1 with the chosen options folded in, so that each attribute has
 * one action code, and the site's rules, which decide before the table does.
 *
 *   compileProfile('default' | 'ai-inference' | 'basic' | 'research' | 'seed' | YAML text) -> CompiledProfile
 */
import { createRequire } from 'node:module';
import { LetheError } from '../core/errors.ts';
import { nearestName } from '../core/nearest.ts';
import type { Tag } from '../dicom/tag.ts';
import { BUILTIN_PROFILES } from './builtin-profiles.generated.ts';
import type { ProfileOption } from './profile-options.ts';
import type { ProfileDocument } from './profile-schema.ts';
import type * as ProfileText from './profile-text.ts';
import { compileRules, type RuleSet } from './rules.ts';
import { type ActionCode, type ColumnOption, OPTION_COLUMNS, rowOf, type TableRow } from './tables.ts';

export interface CompiledProfile {
  readonly name: string;
  readonly description: string;
  /** Said at start-up and beside every report. */
  readonly warning: string | undefined;
  /** `none`: nothing of PS3.15, only the rules. */
  readonly base: 'ps3.15' | 'none';
  readonly options: ReadonlySet<ProfileOption>;
  /** What to do with volumes that may show a face (PS3.15 §E.3.2). */
  readonly faces: 'ignore' | 'flag' | 'hold';
  /** What of the text in pixels goes (PS3.15 §E.3.1). */
  readonly redact: 'identifiers' | 'all-text' | 'regions';
  /** What to do with encapsulated documents. */
  readonly documents: 'hold' | 'remove';
  /** Whether the issuer is a part of the patient's identity. */
  readonly issuer: 'ignore' | 'distinguish';
  readonly rules: RuleSet;
  /** The code of Table E.1-1 with the options folded in; undefined for what the table does not list. */
  codeOf(tag: Tag): ActionCode | undefined;
  /** The same for another row, e.g. of Table E.3.4-1. */
  codeOfRow(row: TableRow): ActionCode;
}

export const DEFAULT_PROFILE = 'ai-inference';

const COLUMNS: readonly ColumnOption[] = Object.values(OPTION_COLUMNS);
/** Of several options that speak of one attribute the one that retains most decides: they were chosen to retain. */
const MOST_RETAINED = ['K', 'C', 'U', 'Z', 'D', 'X'];
/**
 * Scheduled Study Location, Scheduled Procedure Step Location: the table retains them with the device's identity, but
 * they are places in somebody's words ("CT 2, Wexford wing"). They are cleaned, which leaves less than the option asks.
 */
const LOCATIONS: readonly Tag[] = [0x00321020, 0x00400011];
/** Of each built-in profile, once it was asked for: nobody changes one. */
const compiledBuiltins = new Map<string, CompiledProfile>();
/** No YAML document is a single word. */
const NAME = /^[A-Za-z0-9-]+$/;

/** `path` is that of the YAML's file, for the words of an error. @throws DEID_PROFILE_INVALID naming place and reason */
export function compileProfile(nameOrYaml: string, path?: string): CompiledProfile {
  const name = nameOrYaml === 'default' ? DEFAULT_PROFILE : nameOrYaml;
  if (!NAME.test(name)) return parser().parseProfile(nameOrYaml, path, compileDocument);
  if (!Object.hasOwn(BUILTIN_PROFILES, name)) {
    const names = ['default', ...Object.keys(BUILTIN_PROFILES)];
    const didYouMean = nearestName(name, names);
    const known = names.join(', ');
    throw new LetheError('DEID_PROFILE_INVALID', { problem: 'no built-in profile has this name', didYouMean, known });
  }
  const compiled = compiledBuiltins.get(name) ?? compileDocument(BUILTIN_PROFILES[name] as ProfileDocument);
  compiledBuiltins.set(name, compiled);
  return compiled;
}

/** The YAML parser and the schema's compiler cost more than de-identifying an instance: only who needs them loads them. */
function parser(): typeof ProfileText {
  return createRequire(import.meta.url)('./profile-text.ts') as typeof ProfileText;
}

function compileDocument(document: ProfileDocument): CompiledProfile {
  const options = new Set(document.options ?? []);
  if (options.has('retainLongitudinalFullDates') && options.has('retainLongitudinalModifiedDates')) {
    throw new LetheError('DEID_PROFILE_INVALID', { key: 'options', problem: 'dates are retained in full or modified' });
  }
  const columns = COLUMNS.filter((column) => options.has(column));
  const codeOfRow = (row: TableRow): ActionCode => {
    let best: ActionCode | undefined;
    for (const column of columns) {
      const code = row.options[column];
      if (code === undefined) continue;
      if (best === undefined || MOST_RETAINED.indexOf(code) < MOST_RETAINED.indexOf(best)) best = code;
    }
    return best ?? row.basic;
  };
  const codes = new Map<Tag, ActionCode>();
  return {
    name: document.name,
    description: document.description ?? '',
    warning: document.warning,
    base: document.base,
    options,
    faces: document.faces ?? 'ignore',
    documents: document.documents ?? 'hold',
    issuer: document.issuer ?? 'ignore',
    redact: document.redact ?? 'all-text',
    rules: compileRules(document.rules ?? []),
    codeOfRow,
    codeOf(tag) {
      const known = codes.get(tag);
      if (known !== undefined) return known;
      const row = rowOf(tag);
      if (row === undefined) return undefined;
      const chosen = codeOfRow(row);
      const code = chosen === 'K' && LOCATIONS.includes(tag) ? 'C' : chosen;
      codes.set(tag, code);
      return code;
    },
  };
}
