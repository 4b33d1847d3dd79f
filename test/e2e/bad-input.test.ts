/** What senders and backends do wrong, and what the gateway makes of it: a clear answer, and nothing accepted is lost. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { isTaken } from '../../src/cli/send.ts';
import { storeFiles } from '../../src/cli/store-files.ts';
import { bytesSource } from '../../src/core/bytes.ts';
import { makeSampleStudies } from '../../src/samples/studies.ts';
import { type Rig, startRig, sum } from '../support/gateway-process.ts';

async function slices(count: number): Promise<Uint8Array[]> {
  for await (const study of makeSampleStudies())
    if (study.files.length >= count) return study.files.slice(0, count).map(({ bytes }) => bytes);
  throw new Error('no study has so many');
}

async function send(rig: Rig, files: readonly Uint8Array[]) {
  const items = files.map((bytes, index) => ({
    name: String(index),
    open: () => ({ ...bytesSource(bytes), close: () => undefined }),
  }));
  const results = [];
  for await (const result of storeFiles(items, {
    host: '127.0.0.1',
    port: rig.dicomPort,
    callingAeTitle: 'BAD',
    calledAeTitle: 'LETHE',
    parallel: 1,
  }))
    results.push(result);
  return results;
}

function post(rig: Rig, body: Uint8Array): Promise<Response> {
  return fetch(`http://127.0.0.1:${rig.httpPort}/receive_dicom`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/octet-stream' },
  });
}

test('a body that is no DICOM is answered 400 with what to do, and leaves nothing', async (t) => {
  const rig = await startRig(t);
  for (const body of [
    Buffer.from('hello'),
    Buffer.alloc(0),
    Buffer.alloc(5000, 7),
    Buffer.from('%PDF-1.7 not an image'),
  ]) {
    const answer = await post(rig, body);
    assert.equal(answer.status, 400);
    assert.match(await answer.text(), /HTTP_NOT_DICOM/);
  }
  assert.deepEqual((await rig.get<{ instances: unknown[] }>('/api/v1/instances')).instances, []);
});

test('a truncated instance is refused or held with that reason, never delivered', async (t) => {
  const rig = await startRig(t);
  const [whole = new Uint8Array()] = await slices(1);
  const inHeader = await post(rig, whole.subarray(0, 400));
  assert.equal(inHeader.status, 400);
  const inPixels = await post(rig, whole.subarray(0, whole.length - 1000));
  assert.ok(inPixels.status === 200 || inPixels.status === 400);
  const counts = await rig.quiet();
  assert.equal(counts.prepared, 0);
  if (inPixels.status === 200) {
    const { instances } = await rig.get<{ instances: { reason: string }[] }>('/api/v1/instances?state=held');
    assert.deepEqual(
      instances.map(({ reason }) => reason),
      ['DICOM_TRUNCATED'],
    );
  }
});

test('garbage on the DICOM port is aborted and costs other senders nothing', async (t) => {
  const rig = await startRig(t);
  const garbage = createConnection(rig.dicomPort, '127.0.0.1');
  const ended = new Promise<void>((done) => garbage.on('close', () => done()));
  garbage.on('error', () => undefined);
  garbage.write(Buffer.alloc(100_000, 0xee));
  const results = await send(rig, await slices(2));
  assert.deepEqual(results.map(isTaken), [true, true]);
  garbage.destroy();
  await ended;
});

test('a file in a watched folder that is no DICOM goes to failed/ with its reason, a good one to done/', async (t) => {
  const rig = await startRig(t, {
    configuration: { folders: [{ path: 'inbox', customers: 'subfolders', pollSeconds: 0.1, stableSeconds: 0.2 }] },
  });
  const inbox = join(rig.dir, 'inbox', 'customer_1');
  mkdirSync(join(inbox, 'deep'), { recursive: true });
  const [good = new Uint8Array()] = await slices(1);
  writeFileSync(join(inbox, 'deep', 'good.dcm'), good);
  writeFileSync(join(inbox, 'notes.txt'), 'not an image');
  writeFileSync(join(inbox, 'half.dcm.part'), 'still being copied');
  const wanted = [join(inbox, 'done', 'deep', 'good.dcm'), join(inbox, 'failed', 'notes.txt.reason.txt')];
  for (let tries = 0; tries < 400 && !wanted.every((path) => existsSync(path)); tries++)
    await new Promise((resolve) => setTimeout(resolve, 25));
  assert.deepEqual(
    wanted.map((path) => existsSync(path)),
    [true, true],
  );
  assert.match(readFileSync(wanted[1] ?? '', 'utf8'), /HTTP_NOT_DICOM/);
  assert.deepEqual(readdirSync(inbox).toSorted(), ['deep', 'done', 'failed', 'half.dcm.part']);
  const { instances } = await rig.get<{ instances: { customer: string }[] }>('/api/v1/instances');
  assert.deepEqual(
    instances.map(({ customer }) => customer),
    ['customer_1'],
  );
});

const BACKEND_TROUBLE = [
  ['answers 500 for a while', { failure: { kind: 'status', status: 500 }, times: 3 }],
  ['resets the connection', { failure: { kind: 'reset' }, times: 2 }],
  ['accepts and then resets', { failure: { kind: 'accept-then-reset' }, times: 2 }],
] as const;

for (const [what, failure] of BACKEND_TROUBLE) {
  test(`a backend that ${what}: everything acknowledged is delivered once it is well`, async (t) => {
    const rig = await startRig(t, { failures: [failure] });
    const results = await send(rig, await slices(5));
    assert.equal(results.filter(isTaken).length, 5);
    const counts = await rig.quiet();
    assert.equal(sum(counts.deliveries, 'delivered'), 5);
    assert.equal(counts.held, 0);
  });
}

test('a backend that hangs: the request is given up after its time limit and repeated', async (t) => {
  const rig = await startRig(t, { failures: [{ failure: { kind: 'hang' }, times: 1 }] });
  await rig.kill('SIGTERM');
  const path = join(rig.dir, 'lethe.yaml');
  const configuration = JSON.parse(readFileSync(path, 'utf8')) as { destinations: { timeoutSeconds?: number }[] };
  for (const destination of configuration.destinations) destination.timeoutSeconds = 1;
  writeFileSync(path, JSON.stringify(configuration));
  await rig.start();
  const results = await send(rig, await slices(2));
  assert.equal(results.filter(isTaken).length, 2);
  const counts = await rig.quiet();
  assert.equal(sum(counts.deliveries, 'delivered'), 2);
});

test('a backend that answers 400: the instances are held with that reason and can be released', async (t) => {
  const rig = await startRig(t, { failures: [{ failure: { kind: 'status', status: 400 }, times: 50 }] });
  await send(rig, await slices(2));
  const counts = await rig.quiet();
  assert.equal(sum(counts.deliveries, 'held'), 2);
  rig.backend.failures.clear();
  const { instances } = await rig.get<{ instances: { id: string }[] }>('/api/v1/instances?deliveryState=held');
  for (const { id } of instances) {
    const answer = await fetch(`http://127.0.0.1:${rig.httpPort}/api/v1/instances/${id}/release`, { method: 'POST' });
    assert.equal(answer.status, 200);
  }
  const after = await rig.quiet();
  assert.equal(sum(after.deliveries, 'delivered'), 2);
});

test('a backend that is down: senders are acknowledged all the same, and it gets everything when it is back', async (t) => {
  const rig = await startRig(t, {
    configuration: { destinations: [{ name: 'cloud', type: 'image-api', url: 'http://127.0.0.1:9' }] },
  });
  const results = await send(rig, await slices(3));
  assert.equal(results.filter(isTaken).length, 3);
  await rig.kill('SIGTERM');
  const path = join(rig.dir, 'lethe.yaml');
  const configuration = JSON.parse(readFileSync(path, 'utf8')) as { destinations: { url: string }[] };
  for (const destination of configuration.destinations) destination.url = `http://127.0.0.1:${rig.backend.port}`;
  writeFileSync(path, JSON.stringify(configuration));
  await rig.start();
  const counts = await rig.quiet();
  assert.equal(counts.deliveries['cloud']?.['delivered'], 3);
});

test('below the free-space mark associations are rejected as transient, HTTP answers 503 with Retry-After, readiness says why', async (t) => {
  const rig = await startRig(t, { configuration: { limits: { minFreeDiskBytes: '900TiB' } } });
  const [file = new Uint8Array()] = await slices(1);
  const [result] = await send(rig, [file]);
  assert.equal(result?.error?.code, 'DIMSE_ASSOCIATION_REJECTED');
  assert.equal(result?.error?.detail['result'], 2); // transient, PS3.8 Table 9-21
  const answer = await post(rig, file);
  assert.equal(answer.status, 503);
  assert.match(answer.headers.get('retry-after') ?? '', /^\d+$/);
  const ready = await fetch(`http://127.0.0.1:${rig.httpPort}/readyz`);
  assert.equal(ready.status, 503);
  assert.match(await ready.text(), /SPOOL_FULL/);
  assert.equal((await fetch(`http://127.0.0.1:${rig.httpPort}/healthz`)).status, 200);
});
