/** A study belongs to one patient: whatever way the other one comes, and however often the gateway started since. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../src/core/clock.ts';
import { studiesKeyPath } from '../../src/gateway/keys.ts';
import { SqliteStore } from '../../src/queue/sqlite-store.ts';
import { buildPart10 } from '../build/data-set.ts';
import { everythingUnder, type Rig, startRig } from '../support/gateway-process.ts';

const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');
const ALICE = 'HX-4045202';
const BOB = 'QZ-7719304';

/** A registration: no image, so that nothing is rendered. */
function instance(patientId: string, number: number, study = '2.25.4712'): Uint8Array {
  return buildPart10([
    ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.66'],
    ['SOPInstanceUID', `2.25.4711${number}`],
    ['Modality', 'REG'],
    ['PatientID', patientId],
    ['StudyInstanceUID', study],
    ['SeriesInstanceUID', '2.25.4713'],
    ['InstanceNumber', String(number)],
  ]);
}

async function post(rig: Rig, bytes: Uint8Array): Promise<void> {
  const body = new Uint8Array(bytes);
  const response = await fetch(`http://127.0.0.1:${rig.httpPort}/receive_dicom`, { method: 'POST', body });
  assert.equal(response.status, 200);
}

function send(rig: Rig, bytes: Uint8Array): void {
  const path = join(rig.dir, 'sent.dcm');
  writeFileSync(path, bytes);
  const args = ['--disable-warning=ExperimentalWarning', MAIN, 'send', '127.0.0.1', String(rig.dicomPort), path];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
}

async function heldCodes(rig: Rig, count: number): Promise<string[]> {
  for (let attempt = 0; attempt < 100; attempt++) {
    await rig.quiet();
    const { instances } = await rig.get<{ instances: { state: string; reason?: string }[] }>(
      '/api/v1/instances?limit=500',
    );
    const held = instances.filter(({ state }) => state === 'held').map(({ reason = '' }) => reason);
    if (instances.length === count && instances.every(({ state }) => state !== 'received')) return held;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error('what was sent did not come');
}

const TWO = 'DEID_STUDY_TWO_PATIENTS';

test('one study under two patient IDs is held, over every way in, after a stop and after a kill', async (t) => {
  const inbox = mkdtempSync(join(tmpdir(), 'lethe-inbox-'));
  t.after(() => rmSync(inbox, { recursive: true, force: true }));
  mkdirSync(join(inbox, 'in'));
  const rig = await startRig(t, { configuration: { folders: [{ path: join(inbox, 'in'), customer: 'default' }] } });
  const drop = (bytes: Uint8Array, name: string) => {
    writeFileSync(join(inbox, name), bytes);
    renameSync(join(inbox, name), join(inbox, 'in', name));
  };

  await post(rig, instance(ALICE, 1));
  assert.deepEqual(await heldCodes(rig, 1), []);
  await post(rig, instance(BOB, 2));
  assert.deepEqual(await heldCodes(rig, 2), [TWO], 'the same way in');

  await rig.kill('SIGTERM');
  await rig.start();
  drop(instance(BOB, 3), 'three.dcm');
  assert.deepEqual(await heldCodes(rig, 3), [TWO, TWO], 'a folder, after a stop');

  await rig.kill('SIGKILL');
  await rig.start();
  send(rig, instance(BOB, 4));
  assert.deepEqual(await heldCodes(rig, 4), [TWO, TWO, TWO], 'an association, after a kill');

  send(rig, instance(ALICE, 5));
  await post(rig, instance(BOB, 6, '2.25.9912'));
  assert.equal((await heldCodes(rig, 6)).length, 3, 'whose study it is, and another study, pass');
  const outputs = readdirSync(rig.backendDir, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.dcm'));
  assert.equal(outputs.length, 3);
  const left = everythingUnder(rig.backendDir);
  for (const id of [ALICE, BOB]) assert.ok(!left.includes(id));
});

test("the study stays its patient's when the pseudonyms are rotated, by generation and by a new key", async (t) => {
  const rig = await startRig(t);
  const rotate = async (key: object) => {
    await rig.kill('SIGTERM');
    const path = join(rig.dir, 'lethe.yaml');
    const configuration = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify({ ...configuration, deidentification: { key } }));
    await rig.start();
  };
  await post(rig, instance(ALICE, 1));
  assert.deepEqual(await heldCodes(rig, 1), []);

  await rotate({ generation: 2 });
  await post(rig, instance(BOB, 2));
  assert.deepEqual(await heldCodes(rig, 2), [TWO], 'another generation');

  const file = join(rig.dir, 'new.key');
  writeFileSync(file, `${'c3'.repeat(32)}\n`, { mode: 0o600 });
  await rotate({ file });
  await post(rig, instance(BOB, 3));
  assert.deepEqual(await heldCodes(rig, 3), [TWO, TWO], 'another key');
  await post(rig, instance(ALICE, 4));
  assert.equal((await heldCodes(rig, 4)).length, 2, 'whose study it is passes, under new pseudonyms');
});

test('without its key the record of studies begins anew, and log and audit say so', async (t) => {
  const rig = await startRig(t);
  await post(rig, instance(ALICE, 1));
  assert.deepEqual(await heldCodes(rig, 1), []);
  assert.ok(!rig.log().includes('DEID_STUDIES_KEY_MISSING'));

  await rig.kill('SIGTERM');
  rmSync(studiesKeyPath(rig.dataDir));
  await rig.start();
  assert.match(rig.log(), /gateway\.warning.*DEID_STUDIES_KEY_MISSING/);
  await post(rig, instance(ALICE, 2));
  await post(rig, instance(BOB, 3));
  assert.deepEqual(await heldCodes(rig, 3), [TWO], 'from now on it is kept again');

  await rig.kill('SIGTERM');
  const store = new SqliteStore(join(rig.dataDir, 'lethe.db'), systemClock);
  const events: string[] = [];
  for await (const { event } of store.auditEntries(0)) events.push(event);
  await store.close();
  assert.equal(events.filter((event) => event === 'studies.anew').length, 1);
});
