import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { startHttp } from '../../src/console/server.ts';
import { systemClock } from '../../src/core/clock.ts';
import { silentLogger } from '../../src/core/log.ts';
import type { ReceiveResult } from '../../src/gateway/admin.ts';
import { findProgram } from '../support/peers.ts';
import { admin, ID, multipart, type Received, serve } from './rig.ts';

const FULL: ReceiveResult = { status: 'refused', code: 'SPOOL_FULL', message: 'no room', httpStatus: 503 };
const NOT_DICOM: ReceiveResult = { status: 'refused', code: 'HTTP_NOT_DICOM', message: 'no', httpStatus: 400 };
const OTHER_STUDY: ReceiveResult = {
  status: 'refused',
  code: 'HTTP_STUDY_MISMATCH',
  message: 'no',
  httpStatus: 409,
  sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
  sopInstanceUid: '2.25.2',
};
const TAKEN: ReceiveResult = {
  status: 'accepted',
  id: ID,
  sopInstanceUid: '2.25.1',
  sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
};

test('POST /receive_dicom takes the body whatever its content type and answers with the UID once it is in custody', async (t) => {
  for (const type of [
    'application/dicom',
    'application/octet-stream',
    'application/x-www-form-urlencoded',
    'text/plain',
    'application/json',
    'not a media type',
    '',
  ]) {
    const received: Received[] = [];
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
  const received: Received[] = [];
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
  const full = await serve(t, admin([], FULL));
  const answer = await fetch(`${full}/receive_dicom`, { method: 'POST', body: 'x' });
  assert.equal(answer.status, 503);
  assert.match(answer.headers.get('retry-after') ?? '', /^\d+$/);
  const wrong = await serve(t, admin([], NOT_DICOM));
  assert.equal((await fetch(`${wrong}/receive_dicom`, { method: 'POST', body: 'x' })).status, 400);
});

test('a form of which one file is refused answers the refusal and still says what came of each', async (t) => {
  const url = await serve(t, admin([], TAKEN, NOT_DICOM));
  const file = 'Content-Disposition: form-data; name="f"; filename="a"\r\n\r\nbytes';
  const answer = await fetch(`${url}/receive_dicom`, {
    method: 'POST',
    ...multipart('multipart/form-data', [file, file]),
  });
  assert.equal(answer.status, 400);
  const { code, instances } = (await answer.json()) as { code: string; instances: unknown };
  assert.equal(code, 'HTTP_NOT_DICOM');
  assert.deepEqual(instances, [
    { sopInstanceUid: '2.25.1', status: 'accepted' },
    { status: 'refused', code: 'HTTP_NOT_DICOM' },
  ]);
});

test('a customer is a plain name, never a path', async (t) => {
  const received: Received[] = [];
  const url = await serve(t, admin(received));
  for (const customer of ['..', '.', '.hidden', 'a/b', 'a%00', '', 'x'.repeat(65)]) {
    const query = new URLSearchParams({ customer });
    assert.equal((await fetch(`${url}/receive_dicom?${query}`, { method: 'POST', body: 'x' })).status, 400, customer);
  }
  assert.equal((await fetch(`${url}/receive_dicom?customer=a&customer=b`, { method: 'POST', body: 'x' })).status, 400);
  assert.deepEqual(received, []);
});

// PS3.18 Table 10.5.3-1 and Annex I.
test('STOW-RS answers the status that PS3.18 gives for what came of the instances', async (t) => {
  const cases: [ReceiveResult[], number, (string | number)[][]][] = [
    [[TAKEN, TAKEN], 200, []],
    [[TAKEN, OTHER_STUDY], 202, [['2.25.2', 0xc000]]],
    [
      [OTHER_STUDY, OTHER_STUDY],
      409,
      [
        ['2.25.2', 0xc000],
        ['2.25.2', 0xc000],
      ],
    ],
    [[OTHER_STUDY, NOT_DICOM], 409, [['2.25.2', 0xc000]]],
    [[NOT_DICOM, NOT_DICOM], 400, []],
    [[TAKEN, FULL], 503, []],
  ];
  for (const [results, status, failed] of cases) {
    const url = await serve(t, admin([], ...results));
    const answer = await fetch(`${url}/dicom-web/studies/1.2.3`, {
      method: 'POST',
      ...multipart('multipart/related; type="application/dicom"', ['\r\na', '\r\nb']),
    });
    assert.equal(answer.status, status, JSON.stringify(results));
    const body = (await answer.json()) as Record<string, { Value: Record<string, { Value: [string | number] }>[] }>;
    const items = body['00081198']?.Value ?? [];
    assert.deepEqual(
      items.map((item) => [item['00081155']?.Value[0], item['00081197']?.Value[0]]),
      failed,
    );
    const unnamed: number = results.filter((one) => one === NOT_DICOM || one === FULL).length;
    assert.equal(body['0008119A']?.Value.length ?? 0, unnamed, 'Other Failures Sequence');
    const stored = body['00081199']?.Value ?? [];
    assert.ok(stored.every((item) => item['00081150']?.Value[0] === '1.2.840.10008.5.1.4.1.1.2'));
    assert.equal(stored.length, results.filter((one) => one === TAKEN).length);
  }
});

test('STOW-RS to a study hands the study on, so that an instance of another is refused', async (t) => {
  const received: Received[] = [];
  const url = await serve(t, admin(received));
  const body = multipart('multipart/related; type="application/dicom"', ['\r\na']);
  await fetch(`${url}/dicom-web/studies/1.2.3`, { method: 'POST', ...body });
  await fetch(`${url}/dicom-web/studies`, { method: 'POST', ...body });
  assert.deepEqual(
    received.map(({ from }) => from.studyInstanceUid),
    ['1.2.3', undefined],
  );
});

test('STOW-RS takes whole instances only: metadata apart, other types and coded bodies are 415', async (t) => {
  const url = await serve(t, admin());
  const post = (headers: Record<string, string>) =>
    fetch(`${url}/dicom-web/studies`, { method: 'POST', headers, body: '--XX--' });
  assert.equal(
    (await post({ 'content-type': 'multipart/related; type="application/dicom+json"; boundary=XX' })).status,
    415,
  );
  assert.equal((await post({ 'content-type': 'application/dicom' })).status, 415);
  const related = 'multipart/related; type=application/dicom; boundary=XX';
  assert.equal((await post({ 'content-type': related, 'content-encoding': 'gzip' })).status, 415);
  assert.equal((await post({ 'content-type': related })).status, 400, 'no part');
});

test('a sender in the middle of a large upload gets the answer, not a broken connection', async (t) => {
  const url = await serve(t, admin(), { bodyLimitBytes: 100_000 });
  const chunked = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let count = 0; count < 100; count++) controller.enqueue(new Uint8Array(65_536));
      controller.close();
    },
  });
  const init: RequestInit & { duplex: 'half' } = { method: 'POST', body: chunked, duplex: 'half' };
  assert.equal((await fetch(`${url}/receive_dicom`, init)).status, 413);
  const declared = { method: 'POST', body: new Uint8Array(8_000_000) };
  assert.equal((await fetch(`${url}/receive_dicom`, declared)).status, 413);
});

/** What a server writes to a raw request, until `until` matches or it closes. */
function talk(url: string, text: string, until: RegExp): Promise<string> {
  const { port } = new URL(url);
  return new Promise((resolve, reject) => {
    let said = '';
    const socket = connect(Number(port), '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk) => {
      said += chunk.toString('latin1');
      if (until.test(said)) socket.destroy();
    });
    socket.on('close', () => resolve(said));
    socket.on('error', reject);
  });
}

test('who asks before sending is told to go on only when the bytes are wanted', async (t) => {
  const head = (length: number) =>
    `POST /receive_dicom HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;
  const url = await serve(t, admin(), { bodyLimitBytes: 1000 });
  assert.match(await talk(url, head(10), /\r\n\r\n/), /^HTTP\/1\.1 100 Continue/);
  assert.match(await talk(url, head(10_000), /\r\n\r\n/), /^HTTP\/1\.1 413 [\s\S]*connection: close/i);
  const full = { ...admin(), receive: async () => FULL };
  assert.match(await talk(await serve(t, full), head(10), /\r\n\r\n/), /^HTTP\/1\.1 503 [\s\S]*connection: close/i);
});

test('a body that ends early is refused as incomplete, also within a form', async (t) => {
  const url = await serve(t, admin());
  const cut = '--XX\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nhalf a file';
  const answer = await fetch(`${url}/receive_dicom`, {
    method: 'POST',
    body: cut,
    headers: { 'content-type': 'multipart/form-data; boundary=XX' },
  });
  assert.equal(answer.status, 400);
  assert.equal(((await answer.json()) as { code: string }).code, 'HTTP_BODY_INCOMPLETE');
});

test('a broken upload reaches the receiver as an error, never as an end', async (t) => {
  const ended = Promise.withResolvers<string>();
  const face = admin();
  const url = await serve(t, {
    ...face,
    receive: async (bytes, from) => {
      try {
        const result = await face.receive(bytes, from);
        ended.resolve('end');
        return result;
      } catch (error) {
        ended.resolve('error');
        throw error;
      }
    },
  });
  const socket = connect(Number(new URL(url).port), '127.0.0.1', () => {
    socket.write('POST /receive_dicom HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nDICM', () =>
      socket.destroy(),
    );
  });
  assert.equal(await ended.promise, 'error');
});

test('a stalled upload neither holds a connection for ever nor keeps the server from closing', async (t) => {
  const stalled = 'POST /receive_dicom HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nDICM';
  const url = await serve(t, admin(), { idleMs: 50 });
  await talk(url, stalled, /never/); // resolves when the server closes it
  const options = { host: '127.0.0.1', port: 0, users: [], bodyLimitBytes: 1000, closeGraceMs: 20 };
  const begun = Promise.withResolvers<void>();
  const face = {
    ...admin(),
    receive: async (bytes: AsyncIterable<Uint8Array>): Promise<ReceiveResult> => {
      for await (const _ of bytes) begun.resolve();
      return FULL;
    },
  };
  const server = await startHttp(options, face, { logger: silentLogger, clock: systemClock });
  const said = talk(`http://127.0.0.1:${server.port}`, stalled, /never/);
  await begun.promise;
  await server.close();
  assert.equal(await said, '');
});

test('curl, as a foreign client, sends a form and a large body that is refused', {
  skip: findProgram('curl') === undefined ? 'curl is not installed' : false,
}, async (t) => {
  const received: Received[] = [];
  const url = await serve(t, admin(received), { bodyLimitBytes: 2_000_000 });
  const curl = async (...options: string[]) => {
    const { stdout } = await promisify(execFile)('curl', ['-s', '-o', '/dev/null', '-w', '%{http_code}', ...options]);
    return stdout;
  };
  assert.equal(await curl('-F', `file=@${process.execPath};filename=a.dcm`, `${url}/receive_dicom`), '413');
  assert.equal(await curl('-F', 'file=@package.json', '-F', 'file=@tsconfig.json', `${url}/receive_dicom`), '200');
  assert.equal(await curl('--data-binary', '@package-lock.json', `${url}/receive_dicom`), '200');
});
