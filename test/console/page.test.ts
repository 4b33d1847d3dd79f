/** The console's page in a real browser: what it shows, that the keyboard reaches it, that axe finds nothing. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { chromium } from 'playwright-core';
import { makeSampleStudies } from '../../src/samples/studies.ts';
import { startRig } from '../support/gateway-process.ts';
import { findProgram, skipWithoutProgram } from '../support/peers.ts';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface AxeResult {
  readonly violations: readonly { readonly id: string; readonly nodes: readonly unknown[] }[];
}

test('the console shows what arrived and what is held, by keyboard too, without accessibility violations', {
  skip: skipWithoutProgram('chromium'),
}, async (t) => {
  const rig = await startRig(t);
  for await (const study of makeSampleStudies()) {
    const [file] = study.files;
    if (file !== undefined)
      await fetch(`http://127.0.0.1:${rig.httpPort}/receive_dicom`, { method: 'POST', body: file.bytes });
  }
  await rig.quiet();
  const browser = await chromium.launch({ executablePath: findProgram('chromium') ?? '', args: FLAGS });
  t.after(() => browser.close());
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await browser.newPage({ colorScheme, viewport: { width: 1280, height: 900 } });
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text());
    });
    await page.goto(`http://127.0.0.1:${rig.httpPort}/`);
    await page.getByText('accepted by a destination').waitFor();
    assert.equal(await page.locator('#flow li.good .number').innerText(), '5');
    assert.match(await page.locator('#last').innerText(), /Basic Text SR Storage/);
    assert.match(await page.locator('#held').innerText(), /Nothing is held/);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate<string>('document.activeElement.textContent'), 'Skip to the content');
    // The page's own policy forbids inline scripts; the debugger's protocol does not go through it.
    await page.evaluate(AXE);
    const { violations } = await page.evaluate<AxeResult>('axe.run()');
    assert.deepEqual(
      violations.map(({ id, nodes }) => `${id} (${nodes.length})`),
      [],
      colorScheme,
    );
    assert.deepEqual(faults, [], colorScheme);
    await page.close();
  }
});
