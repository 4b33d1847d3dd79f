/** A profile as the configuration names it: one that is built in, or the text of a YAML file. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { LetheError } from '../core/errors.ts';

export const BUILTIN_PROFILES: ReadonlySet<string> = new Set(['default', 'basic', 'ai-inference', 'research', 'seed']);

/** @throws CONFIG_UNREADABLE */
export function profileText(name: string, baseDir: string): string {
  if (BUILTIN_PROFILES.has(name)) return name;
  const path = resolve(baseDir, name);
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new LetheError(
      'CONFIG_UNREADABLE',
      { path, problem: 'neither a built-in profile nor a readable file' },
      { cause: error },
    );
  }
}
