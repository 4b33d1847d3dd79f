/** The way back: a gateway that keeps originals encrypted to a public key, and the verb that opens them with the private one. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { bytesSource } from '../../src/core/bytes.ts';
import { readPart10 } from '../../src/dicom/part10.ts';
import { PEOPLE } from '../../src/samples/people.ts';
import { makeSampleStudies } from '../../src/samples/studies.ts';
import { startCrosswalkRig } from '../support/crosswalk-rig.ts';
import { everythingUnder, startRig } from '../support/gateway-process.ts';

const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');
const PATIENT_NAME = 0x00100010;
const PATIENT_ID = 0x00100020;

async function report(): Promise<Uint8Array> {
  let last = new Uint8Array();
  for await (const { files } of makeSampleStudies()) last = new Uint8Array(files[0]?.bytes ?? last);
  return last;
}

test('originals are kept encrypted, the gateway cannot read them, and reidentify gives them back', async (t) => {
  const { rig, dir, privateKey } = await startCrosswalkRig(t);
  await fetch(`http://127.0.0.1:${rig.httpPort}/receive_dicom`, { method: 'POST', body: await report() });
  await rig.quiet();

  const crosswalk = join(rig.dir, 'data', 'crosswalk');
  assert.equal(everythingUnder(crosswalk).includes(PEOPLE.chest.patientId), false, 'records are encrypted');
  const [object = ''] = readdirSync(rig.backendDir, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.dcm'),
  );
  const out = join(dir, 'out');
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      MAIN,
      'reidentify',
      join(rig.backendDir, object),
      '--private-key',
      privateKey,
      '--crosswalk',
      crosswalk,
      '--out',
      out,
      '--json',
    ],
    { encoding: 'utf8' },
  );
  assert.equal(status, 0, stdout + stderr);
  const [file = ''] = readdirSync(out);
  const { dataSet } = readPart10(bytesSource(readFileSync(join(out, file))));
  assert.equal(dataSet.string(PATIENT_ID), PEOPLE.chest.patientId);
  assert.equal(dataSet.string(PATIENT_NAME), PEOPLE.chest.name);
});

test('a public key that is none is refused at the start, by its path', async (t) => {
  const keys = mkdtempSync(join(tmpdir(), 'lethe-keys-'));
  t.after(() => rmSync(keys, { recursive: true, force: true }));
  writeFileSync(join(keys, 'public.pem'), 'no key');
  await assert.rejects(
    startRig(t, { configuration: { deidentification: { crosswalk: { publicKey: join(keys, 'public.pem') } } } }),
    /CONFIG_UNREADABLE.*public\.pem/s,
  );
});
