import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock, systemRandom } from '../../src/core/clock.ts';
import { type LogEvents, silentLogger } from '../../src/core/log.ts';
import { OtlpTracer, type Span, tracesOf } from '../../src/gateway/traces.ts';
import { scriptedServer } from '../delivery/scripted-server.ts';

const ID = '01J00000000000000000000000';

function span(more: Partial<Span> = {}): Span {
  const attributes = { destination: 'cloud', instances: 3 };
  return {
    instance: ID,
    name: 'deliver',
    endMs: 1_750_000_000_123.25,
    durationMs: 10.5,
    failed: false,
    attributes,
    ...more,
  };
}

test('spans are in the JSON form of OTLP: hexadecimal ids, 64-bit numbers as text, kinds and status by number', () => {
  const [resource] = tracesOf([span(), span({ name: 'prepare', failed: true })], systemRandom).resourceSpans;
  const [deliver, prepare] = resource?.scopeSpans[0]?.spans ?? [];
  assert.match(deliver?.traceId ?? '', /^[0-9a-f]{32}$/);
  assert.match(deliver?.spanId ?? '', /^[0-9a-f]{16}$/);
  assert.equal(deliver?.traceId, prepare?.traceId, 'one trace an instance');
  assert.notEqual(deliver?.spanId, prepare?.spanId);
  assert.equal(deliver?.endTimeUnixNano, '1750000000123250000');
  assert.equal(deliver?.startTimeUnixNano, '1750000000112750000');
  assert.deepEqual([deliver?.kind, prepare?.kind, prepare?.status], [3, 1, { code: 2 }]);
  assert.deepEqual(deliver?.attributes, [
    { key: 'lethe.instance', value: { stringValue: ID } },
    { key: 'destination', value: { stringValue: 'cloud' } },
    { key: 'instances', value: { intValue: '3' } },
  ]);
});

test('what waits is sent at the end, in batches', async () => {
  const server = await scriptedServer([{ status: 200, body: '{}' }]);
  const tracer = new OtlpTracer(
    { url: server.url },
    { clock: systemClock, random: systemRandom, logger: silentLogger },
  );
  tracer.start();
  for (let count = 0; count < 600; count++) tracer.record(span());
  await tracer.stop();
  const sizes = server.requests.map(
    ({ body }) => JSON.parse(body.toString('utf8')).resourceSpans[0].scopeSpans[0].spans.length,
  );
  assert.deepEqual(sizes, [512, 88]);
  assert.deepEqual(
    server.requests.map(({ url }) => url),
    ['/v1/traces', '/v1/traces'],
  );
  assert.equal(tracer.dropped, 0);
  await server.close();
});

test('a collector that is away costs its spans and nothing else: they are counted, it is said once', async () => {
  const said: (keyof LogEvents)[] = [];
  const logger = { log: (_level: string, event: keyof LogEvents) => void said.push(event) };
  const tracer = new OtlpTracer({ url: 'http://127.0.0.1:1' }, { clock: systemClock, random: systemRandom, logger });
  tracer.start();
  for (let count = 0; count < 10_000; count++) tracer.record(span());
  await tracer.stop();
  assert.equal(tracer.dropped, 10_000);
  assert.deepEqual(said, ['gateway.warning']);
});
