/** The child process: what it reads with the real networks, and what becomes of one that dies, hangs or fails. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LetheError } from '../../src/core/errors.ts';
import { DetectorProcess } from '../../src/text-detection/detector-process.ts';
import { networksInstalled } from '../../src/text-detection/networks.ts';
import type { Picture } from '../../src/text-detection/picture.ts';
import { coverOf, findings } from './support/figures.ts';
import { testPicture } from './support/pictures.ts';

const bad = new URL('./support/bad-child.ts', import.meta.url);

function wishing(wish: number): Picture {
  return { width: 2, height: 2, channels: 1, pixels: Uint8Array.of(wish, 0, 0, 0) };
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a reading process', () => {
  test('stays for the next picture', async () => {
    const detector = new DetectorProcess({ script: bad });
    const [first] = await detector.detect(wishing(0));
    const [second] = await detector.detect(wishing(0));
    assert.equal(first?.text, second?.text);
    detector.close();
  });

  for (const [wish, what] of [
    [1, 'dies'],
    [2, 'says nothing'],
    [3, 'fails'],
  ] as const) {
    test(`that ${what} is replaced once, then the picture fails, and the next one is read`, async () => {
      const detector = new DetectorProcess({ script: bad, timeoutMs: wish === 2 ? 1500 : 20_000 });
      await assert.rejects(detector.detect(wishing(wish)), {
        code: 'TEXT_DETECTION_FAILED',
      } satisfies Partial<LetheError>);
      assert.equal((await detector.detect(wishing(0))).length, 1);
      detector.close();
    });
  }

  test('ends when whoever started it ends it', async () => {
    const detector = new DetectorProcess({ script: bad });
    const [line] = await detector.detect(wishing(0));
    detector.close();
    const pid = Number(line?.text);
    for (let waited = 0; isRunning(pid) && waited < 100; waited++)
      await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(!isRunning(pid));
  });
});

const skip = networksInstalled() ? false : 'the optional packages for text detection are not installed';

describe('the networks', { skip }, () => {
  test('find what is written on any ground, and nothing where nothing is', async () => {
    const seed = Number(process.env['LETHE_SEED'] ?? 1) >>> 0;
    const detector = new DetectorProcess();
    const found = await findings({ seed, from: 0, count: 40, detector });
    detector.close();
    // The long form measures the share (98 %); of so few pictures one hard one is several percent, whatever the seed.
    const hidden = found.texts.filter(({ cover }) => cover >= 0.9).length;
    assert.ok(hidden >= 0.85 * found.texts.length, `${hidden} of ${found.texts.length}, seed ${seed}`);
    assert.ok(found.clean.alarms <= 1, `${found.clean.alarms} of ${found.clean.count}, seed ${seed}`);
  });

  test('read what they find', async () => {
    const { picture, texts } = await testPicture(3, 0);
    const detector = new DetectorProcess();
    const lines = await detector.detect(picture);
    detector.close();
    const [written] = texts;
    assert.ok(
      written !== undefined &&
        coverOf(
          written.box,
          lines.map(({ box }) => box),
        ) > 0.9,
    );
    const letters = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '');
    assert.ok(lines.some(({ text }) => letters(text) === letters(written?.text ?? '')));
  });
});
