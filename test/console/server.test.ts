import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type HttpUser, hashPassword } from '../../src/console/auth.ts';
import { startHttp } from '../../src/console/server.ts';
import { systemClock } from '../../src/core/clock.ts';
import { silentLogger } from '../../src/core/log.ts';
import type { GatewayAdmin, ReceiveOrigin, ReceiveResult } from '../../src/gateway/admin.ts';

const ID = '01J00000000000000000000000';

/** An admin face that takes everything and remembers who sent it; what a test does not use throws. */
function admin(received: { bytes: Buffer; from: ReceiveOrigin }[] = [], result?: ReceiveResult): GatewayAdmin {
  const unused = () => Promise.reject(new Error('not used here'));
  return {
    status: unused,
    readiness: async () => ({ ready: false, reasons: ['SPOOL_FULL: no room'] }),
    ledger: async () => [],
    list: async () => [],
    detail: async () => undefined,
    release: unused,
    retry: unused,
    hold: unused,
    discard: unused,
    explain: unused,
    preview: async () => undefined,
    metrics: async () => 'lethe_up 1\n',
    receive: async (bytes, from) => {
      const chunks = [];
      for await (const chunk of bytes) chunks.push(chunk);
      received.push({ bytes: Buffer.concat(chunks), from });
      return result ?? { status: 'accepted', id: ID, sopInstanceUid: '2.25.1' };
    },
  };
}

async function serve(
  t: TestContext,
  face: GatewayAdmin,
  options: { users?: readonly HttpUser[]; bodyLimitBytes?: number } = {},
): Promise<string> {
  const server = await startHttp(
    { host: '127.0.0.1', port: 0, users: options.users ?? [], bodyLimitBytes: options.bodyLimitBytes ?? 1e6 },
    face,
    { logger: silentLogger, clock: systemClock },
  );
  t.after(() => server.close());
  return `http://127.0.0.1:${server.port}`;
}

function multipart(type: string, parts: readonly string[]): { body: string; headers: Record<string, string> } {
  const body = `${parts.map((part) => `--XX\r\n${part}\r\n`).join('')}--XX--\r\n`;
  return { body, headers: { 'content-type': `${type}; boundary=XX` } };
}

test('POST /receive_dicom takes the body whatever its content type and answers with the UID once it is in custody', async (t) => {
  for (const type of [
    'application/dicom',
    'application/octet-stream',
    'application/x-www-form-urlencoded',
    'text/plain',
  ]) {
    const received: { bytes: Buffer; from: ReceiveOrigin }[] = [];
    const url = await serve(t, admin(received));
    const answer = await fetch(`${url}/receive_dicom`, {
      method: 'POST',
      body: 'DICM bytes',
      headers: { 'content-type': type },
    });
    assert.equal(answer.status, 200);
    const body = (await answer.json()) as { message: string; instances: unknown[] };
    assert.deepEqual(body.instances, [{ sopInstanceUid: '2.25.1', status: 'accepted' }]);
    assert.equal(typeof body.message, 'string');
    assert.equal(received[0]?.bytes.toString(), 'DICM bytes');
    assert.equal(received[0]?.from.customer, 'default');
  }
});

test('POST /receive_dicom takes each file of a form', async (t) => {
  const received: { bytes: Buffer; from: ReceiveOrigin }[] = [];
  const url = await serve(t, admin(received));
  const file = (name: string, text: string) =>
    `Content-Disposition: form-data; name="f"; filename="${name}"\r\nContent-Type: application/dicom\r\n\r\n${text}`;
  const answer = await fetch(`${url}/receive_dicom?customer=north`, {
    method: 'POST',
    ...multipart('multipart/form-data', [
      file('a.dcm', 'one'),
      'Content-Disposition: form-data; name="note"\r\n\r\nhello',
      file('b.dcm', 'two'),
    ]),
  });
  assert.equal(answer.status, 200);
  assert.deepEqual(
    received.map(({ bytes, from }) => `${bytes.toString()} ${from.customer}`),
    ['one north', 'two north'],
  );
});

test('STOW-RS answers the Store Instances Response Module', async (t) => {
  const url = await serve(t, admin());
  const part = 'Content-Type: application/dicom\r\n\r\nbytes';
  const answer = await fetch(`${url}/dicom-web/studies`, {
    method: 'POST',
    ...multipart('multipart/related; type="application/dicom"', [part, part]),
  });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-type'), 'application/dicom+json');
  const body = (await answer.json()) as Record<string, { Value: unknown[] }>;
  assert.equal(body['00081199']?.Value.length, 2); // Referenced SOP Sequence
});

test('a refusal says why: too large 413, no room 503 with Retry-After, no DICOM 400', async (t) => {
  const large = await serve(t, admin(), { bodyLimitBytes: 10 });
  assert.equal((await fetch(`${large}/receive_dicom`, { method: 'POST', body: 'x'.repeat(100) })).status, 413);
  const full = await serve(
    t,
    admin([], { status: 'refused', code: 'SPOOL_FULL', message: 'no room', httpStatus: 503 }),
  );
  const answer = await fetch(`${full}/receive_dicom`, { method: 'POST', body: 'x' });
  assert.equal(answer.status, 503);
  assert.match(answer.headers.get('retry-after') ?? '', /^\d+$/);
  const wrong = await serve(
    t,
    admin([], { status: 'refused', code: 'HTTP_NOT_DICOM', message: 'no', httpStatus: 400 }),
  );
  assert.equal((await fetch(`${wrong}/receive_dicom`, { method: 'POST', body: 'x' })).status, 400);
});

test('liveness is apart from readiness, which says what is missing', async (t) => {
  const url = await serve(t, admin());
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  const ready = await fetch(`${url}/readyz`);
  assert.equal(ready.status, 503);
  assert.match(await ready.text(), /SPOOL_FULL/);
});

test('with users every route but health asks for credentials, and a role gives its rights only', async (t) => {
  const users: HttpUser[] = [
    { name: 'vera', role: 'viewer', passwordHash: await hashPassword('right') },
    { name: 'olga', role: 'operator', passwordHash: await hashPassword('right') },
  ];
  const url = await serve(t, admin(), { users });
  const as = (name: string, password: string) => ({
    headers: { authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}` },
  });
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  for (const path of ['/', '/metrics', '/api/v1/instances']) {
    const answer = await fetch(url + path);
    assert.equal(answer.status, 401, path);
    assert.match(answer.headers.get('www-authenticate') ?? '', /^Basic/);
  }
  assert.equal((await fetch(`${url}/api/v1/instances`, as('vera', 'wrong'))).status, 401);
  assert.equal((await fetch(`${url}/api/v1/instances`, as('vera', 'right'))).status, 200);
  assert.equal(
    (await fetch(`${url}/api/v1/instances/${ID}/discard`, { method: 'POST', ...as('vera', 'right') })).status,
    403,
  );
  assert.equal(
    (await fetch(`${url}/receive_dicom`, { method: 'POST', body: 'x', ...as('vera', 'right') })).status,
    403,
  );
  assert.equal(
    (await fetch(`${url}/receive_dicom`, { method: 'POST', body: 'x', ...as('olga', 'right') })).status,
    200,
  );
  assert.equal(
    (await fetch(`${url}/api/v1/ledger`, as('olga', 'right'))).status,
    403,
    'identified values ask for the privacy role',
  );
});

test('a page of another site, and a name that an attacker may point at us, are refused', async (t) => {
  const url = await serve(t, admin());
  const cross = await fetch(`${url}/api/v1/instances/${ID}/release`, {
    method: 'POST',
    headers: { origin: 'https://evil.example' },
  });
  assert.equal(cross.status, 403);
  const { request } = await import('node:http');
  const status = await new Promise((done) =>
    request(`${url}/api/v1/instances`, { headers: { host: 'evil.example' } }, (answer) =>
      done(answer.statusCode),
    ).end(),
  );
  assert.ok(status === 403 || status === 421, String(status));
});

test('a server beyond loopback without users does not start', async () => {
  await assert.rejects(
    startHttp({ host: '0.0.0.0', port: 0, users: [], bodyLimitBytes: 1 }, admin(), {
      logger: silentLogger,
      clock: systemClock,
    }),
    { code: 'CONFIG_INVALID' },
  );
});

test('the API describes itself and answers problems as problem details', async (t) => {
  const url = await serve(t, admin());
  const { paths } = (await (await fetch(`${url}/api/v1/openapi.json`)).json()) as { paths: Record<string, unknown> };
  assert.ok('/api/v1/instances/{id}/release' in paths);
  const answer = await fetch(`${url}/api/v1/instances/${ID}`);
  assert.equal(answer.status, 404);
  assert.equal(answer.headers.get('content-type')?.split(';')[0], 'application/problem+json');
  assert.equal((await fetch(`${url}/api/v1/instances?state=nowhere`)).status, 400);
});
