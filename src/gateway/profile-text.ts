/**
 * A profile as the configuration names it: one that is built in, or the text of a YAML file. Nothing of de-identification is
 * loaded for it: who only passes it on to workers starts faster.
 */
import { resolve } from 'node:path';
import type { Configuration } from '../config/schema.ts';
import { readTextFile } from '../core/bounded-file.ts';
import { LetheError } from '../core/errors.ts';
import { nearestName } from '../core/nearest.ts';

const BUILTIN_PROFILES: ReadonlySet<string> = new Set(['default', 'basic', 'ai-inference', 'research', 'seed']);
const FILE_BYTES_MAX = 1024 * 1024; // a profile is written by hand

/** All that a configuration names, each once, that of most instances first. */
export function profilesOf({ deidentification, dicom, rules, destinations }: Configuration): readonly string[] {
  const pickers = [deidentification, ...dicom.aeTitles, ...rules, ...(destinations ?? [])];
  return [...new Set(pickers.flatMap(({ profile }) => profile ?? []))];
}

/** @throws CONFIG_UNREADABLE */
export function profileText(name: string, baseDir: string): string {
  const path = profilePath(name, baseDir);
  if (path === undefined) return name;
  try {
    return readTextFile(path, FILE_BYTES_MAX);
  } catch (error) {
    if (!(error instanceof LetheError) || error.code !== 'CONFIG_UNREADABLE') throw error;
    const problem = `no built-in profile, and as a file: ${error.detail['problem']}`;
    const didYouMean = nearestName(name, [...BUILTIN_PROFILES]);
    throw new LetheError('CONFIG_UNREADABLE', { ...error.detail, problem, didYouMean }, { cause: error });
  }
}

/** Of the file that the name means; undefined for one that is built in. */
export function profilePath(name: string, baseDir: string): string | undefined {
  return BUILTIN_PROFILES.has(name) ? undefined : resolve(baseDir, name);
}
