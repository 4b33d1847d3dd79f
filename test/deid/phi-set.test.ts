/** The challenge set with its own scorer, and dciodvfy over the outputs: both are other people's judges. */
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
import { skipWithoutProgram } from '../support/peers.ts';
import { sharedPath, skipWithout } from '../support/shared.ts';
import { KEY } from './support/instance.ts';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'lethe-deid-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Pixels are the business of another part. */
const METADATA = /^(?:text|retain|uid|date|patient|marker|file|icon)/;
/** Scheduled Study Location: Table E.1-1 retains it with the device; the scorer does not know that. */
const KEPT_WITH_THE_DEVICE = /^research .*still at 00321020$/;
const PIXELS_IN_IT = ['overlay.bitmap'];

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
  const profiles: readonly (readonly [string, string])[] = [
    ['basic', ''],
    [
      'default',
      'cleanDescriptors,cleanStructuredContent,retainPatientCharacteristics,retainSafePrivate,retainLongitudinalModifiedDates',
    ],
    [
      'research',
      'cleanDescriptors,cleanStructuredContent,retainPatientCharacteristics,retainDeviceIdentity,retainSafePrivate,retainLongitudinalModifiedDates',
    ],
  ];
  for (const [profile, options] of profiles) {
    test(`the challenge set passes every metadata check with the profile ${profile}`, { skip }, async () => {
      const out = join(folder, profile);
      mkdirSync(out);
      for (const [index, path] of filesIn(sharedPath('phi-set', 'input')).entries()) {
        const sink = new MemorySink();
        try {
          const result = deidentify(bytesSource(readFileSync(path)), sink, {
            profile: compileProfile(profile),
            key: KEY,
          });
          assert.deepEqual(leakCheck(bytesSource(sink.bytes()), result.identity), []);
          writeFileSync(join(out, `${index}.dcm`), sink.bytes());
        } catch (error) {
          if (!(error instanceof LetheError)) throw error;
          assert.equal(error.code, 'DEID_UNSUPPORTED_CONTENT');
        }
      }
      const json = join(folder, `${profile}.json`);
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
      const failed = score.failures.filter(
        ([category, , , , detail]) =>
          METADATA.test(String(category)) && !KEPT_WITH_THE_DEVICE.test(`${profile} ${detail}`),
      );
      assert.deepEqual(failed, []);
      assert.ok((score.categories['text.anywhere']?.pass ?? 0) > 90);
      for (const category of PIXELS_IN_IT) assert.equal(score.categories[category]?.fail, 0);
    });
  }

  const everyFile = process.env['LETHE_LONG'] !== undefined;
  const noPeer = skipWithout('corpus') || skipWithoutProgram('dciodvfy');
  test('dciodvfy reports no error on an output that it did not report on the input', { skip: noPeer }, async () => {
    const files = filesIn(sharedPath('corpus', 'files')).filter((_, index) => everyFile || index % 6 === 0);
    for (const path of files) {
      const sink = new MemorySink();
      try {
        deidentify(bytesSource(readFileSync(path)), sink, { profile: compileProfile('default'), key: KEY });
      } catch (error) {
        if (error instanceof LetheError) continue;
        throw error;
      }
      const before = await verdict(path);
      if (before === undefined) continue;
      const output = join(folder, 'output.dcm');
      writeFileSync(output, sink.bytes());
      const errors = (await verdict(output)) ?? new Set(['cannot be read']);
      assert.deepEqual(
        [...errors].filter((error) => !before.has(error)),
        [],
        path,
      );
    }
  });
});

/** The errors without values; undefined where dciodvfy could not read the file or knows no IOD for it. */
async function verdict(path: string): Promise<Set<string> | undefined> {
  const text = await run('dciodvfy', [path], { encoding: 'latin1' }).then(
    ({ stdout, stderr }) => stdout + stderr,
    (error: { stdout?: string; stderr?: string }) => (error.stdout ?? '') + (error.stderr ?? ''),
  );
  if (text.includes('read failed') || !/^[A-Z][A-Za-z0-9]+\s*$/m.test(text)) return undefined;
  const errors = text.split('\n').filter((line) => line.startsWith('Error'));
  return new Set(
    errors.map((line) =>
      line
        .replace(/= <.*$/, '')
        .replace(/\d+\.\d+\.\d[\d.]*/g, 'UID')
        .trim(),
    ),
  );
}
