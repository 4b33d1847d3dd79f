/**
 * Where the development corpus, the PHI challenge set and the standard's tables are, on machines that have them.
 * Tests that use them skip with a reason elsewhere; LETHE_SHARED names another folder.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = process.env['LETHE_SHARED'] ?? resolve(import.meta.dirname, '../../../shared');

export function sharedPath(...parts: string[]): string {
  return join(ROOT, ...parts);
}

/** For `test(name, { skip: skipWithout('corpus') }, ...)`: false where it exists, else the reason. */
export function skipWithout(part: 'corpus' | 'phi-set' | 'standard'): string | false {
  return existsSync(join(ROOT, part))
    ? false
    : `no ${part} beside the project (set LETHE_SHARED to a folder that has one)`;
}
