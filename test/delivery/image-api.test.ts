import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { Destination } from '../../src/delivery/destination.ts';
import { type ImageApiOptions, imageApiDestination } from '../../src/delivery/image-api/image-api.ts';
import { deliverable, jpeg, PICTURE } from './deliverable.ts';
import { OK, type ScriptedAnswer, type ScriptedServer, scriptedServer } from './scripted-server.ts';

const signal = new AbortController().signal;
const REFUSED: ScriptedAnswer = { status: 400, body: '{"status":"error","message":"no"}' };
const FAILED: ScriptedAnswer = { status: 500, body: '{"status":"error","message":"no"}' };
const folder = mkdtempSync(join(tmpdir(), 'lethe-image-api-'));
after(() => rmSync(folder, { recursive: true }));

async function against(
  answers: readonly ScriptedAnswer[],
  work: (destination: Destination, server: ScriptedServer) => Promise<void>,
  options: Partial<ImageApiOptions> = {},
): Promise<void> {
  const server = await scriptedServer(answers);
  const destination = imageApiDestination('cloud', { url: server.url, ...options });
  try {
    await work(destination, server);
  } finally {
    await destination.close();
    await server.close();
  }
}

function bodies(server: ScriptedServer) {
  return server.requests.map((request) => JSON.parse(request.body.toString('utf8')));
}

test('a batch of one series is one request with the fields of the contract', async () => {
  await against([OK], async (destination, server) => {
    const batch = [
      deliverable({ sopInstanceUid: '1.5.1', patientAge: '045Y' }),
      deliverable({ sopInstanceUid: '1.5.2', patientAge: '045Y' }),
    ];
    const outcomes = await destination.deliver(batch, signal);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.kind),
      ['delivered', 'delivered'],
    );
    assert.equal(server.requests.length, 1);
    assert.equal(server.requests[0]?.url, '/v1/images/upload');
    const image = {
      sopClassUid: '1.2.840.10008.5.1.4.1.1.7',
      height: 48,
      width: 64,
      rescaleSlope: 1,
      rescaleIntercept: 0,
      photometricInterpretation: 'RGB',
      samplesPerPixel: 3,
      bitsAllocated: 8,
      bitsStored: 8,
      highBit: 7,
      data: PICTURE.toString('base64'),
    };
    assert.deepEqual(bodies(server)[0], {
      study: { studyInstanceUid: '1.2.3', accessionNumber: 'A7F3', patientId: 'P19C', patientAge: '045Y' },
      series: { seriesInstanceUid: '1.2.3.4' },
      images: [
        { imageInstanceUid: '1.5.1', ...image },
        { imageInstanceUid: '1.5.2', ...image },
      ],
    });
  });
});

test('the body has the length that was announced, also over many slices and at every rest of the base64', async () => {
  await against([OK], async (destination, server) => {
    for (const extra of [0, 1, 2]) {
      const picture = Buffer.concat([PICTURE, Buffer.alloc(2_000_000 + extra, 0xa5)]);
      const [outcome] = await destination.deliver([deliverable({ frames: [picture, picture] })], signal);
      assert.equal(outcome?.kind, 'delivered');
      const request = server.requests.at(-1);
      assert.equal(Number(request?.headers['content-length']), request?.body.length);
      const sent = JSON.parse(request?.body.toString('utf8') ?? '');
      assert.ok(Buffer.from(sent.images[1].data, 'base64').equals(picture));
    }
  });
});

test('series, studies and patients of a batch go in requests of their own, and outcomes keep the order of the batch', async () => {
  await against([OK, REFUSED, OK], async (destination, server) => {
    const outcomes = await destination.deliver(
      [
        deliverable({ seriesInstanceUid: '1.1' }),
        deliverable({ seriesInstanceUid: '1.2' }),
        deliverable({ seriesInstanceUid: '1.1' }),
        deliverable({ seriesInstanceUid: '1.1', accessionNumber: 'OTHER' }),
      ],
      signal,
    );
    assert.equal(server.requests.length, 3);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.kind),
      ['delivered', 'failed', 'delivered', 'delivered'],
    );
  });
});

test('a request carries no more images and bytes than the limits, and an instance is delivered when all its frames are', async () => {
  const frames = [PICTURE, PICTURE, PICTURE, PICTURE, PICTURE];
  await against(
    [OK, OK, { status: 503 }],
    async (destination, server) => {
      const [outcome] = await destination.deliver([deliverable({ frames })], signal);
      assert.deepEqual(
        bodies(server).map((body) => body.images.length),
        [2, 2, 1],
      );
      assert.deepEqual(outcome, { kind: 'failed', code: 'DELIVERY_BUSY', detail: 'status=503' });
    },
    { maxImages: 2 },
  );
  await against(
    [OK],
    async (destination, server) => {
      await destination.deliver([deliverable({ frames })], signal);
      assert.equal(server.requests.length, 5, 'one image larger than the limit still goes, alone');
    },
    { maxBytes: PICTURE.length - 1 },
  );
});

test('an instance without an image is held and its neighbours are sent', async () => {
  await against([OK], async (destination) => {
    const outcomes = await destination.deliver([deliverable({ frames: [] }), deliverable()], signal);
    assert.deepEqual(outcomes[0], { kind: 'failed', code: 'OBJECT_HAS_NO_IMAGE' });
    assert.equal(outcomes[1]?.kind, 'delivered');
  });
});

test('a refused batch is taken apart so that one poisonous instance does not hold its neighbours', async () => {
  await against([REFUSED, OK, REFUSED, OK], async (destination, server) => {
    const outcomes = await destination.deliver([deliverable(), deliverable(), deliverable()], signal);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.kind),
      ['delivered', 'failed', 'delivered'],
    );
    assert.deepEqual(outcomes[1], { kind: 'failed', code: 'DELIVERY_REJECTED', detail: 'status=400' });
    assert.equal(server.requests.length, 4);
  });
});

test('an instance that breaks the backend ends up alone, so that its neighbours arrive', async () => {
  await against([FAILED, 'reset', OK, FAILED, OK], async (destination, server) => {
    const batch = [deliverable(), deliverable(), deliverable()];
    for (const attempt of [1, 2]) {
      const outcomes = await destination.deliver(batch, signal);
      assert.ok(
        outcomes.every((outcome) => outcome.kind === 'failed'),
        `attempt ${attempt} fails together`,
      );
    }
    const outcomes = await destination.deliver(batch, signal);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.kind),
      ['delivered', 'failed', 'delivered'],
    );
    assert.equal(server.requests.length, 5);
  });
});

const ANSWERS: readonly [ScriptedAnswer, string, string | undefined][] = [
  [{ status: 400 }, 'DELIVERY_REJECTED', 'status=400'],
  [{ status: 403 }, 'DELIVERY_REJECTED', 'status=403'],
  [{ status: 404 }, 'DELIVERY_REJECTED', 'status=404'],
  [{ status: 409 }, 'DELIVERY_REJECTED', 'status=409'],
  [{ status: 413 }, 'DELIVERY_REJECTED', 'status=413'],
  [{ status: 422 }, 'DELIVERY_REJECTED', 'status=422'],
  [{ status: 401 }, 'DELIVERY_AUTH_FAILED', 'status=401'],
  [{ status: 408 }, 'DELIVERY_BUSY', 'status=408'],
  [{ status: 425 }, 'DELIVERY_BUSY', 'status=425'],
  [{ status: 429 }, 'DELIVERY_BUSY', 'status=429'],
  [{ status: 500 }, 'DELIVERY_BUSY', 'status=500'],
  [{ status: 503 }, 'DELIVERY_BUSY', 'status=503'],
  [{ status: 307, headers: { location: 'http://127.0.0.1:1/' } }, 'DELIVERY_UNREACHABLE', 'status=307'],
  [{ status: 200, body: '<html>log in</html>' }, 'DELIVERY_BUSY', "status=200 without the contract's receipt"],
  ['reset', 'DELIVERY_CONNECTION_LOST', undefined],
];

for (const [answer, code, detail] of ANSWERS) {
  test(`${typeof answer === 'string' ? answer : `${answer.status} ${answer.body ?? ''}`} is ${code}`, async () => {
    await against([answer], async (destination) => {
      const [outcome] = await destination.deliver([deliverable()], signal);
      assert.equal(outcome?.kind, 'failed');
      assert.equal(outcome.code, code);
      if (detail !== undefined) assert.equal(outcome.detail, detail);
    });
  });
}

test('200 with an empty body is a receipt', async () => {
  await against([{ status: 200, body: '' }], async (destination) => {
    const [outcome] = await destination.deliver([deliverable()], signal);
    assert.equal(outcome?.kind, 'delivered');
  });
});

test('Retry-After is passed on', async () => {
  await against([{ status: 429, headers: { 'retry-after': '7' } }], async (destination) => {
    const [outcome] = await destination.deliver([deliverable()], signal);
    assert.deepEqual(outcome, { kind: 'failed', code: 'DELIVERY_BUSY', detail: 'status=429', retryAfterMs: 7_000 });
  });
});

test('a backend that is not there is unreachable, for delivery and for the probe', async () => {
  await against([OK], async (destination, server) => {
    assert.equal(await destination.probe(signal), undefined);
    await server.close();
    const [outcome] = await destination.deliver([deliverable()], signal);
    assert.equal(outcome?.kind === 'failed' && outcome.code, 'DELIVERY_UNREACHABLE');
    assert.equal(await destination.probe(signal), 'DELIVERY_UNREACHABLE');
  });
});

test('409 is a receipt only where every image is there with the digest of what was sent', async () => {
  const sha256 = createHash('sha256').update(PICTURE).digest('hex');
  const conflict = (digest: string, uid: string): ScriptedAnswer => {
    return { status: 409, body: JSON.stringify({ conflicts: [{ imageInstanceUid: uid, sha256: digest }] }) };
  };
  const instance = deliverable({ sopInstanceUid: '1.9' });
  const script = [conflict(sha256, '1.9'), conflict('0'.repeat(64), '1.9'), conflict(sha256, '1.8')];
  await against(script, async (destination) => {
    const kinds = [];
    for (const _answer of script) kinds.push((await destination.deliver([instance], signal))[0]?.kind);
    assert.deepEqual(kinds, ['delivered', 'failed', 'failed']);
  });
});

test('the idempotency key is the same for the same content and another for other content', async () => {
  await against([OK], async (destination, server) => {
    const one = { sopInstanceUid: '1.7.1' };
    const other = await jpeg('#fff');
    await destination.deliver([deliverable(one)], signal);
    await destination.deliver([deliverable(one)], signal);
    await destination.deliver([deliverable({ ...one, frames: [Buffer.concat([other, other])] })], signal);
    await destination.deliver([deliverable({ ...one, dicom: Buffer.from('other') })], signal);
    const keys = server.requests.map((request) => request.headers['idempotency-key']);
    assert.match(String(keys[0]), /^[0-9a-f]{64}$/);
    assert.equal(keys[0], keys[1]);
    assert.equal(new Set(keys).size, 3);
  });
});

test('gzip compresses the body and says so', async () => {
  await against(
    [OK],
    async (destination, server) => {
      const [outcome] = await destination.deliver([deliverable({ sopInstanceUid: '1.6' })], signal);
      assert.equal(outcome?.kind, 'delivered');
      const [request] = server.requests;
      assert.equal(request?.headers['content-encoding'], 'gzip');
      const sent = JSON.parse(gunzipSync(request?.body ?? Buffer.alloc(0)).toString('utf8'));
      assert.equal(sent.images[0].imageInstanceUid, '1.6');
    },
    { gzip: true },
  );
});

test('nothing that breaks the contract is sent, and the finding names the path without the value', async () => {
  await against([OK], async (destination, server) => {
    const outcomes = await destination.deliver(
      [deliverable({ image: { rescaleSlope: 1.5 } }), deliverable(), deliverable({ patientAge: '6 months' })],
      signal,
    );
    assert.deepEqual(outcomes[0], {
      kind: 'failed',
      code: 'DELIVERY_PAYLOAD_INVALID',
      detail: '/images/0/rescaleSlope type',
    });
    assert.equal(outcomes[1]?.kind, 'delivered');
    assert.deepEqual(outcomes[2], {
      kind: 'failed',
      code: 'DELIVERY_PAYLOAD_INVALID',
      detail: '/study/patientAge pattern',
    });
    assert.equal(server.requests.length, 1);
  });
});

test("a customer's newer document decides", async () => {
  const openapi = join(folder, 'newer.yaml');
  writeFileSync(
    openapi,
    `openapi: 3.0.3
paths:
  /v1/images/upload:
    post:
      requestBody:
        content:
          application/json:
            schema: { $ref: '#/components/schemas/Upload' }
      responses: { '201': { description: stored } }
components:
  schemas:
    Upload:
      properties:
        images: { type: array, items: { properties: { rescaleSlope: { type: number, minimum: 0, exclusiveMinimum: true } } } }
`,
  );
  await against(
    [{ status: 201, body: '{"success":"ok"}' }],
    async (destination) => {
      const outcomes = await destination.deliver(
        [
          deliverable({ image: { rescaleSlope: 0.5 } }),
          deliverable({ seriesInstanceUid: '9', image: { rescaleSlope: 0 } }),
        ],
        signal,
      );
      assert.deepEqual(
        outcomes.map((outcome) => outcome.kind),
        ['delivered', 'failed'],
      );
    },
    { openapi },
  );
});

test('a file that is not what its manifest says is held, and nothing is sent of it', async () => {
  await against([OK], async (destination, server) => {
    const [outcome] = await destination.deliver([deliverable({ image: { bytes: PICTURE.length + 3 } })], signal);
    assert.equal(outcome?.kind === 'failed' && outcome.code, 'SPOOL_CORRUPT');
    assert.equal(server.requests.length, 0);
  });
});

test('a backend that does not answer, or takes nothing of the body, is given up after its time', async () => {
  const large = Buffer.concat([PICTURE, Buffer.alloc(30_000_000)]);
  await against(
    ['hang', 'stall'],
    async (destination) => {
      for (const _answer of ['hang', 'stall']) {
        const [outcome] = await destination.deliver([deliverable({ frames: [large] })], signal);
        assert.equal(outcome?.kind === 'failed' && outcome.code, 'DELIVERY_TIMEOUT');
      }
    },
    { timeouts: { connectMs: 200, idleMs: 200, answerMs: 200 } },
  );
});

test('a refusal that comes before the body is read counts, not the broken connection behind it', async () => {
  const answer = 'HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}';
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.pause().write(answer, () => socket.destroySoon()));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const destination = imageApiDestination('cloud', { url: `http://127.0.0.1:${port}` });
  const [outcome] = await destination.deliver([deliverable({ frames: [Buffer.alloc(20_000_000)] })], signal);
  assert.deepEqual(outcome, { kind: 'failed', code: 'DELIVERY_REJECTED', detail: 'status=413' });
  await destination.close();
  server.close();
});

test('aborting ends a delivery that hangs', async () => {
  const stopping = new AbortController();
  await against(['hang'], async (destination) => {
    const delivering = destination.deliver([deliverable()], stopping.signal);
    stopping.abort();
    const [outcome] = await delivering;
    assert.equal(outcome?.kind, 'failed');
  });
});

test('the connection is kept for the next request', async () => {
  await against(
    [OK],
    async (destination, server) => {
      for (let index = 0; index < 5; index++) await destination.deliver([deliverable()], signal);
      assert.equal(server.connections(), 1);
    },
    { connectionsMax: 1 },
  );
});
