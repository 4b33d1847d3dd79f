import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LetheError } from '../../src/core/errors.ts';
import { codeOfStatus, failureOf, outcomeOfError, retryAfter } from '../../src/delivery/http-failure.ts';

test('every 5xx is busy, every 3xx is another place, every other 4xx is a refusal', () => {
  for (let status = 300; status < 600; status++) {
    const code = codeOfStatus(status);
    if (status >= 500 || [408, 425, 429].includes(status)) assert.equal(code, 'DELIVERY_BUSY', String(status));
    else if ([401, 407].includes(status)) assert.equal(code, 'DELIVERY_AUTH_FAILED', String(status));
    else assert.equal(code, status < 400 ? 'DELIVERY_UNREACHABLE' : 'DELIVERY_REJECTED', String(status));
  }
});

test('Retry-After is read as seconds and as a date (RFC 9110 §10.2.3)', () => {
  const nowMs = Date.parse('2026-11-23T10:00:00Z');
  assert.equal(retryAfter('120', nowMs), 120_000);
  assert.equal(retryAfter('Mon, 23 Nov 2026 10:01:30 GMT', nowMs), 90_000);
  assert.equal(retryAfter('Mon, 23 Nov 2026 09:00:00 GMT', nowMs), 0);
});

test('a Retry-After that makes no sense is ignored, a far one is cut to a day', () => {
  for (const text of [undefined, '', 'soon', '-1x']) assert.equal(retryAfter(text, 0), undefined);
  assert.equal(retryAfter('99999999', 0), 86_400_000);
});

function coded(code: string, cause?: unknown): Error {
  return Object.assign(new Error('x', { cause }), { code });
}

test('failures before the request can have arrived are plain, later ones ambiguous', () => {
  const cases: [unknown, string][] = [
    [coded('ECONNREFUSED'), 'DELIVERY_UNREACHABLE'],
    [coded('UND_ERR_CONNECT_TIMEOUT'), 'DELIVERY_UNREACHABLE'],
    [coded('DEPTH_ZERO_SELF_SIGNED_CERT'), 'DELIVERY_UNREACHABLE'],
    [coded('ERR_TLS_CERT_ALTNAME_INVALID'), 'DELIVERY_UNREACHABLE'],
    [new AggregateError([coded('ECONNREFUSED'), coded('ECONNREFUSED')]), 'DELIVERY_UNREACHABLE'],
    [coded('ECONNRESET'), 'DELIVERY_CONNECTION_LOST'],
    [coded('EPIPE'), 'DELIVERY_CONNECTION_LOST'],
    [coded('UND_ERR_SOCKET'), 'DELIVERY_CONNECTION_LOST'],
    [coded('UND_ERR_HEADERS_TIMEOUT'), 'DELIVERY_TIMEOUT'],
    [new Error('wrapped', { cause: new LetheError('SPOOL_IO') }), 'SPOOL_IO'],
    [new TypeError('ours'), 'INVARIANT'],
  ];
  for (const [error, code] of cases) assert.equal(failureOf(error, false).code, code);
});

test('what our own watch ended is a timeout', () => {
  assert.equal(failureOf(coded('UND_ERR_ABORTED'), true).code, 'DELIVERY_TIMEOUT');
});

test('our own bugs end in held, never in a retry', () => {
  assert.equal(outcomeOfError(new TypeError('ours')).code, 'INVARIANT');
  assert.deepEqual(outcomeOfError(new LetheError('SPOOL_IO', { errno: 5 })), {
    kind: 'failed',
    code: 'SPOOL_IO',
    detail: 'errno=5',
  });
});
