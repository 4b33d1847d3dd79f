/** The challenge set with its own scorer: another author's judge, for every profile that makes sense. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { bytesSource, MemorySink } from '../../src/core/bytes.ts';
import { LetheError } from '../../src/core/errors.ts';
import { deidentify } from '../../src/deid/deidentify.ts';
import { leakCheck } from '../../src/deid/leak-check.ts';
import { compileProfile } from '../../src/deid/profile.ts';
import { sharedPath, skipWithout } from '../support/shared.ts';
import { KEY } from './support/instance.ts';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'lethe-deid-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Pixels are the business of another part. */
const METADATA = /^(?:text|retain|uid|date|patient|marker|file|icon)/;
const PIXELS_IN_IT = ['overlay.bitmap'];

const BUILT_IN = ['basic', 'default', 'research'];

function yamlOf(options: string): string {
  return `name: other\nbase: ps3.15\noptions: [${options.split(',').join(', ')}]\n`;
}

function filesIn(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).flatMap((name) => filesIn(join(path, name)));
}

interface Score {
  categories: Record<string, { pass: number; fail: number }>;
  failures: unknown[][];
}

describe('other judges', () => {
  const skip = skipWithout('phi-set') || (existsSync('/usr/bin/python3') ? false : 'no /usr/bin/python3');
  const inference =
    'cleanDescriptors,cleanStructuredContent,cleanGraphics,retainPatientCharacteristics,retainSafePrivate';
  const shifted = `${inference},retainLongitudinalModifiedDates`;
  const profiles: readonly (readonly [profile: string, options: string])[] = [
    ['basic', ''],
    ['default', shifted],
    ['research', `${shifted},retainDeviceIdentity`],
    ['with institution', `${shifted},retainInstitutionIdentity`],
    ['with device and institution', `${shifted},retainDeviceIdentity,retainInstitutionIdentity`],
    ['with UIDs', `${shifted},retainUIDs`],
    ['with dates removed', inference],
    ['modified dates alone', 'retainLongitudinalModifiedDates'],
    ['descriptors alone', 'cleanDescriptors'],
    ['safe private alone', 'retainSafePrivate'],
    ['characteristics alone', 'retainPatientCharacteristics'],
    ['structured content and descriptors', 'cleanStructuredContent,cleanDescriptors'],
    ['device alone', 'retainDeviceIdentity'],
    ['UIDs alone', 'retainUIDs'],
  ];
  for (const [profile, options] of profiles) {
    test(`the challenge set passes every metadata check: ${profile}`, { skip }, async () => {
      const out = join(folder, profile.replaceAll(' ', '-'));
      mkdirSync(out);
      for (const [index, path] of filesIn(sharedPath('phi-set', 'input')).entries()) {
        const sink = new MemorySink();
        try {
          const result = deidentify(bytesSource(readFileSync(path)), sink, {
            profile: compileProfile(BUILT_IN.includes(profile) ? profile : yamlOf(options)),
            key: KEY,
          });
          assert.deepEqual(leakCheck(bytesSource(sink.bytes()), result.identity), []);
          writeFileSync(join(out, `${index}.dcm`), sink.bytes());
        } catch (error) {
          if (!(error instanceof LetheError)) throw error;
          assert.equal(error.code, 'DEID_UNSUPPORTED_CONTENT');
        }
      }
      const json = `${out}.json`;
      await run('/usr/bin/python3', [
        sharedPath('phi-set', 'score.py'),
        '--out',
        out,
        '--options',
        options,
        '--json',
        json,
      ]);
      const score = JSON.parse(readFileSync(json, 'utf8')) as Score;
      const failed = score.failures.filter(([category]) => METADATA.test(String(category)));
      assert.deepEqual(failed, []);
      assert.ok((score.categories['text.anywhere']?.pass ?? 0) > 90);
      for (const category of PIXELS_IN_IT) assert.equal(score.categories[category]?.fail, 0);
    });
  }
});
