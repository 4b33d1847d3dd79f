import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Agent } from 'undici';
import type { Clock } from '../../src/core/clock.ts';
import { type AuthOptions, authorizerOf, type OAuth2Options } from '../../src/delivery/auth.ts';
import { HttpClient } from '../../src/delivery/http-client.ts';
import { type ScriptedAnswer, type ScriptedServer, scriptedServer } from './scripted-server.ts';

const signal = new AbortController().signal;
const dispatcher = new Agent();
const folder = mkdtempSync(join(tmpdir(), 'lethe-auth-'));
after(async () => {
  rmSync(folder, { recursive: true });
  await dispatcher.destroy();
});

async function headersOf(options: AuthOptions) {
  return authorizerOf(options, dispatcher).headers(signal);
}

test('no credentials, no header', async () => {
  assert.deepEqual(await headersOf({ type: 'none' }), {});
});

test('Basic is base64 of UTF-8 (RFC 7617 §2.1)', async () => {
  const { authorization } = await headersOf({ type: 'basic', user: 'test', password: '123\u00a3' });
  assert.equal(authorization, 'Basic dGVzdDoxMjPCow==');
});

test('a bearer token in a file is read each time, so that it can be rotated', async () => {
  const file = join(folder, 'token');
  writeFileSync(file, 'first\n');
  const authorizer = authorizerOf({ type: 'bearer', token: { file } }, dispatcher);
  assert.deepEqual(await authorizer.headers(signal), { authorization: 'Bearer first' });
  writeFileSync(file, 'second\n');
  assert.deepEqual(await authorizer.headers(signal), { authorization: 'Bearer second' });
});

test('a secret that is missing, empty or no header text is tried again later, not held', async () => {
  const empty = join(folder, 'empty');
  writeFileSync(empty, '\n');
  for (const token of [{ file: join(folder, 'none') }, { file: empty }, 'two\r\nlines']) {
    await assert.rejects(headersOf({ type: 'bearer', token }), { code: 'DELIVERY_AUTH_FAILED' });
  }
});

test('an API key goes into its header', async () => {
  assert.deepEqual(await headersOf({ type: 'api-key', header: 'X-API-Key', key: 'k' }), { 'x-api-key': 'k' });
});

function token(text: string, seconds?: number): ScriptedAnswer {
  return { status: 200, body: JSON.stringify({ access_token: text, token_type: 'Bearer', expires_in: seconds }) };
}

async function withTokens(
  answers: readonly ScriptedAnswer[],
  work: (server: ScriptedServer, options: OAuth2Options) => Promise<void>,
) {
  const server = await scriptedServer(answers);
  try {
    await work(server, {
      type: 'oauth2',
      tokenUrl: `${server.url}/token?x=1`,
      clientId: 'id',
      clientSecret: 's&c',
      scope: 'up',
    });
  } finally {
    await server.close();
  }
}

test('client credentials are asked for once and renewed before they end', async () => {
  await withTokens([token('one', 600), token('two', 600)], async (server, options) => {
    let now = 0;
    const clock: Clock = { nowMs: () => now, monotonicMs: () => now };
    const authorizer = authorizerOf(options, dispatcher, clock);
    const together = await Promise.all([authorizer.headers(signal), authorizer.headers(signal)]);
    assert.deepEqual(together, [{ authorization: 'Bearer one' }, { authorization: 'Bearer one' }]);
    now = 539_000;
    assert.deepEqual(await authorizer.headers(signal), { authorization: 'Bearer one' });
    now = 541_000;
    assert.deepEqual(await authorizer.headers(signal), { authorization: 'Bearer two' });
    assert.equal(server.requests.length, 2);
    assert.equal(server.requests[0]?.url, '/token?x=1');
    assert.equal(server.requests[0]?.body.toString(), 'grant_type=client_credentials&scope=up');
    assert.equal(server.requests[0]?.headers.authorization, `Basic ${btoa('id:s%26c')}`);
  });
});

test('client credentials may go into the body', async () => {
  await withTokens([token('one')], async (server, options) => {
    await headersOf({ ...options, credentialsIn: 'body' });
    const expected = 'grant_type=client_credentials&scope=up&client_id=id&client_secret=s%26c';
    assert.equal(server.requests[0]?.body.toString(), expected);
    assert.equal(server.requests[0]?.headers.authorization, undefined);
  });
});

test('a token endpoint that refuses, is busy, or talks nonsense is told apart', async () => {
  const cases: [ScriptedAnswer, string][] = [
    [{ status: 400, body: '{"error":"invalid_client"}' }, 'DELIVERY_AUTH_FAILED'],
    [{ status: 503 }, 'DELIVERY_BUSY'],
    [{ status: 200, body: '<html>' }, 'DELIVERY_AUTH_FAILED'],
    [{ status: 200, body: '{"access_token":""}' }, 'DELIVERY_AUTH_FAILED'],
  ];
  for (const [answer, code] of cases) {
    await withTokens([answer], async (_server, options) => {
      await assert.rejects(headersOf(options), { code });
    });
  }
});

test('a token that is refused is renewed once, and the request sent again', async () => {
  await withTokens([token('stale'), token('fresh')], async (_server, auth) => {
    const api = await scriptedServer([{ status: 401 }, { status: 200 }, { status: 401 }, { status: 401 }]);
    const client = new HttpClient({ url: api.url, auth });
    try {
      const request = { method: 'POST', path: '/', signal } as const;
      assert.equal((await client.request(request)).status, 200);
      const seen = api.requests.map((one) => one.headers.authorization);
      assert.deepEqual(seen, ['Bearer stale', 'Bearer fresh']);
      assert.equal((await client.request(request)).status, 401, 'not for ever');
      assert.equal(api.requests.length, 4);
    } finally {
      await client.close();
      await api.close();
    }
  });
});

test('a token endpoint that hangs does not hold the request beyond its time', async () => {
  await withTokens(['hang'], async (_server, auth) => {
    const client = new HttpClient({
      url: 'http://127.0.0.1:9',
      auth,
      timeouts: { connectMs: 50, idleMs: 50, answerMs: 50 },
    });
    await assert.rejects(client.request({ method: 'POST', path: '/', signal }), { code: 'DELIVERY_TIMEOUT' });
    await client.close();
  });
});
