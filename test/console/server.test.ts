import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type HttpUser, hashPassword } from '../../src/console/auth.ts';
import { startHttp } from '../../src/console/server.ts';
import { systemClock } from '../../src/core/clock.ts';
import { silentLogger } from '../../src/core/log.ts';
import { admin, ID, serve } from './rig.ts';

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

test('what is not there is a problem with a code', async (t) => {
  const url = await serve(t, admin());
  for (const path of ['/nowhere', `/api/v1/instances/${ID}`, '/api/v1/instances/..%2f..%2fetc', '/../package.json']) {
    const answer = await fetch(url + path);
    assert.equal(answer.status, 404, path);
    assert.equal(answer.headers.get('content-type')?.split(';')[0], 'application/problem+json');
    assert.equal(((await answer.json()) as { code: string }).code, 'HTTP_NOT_FOUND');
  }
});
