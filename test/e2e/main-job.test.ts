/** The main job with real parts: a real PACS tool sends, a real gateway process works, an independent backend accepts. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { fileItem, storeFiles } from '../../src/cli/store-files.ts';
import { PEOPLE } from '../../src/samples/people.ts';
import { makeSampleStudies } from '../../src/samples/studies.ts';
import { everythingUnder, startRig, sum } from '../support/gateway-process.ts';
import { skipWithoutProgram } from '../support/peers.ts';

const run = promisify(execFile);

async function writeSamples(dir: string): Promise<string[]> {
  mkdirSync(dir, { recursive: true });
  const paths: string[] = [];
  for await (const study of makeSampleStudies()) {
    for (const file of study.files) {
      const path = join(dir, file.name);
      writeFileSync(path, file.bytes);
      paths.push(path);
    }
  }
  return paths;
}

/** Everything in the samples that says who somebody is; dates and times by themselves are tested in deid. */
const IDENTIFIERS = [
  ...Object.values(PEOPLE).flatMap(({ name, patientId, accessionNumber, studyId }) => [
    ...name.split('^').filter((part) => part.length > 4),
    patientId,
    accessionNumber,
    studyId,
  ]),
  ...[
    'Thornwick',
    'Odalys',
    'Brackenfeld',
    'Quillane',
    'Varrick',
    'Saint Lethe',
    'SAINT_LETHE',
    '555-0142',
    'Ferry Lane',
    'PW-0007731',
    '2.25.3190157',
  ],
];

test('samples sent by storescu arrive at the backend de-identified, and nothing that identifies is in what it keeps, in the log or in the API', {
  skip: skipWithoutProgram('dcmsend'),
}, async (t) => {
  const rig = await startRig(t);
  const paths = await writeSamples(join(rig.dir, 'samples'));
  await run('dcmsend', ['-aec', 'LETHE', '127.0.0.1', String(rig.dicomPort), ...paths], {
    env: { ...process.env, TCP_NODELAY: '1' },
  });
  const counts = await rig.quiet();
  assert.equal(counts.held, 0, JSON.stringify(await rig.get('/api/v1/instances?state=held')));
  assert.equal(sum(counts.deliveries, 'delivered'), paths.length);
  const listing = await (await fetch(`http://127.0.0.1:${rig.backend.port}/v1/studies`)).text();
  const api = JSON.stringify(await rig.get('/api/v1/instances?limit=100'));
  const metrics = await (await fetch(`http://127.0.0.1:${rig.httpPort}/metrics`)).text();
  const page = await (await fetch(`http://127.0.0.1:${rig.backend.port}/`)).text();
  const kept = everythingUnder(rig.backendDir).toString('latin1');
  for (const identifier of IDENTIFIERS) {
    for (const [where, text] of Object.entries({ kept, listing, page, api, metrics, log: rig.log() })) {
      assert.equal(
        text.toLowerCase().includes(identifier.toLowerCase()),
        false,
        `an identifier (number ${IDENTIFIERS.indexOf(identifier)}) is in ${where}`,
      );
    }
  }
});

test('the same instance by C-STORE, HTTP and folder is one instance: acknowledged each time, delivered once', async (t) => {
  const rig = await startRig(t, {
    configuration: { folders: [{ path: 'inbox', customer: 'default', pollSeconds: 0.1, stableSeconds: 0.2 }] },
  });
  const [, path = ''] = await writeSamples(join(rig.dir, 'samples'));
  const peer = { host: '127.0.0.1', port: rig.dicomPort, callingAeTitle: 'SAME', calledAeTitle: 'LETHE', parallel: 1 };
  for await (const { status } of storeFiles([fileItem(path, 'one')], peer)) assert.equal(status, 0);
  const answer = await fetch(`http://127.0.0.1:${rig.httpPort}/receive_dicom`, {
    method: 'POST',
    body: readFileSync(path),
  });
  assert.equal(answer.status, 200);
  const body = (await answer.json()) as { message: string; instances: { sopInstanceUid: string; status: string }[] };
  assert.deepEqual(
    body.instances.map(({ status }) => status),
    ['duplicate'],
  );
  writeFileSync(join(rig.dir, 'inbox', 'again.dcm'), readFileSync(path));
  const done = join(rig.dir, 'inbox', 'done', 'again.dcm');
  for (let tries = 0; tries < 200 && !existsSync(done); tries++)
    await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(existsSync(done), true);
  const counts = await rig.quiet();
  assert.equal(sum(counts.deliveries, 'delivered'), 1);
});

test('SIGTERM ends the gateway with exit code 0', async (t) => {
  const rig = await startRig(t);
  assert.equal(await rig.kill('SIGTERM'), 0);
});

test('a further called AE title picks customer and profile', { skip: skipWithoutProgram('storescu') }, async (t) => {
  const dicom = { aeTitles: [{ aeTitle: 'NORTH', customer: 'north', profile: 'seed' }] };
  const rig = await startRig(t, { configuration: { dicom } });
  const paths = await writeSamples(join(rig.dir, 'samples'));
  const report = paths.at(-1) ?? '';
  await run('storescu', ['-aec', 'NORTH', '127.0.0.1', String(rig.dicomPort), report]);
  await rig.quiet();
  const { instances } = await rig.get<{ instances: { customer: string; delivered: boolean }[] }>('/api/v1/instances');
  assert.deepEqual(
    instances.map(({ customer, delivered }) => [customer, delivered]),
    [['north', true]],
  );
  // The profile `seed` hides name, ID and birth date alone; the default one would have removed the institution.
  const kept = everythingUnder(rig.backendDir).toString('latin1');
  assert.equal(kept.includes('Saint Lethe Hospital'), true);
  assert.equal(kept.includes(PEOPLE.chest.patientId), false);
});
