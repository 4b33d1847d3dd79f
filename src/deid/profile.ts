/**
 * A confidentiality profile made ready: PS3.15 Table E.1-1 with the chosen options folded in, so that each attribute has
 * one action code, and what is not in the table has a place to say so.
 *
 *   compileProfile('default' | 'ai-inference' | 'basic' | 'research' | 'seed' | YAML text) -> CompiledProfile
 */
import { LetheError } from '../core/errors.ts';
import type { Tag } from '../dicom/tag.ts';
import { BUILTIN_PROFILES } from './builtin-profiles.generated.ts';
import { compileRules, type ProfileRule } from './rules.ts';
import { type ActionCode, type ColumnOption, OPTION_COLUMNS, rowOf, type TableRow } from './tables.ts';

/** The options of PS3.15 §E.3; most are columns of Table E.1-1. */
export type ProfileOption = ColumnOption | 'cleanPixelData' | 'cleanRecognizableVisualFeatures';

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
  readonly rules: readonly ProfileRule[];
  /** The code of Table E.1-1 with the options folded in; undefined for what the table does not list. */
  codeOf(tag: Tag): ActionCode | undefined;
  /** The same for another row, e.g. of Table E.3.4-1. */
  codeOfRow(row: TableRow): ActionCode;
}

export const DEFAULT_PROFILE = 'ai-inference';

/** CID 7050 De-identification Method codes of the options that are done by the profile itself. */
export const METHOD_CODES: Readonly<Record<ProfileOption, readonly [code: string, meaning: string]>> = {
  cleanPixelData: ['113101', 'Clean Pixel Data Option'],
  cleanRecognizableVisualFeatures: ['113102', 'Clean Recognizable Visual Features Option'],
  cleanGraphics: ['113103', 'Clean Graphics Option'],
  cleanStructuredContent: ['113104', 'Clean Structured Content Option'],
  cleanDescriptors: ['113105', 'Clean Descriptors Option'],
  retainLongitudinalFullDates: ['113106', 'Retain Longitudinal Temporal Information Full Dates Option'],
  retainLongitudinalModifiedDates: ['113107', 'Retain Longitudinal Temporal Information Modified Dates Option'],
  retainPatientCharacteristics: ['113108', 'Retain Patient Characteristics Option'],
  retainDeviceIdentity: ['113109', 'Retain Device Identity Option'],
  retainUIDs: ['113110', 'Retain UIDs Option'],
  retainSafePrivate: ['113111', 'Retain Safe Private Option'],
  retainInstitutionIdentity: ['113112', 'Retain Institution Identity Option'],
};
export const BASIC_METHOD_CODE = ['113100', 'Basic Application Confidentiality Profile'] as const;

const COLUMNS: readonly ColumnOption[] = Object.values(OPTION_COLUMNS);
/** Of several options that speak of one attribute the one that retains most decides: they were chosen to retain. */
const MOST_RETAINED = ['K', 'C', 'U', 'Z', 'D', 'X'];

/** @throws DEID_PROFILE_INVALID */
export function compileProfile(nameOrYaml: string): CompiledProfile {
  const name = nameOrYaml === 'default' ? DEFAULT_PROFILE : nameOrYaml;
  const builtin = Object.hasOwn(BUILTIN_PROFILES, name) ? BUILTIN_PROFILES[name] : undefined;
  if (builtin === undefined) throw new LetheError('DEID_PROFILE_INVALID', { problem: 'no profile of this name' });
  return compileDocument(builtin as ProfileDocument);
}

/** A profile as it is written. */
export interface ProfileDocument {
  readonly name: string;
  readonly description?: string;
  readonly warning?: string;
  readonly base: 'ps3.15' | 'none';
  readonly options?: readonly ProfileOption[];
  readonly faces?: 'ignore' | 'flag' | 'hold';
  readonly rules?: readonly unknown[];
}

export function compileDocument(document: ProfileDocument): CompiledProfile {
  const options = new Set(document.options ?? []);
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
  const codes = new Map<Tag, ActionCode | undefined>();
  return {
    name: document.name,
    description: document.description ?? '',
    warning: document.warning,
    base: document.base,
    options,
    faces: document.faces ?? 'ignore',
    rules: compileRules(document.rules ?? []),
    codeOfRow,
    codeOf(tag) {
      let code = codes.get(tag);
      if (code === undefined && !codes.has(tag)) {
        const row = rowOf(tag);
        code = row === undefined ? undefined : codeOfRow(row);
        if (row !== undefined) codes.set(tag, code);
      }
      return code;
    },
  };
}
