import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import { generate } from 'selfsigned';
import { HttpClient, type HttpOptions } from '../../src/delivery/http-client.ts';
import { OK, type ScriptedServer, scriptedServer } from './scripted-server.ts';

const signal = new AbortController().signal;
const SUBJECT = [{ name: 'commonName', value: '127.0.0.1' }];

async function certificate() {
  const pair = await generate(SUBJECT, {
    algorithm: 'sha256',
    keySize: 2048,
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  });
  return { cert: pair.cert, key: pair.private };
}

async function get(options: HttpOptions): Promise<number> {
  const client = new HttpClient(options);
  try {
    return (await client.request({ method: 'GET', path: '/x', signal })).status;
  } finally {
    await client.close();
  }
}

test('the path is appended to the path of the base URL', async () => {
  const server = await scriptedServer();
  for (const url of [`${server.url}/base`, `${server.url}/base/`]) await get({ url });
  assert.deepEqual(
    server.requests.map((request) => request.url),
    ['/base/x', '/base/x'],
  );
  await server.close();
});

test('a certificate that no known authority signed is refused, the configured authority is believed', async () => {
  const pair = await certificate();
  const server = await scriptedServer([OK], pair);
  await assert.rejects(get({ url: server.url }), { code: 'DELIVERY_UNREACHABLE' });
  assert.equal(await get({ url: server.url, tls: { ca: pair.cert } }), 200);
  assert.equal(server.requests.length, 1, 'nothing was sent to the stranger');
  await server.close();
});

test('a certificate for another name is refused', async () => {
  const pair = await certificate();
  const server = await scriptedServer([OK], pair);
  const tls = { ca: pair.cert, serverName: 'elsewhere.example' };
  await assert.rejects(get({ url: server.url, tls }), { code: 'DELIVERY_UNREACHABLE' });
  await server.close();
});

test('mutual TLS shows our certificate', async () => {
  const [theirs, ours] = [await certificate(), await certificate()];
  const server = await scriptedServer([OK], { ...theirs, ca: ours.cert, requestCert: true, rejectUnauthorized: true });
  await assert.rejects(get({ url: server.url, tls: { ca: theirs.cert } }), (error: { code?: string }) =>
    ['DELIVERY_UNREACHABLE', 'DELIVERY_CONNECTION_LOST'].includes(error.code ?? ''),
  );
  assert.equal(await get({ url: server.url, tls: { ca: theirs.cert, ...ours } }), 200);
  await server.close();
});

/** A proxy as RFC 9110 §9.3.6 and RFC 9112 §3.2.2 describe it: tunnels and absolute-form requests. */
async function proxyServer() {
  const seen: { kind: string; authorization: string | undefined }[] = [];
  const server = createServer((request, response) => {
    seen.push({ kind: 'forward', authorization: request.headers['proxy-authorization'] });
    const onward = httpRequest(request.url ?? '', { method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  server.on('connect', (request, socket) => {
    seen.push({ kind: 'tunnel', authorization: request.headers['proxy-authorization'] });
    const [host, port] = (request.url ?? '').split(':');
    const onward = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.pipe(socket);
      socket.pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    seen,
    url: `http://us:p%40ss@127.0.0.1:${port}`,
    close: () => server.closeAllConnections() ?? server.close(),
  };
}

test('everything goes through the proxy, with its credentials', async () => {
  const pair = await certificate();
  const proxy = await proxyServer();
  const servers: ScriptedServer[] = [await scriptedServer(), await scriptedServer([OK], pair)];
  for (const server of servers) {
    assert.equal(await get({ url: server.url, proxy: proxy.url, tls: { ca: pair.cert } }), 200);
    assert.equal(server.requests.length, 1);
  }
  const authorization = `Basic ${btoa('us:p@ss')}`;
  assert.deepEqual(
    proxy.seen.map((one) => one.authorization),
    [authorization, authorization],
  );
  assert.equal(proxy.seen[1]?.kind, 'tunnel');
  for (const server of servers) await server.close();
  proxy.close();
});

test('a proxy that is not there makes the destination unreachable', async () => {
  const server = await scriptedServer();
  await assert.rejects(get({ url: server.url, proxy: 'http://127.0.0.1:1' }), { code: 'DELIVERY_UNREACHABLE' });
  assert.equal(server.requests.length, 0, 'and nothing goes around it');
  await server.close();
});

test('an answer that is too long is cut', async () => {
  const server = await scriptedServer([{ status: 400, body: 'x'.repeat(1_000_000) }]);
  const client = new HttpClient({ url: server.url });
  const answer = await client.request({ method: 'GET', path: '/', signal, answerBytesMax: 1000 });
  assert.equal(answer.body.length, 1000);
  await client.close();
  await server.close();
});

test('what the source of the body throws is what the request throws', async () => {
  const { LetheError } = await import('../../src/core/errors.ts');
  const server = await scriptedServer();
  const client = new HttpClient({ url: server.url });
  const chunks = function* () {
    yield Buffer.alloc(2_000_000);
    throw new LetheError('SPOOL_IO');
  };
  const body = { length: 4_000_000, chunks };
  await assert.rejects(client.request({ method: 'POST', path: '/', signal, body }), { code: 'SPOOL_IO' });
  await client.close();
  await server.close();
});
