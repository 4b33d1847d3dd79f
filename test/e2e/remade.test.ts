/**
 * Prepared output is not flushed: what a power cut or a disk does to it before it is sent must cost time alone. Packs of a
 * gateway that was killed are damaged in every such way; everything arrives all the same, and whole.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Campaign } from '../support/campaign.ts';
import { type Flow, type Rig, startRig } from '../support/gateway-process.ts';

const INSTANCES = 18;

/** What can be left of a file that was written and not flushed. */
const DAMAGE: Readonly<Record<string, (path: string, bytes: Buffer) => void>> = {
  'no name': (path) => rmSync(path),
  'no bytes': (path) => writeFileSync(path, ''),
  'half of it': (path, bytes) => writeFileSync(path, bytes.subarray(0, bytes.length >> 1)),
  'zeros at its beginning': (path, bytes) => writeFileSync(path, bytes.fill(0, 0, 100)),
  'zeros at its end': (path, bytes) => writeFileSync(path, bytes.fill(0, bytes.length - 100)),
  'one other bit': (path, bytes) => {
    bytes[10] = (bytes[10] ?? 0) ^ 1;
    writeFileSync(path, bytes);
  },
};

function packs(rig: Rig): string[] {
  const folder = join(rig.dataDir, 'prepared');
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

async function allPrepared(rig: Rig): Promise<void> {
  for (;;) {
    const { counts } = await rig.get<{ counts: Flow }>('/api/v1/status');
    if (counts.prepared === INSTANCES) return;
    await sleep(50);
  }
}

test('prepared output that a power cut damaged is made again and delivered', async (t) => {
  const rig = await startRig(t, { failures: [{ failure: { kind: 'status', status: 503 } }] });
  const campaign = new Campaign(rig, INSTANCES);
  await campaign.send();
  assert.equal(campaign.isOver, true);
  await allPrepared(rig);
  await rig.kill('SIGKILL');
  const damages = Object.values(DAMAGE);
  const found = packs(rig);
  assert.equal(found.length, INSTANCES);
  for (const [index, damage] of damages.entries()) {
    const path = found[index * 2] ?? '';
    damage(path, readFileSync(path));
  }
  await rig.start();
  rig.backend.failures.clear();
  const { held } = await rig.quiet();
  assert.equal(held, 0);
  await campaign.conclude();
  const remade = rig.log().match(/"instance\.remade"/g) ?? [];
  assert.equal(remade.length, damages.length - 1, 'all but the one whose name is gone, which the start finds');
  // What was damaged goes with the next pass of erasing.
  while (packs(rig).length > INSTANCES) await sleep(100);
});
