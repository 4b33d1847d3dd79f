import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { type Backend, type BackendOptions, startBackend } from '../../src/backend/backend.ts';
import { safeName } from '../../src/backend/image-store.ts';

const root = mkdtempSync(join(tmpdir(), 'lethe-backend-'));
after(() => rmSync(root, { recursive: true }));
let folders = 0;

async function picture(background: string, format: 'jpeg' | 'png' = 'jpeg'): Promise<string> {
  const image = sharp({ create: { width: 6, height: 4, channels: 3, background } });
  return (await image.toFormat(format).toBuffer()).toString('base64');
}

const JPEG = await picture('#123');
const OTHER = await picture('#fed');
const PNG = await picture('#123', 'png');

function upload(image: object = {}, rest: { study?: object; images?: object[] } = {}) {
  return {
    study: { studyInstanceUid: '1.2', accessionNumber: 'A1', patientId: 'P1', ...rest.study },
    series: { seriesInstanceUid: '1.2.3' },
    images: rest.images ?? [imageOf(image)],
  };
}

function imageOf(fields: object = {}) {
  return {
    imageInstanceUid: '1.2.3.4',
    sopClassUid: '1.2.840.10008.5.1.4.1.1.7',
    height: 4,
    width: 6,
    rescaleSlope: 1,
    rescaleIntercept: 0,
    photometricInterpretation: 'RGB',
    samplesPerPixel: 3,
    bitsAllocated: 8,
    bitsStored: 8,
    highBit: 7,
    data: JPEG,
    ...fields,
  };
}

async function running(
  work: (url: string, dir: string, backend: Backend) => Promise<void>,
  options: Partial<BackendOptions> = {},
) {
  folders += 1;
  const dir = options.dir ?? join(root, String(folders));
  const backend = await startBackend({ host: '127.0.0.1', port: 0, dir, ...options });
  try {
    await work(`http://127.0.0.1:${backend.port}`, dir, backend);
  } finally {
    await backend.close();
  }
}

async function post(url: string, body: unknown, headers: Record<string, string> = {}) {
  const text = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
  const answer = await fetch(`${url}/v1/images/upload`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: text,
    signal: AbortSignal.timeout(5_000),
  });
  return { status: answer.status, headers: answer.headers, body: JSON.parse(await answer.text()) };
}

test('an upload is answered with success and stored as study/series/image with its metadata beside', async () => {
  await running(async (url, dir) => {
    const answer = await post(
      url,
      upload({}, { images: [imageOf(), imageOf({ imageInstanceUid: '1.2.3.5', data: PNG })] }),
    );
    assert.deepEqual([answer.status, answer.body], [200, { success: 'ok' }]);
    assert.ok(readFileSync(join(dir, '1.2/1.2.3/1.2.3.4.jpg')).equals(Buffer.from(JPEG, 'base64')));
    assert.ok(readFileSync(join(dir, '1.2/1.2.3/1.2.3.5.png')).equals(Buffer.from(PNG, 'base64')));
    const metadata = JSON.parse(readFileSync(join(dir, '1.2/1.2.3/1.2.3.4.json'), 'utf8'));
    assert.equal(metadata.study.patientId, 'P1');
    assert.equal(metadata.image.rescaleSlope, 1);
    assert.equal(metadata.image.data, undefined);
  });
});

test('the same image again is a success, other bytes under its UID are a conflict with the digest that is stored', async () => {
  await running(async (url, dir) => {
    const ok = { status: 200, body: { success: 'ok' } };
    for (const _time of [1, 2]) assert.deepEqual(pick(await post(url, upload())), ok);
    const conflict = await post(url, upload({ data: OTHER }));
    assert.equal(conflict.status, 409);
    const sha256 = createHash('sha256').update(Buffer.from(JPEG, 'base64')).digest('hex');
    assert.deepEqual(conflict.body.conflicts, [{ imageInstanceUid: '1.2.3.4', sha256 }]);
    assert.ok(readFileSync(join(dir, '1.2/1.2.3/1.2.3.4.jpg')).equals(Buffer.from(JPEG, 'base64')));
  });
});

test('a request with one conflict stores nothing', async () => {
  await running(async (url, dir) => {
    await post(url, upload());
    const images = [imageOf({ imageInstanceUid: '1.9' }), imageOf({ data: OTHER })];
    assert.equal((await post(url, upload({}, { images }))).status, 409);
    assert.ok(!existsSync(join(dir, '1.2/1.2.3/1.9.jpg')));
  });
});

test('what was accepted is still known after a restart', async () => {
  const dir = join(root, 'restarted');
  await running(async (url) => void (await post(url, upload())), { dir });
  await running(
    async (url) => {
      assert.equal((await post(url, upload({ data: OTHER }))).status, 409);
      const { studies } = JSON.parse(await (await fetch(`${url}/v1/studies`)).text());
      assert.equal(studies[0].series[0].images[0].imageInstanceUid, '1.2.3.4');
    },
    { dir },
  );
});

const REFUSED: readonly [what: string, path: string, body: unknown][] = [
  ['no object', 'body', []],
  ['no study', 'study', { ...upload(), study: undefined }],
  ['no study UID', 'study.studyInstanceUid', upload({}, { study: { studyInstanceUid: undefined } })],
  ['an empty accession number', 'study.accessionNumber', upload({}, { study: { accessionNumber: '' } })],
  ['a patient ID that is a number', 'study.patientId', upload({}, { study: { patientId: 5 } })],
  ['an age in months', 'study.patientAge', upload({}, { study: { patientAge: '006M' } })],
  ['an age of null', 'study.patientAge', upload({}, { study: { patientAge: null } })],
  ['no series UID', 'series.seriesInstanceUid', { ...upload(), series: {} }],
  ['no images', 'images', upload({}, { images: [] })],
  ['an image that is no object', 'images[0]', { ...upload(), images: ['x'] }],
  ['an image twice', 'images[1].imageInstanceUid', upload({}, { images: [imageOf(), imageOf()] })],
  ['no SOP class', 'images[0].sopClassUid', upload({ sopClassUid: undefined })],
  ['a height of zero', 'images[0].height', upload({ height: 0 })],
  ['another width than the picture', 'images[0] width', upload({ width: 7 })],
  ['a slope of a half', 'images[0].rescaleSlope', upload({ rescaleSlope: 0.5 })],
  ['a slope of zero', 'images[0].rescaleSlope', upload({ rescaleSlope: 0 })],
  ['an intercept as text', 'images[0].rescaleIntercept', upload({ rescaleIntercept: '0' })],
  ['an unknown colour model', 'images[0].photometricInterpretation', upload({ photometricInterpretation: 'CMYK' })],
  ['samples as text', 'images[0].samplesPerPixel', upload({ samplesPerPixel: '3' })],
  ['seven bits allocated', 'images[0].bitsAllocated', upload({ bitsAllocated: 7 })],
  ['no bits stored', 'images[0].bitsStored', upload({ bitsStored: 0 })],
  ['a high bit of zero', 'images[0].highBit', upload({ highBit: 0 })],
  ['no data', 'images[0].data', upload({ data: undefined })],
  ['base64url', 'images[0].data', upload({ data: '_-_-' })],
  ['base64 without padding', 'images[0].data', upload({ data: JPEG.replace(/=+$/, '').slice(0, -1) })],
  ['base64 with a line break', 'images[0].data', upload({ data: `${JPEG.slice(0, 76)}\n${JPEG.slice(76)}` })],
  ['base64 of something else', 'images[0].data', upload({ data: 'AAAA' })],
  ['a picture cut short', 'images[0].data', upload({ data: JPEG.slice(0, JPEG.length - 40) })],
];

for (const [what, path, body] of REFUSED) {
  test(`${what} is refused with 400 and the path`, async () => {
    await running(async (url, dir) => {
      const answer = await post(url, body);
      assert.equal(answer.status, 400);
      assert.equal(answer.body.status, 'error');
      assert.ok(answer.body.message.startsWith(path), answer.body.message);
      assert.ok(!existsSync(join(dir, '1.2')));
    });
  });
}

test('a refusal repeats no value', async () => {
  await running(async (url) => {
    const answer = await post(
      url,
      upload({ photometricInterpretation: 'SECRET' }, { study: { patientAge: 'SECRET' } }),
    );
    assert.equal(answer.status, 400);
    assert.ok(!JSON.stringify(answer.body).includes('SECRET'));
  });
});

test('what is not JSON, not said to be JSON, or too long is refused, and the backend goes on', async () => {
  await running(
    async (url) => {
      assert.equal((await post(url, 'not json')).status, 400);
      assert.equal((await post(url, Buffer.from([0x22, 0xff, 0x22]))).status, 400);
      assert.equal((await post(url, upload(), { 'content-type': 'text/plain' })).status, 415);
      assert.equal((await post(url, upload(), { 'content-encoding': 'br' })).status, 415);
      assert.equal((await post(url, 'not gzip', { 'content-encoding': 'gzip' })).status, 400);
      assert.equal((await post(url, 'x'.repeat(70_000))).status, 413);
      assert.equal((await post(url, gzipSync('x'.repeat(70_000)), { 'content-encoding': 'gzip' })).status, 413);
      assert.equal((await post(url, upload())).status, 200);
    },
    { bodyBytesMax: 65_536 },
  );
});

test('a compressed body is accepted', async () => {
  await running(async (url) => {
    const answer = await post(url, gzipSync(JSON.stringify(upload())), { 'content-encoding': 'gzip' });
    assert.equal(answer.status, 200);
  });
});

test('identifiers cannot leave the folder', async () => {
  await running(async (url, dir) => {
    const escaping = upload({ imageInstanceUid: '../../../x' }, { study: { studyInstanceUid: '..' } });
    assert.equal((await post(url, escaping)).status, 200);
    assert.ok(existsSync(join(dir, '%2E.', '1.2.3', '%2E.%2F..%2F..%2Fx.jpg')));
  });
  assert.equal(safeName('a/b\\c\0d'), 'a%2Fb%5Cc%00d');
  assert.equal(safeName('1.2.840'), '1.2.840');
  assert.ok(safeName('x'.repeat(5000)).length < 100);
});

test('uploads of the same image at the same time agree on one', async () => {
  await running(async (url) => {
    const answers = await Promise.all([JPEG, OTHER, JPEG, OTHER].map((data) => post(url, upload({ data }))));
    const statuses = answers.map((answer) => answer.status).sort();
    assert.deepEqual(statuses, [200, 200, 409, 409]);
  });
});

test('the page shows the pictures and escapes what senders chose', async () => {
  await running(async (url) => {
    const empty = await (await fetch(url)).text();
    assert.match(empty, /Nothing yet/);
    await post(
      url,
      upload({ imageInstanceUid: '"><img src=x>' }, { study: { patientId: '<script>alert(1)</script>' } }),
    );
    const answer = await fetch(url);
    assert.match(answer.headers.get('content-security-policy') ?? '', /default-src 'none'/);
    const html = await answer.text();
    assert.ok(!html.includes('<script'));
    assert.ok(!html.includes('<img src=x'));
    const source = /<img loading="lazy" src="([^"]+)"/.exec(html)?.[1] ?? '';
    const image = await fetch(url + source);
    assert.equal(image.headers.get('content-type'), 'image/jpeg');
    assert.ok(Buffer.from(await image.arrayBuffer()).equals(Buffer.from(JPEG, 'base64')));
  });
});

test('health, metadata, and what is not there', async () => {
  await running(async (url) => {
    await post(url, upload());
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    assert.equal(JSON.parse(await (await fetch(`${url}/v1/images/1.2.3.4`)).text()).study.patientId, 'P1');
    assert.equal((await fetch(`${url}/v1/images/none`)).status, 404);
    assert.equal((await fetch(`${url}/v1/images/%E0%A4%A`)).status, 404);
    assert.equal((await fetch(`${url}/nothing`)).status, 404);
    const wrong = await fetch(`${url}/v1/images/upload`);
    assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'POST']);
  });
});

test('ordered failures strike as often as ordered, then the backend is well again', async () => {
  await running(async (url, dir, backend) => {
    backend.failures.add({ failure: { kind: 'status', status: 429, retryAfterSeconds: 3 }, times: 1 });
    backend.failures.add({ failure: { kind: 'reset' }, times: 1 });
    backend.failures.add({ failure: { kind: 'accept-then-reset' }, times: 1 });
    const busy = await post(url, upload());
    assert.deepEqual([busy.status, busy.headers.get('retry-after')], [429, '3']);
    await assert.rejects(post(url, upload()));
    assert.ok(!existsSync(join(dir, '1.2')));
    await assert.rejects(post(url, upload()));
    assert.ok(existsSync(join(dir, '1.2/1.2.3/1.2.3.4.jpg')));
    assert.equal((await post(url, upload())).status, 200);
  });
});

test('failures can be ordered over HTTP only where that is allowed', async () => {
  const order = (url: string, body: object) =>
    fetch(`${url}/v1/failures`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  await running(async (url) => assert.equal((await order(url, { kind: 'hang' })).status, 404));
  await running(
    async (url) => {
      assert.equal((await order(url, { kind: 'nonsense' })).status, 400);
      assert.equal((await order(url, { kind: 'status', status: 500 })).status, 200);
      assert.equal((await post(url, upload())).status, 500);
      await fetch(`${url}/v1/failures`, { method: 'DELETE' });
      assert.equal((await post(url, upload())).status, 200);
    },
    { failureEndpoint: true },
  );
});

function pick({ status, body }: { status: number; body: unknown }) {
  return { status, body };
}
