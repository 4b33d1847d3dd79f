/**
 * Prepared output is not flushed: what a power cut or a disk does to it before it is sent must cost time alone. Packs of a
 * gateway that was killed are damaged in every such way; everything arrives all the same, and whole.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BundledPlace, bundledIn } from '../../src/queue/prepared-bundle.ts';
import { Campaign } from '../support/campaign.ts';
import { type Flow, type Rig, startRig, waitFor } from '../support/gateway-process.ts';

/** Instances of each wave; what is prepared a second later is in another file. */
const WAVE = 3;
const HEAD_BYTES = 64;

/** What can be left of a file that was written and not flushed: of one pack in it, with its head where the start saw it. */
const OF_PACK: Readonly<Record<string, (bytes: Buffer, place: BundledPlace) => void>> = {
  'zeros at its beginning': (bytes, { position }) => bytes.fill(0, position + HEAD_BYTES, position + HEAD_BYTES + 100),
  'zeros at its end': (bytes, { position, bytes: length }) => bytes.fill(0, position + length - 100, position + length),
  'one other bit': (bytes, { position }) => {
    const at = position + HEAD_BYTES + 10;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
  },
};

/** Of the file as a whole: a start misses what is in it. */
const OF_FILE: Readonly<Record<string, (path: string, bytes: Buffer, second: BundledPlace | undefined) => void>> = {
  'no name': (path) => rmSync(path),
  'no bytes': (path) => writeFileSync(path, ''),
  'half of it': (path, bytes) => writeFileSync(path, bytes.subarray(0, bytes.length >> 1)),
  'no head between': (path, bytes, second) =>
    writeFileSync(path, bytes.fill(0, second?.position ?? 0, (second?.position ?? 0) + HEAD_BYTES)),
};

const folderOf = (rig: Rig): string => join(rig.dataDir, 'prepared');

/** In the order they were made: names begin with the time. */
function filesOf(rig: Rig): string[] {
  return readdirSync(folderOf(rig), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.packs'))
    .toSorted((one, other) => (one.slice(2) < other.slice(2) ? -1 : 1));
}

function packsOf(rig: Rig, files: readonly string[] = filesOf(rig)): BundledPlace[] {
  return files.flatMap((file) => bundledIn(folderOf(rig), file));
}

async function prepared(rig: Rig, count: number): Promise<void> {
  await waitFor(
    async () => {
      const { counts } = await rig.get<{ counts: Flow }>('/api/v1/status');
      return counts.prepared === count || undefined;
    },
    () => `${count} prepared`,
  );
}

test('prepared output that a power cut damaged is made again and delivered', async (t) => {
  const rig = await startRig(t, { failures: [{ failure: { kind: 'status', status: 503 } }] });
  const damages = Object.values(OF_FILE);
  const instances = WAVE * (1 + damages.length);
  const campaign = new Campaign(rig, instances);
  const waves: string[][] = [];
  for (let sent = WAVE; sent <= instances; sent += WAVE) {
    const before = filesOf(rig);
    await campaign.send(WAVE);
    await prepared(rig, sent);
    waves.push(filesOf(rig).filter((file) => !before.includes(file)));
    await sleep(1100);
  }
  assert.equal(campaign.isOver, true);
  await rig.kill('SIGKILL');
  assert.equal(packsOf(rig).length, instances);
  const [first = [], ...others] = waves;
  for (const [index, damage] of Object.values(OF_PACK).entries()) {
    const place = packsOf(rig, first)[index];
    assert.ok(place !== undefined);
    const path = join(folderOf(rig), place.name);
    const bytes = readFileSync(path);
    damage(bytes, place);
    writeFileSync(path, bytes);
  }
  for (const [index, damage] of damages.entries()) {
    const [file = ''] = others[index] ?? [];
    const path = join(folderOf(rig), file);
    damage(path, readFileSync(path), bundledIn(folderOf(rig), file)[1]);
  }
  await rig.start();
  rig.backend.failures.clear();
  const { held } = await rig.quiet();
  assert.equal(held, 0);
  await campaign.conclude();
  const remade = rig.log().match(/"instance\.remade"/g) ?? [];
  assert.equal(remade.length, Object.keys(OF_PACK).length, 'all but those that the start misses');
  // What was damaged is erased with the next pass of erasing.
  await waitFor(
    () => packsOf(rig).length <= instances || undefined,
    () => 'damaged packs erased',
  );
});
