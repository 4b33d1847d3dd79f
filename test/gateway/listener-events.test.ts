import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Clock } from '../../src/core/clock.ts';
import { silentLogger } from '../../src/core/log.ts';
import { REJECTION } from '../../src/dimse/pdu.ts';
import { listenerEvents } from '../../src/gateway/listener-events.ts';
import { Metrics } from '../../src/gateway/metrics.ts';

const OBSERVED = {
  counts: { received: 0, prepared: 0, held: 0, discarded: 0, deliveries: {} },
  space: { freeBytes: 1, limitBytes: 0, full: false, low: false },
  associations: 3,
  certificateDays: 12,
  oldestOwedSeconds: { cloud: 7 },
  breakers: {},
  auditUnsent: undefined,
  tracesDropped: 4,
};
const CALLER = { remoteAddress: '10.0.0.1', callingAeTitle: 'CT1', calledAeTitle: 'OTHER' };

function start() {
  const notes: string[] = [];
  let nowMs = 0;
  const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
  const store = { note: async (event: string, detail: string) => void notes.push(`${event} ${detail}`) };
  const metrics = new Metrics(async () => OBSERVED);
  const events = listenerEvents({ metrics, store, clock, logger: silentLogger });
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { notes, metrics, events, pass };
}

describe('what the listener tells of itself', () => {
  test('F28: associations, answers with their times, failed handshakes and the certificate are metrics', async () => {
    const { metrics, events } = start();
    events.onAccepted?.({} as never, 2);
    events.onEnded?.('transport');
    events.onResponse(0xa700, 30);
    events.onRejected(REJECTION.localLimitExceeded);
    events.onTlsFailed?.('10.0.0.1', 'ECONNRESET');
    const text = await metrics.text();
    for (const line of [
      'lethe_associations_total{outcome="accepted"} 1',
      'lethe_associations_total{outcome="transport"} 1',
      'lethe_associations_total{outcome="rejected"} 1',
      'lethe_associations_rejected_total{reason="2/3/2"} 1',
      'lethe_opaque_contexts_total 2',
      'lethe_store_responses_total{status="A700"} 1',
      'lethe_response_seconds_bucket{le="0.1"} 1',
      'lethe_response_seconds_bucket{le="0.02"} 0',
      'lethe_tls_failures_total 1',
      'lethe_associations 3',
      'lethe_oldest_unsent_seconds{destination="cloud"} 7',
      'lethe_tls_certificate_days 12',
      'lethe_trace_spans_dropped_total 4',
    ])
      assert.ok(text.includes(`${line}\n`), line);
  });

  test('F15: a refused caller is in the audit with its titles, address, result, source and reason', () => {
    const { notes, events } = start();
    events.onRejected(REJECTION.calledAeTitleNotRecognized, CALLER);
    events.onTlsFailed?.('10.0.0.2', 'ERR_SSL_NO_SHARED_CIPHER');
    assert.deepEqual(notes, [
      'association.rejected 1/1/7 CT1 from 10.0.0.1 to OTHER',
      'tls.failed ERR_SSL_NO_SHARED_CIPHER from 10.0.0.2',
    ]);
  });

  test('F15: a flood of one caller is one entry a minute with its count', () => {
    const { notes, events, pass } = start();
    for (let count = 0; count < 1000; count++) events.onRejected(REJECTION.calledAeTitleNotRecognized, CALLER);
    assert.equal(notes.length, 1);
    pass(61_000);
    events.onRejected(REJECTION.callingAeTitleNotRecognized, CALLER);
    assert.deepEqual(notes.slice(1), [
      'association.rejected 1/1/7 CT1 from 10.0.0.1 to OTHER (999 times more)',
      'association.rejected 1/1/3 CT1 from 10.0.0.1 to OTHER',
    ]);
  });

  test('F15: a flood of callers that name themselves anew each time is bounded too', () => {
    const { notes, events } = start();
    for (let count = 0; count < 5000; count++)
      events.onRejected(REJECTION.callingAeTitleNotRecognized, { ...CALLER, callingAeTitle: `X${count}` });
    assert.equal(notes.length, 257);
    assert.equal(notes.at(-1), 'association.rejected other callers');
  });
});
