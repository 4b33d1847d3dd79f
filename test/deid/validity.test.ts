/**
 * Other people's judges on every corpus file: dciodvfy (dicom3tools) finds no error in an output that it did not find in
 * the input, and DCMTK, GDCM and pydicom read every output. A sample with one profile; all files with every shipped
 * profile and with options alone where LETHE_LONG is set.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
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
const folder = mkdtempSync(join(tmpdir(), 'lethe-validity-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const isLong = process.env['LETHE_LONG'] !== undefined;
const PYTHON = '/usr/bin/python3';
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
const EVERY = 6;
const PROFILES: readonly (readonly [string, string])[] = [
  ['default', 'default'],
  ...(isLong
    ? [
        ['basic', 'basic'] as const,
        ['research', 'research'] as const,
        ['cleanGraphics alone', 'name: one\nbase: ps3.15\noptions: [cleanGraphics]\n'] as const,
        ['cleanStructuredContent alone', 'name: one\nbase: ps3.15\noptions: [cleanStructuredContent]\n'] as const,
        [
          'everything retained but UIDs',
          'name: all\nbase: ps3.15\noptions: [retainLongitudinalFullDates, retainPatientCharacteristics, retainSafePrivate, retainDeviceIdentity, retainInstitutionIdentity]\n',
        ] as const,
      ]
    : []),
];

function filesIn(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).flatMap((name) => filesIn(join(path, name)));
}

describe('outputs before other judges', () => {
  const skip = skipWithout('corpus') || skipWithoutProgram('dciodvfy', 'dcmdump', 'gdcmdump');
  for (const [title, profileText] of PROFILES) {
    test(`${title}: no new error for dciodvfy, and DCMTK, GDCM and pydicom read all`, { skip }, async () => {
      const profile = compileProfile(profileText);
      const made: (readonly [input: string, output: string])[] = [];
      for (const [index, input] of filesIn(sharedPath('corpus', 'files')).entries()) {
        if (!isLong && index % EVERY !== 0) continue;
        const sink = new MemorySink();
        try {
          const { identity } = deidentify(bytesSource(readFileSync(input)), sink, { profile, key: KEY });
          assert.deepEqual(leakCheck(bytesSource(sink.bytes()), identity), [], input);
        } catch (error) {
          if (error instanceof LetheError) continue; // held: nothing leaves
          throw error;
        }
        const output = join(folder, `${made.length}.dcm`);
        writeFileSync(output, sink.bytes());
        made.push([input, output]);
      }
      assert.ok(made.length > (isLong ? 300 : 50));
      await twoAtATime(made, async ([input, output]) => {
        const name = relative(sharedPath('corpus'), input);
        const before = await verdict(input);
        const now = before === undefined ? new Set<string>() : await verdict(output);
        assert.ok(now !== undefined, `${name}: dciodvfy cannot read the output`);
        assert.deepEqual(
          [...now].filter((error) => before?.has(error) === false),
          [],
          name,
        );
        assert.ok(await reads('dcmdump', output), `${name}: dcmdump`);
        // Older GDCM knows no HTJ2K, JPEG XL, HEVC, deflated frames: it cannot read those inputs either.
        assert.ok((await reads('gdcmdump', output)) || !(await reads('gdcmdump', input)), `${name}: gdcmdump`);
      });
      if (existsSync(PYTHON)) assert.equal(await unreadByPydicom(), '');
      for (const [, output] of made) rmSync(output);
    });
  }
});

async function twoAtATime<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const left = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (const item of left) await work(item);
  };
  await Promise.all([worker(), worker()]);
}

async function reads(program: string, path: string): Promise<boolean> {
  return run(program, [path], { encoding: 'latin1', maxBuffer: OUTPUT_BYTES_MAX }).then(
    () => true,
    () => false,
  );
}

/** Every element of every output, converted; names what raised. */
async function unreadByPydicom(): Promise<string> {
  const script = `
import os, sys, warnings, pydicom
warnings.simplefilter('ignore')
for name in sorted(os.listdir(sys.argv[1])):
    try:
        for element in pydicom.dcmread(os.path.join(sys.argv[1], name)).iterall(): element.value
    except Exception as error: print(name, type(error).__name__)
`;
  return (await run(PYTHON, ['-c', script, folder])).stdout;
}

/** The errors without values; undefined where dciodvfy could not read the file or knows no IOD for it. */
async function verdict(path: string): Promise<Set<string> | undefined> {
  const text = await run('dciodvfy', [path], { encoding: 'latin1', maxBuffer: OUTPUT_BYTES_MAX }).then(
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
