/** Intake over HTTP with senders that are not ours: curl, and Orthanc's DICOMweb plugin as a STOW-RS client. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { makeSampleStudies } from '../../src/samples/studies.ts';
import { buildPart10 } from '../build/data-set.ts';
import { freePort, skipWithoutOrthanc, startOrthanc } from '../delivery/orthanc.ts';
import { type Rig, startRig } from '../support/gateway-process.ts';
import { skipWithoutProgram } from '../support/peers.ts';

const run = promisify(execFile);
const skip = skipWithoutProgram('curl');

async function samples(rig: Rig, count: number): Promise<string[]> {
  const dir = join(rig.dir, 'samples');
  mkdirSync(dir, { recursive: true });
  const paths: string[] = [];
  for await (const study of makeSampleStudies()) {
    for (const file of study.files) {
      if (paths.length === count) return paths;
      const path = join(dir, file.name);
      writeFileSync(path, file.bytes);
      paths.push(path);
    }
  }
  return paths;
}

async function curl(...args: string[]): Promise<{ status: number; body: string }> {
  const { stdout } = await run(
    'curl',
    ['--silent', '--show-error', '--max-time', '60', '--write-out', '\n%{http_code}', ...args],
    {
      maxBuffer: 16 * 1024 * 1024,
    },
  );
  const end = stdout.lastIndexOf('\n');
  return { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) };
}

async function total(rig: Rig): Promise<number> {
  const { instances } = await rig.get<{ instances: unknown[] }>('/api/v1/instances?limit=500');
  return instances.length;
}

/** A large instance: more than any buffer on the way, and no image, so that nothing is rendered. */
function large(megabytes: number): Uint8Array {
  return buildPart10([
    ['SOPClassUID', '1.2.840.10008.5.1.4.1.1.66'],
    ['SOPInstanceUID', '2.25.4711'],
    ['Modality', 'REG'],
    ['PatientID', 'X'],
    ['StudyInstanceUID', '2.25.4712'],
    ['SeriesInstanceUID', '2.25.4713'],
    [0x00420011, 'OB', new Uint8Array(megabytes << 20)],
  ]);
}

test('curl: one file as the body, with or without a length, and the same again', { skip }, async (t) => {
  const rig = await startRig(t);
  const url = `http://127.0.0.1:${rig.httpPort}/receive_dicom`;
  const [path = ''] = await samples(rig, 1);
  const status = async (...args: string[]) => {
    const answer = await curl(...args, url);
    return [answer.status, JSON.parse(answer.body).instances?.[0]?.status];
  };
  assert.deepEqual(await status('--data-binary', `@${path}`), [200, 'accepted']);
  assert.deepEqual(await status('--data-binary', `@${path}`, '-H', 'Content-Type: application/dicom'), [
    200,
    'duplicate',
  ]);
  assert.deepEqual(await status('-X', 'POST', '-T', path, '-H', 'Transfer-Encoding: chunked'), [200, 'duplicate']);
  assert.deepEqual(await status('--http1.0', '--data-binary', `@${path}`), [200, 'duplicate']);
  assert.equal(await total(rig), 1);
});

test('curl: several files of a form are several instances; what is none is told beside those that are', {
  skip,
}, async (t) => {
  const rig = await startRig(t);
  const url = `http://127.0.0.1:${rig.httpPort}/receive_dicom`;
  const paths = await samples(rig, 5);
  const forms = paths.flatMap((path, index) => ['-F', `file${index}=@${path};type=application/dicom`]);
  const { status, body } = await curl(...forms, '-F', 'remark=hello', url);
  assert.equal(status, 200, body);
  assert.equal(JSON.parse(body).instances.length, 5);
  const text = join(rig.dir, 'letter.txt');
  writeFileSync(text, 'no DICOM');
  const mixed = await curl('-F', `a=@${paths[0]}`, '-F', `b=@${text}`, url);
  assert.equal(mixed.status, 400);
  assert.deepEqual(
    JSON.parse(mixed.body).instances.map((one: { status: string }) => one.status),
    ['duplicate', 'refused'],
  );
});

test('curl: a large file is asked for by 100-continue and arrives byte for byte; one above the limit is refused before it is sent', {
  skip,
}, async (t) => {
  const rig = await startRig(t, { configuration: { limits: { maxHttpBodyBytes: '80MiB' } } });
  const url = `http://127.0.0.1:${rig.httpPort}/receive_dicom`;
  const file = (name: string, bytes: Uint8Array) => {
    const path = join(rig.dir, name);
    writeFileSync(path, bytes);
    return path;
  };
  const bytes = large(64);
  const { stderr } = await run('curl', [
    '-sv',
    '-o',
    join(rig.dir, 'answer'),
    '--expect100-timeout',
    '30',
    '--data-binary',
    `@${file('big.dcm', bytes)}`,
    url,
  ]);
  assert.match(stderr, /< HTTP\/1\.1 100 Continue[\s\S]*< HTTP\/1\.1 200/);
  const { instances } = await rig.get<{ instances: { id: string; bytes: number }[] }>('/api/v1/instances');
  assert.equal(instances[0]?.bytes, bytes.length);
  await rig.quiet(); // the digest is found out later
  const history = JSON.stringify(await rig.get(`/api/v1/instances/${instances[0]?.id}`));
  const dataSet = bytes.subarray(132 + 12 + Buffer.from(bytes).readUInt32LE(140));
  assert.ok(
    history.includes(createHash('sha256').update(dataSet).digest('hex')),
    'the digest on record is that of the data set',
  );
  const refused = await curl('--expect100-timeout', '30', '--data-binary', `@${file('bigger.dcm', large(90))}`, url);
  assert.equal(refused.status, 413);
});

test('Orthanc stores whole studies by STOW-RS, and believes the answer', { skip: skipWithoutOrthanc() }, async (t) => {
  const httpPort = await freePort();
  const url = `http://127.0.0.1:${httpPort}/dicom-web/`;
  const orthanc = await startOrthanc({
    DicomWeb: { Enable: true, Root: '/dicom-web/', Servers: { lethe: { Url: url } } },
  });
  t.after(() => orthanc.kill());
  const rig = await startRig(t, { configuration: { http: { port: httpPort } } });
  const first = await stow(orthanc.url, await samples(rig, 45));
  assert.deepEqual(first, { status: 200, failed: 0 });
  assert.equal(await total(rig), (await orthanc.instances()).length);
  // Sent again it is the same answer, and nothing more is owed.
  assert.deepEqual(await stow(orthanc.url, []), { status: 200, failed: 0 });
  assert.equal(await total(rig), (await orthanc.instances()).length);
});

/** Puts files into Orthanc, and has it send all it has. */
async function stow(url: string, paths: readonly string[]): Promise<{ status: number; failed: number }> {
  for (const path of paths)
    await fetch(`${url}/instances`, { method: 'POST', body: new Uint8Array(readFileSync(path)) });
  const studies = (await (await fetch(`${url}/studies`)).json()) as string[];
  const answer = await fetch(`${url}/dicom-web/servers/lethe/stow`, {
    method: 'POST',
    body: JSON.stringify({ Resources: studies, Synchronous: true }),
  });
  const text = await answer.text();
  return { status: answer.status, failed: (text.match(/00081198/g) ?? []).length };
}
