import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashPassword } from '../../src/console/auth.ts';
import type { GatewayAdmin, GatewayStatus, InstanceDetail } from '../../src/gateway/admin.ts';
import { admin, ID, serve } from './rig.ts';

const CANARY = 'CANARY^PATIENT';
const STATES = { queued: 0, claimed: 0, inflight: 0, delivered: 3, deferred: 0, rejected: 0, held: 1 };

const STATUS: GatewayStatus = {
  version: '0.1.0',
  startedAtMs: 1_000,
  counts: { received: 1, prepared: 2, held: 3, discarded: 4, deliveries: { cloud: STATES } },
  space: { freeBytes: 10_000_000_000, limitBytes: 1_000_000_000, full: false, low: false },
  associations: 2,
  listeners: [{ kind: 'dicom', host: '127.0.0.1', port: 11112 }],
  destinations: [
    { name: 'cloud', type: 'image-api', breaker: 'open', oldestOwedAtMs: 5, lastError: 'DELIVERY_UNREACHABLE' },
  ],
};

const DETAIL: InstanceDetail = {
  id: ID,
  customer: 'default',
  sourceKind: 'dicom',
  sourceName: 'PACS',
  sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
  sopClassName: 'CT Image Storage',
  bytes: 526_000,
  receivedAtMs: 1_700_000_000_000,
  state: 'held',
  delivered: false,
  reason: 'DEID_LEAK_SUSPECTED',
  reasonDetail: 'path=(0008,103E)',
  advice: 'Look.',
  images: 0,
  pixels: undefined,
  deliveries: [
    {
      id: 7,
      instance: ID,
      destination: 'cloud',
      state: 'held',
      attempts: 2,
      createdAtMs: 1,
      dueAtMs: 2,
      priority: 'normal',
      reason: undefined,
      reasonDetail: undefined,
      receipt: undefined,
    },
  ],
  history: [{ atMs: 1, event: 'instance.held', detail: 'path=(0008,103E)' }],
};

const REVIEW = {
  boxes: [{ x: 1, y: 2, width: 3, height: 4 }],
  complete: true,
  rows: 480,
  columns: 640,
  frames: 1,
  canBeRule: true,
};

/** As if a floor below had let a value slip into everything it hands up. */
function leaky(overrides: Partial<GatewayAdmin> = {}): GatewayAdmin {
  const leak = { patientName: CANARY };
  const detail = {
    ...DETAIL,
    ...leak,
    deliveries: DETAIL.deliveries.map((one) => ({ ...one, ...leak })),
    history: DETAIL.history.map((one) => ({ ...one, ...leak })),
  };
  return {
    ...admin(),
    status: async () => ({
      ...STATUS,
      ...leak,
      counts: { ...STATUS.counts, ...leak },
      destinations: STATUS.destinations.map((one) => ({ ...one, ...leak })),
    }),
    list: async () => [detail],
    detail: async () => detail,
    review: async () => ({ ...REVIEW, ...leak }),
    decideReview: async () => undefined,
    release: async () => undefined,
    ...overrides,
  };
}

const withoutUndefined = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test('answers hold what is declared, whole, and nothing else', async (t) => {
  const url = await serve(t, leaky());
  const answers: [string, unknown][] = [
    ['/api/v1/status', STATUS],
    [`/api/v1/instances/${ID}`, DETAIL],
  ];
  for (const [path, expected] of answers) {
    const text = await (await fetch(url + path)).text();
    assert.ok(!text.includes('CANARY'), path);
    assert.deepEqual(JSON.parse(text), withoutUndefined(expected), path);
  }
  const { deliveries, history, ...summary } = DETAIL;
  assert.ok(deliveries.length + history.length > 0);
  const list = await (await fetch(`${url}/api/v1/instances`)).text();
  assert.deepEqual(JSON.parse(list), { instances: [withoutUndefined(summary)] });
  const released = await fetch(`${url}/api/v1/instances/${ID}/release`, { method: 'POST' });
  assert.ok(!(await released.text()).includes('CANARY'));
});

test('a failure below shows its code and never what it says', async (t) => {
  const url = await serve(t, leaky({ status: () => Promise.reject(new Error(`cannot parse ${CANARY}`)) }));
  const answer = await fetch(`${url}/api/v1/status`);
  assert.equal(answer.status, 500);
  const text = await answer.text();
  assert.ok(!text.includes('CANARY'));
  assert.equal((JSON.parse(text) as { code: string }).code, 'INVARIANT');
});

test('the query is handed on as it was asked, and what does not fit is refused by name', async (t) => {
  const asked: unknown[] = [];
  const url = await serve(
    t,
    leaky({
      list: async (options) => {
        asked.push(options);
        return [];
      },
    }),
  );
  await fetch(`${url}/api/v1/instances?state=held&limit=7&customer=north&beforeId=${ID}`);
  await fetch(`${url}/api/v1/instances?deliveryState=deferred&destination=cloud`);
  assert.deepEqual(asked, [
    { state: 'held', limit: 7, customer: 'north', beforeId: ID },
    { deliveryState: 'deferred', destination: 'cloud', limit: 50 },
  ]);
  for (const query of ['limit=0', 'limit=501', 'limit=x', 'state=nowhere', 'unknown=1', 'state=held&state=held']) {
    const answer = await fetch(`${url}/api/v1/instances?${query}`);
    assert.equal(answer.status, 400, query);
    assert.equal(((await answer.json()) as { code: string }).code, 'HTTP_REQUEST_INVALID', query);
  }
});

test('a preview is the picture itself, by frame from 1', async (t) => {
  const frames: number[] = [];
  const bytes = new Uint8Array([0xff, 0xd8, 0xff]);
  const url = await serve(
    t,
    leaky({
      preview: async (_id, frame) => {
        frames.push(frame);
        return { bytes, mediaType: 'image/jpeg' };
      },
    }),
  );
  const answer = await fetch(`${url}/api/v1/instances/${ID}/preview?frame=3`);
  assert.equal(answer.headers.get('content-type'), 'image/jpeg');
  assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), bytes);
  await fetch(`${url}/api/v1/instances/${ID}/preview`);
  assert.deepEqual(frames, [3, 1]);
  assert.equal((await fetch(`${url}/api/v1/instances/${ID}/preview?frame=0`)).status, 400);
});

test('identified values are for a named user with the privacy role, whose name goes on record', async (t) => {
  const by: string[] = [];
  const line = {
    path: '(0010,0010)',
    keyword: 'PatientName',
    vr: 'PN',
    before: CANARY,
    action: 'Z',
    rule: 'Basic',
    clause: 'PS3.15 Table E.1-1',
    after: undefined,
  };
  const face = leaky({
    explain: async (_id, name) => {
      by.push(name);
      return [line];
    },
  });
  const open = await serve(t, face);
  assert.equal((await fetch(`${open}/api/v1/instances/${ID}/explain`)).status, 403, 'loopback without users');
  assert.equal((await fetch(`${open}/api/v1/ledger`)).status, 403);
  const url = await serve(t, face, {
    users: [{ name: 'petra', role: 'privacy', passwordHash: await hashPassword('right') }],
  });
  const authorization = `Basic ${Buffer.from('petra:right').toString('base64')}`;
  const answer = await fetch(`${url}/api/v1/instances/${ID}/explain`, { headers: { authorization } });
  assert.deepEqual(await answer.json(), { elements: [withoutUndefined(line)] });
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  assert.deepEqual(by, ['petra']);
});

test('a frame as it was received is for a named user with the privacy role, whose name goes on record', async (t) => {
  const looks: unknown[] = [];
  const face = leaky({
    receivedPreview: async (...asked) => {
      looks.push(asked);
      return Uint8Array.of(0x89, 0x50);
    },
  });
  const users = [
    { name: 'petra', role: 'privacy', passwordHash: await hashPassword('right') },
    { name: 'vera', role: 'viewer', passwordHash: await hashPassword('right') },
  ] as const;
  const url = await serve(t, face, { users });
  const path = `${url}/api/v1/instances/${ID}/received-preview?frame=2`;
  const as = (name: string) => ({
    headers: { authorization: `Basic ${Buffer.from(`${name}:right`).toString('base64')}` },
  });
  assert.equal((await fetch(path)).status, 401);
  assert.equal((await fetch(path, as('vera'))).status, 403);
  const open = await serve(t, face);
  assert.equal((await fetch(`${open}/api/v1/instances/${ID}/received-preview`)).status, 403, 'loopback without users');
  const answer = await fetch(path, as('petra'));
  assert.equal(answer.headers.get('content-type'), 'image/png');
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  assert.deepEqual(looks, [[ID, 2, 'petra']]);
});

test('boxes of a held instance are reviewed: shown, and decided by whoever may act, under their name', async (t) => {
  const decisions: unknown[] = [];
  const face = leaky({ decideReview: async (...all) => void decisions.push(all) });
  const users = [
    { name: 'otto', role: 'operator', passwordHash: await hashPassword('right') },
    { name: 'vera', role: 'viewer', passwordHash: await hashPassword('right') },
  ] as const;
  const url = `${await serve(t, face, { users })}/api/v1/instances/${ID}/review`;
  const as = (name: string, method = 'POST') => ({
    method,
    headers: { authorization: `Basic ${Buffer.from(`${name}:right`).toString('base64')}` },
  });
  assert.equal((await fetch(url)).status, 401);
  assert.equal((await fetch(`${url}?boxes=1,2,3,4`, as('vera'))).status, 403);
  assert.deepEqual(await (await fetch(url, as('otto', 'GET'))).json(), REVIEW);
  for (const wrong of ['', '?boxes=1,2,3', '?boxes=a', '?boxes=1,2,3,4&saveRule=maybe'])
    assert.equal((await fetch(url + wrong, as('otto'))).status, 400, wrong);
  assert.equal((await fetch(`${url}?boxes=1,2,3,4;5,6,7,8&saveRule=true`, as('otto'))).status, 200);
  assert.equal((await fetch(`${url}?boxes=`, as('otto'))).status, 200);
  const first = { x: 1, y: 2, width: 3, height: 4 };
  const second = { x: 5, y: 6, width: 7, height: 8 };
  assert.deepEqual(decisions, [
    [ID, { boxes: [first, second], saveRule: true }, 'otto'],
    [ID, { boxes: [], saveRule: false }, 'otto'],
  ]);
});

interface OpenApi {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}
interface Operation {
  readonly operationId: string;
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
}

test('the OpenAPI document describes every route: parameters, answers, a name of its own', async (t) => {
  const url = await serve(t, leaky());
  const { openapi, paths } = (await (await fetch(`${url}/api/v1/openapi.json`)).json()) as OpenApi;
  assert.equal(openapi, '3.1.0');
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
  );
  assert.deepEqual(operations.map(({ path, method }) => `${method} ${path}`).toSorted(), [
    'get /api/v1/instances',
    'get /api/v1/instances/{id}',
    'get /api/v1/instances/{id}/explain',
    'get /api/v1/instances/{id}/preview',
    'get /api/v1/instances/{id}/received-preview',
    'get /api/v1/instances/{id}/review',
    'get /api/v1/ledger',
    'get /api/v1/status',
    'get /healthz',
    'get /metrics',
    'get /readyz',
    'post /api/v1/instances/{id}/discard',
    'post /api/v1/instances/{id}/hold',
    'post /api/v1/instances/{id}/release',
    'post /api/v1/instances/{id}/retry',
    'post /api/v1/instances/{id}/review',
    'post /dicom-web/studies',
    'post /dicom-web/studies/{study}',
    'post /receive_dicom',
  ]);
  assert.equal(new Set(operations.map(({ operation }) => operation.operationId)).size, operations.length);
  for (const { path, method, operation } of operations) {
    const named = operation.parameters.filter((one) => one.in === 'path').map(({ name }) => `{${name}}`);
    assert.deepEqual(named, path.match(/\{\w+\}/g) ?? [], path);
    assert.ok(Object.keys(operation.responses['200']?.content ?? {}).length > 0, `${method} ${path}`);
    // The document says what there is: every path answers something else than "nothing here".
    const probe = path.replace('{id}', ID).replace('{study}', '1.2');
    const answer = await fetch(url + probe, { method: method.toUpperCase() });
    const code = answer.status === 404 ? ((await answer.json()) as { code: string }).code : '';
    assert.ok(answer.status !== 404 || code === 'HTTP_NOT_FOUND', `${method} ${path}`);
    if (answer.status === 404) assert.match(path, /preview|explain/);
  }
});
