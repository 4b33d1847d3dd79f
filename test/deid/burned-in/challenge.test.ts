/** The challenge set by its own scorer: without reading pixels, all but the texts that nothing but reading can find. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bytesSource, MemorySink } from '../../../src/core/bytes.ts';
import { LetheError } from '../../../src/core/errors.ts';
import { cleanPixels } from '../../../src/deid/burned-in/clean-pixels.ts';
import { deidentify } from '../../../src/deid/deidentify.ts';
import { compileProfile } from '../../../src/deid/profile.ts';
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
async function cleaned(name: string, whenUnscanned: 'hold' | 'pass'): Promise<Uint8Array | undefined> {
  const bytes = readFileSync(sharedPath('phi-set', 'input', name));
  try {
    const { held, replacements } = await cleanPixels(opened(bytes), { whenUnscanned });
    if (held !== undefined) return undefined;
    const sink = new MemorySink();
    deidentify(bytesSource(bytes), sink, {
      profile: compileProfile('default'),
      key: KEY,
      ...(replacements === undefined ? {} : { replacements }),
    });
    return sink.bytes();
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

  for (const whenUnscanned of ['hold', 'pass'] as const) {
    test(`fails on no pixel that a header speaks of: ${whenUnscanned}`, async () => {
      const out = mkdtempSync(join(folder, 'out-'));
      for (const [index, name] of inputs().entries()) {
        const output = await cleaned(name, whenUnscanned);
        if (output !== undefined) writeFileSync(join(out, `${index}.dcm`), output);
      }
      const json = join(folder, `${whenUnscanned}.json`);
      execFileSync('/usr/bin/python3', [sharedPath('phi-set', 'score.py'), '--out', out, '--json', json], {
        stdio: 'ignore',
        timeout: 60_000,
      });
      const { categories, failures } = JSON.parse(readFileSync(json, 'utf8')) as Score;
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
});
