/** A rotated key: other pseudonyms from then on, and results of either generation find their way back. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { bytesSource } from '../../src/core/bytes.ts';
import type { DataSet } from '../../src/dicom/data-set.ts';
import { readPart10 } from '../../src/dicom/part10.ts';
import { buildPart10 } from '../build/data-set.ts';
import { startCrosswalkRig } from '../support/crosswalk-rig.ts';
import type { Rig } from '../support/gateway-process.ts';

const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');
const PATIENT_ID = 0x00100020;
const STUDY_INSTANCE_UID = 0x0020000d;
const SERIES_INSTANCE_UID = 0x0020000e;
const INSTANCE_NUMBER = 0x00200013;

/** Two instances of one study, of one person. */
function instance(number: number): Uint8Array<ArrayBuffer> {
  const bytes = buildPart10([
    ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.66'],
    ['SOPInstanceUID', `2.25.4711${number}`],
    ['Modality', 'REG'],
    ['PatientID', 'HX-4045202'],
    ['StudyInstanceUID', '2.25.4712'],
    ['SeriesInstanceUID', '2.25.4713'],
    ['InstanceNumber', String(number)],
  ]);
  return new Uint8Array(bytes);
}

async function prepared(rig: Rig, number: number): Promise<DataSet> {
  await fetch(`http://127.0.0.1:${rig.httpPort}/receive_dicom`, { method: 'POST', body: instance(number) });
  await rig.quiet();
  for (const name of readdirSync(rig.backendDir, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.dcm')) continue;
    const { dataSet } = readPart10(bytesSource(readFileSync(join(rig.backendDir, name))));
    if (dataSet.string(INSTANCE_NUMBER) === String(number)) return dataSet;
  }
  throw new Error('not delivered');
}

/** What a model made of an instance: a new object in the pseudonymous study. */
function resultOf(dataSet: DataSet, uid: string): Uint8Array {
  return buildPart10([
    ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.66'],
    ['SOPInstanceUID', uid],
    ['Modality', 'REG'],
    ['PatientID', dataSet.string(PATIENT_ID) ?? ''],
    ['StudyInstanceUID', dataSet.string(STUDY_INSTANCE_UID) ?? ''],
    ['SeriesInstanceUID', '2.25.5001'],
  ]);
}

test('instances before and after a rotation have other pseudonyms, and results of both are re-identified', async (t) => {
  const { rig, dir, privateKey } = await startCrosswalkRig(t);
  const first = await prepared(rig, 1);

  await rig.kill('SIGTERM');
  const path = join(rig.dir, 'lethe.yaml');
  const configuration = JSON.parse(readFileSync(path, 'utf8'));
  configuration.deidentification.key = { generation: 2 };
  writeFileSync(path, JSON.stringify(configuration));
  await rig.start();
  const second = await prepared(rig, 2);
  for (const tag of [PATIENT_ID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID])
    assert.notEqual(first.string(tag), second.string(tag));

  const results = join(dir, 'results');
  mkdirSync(results);
  writeFileSync(join(results, 'first.dcm'), resultOf(first, '2.25.6001'));
  writeFileSync(join(results, 'second.dcm'), resultOf(second, '2.25.6002'));
  const out = join(dir, 'out');
  const ways = ['--private-key', privateKey, '--crosswalk', join(rig.dataDir, 'crosswalk'), '--out', out];
  const args = ['--disable-warning=ExperimentalWarning', MAIN, 'reidentify', results, ...ways];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  for (const name of ['first.dcm', 'second.dcm']) {
    const { dataSet } = readPart10(bytesSource(readFileSync(join(out, name))));
    assert.equal(dataSet.string(PATIENT_ID), 'HX-4045202', name);
    assert.equal(dataSet.string(STUDY_INSTANCE_UID), '2.25.4712', name);
  }
});
