/** The audit of a real gateway: told to a real repository, signed, verified; and silent about patients everywhere. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { fileItem, storeFiles } from '../../src/cli/store-files.ts';
import { hashPassword } from '../../src/console/auth.ts';
import { assertValid } from '../audit/schema.ts';
import { buildPart10 } from '../build/data-set.ts';
import { freePort } from '../delivery/orthanc.ts';
import { until } from '../dimse/listener.ts';
import { everythingUnder, type Rig, startRig } from '../support/gateway-process.ts';
import { skipWithoutProgram } from '../support/peers.ts';
import { rsyslog } from '../support/rsyslog.ts';

const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');
const skip = skipWithoutProgram('rsyslogd', 'xmllint');

function lethe(rig: Rig, ...args: string[]) {
  const all = ['--disable-warning=ExperimentalWarning', MAIN, ...args, '--config', join(rig.dir, 'lethe.yaml')];
  return spawnSync(process.execPath, all, { encoding: 'utf8' });
}

/** Marks in every place where a value of a sender can stand. UIDs are marked by their digits. */
const CANARIES = ['CANARYNAME', 'CANARYID', 'CANARYACC', 'CANARYTEXT', 'CANARYPRIVATE', '2.25.8675309'];

function instance(number: number, more: Parameters<typeof buildPart10>[0] = []): Uint8Array {
  return buildPart10([
    ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.2'],
    ['SOPInstanceUID', `2.25.8675309${number}`],
    ['StudyDate', '20200101'],
    ['AccessionNumber', 'CANARYACC'],
    ['Modality', 'CT'],
    ['StudyDescription', 'CANARYTEXT'],
    [0x00091001, 'LO', 'CANARYPRIVATE'],
    ['PatientName', 'CANARYNAME^A'],
    ['PatientID', 'CANARYID'],
    ['StudyInstanceUID', '2.25.86753091'],
    ['SeriesInstanceUID', '2.25.86753092'],
    ...more,
  ]);
}

const PIXELS: Parameters<typeof buildPart10>[0] = [
  ['SamplesPerPixel', 1],
  ['PhotometricInterpretation', 'MONOCHROME2'],
  ['Rows', 2],
  ['Columns', 2],
  ['BitsAllocated', 8],
  ['BitsStored', 8],
  ['HighBit', 7],
  ['PixelRepresentation', 0],
  ['PixelData', 'OB', new Uint8Array([1, 2, 3, 4])],
];

function writeInstances(dir: string): string[] {
  mkdirSync(dir, { recursive: true });
  const good = [1, 2, 3].map((number) => instance(number, PIXELS));
  // Broken in ways that end in held, in refused, in an answer with an error.
  const broken = [
    instance(4, PIXELS.slice(0, -1)),
    instance(5, PIXELS).subarray(0, 500),
    Buffer.from('CANARYTEXT is no DICOM'),
  ];
  return [...good, ...broken].map((bytes, index) => {
    const path = join(dir, `i${index}.dcm`);
    writeFileSync(path, bytes);
    return path;
  });
}

async function send(rig: Rig, paths: readonly string[]): Promise<void> {
  const peer = { host: '127.0.0.1', port: rig.dicomPort, callingAeTitle: 'CT1', calledAeTitle: 'LETHE', parallel: 1 };
  for await (const _result of storeFiles(
    paths.map((path) => fileItem(path, path)),
    peer,
  ));
}

test('F27: what happens is told to the repository, through an outage and a restart, and no message tells who somebody is', {
  skip,
}, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'lethe-repository-'));
  const receiver = await rsyslog(dir, 'tls', await freePort());
  t.after(async () => {
    await receiver.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  const syslog = { host: '127.0.0.1', port: receiver.port, ca: receiver.ca, siteId: 'north' };
  const rig = await startRig(t, { configuration: { audit: { syslog } } });
  const paths = writeInstances(join(rig.dir, 'in'));
  await send(rig, paths.slice(0, 3)); // nobody listens yet
  await rig.quiet();
  await until(() => rig.log().includes('AUDIT_SYSLOG_UNREACHABLE')); // it is told on a round of its own
  await rig.kill('SIGKILL');
  await receiver.start();
  await rig.start();
  await rig.quiet();
  assert.equal(await rig.kill('SIGTERM'), 0);
  await receiver.stop();
  const messages = receiver.messages();
  assertValid(messages);
  const ids = messages.map((xml) => /<EventID csd-code="(\d+)"/.exec(xml)?.[1]);
  for (const id of ['110100', '110102', '110104']) assert.ok(ids.includes(id), `no event ${id} in ${ids.join(' ')}`);
  assert.equal(ids.filter((id) => id === '110100').length, 3, 'start, start after the kill, stop');
  for (const canary of CANARIES) assert.ok(!messages.join('\n').includes(canary), canary);
});

test('F27: logins and refusals are in the audit, names that are none of ours are not', async (t) => {
  const users = [{ name: 'anna', role: 'viewer', passwordHash: await hashPassword('right') }];
  const rig = await startRig(t, { configuration: { http: { users } } });
  const status = async (credentials: string, path: string) => {
    const authorization = `Basic ${Buffer.from(credentials).toString('base64')}`;
    return (await fetch(`http://127.0.0.1:${rig.httpPort}${path}`, { headers: { authorization } })).status;
  };
  assert.deepEqual(
    [
      await status('anna:right', '/api/v1/status'),
      await status('anna:wrong', '/api/v1/status'),
      await status('SECRETNAME:x', '/api/v1/status'),
      await status('anna:right', '/api/v1/instances/01J00000000000000000000000/explain'),
    ],
    [200, 401, 401, 403],
  );
  assert.equal(await rig.kill('SIGTERM'), 0);
  const database = new DatabaseSync(join(rig.dir, 'data', 'lethe.db'), { readOnly: true });
  const entries = database.prepare("SELECT event, detail FROM audit WHERE event LIKE 'user.%' ORDER BY sequence").all();
  database.close();
  assert.deepEqual(
    entries.map(({ event, detail }) => [event, detail]),
    [
      ['user.login', 'anna from 127.0.0.1'],
      ['user.refused', 'anna from 127.0.0.1'],
      ['user.refused', 'unknown from 127.0.0.1'],
      ['user.forbidden', 'anna from 127.0.0.1'],
    ],
  );
});

test('F27: the audit of a gateway that stopped is signed to its end, and audit verify says what was done to it', async (t) => {
  const rig = await startRig(t);
  await send(rig, writeInstances(join(rig.dir, 'in')).slice(0, 3));
  await rig.quiet();
  assert.equal(await rig.kill('SIGTERM'), 0);
  const whole = lethe(rig, 'audit', 'verify');
  assert.equal(whole.status, 0, whole.stdout);
  assert.match(whole.stdout, /whole: \d+ entries, [12] signed checkpoints/);
  const database = new DatabaseSync(join(rig.dir, 'data', 'lethe.db'));
  database.exec("DROP TRIGGER audit_never_changes; UPDATE audit SET detail = 'nothing' WHERE sequence = 3");
  database.close();
  const changed = lethe(rig, 'audit', 'verify', '--json');
  assert.equal(changed.status, 1);
  assert.equal(JSON.parse(changed.stdout).firstBroken, 3);
});

test('canary: no value of a sender is in a log, a metric, an error, an answer of the API or the audit, whatever goes wrong', {
  skip: skipWithoutProgram('storescu'),
}, async (t) => {
  const rig = await startRig(t, {
    configuration: {
      logLevel: 'debug',
      folders: [{ path: 'inbox', customer: 'default', pollSeconds: 0.1, stableSeconds: 0.1 }],
      rules: [{ name: 'third', action: 'hold', when: [{ element: 'SOPInstanceUID', matches: '3$' }] }],
    },
  });
  const paths = writeInstances(join(rig.dir, 'in'));
  await send(rig, paths.slice(0, 5));
  const answers: string[] = [];
  for (const path of paths) {
    const url = `http://127.0.0.1:${rig.httpPort}/receive_dicom`;
    answers.push(await (await fetch(url, { method: 'POST', body: readFileSync(path) })).text());
  }
  for (const [index, path] of paths.entries())
    writeFileSync(join(rig.dir, 'inbox', `${index}.dcm`), readFileSync(path));
  while (!existsSync(join(rig.dir, 'inbox', 'failed', '5.dcm.reason.txt')))
    await new Promise((done) => setTimeout(done, 50));
  const { held, discarded } = await rig.quiet();
  assert.ok(held > 0 && discarded === 0, 'something went wrong, as it should');
  const { instances } = await rig.get<{ instances: { id: string }[] }>('/api/v1/instances?limit=100');
  const text = async (path: string) => (await fetch(`http://127.0.0.1:${rig.httpPort}${path}`)).text();
  for (const { id } of instances)
    answers.push(await text(`/api/v1/instances/${id}`), await text(`/api/v1/instances/${id}/explain`));
  for (const path of [
    '/metrics',
    '/api/v1/status',
    '/api/v1/instances?limit=100',
    '/healthz',
    '/readyz',
    '/no/such/CANARYTEXT',
  ])
    answers.push(await text(path));
  const output = [lethe(rig, 'status'), lethe(rig, 'queue', 'list')].map(({ stdout, stderr }) => stdout + stderr);
  await rig.kill('SIGTERM');
  const audit = new DatabaseSync(join(rig.dir, 'data', 'lethe.db'), { readOnly: true });
  const entries = JSON.stringify(audit.prepare('SELECT event, instance, detail FROM audit').all());
  audit.close();
  const reasons = everythingUnder(join(rig.dir, 'inbox', 'failed'))
    .toString('latin1')
    .split('\n')
    .filter((line) => /^[A-Z_]+: /.test(line));
  const answered = answers.map((answer) => withoutOwnUids(answer));
  const places = {
    log: rig.log(),
    answers: answered.join('\n'),
    output: output.join('\n'),
    entries,
    reasons: reasons.join('\n'),
  };
  assert.ok(rig.log().length > 1000 && entries.length > 100 && reasons.length > 0, 'there is something to look at');
  for (const [where, content] of Object.entries(places))
    for (const canary of CANARIES) assert.ok(!content.includes(canary), `${canary} is in ${where}`);
});

/** Whoever sends over HTTP is told the SOP Instance UID of what he sent, and of nothing else (interface). */
function withoutOwnUids(answer: string): string {
  return answer.replaceAll(/"sopInstanceUid":"[0-9.]+"/g, '');
}
