/** The challenge set by its own scorer: read, nothing fails; unread, only the texts that nothing but reading can find. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bytesSource, MemorySink } from '../../../src/core/bytes.ts';
import { LetheError } from '../../../src/core/errors.ts';
import { cleanPixels } from '../../../src/deid/burned-in/clean-pixels.ts';
import { eyesFor } from '../../../src/deid/burned-in/eyes.ts';
import { lookAgain } from '../../../src/deid/burned-in/second-look.ts';
import { deidentify } from '../../../src/deid/deidentify.ts';
import { compileProfile } from '../../../src/deid/profile.ts';
import type { TextDetector } from '../../../src/text-detection/detector.ts';
import { openDetector } from '../../../src/text-detection/detector-process.ts';
import { networksInstalled } from '../../../src/text-detection/networks.ts';
import { opened } from '../../imaging/redact/redacted-files.ts';
import { sharedPath, skipWithout } from '../../support/shared.ts';

interface KeyEntry {
  readonly file: string;
  readonly pixelHint?: string;
}
interface Score {
  readonly categories: Readonly<Record<string, { pass: number; fail: number }>>;
  readonly failures: readonly (readonly unknown[])[];
}

const PIXELS = /^(?:pixel|overlay|icon)/;
const KEY = { bytes: new Uint8Array(32).fill(9), generation: 1 };

function inputs(): string[] {
  const folder = sharedPath('phi-set', 'input');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(folder, name)).isFile(),
  );
}

function keyEntries(): readonly KeyEntry[] {
  return (JSON.parse(readFileSync(sharedPath('phi-set', 'key.json'), 'utf8')) as { files: KeyEntry[] }).files;
}

/** The de-identified file; undefined where it is held. */
async function cleaned(
  name: string,
  whenUnscanned: 'hold' | 'pass',
  detector?: TextDetector,
): Promise<Uint8Array | undefined> {
  const bytes = readFileSync(sharedPath('phi-set', 'input', name));
  try {
    const part10 = opened(bytes);
    const given = { eyes: eyesFor(detector, part10.dataSet, () => compileProfile('default')) };
    const pixels = await cleanPixels(part10, { whenUnscanned }, given);
    const { held, replacements } = pixels;
    if (held !== undefined) return undefined;
    const sink = new MemorySink();
    deidentify(bytesSource(bytes), sink, {
      profile: compileProfile('default'),
      key: KEY,
      ...(replacements === undefined ? {} : { replacements }),
    });
    const output = sink.bytes();
    await lookAgain(opened(output), pixels, given);
    return output;
  } catch (error) {
    if (error instanceof LetheError) return undefined;
    throw error;
  }
}

const skip = skipWithout('phi-set') || (existsSync('/usr/bin/python3') ? false : 'no /usr/bin/python3');

describe('the challenge set', { skip }, () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'lethe-pixels-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Scores the outputs of all inputs. */
  async function scored(whenUnscanned: 'hold' | 'pass', detector?: TextDetector): Promise<Score & { held: string[] }> {
    const out = mkdtempSync(join(folder, 'out-'));
    const held: string[] = [];
    for (const [index, name] of inputs().entries()) {
      const output = await cleaned(name, whenUnscanned, detector);
      if (output === undefined) held.push(name);
      else writeFileSync(join(out, `${index}.dcm`), output);
    }
    const json = `${out}.json`;
    execFileSync('/usr/bin/python3', [sharedPath('phi-set', 'score.py'), '--out', out, '--json', json], {
      stdio: 'ignore',
      timeout: 60_000,
    });
    return { ...(JSON.parse(readFileSync(json, 'utf8')) as Score), held };
  }

  for (const whenUnscanned of ['hold', 'pass'] as const) {
    test(`fails on no pixel that a header speaks of, unread: ${whenUnscanned}`, async () => {
      const { categories, failures } = await scored(whenUnscanned);
      const unreadable = new Set(
        keyEntries()
          .filter(({ pixelHint }) => pixelHint?.startsWith('OCR only'))
          .map(({ file }) => file),
      );
      const failed = failures.filter(
        (failure) => PIXELS.test(String(failure[0])) && !failure.some((part) => unreadable.has(String(part))),
      );
      assert.deepEqual(failed, []);
      assert.equal(categories['pixel.retained']?.fail, 0);
      assert.equal(categories['pixel.highbits']?.pass, 2);
    });
  }

  const skipReading = networksInstalled() ? false : 'the optional packages for text detection are not installed';
  test('fails on no pixel once it is read, and holds nothing that has pixels', { skip: skipReading }, async () => {
    const detector = openDetector(() => undefined);
    const { failures, held } = await scored('hold', detector);
    assert.deepEqual(
      failures.filter((failure) => PIXELS.test(String(failure[0]))),
      [],
    );
    // Of an encapsulated document, which has none.
    // What cannot be read as it is was held unread too.
    const unread = await scored('hold');
    assert.deepEqual(
      held.filter((name) => !unread.held.includes(name)),
      [],
    );
    assert.ok(held.length < unread.held.length);
  });
});
