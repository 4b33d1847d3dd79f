import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type BackendOptions, startBackend } from '../../src/backend/backend.ts';
import type { DeliverableInstance } from '../../src/delivery/destination.ts';
import { imageApiDestination } from '../../src/delivery/image-api/image-api.ts';
import { deliverable, PICTURE } from './deliverable.ts';
import { destinationContract } from './destination.contract.ts';

const signal = new AbortController().signal;
const FAST = { connectMs: 500, idleMs: 500, answerMs: 300 };

async function opened(options: Partial<BackendOptions> = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'lethe-image-api-'));
  const backend = await startBackend({ host: '127.0.0.1', port: 0, dir, ...options });
  const url = `http://127.0.0.1:${backend.port}`;
  const images = async (): Promise<{ imageInstanceUid: string }[]> => {
    const { studies } = JSON.parse(await (await fetch(`${url}/v1/studies`)).text());
    return studies.flatMap((study: { series: { images: { imageInstanceUid: string }[] }[] }) =>
      study.series.flatMap((series) => series.images),
    );
  };
  return {
    backend,
    url,
    images,
    destination: imageApiDestination('cloud', { url, timeouts: FAST }),
    stored: async ({ manifest }: DeliverableInstance) => {
      const answer = await fetch(`${url}/v1/images/${manifest.sopInstanceUid}/file`);
      return answer.ok ? Buffer.from(await answer.arrayBuffer()) : undefined;
    },
    expected: () => PICTURE,
    count: async () => (await images()).length,
    down: () => backend.close(),
    dispose: async () => {
      await backend.close();
      rmSync(dir, { recursive: true });
    },
  };
}

destinationContract('image-api', { instance: () => deliverable(), open: opened });

test('image-api: through failures of every kind each instance arrives once', async () => {
  // Every second request fails; the sequence is fixed, so that the test is the same each time.
  let turn = 0;
  const side = await opened();
  const kinds = [
    { kind: 'status', status: 500 },
    { kind: 'reset' },
    { kind: 'accept-then-reset' },
    { kind: 'status', status: 429, retryAfterSeconds: 0 },
    { kind: 'hang' },
  ] as const;
  const owed = new Map(Array.from({ length: 20 }, () => deliverable()).map((one) => [one.id, one]));
  const all = [...owed.values()];
  for (let round = 0; owed.size > 0; round++) {
    assert.ok(round < 100, 'it ends');
    const batch = [...owed.values()].slice(0, 4);
    const failure = kinds[turn % kinds.length];
    if (round % 2 === 0 && failure !== undefined) {
      side.backend.failures.add({ failure, times: 1 });
      turn += 1;
    }
    const outcomes = await side.destination.deliver(batch, signal);
    outcomes.forEach((outcome, index) => {
      const instance = batch[index];
      if (outcome.kind === 'delivered' && instance !== undefined) owed.delete(instance.id);
    });
  }
  const uids = (await side.images()).map((image) => image.imageInstanceUid).sort();
  assert.deepEqual(uids, all.map((one) => one.manifest.sopInstanceUid).sort());
  await side.destination.close();
  await side.dispose();
});
