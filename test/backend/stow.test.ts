import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startBackend } from '../../src/backend/backend.ts';
import { partsOf, readObject } from '../../src/backend/stow.ts';
import { stowRsDestination } from '../../src/delivery/stow-rs/stow-rs.ts';
import { deliverable } from '../delivery/deliverable.ts';
import { dicomFile } from '../delivery/dicom-file.ts';

const root = mkdtempSync(join(tmpdir(), 'lethe-backend-stow-'));
after(() => rmSync(root, { recursive: true }));
const signal = new AbortController().signal;
let folders = 0;

async function running(work: (url: string, dir: string) => Promise<void>, dir = join(root, String(folders++))) {
  const backend = await startBackend({ host: '127.0.0.1', port: 0, dir });
  try {
    await work(`http://127.0.0.1:${backend.port}`, dir);
  } finally {
    await backend.close();
  }
}

async function stow(
  url: string,
  files: readonly Buffer[],
  type = 'multipart/related; type="application/dicom"; boundary=b',
) {
  const head = Buffer.from('--b\r\nContent-Type: application/dicom\r\n\r\n');
  const body = Buffer.concat([...files.flatMap((file) => [head, file, Buffer.from('\r\n')]), Buffer.from('--b--\r\n')]);
  const answer = await fetch(`${url}/dicom-web/studies`, { method: 'POST', headers: { 'content-type': type }, body });
  return { status: answer.status, type: answer.headers.get('content-type'), module: JSON.parse(await answer.text()) };
}

test('an object is stored by its UID and named in the response module', async () => {
  await running(async (url, dir) => {
    const file = dicomFile('1.2.9');
    const { status, type, module } = await stow(url, [file]);
    assert.deepEqual([status, type], [200, 'application/dicom+json']);
    assert.equal(module['00081199'].Value[0]['00081155'].Value[0], '1.2.9');
    assert.equal(module['00081198'], undefined);
    assert.ok(readFileSync(join(dir, 'dicom/1.2.9.dcm')).equals(file));
    const { objects } = JSON.parse(await (await fetch(`${url}/v1/objects`)).text());
    assert.equal(objects[0].sopClassUid, '1.2.840.10008.5.1.4.1.1.7');
    assert.ok(Buffer.from(await (await fetch(`${url}/v1/objects/1.2.9/file`)).arrayBuffer()).equals(file));
    assert.match(await (await fetch(url)).text(), /Objects without an image.*1\.2\.9/s);
  });
});

test('the same again is success, other bytes under its UID are a duplicate, also after a restart', async () => {
  const dir = join(root, 'again');
  await running(async (url) => void (await stow(url, [dicomFile('1.2.9')])), dir);
  await running(async (url) => {
    assert.equal((await stow(url, [dicomFile('1.2.9')])).status, 200);
    const { status, module } = await stow(url, [dicomFile('1.2.9', 8)]);
    assert.equal(status, 409);
    assert.equal(module['00081198'].Value[0]['00081197'].Value[0], 0x0111);
  }, dir);
});

test('some stored is 202 with both sequences, nothing that is no DICOM is stored', async () => {
  await running(async (url, dir) => {
    const { status, module } = await stow(url, [Buffer.from('no DICOM'), dicomFile('1.2.10')]);
    assert.equal(status, 202);
    assert.equal(module['00081198'].Value[0]['00081197'].Value[0], 0xc000);
    assert.equal(module['00081199'].Value.length, 1);
    assert.ok(existsSync(join(dir, 'dicom/1.2.10.dcm')));
    assert.equal((await stow(url, [Buffer.from('no DICOM')])).status, 409);
  });
});

test('a body that is not multipart/related is refused', async () => {
  await running(async (url) => {
    for (const type of ['application/dicom', 'multipart/related', 'multipart/related; boundary=other']) {
      assert.equal((await stow(url, [dicomFile('1.2.9')], type)).status, 400, type);
    }
  });
});

test('our own STOW-RS destination and the backend agree', async () => {
  await running(async (url) => {
    const destination = stowRsDestination('objects', { url: `${url}/dicom-web` });
    const batch = ['1.2.11', '1.2.12'].map((uid) => deliverable({ sopInstanceUid: uid, dicom: dicomFile(uid) }));
    const outcomes = await destination.deliver([...batch, deliverable({ dicom: Buffer.from('no DICOM') })], signal);
    await destination.close();
    assert.deepEqual(
      outcomes.map((outcome) => (outcome.kind === 'failed' ? outcome.code : outcome.kind)),
      ['delivered', 'delivered', 'DELIVERY_REJECTED'],
    );
  });
});

test('parts are found wherever the first delimiter stands, and bytes that look like line breaks stay', () => {
  const type = 'multipart/related; boundary="a b"; type="application/dicom"';
  const part = 'X: y\r\n\r\n\r\n--a\r\n\r\n';
  for (const start of ['', '\r\n', 'preamble\r\n']) {
    const body = Buffer.from(`${start}--a b\r\n${part}\r\n--a b\r\n\r\n\r\n--a b--`);
    assert.deepEqual(partsOf(type, body)?.map(String), ['\r\n--a\r\n\r\n', '']);
  }
  assert.equal(partsOf(type, Buffer.from('--a b\r\n\r\nnever ends')), undefined);
});

test('an object must have its UIDs, and a UID that is a path is none', () => {
  assert.equal(readObject(Buffer.alloc(10)), undefined);
  assert.equal(readObject(Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')])), undefined);
  const escaping = Buffer.from(dicomFile('1.2.3.4.5').toString('latin1').replace('1.2.3.4.5', '../../x.y'), 'latin1');
  assert.equal(readObject(escaping), undefined);
  assert.equal(readObject(dicomFile('1.2.3.4.5'))?.transferSyntaxUid, '1.2.840.10008.1.2.1');
});
