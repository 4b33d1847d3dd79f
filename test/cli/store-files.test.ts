/** Files over associations: requests in progress, what a lost association costs, several associations at once. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type SendItem, type SendOptions, type SendResult, storeFiles } from '../../src/cli/store-files.ts';
import { bytesSource } from '../../src/core/bytes.ts';
import { systemRandom } from '../../src/core/clock.ts';
import type { StoreRequest } from '../../src/dimse/storage-handler.ts';
import { StorageScu } from '../../src/dimse/storage-scu.ts';
import { buildDataSet, buildPart10 } from '../build/data-set.ts';
import { CT_IMAGE_STORAGE, EXPLICIT_LITTLE } from '../build/pdu.ts';
import { NEGOTIATION, startListener, until } from '../dimse/listener.ts';
import { skipWithoutProgram } from '../support/peers.ts';
import { withStorescp } from '../support/storescp.ts';
import { folder, lethe } from './run-lethe.ts';

const TIMEOUT = { timeout: 60_000 };
const TITLES = { host: '127.0.0.1', callingAeTitle: 'US', calledAeTitle: 'LETHE', parallel: 1 };
const ONCE = { random: systemRandom, attemptsMax: 1, firstDelayMs: 1, delayMsMax: 1 };

function elements(index: number) {
  return [
    ['SOPClassUID', CT_IMAGE_STORAGE],
    ['SOPInstanceUID', uid(index)],
    ['StudyInstanceUID', '1.2.3'],
    ['SeriesInstanceUID', '1.2.3.4'],
    ['PixelData', 'OW', new Uint8Array(300_000).fill(index)],
  ] as const;
}

function uid(index: number): string {
  return `1.2.3.9.${index}`;
}

function items(count: number): SendItem[] {
  return Array.from({ length: count }, (_, index) => ({
    name: String(index),
    open: () => ({
      ...bytesSource(buildPart10(elements(index), { transferSyntax: EXPLICIT_LITTLE })),
      close: () => undefined,
    }),
  }));
}

async function send(count: number, options: Partial<SendOptions & { parallel: number }> & { port: number }) {
  const results: SendResult[] = [];
  for await (const result of storeFiles(items(count), { ...TITLES, patience: ONCE, ...options })) results.push(result);
  return results;
}

const outcomes = (results: readonly SendResult[]) =>
  results.map(({ name, status, error }) => `${name} ${status ?? error?.code}`);
const allTaken = (count: number) => Array.from({ length: count }, (_, index) => `${index} 0`);

test('as many requests are in progress as the receiver grants; results keep the order', TIMEOUT, async (context) => {
  let inProgress = 0;
  let most = 0;
  const complete = async () => {
    inProgress++;
    most = Math.max(most, inProgress);
    await until(() => most >= 3); // as many as are granted, or the test's time is over
    inProgress--;
    return undefined;
  };
  const negotiation = { ...NEGOTIATION, operationsPerformedMax: 3 };
  const { port, stored, scp } = await startListener(context, { negotiation }, { complete });
  assert.deepEqual(outcomes(await send(12, { port, operationsInvoked: 8 })), allTaken(12));
  assert.equal(most, 3);
  for (const { request, bytes } of stored) {
    const index = Number(request.sopInstanceUid.split('.').at(-1));
    assert.deepEqual(bytes, Buffer.from(buildDataSet(elements(index), { transferSyntax: EXPLICIT_LITTLE })));
  }
  assert.equal(stored.length, 12);
  await until(() => scp.associationCount === 0);
});

/** What stands between the sender and `port` and can be torn; answers its own port and how to tear it. */
async function tearable(context: TestContext, port: number): Promise<{ port: number; tear(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    }
    near.pipe(far).pipe(near);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const tear = () => {
    for (const socket of sockets) socket.destroy();
  };
  context.after(() => {
    tear();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, tear };
}

test('a file that ends the association fails alone, whatever was beside it', TIMEOUT, async (context) => {
  const begun: string[] = [];
  const torn = () => begun.includes(uid(2));
  let between = { port: 0, tear: (): void => undefined };
  const hands = {
    begin: ({ sopInstanceUid }: StoreRequest) => {
      begun.push(sopInstanceUid);
      if (sopInstanceUid === uid(2)) between.tear();
    },
    complete: async () => {
      await until(torn); // those before it are in progress when it comes
      return undefined;
    },
  };
  const { port } = await startListener(context, {}, hands);
  between = await tearable(context, port);
  const results = await send(8, { port: between.port, operationsInvoked: 4 });
  assert.deepEqual(
    outcomes(results),
    allTaken(8).map((outcome, index) => (index === 2 ? '2 DIMSE_ASSOCIATION_ABORTED' : outcome)),
  );
  const times = (index: number) => begun.filter((one) => one === uid(index)).length;
  assert.deepEqual([0, 1, 2, 4, 5, 6, 7].map(times), [2, 2, 2, 1, 1, 1, 1]);
});

test('several associations at once share the files', TIMEOUT, async (context) => {
  const gate = Promise.withResolvers<undefined>();
  const peers = new Set<number>();
  const { port, ended } = await startListener(
    context,
    {},
    {
      admit: (facts) => {
        peers.add(facts.number);
        if (peers.size === 3) gate.resolve(undefined);
        return undefined;
      },
      complete: () => gate.promise,
    },
  );
  const results = await send(7, { port, parallel: 3 });
  assert.deepEqual(outcomes(results).toSorted(), allTaken(7));
  assert.equal(peers.size, 3);
  await until(() => ended.length === 3);
});

test('DCMTK storescp, which grants one request at a time, takes all that is sent with a window', {
  ...TIMEOUT,
  skip: skipWithoutProgram('storescp'),
}, async (context) => {
  const dir = folder(context);
  for (const [index, { open }] of items(9).entries()) {
    const source = open();
    writeFileSync(join(dir, `${index}.dcm`), source.read(0, source.size));
  }
  await withStorescp(['+B'], async (port, taken) => {
    const { code, out, err } = lethe(dir, 'send', '--window', '8', '127.0.0.1', String(port), '.');
    assert.equal(code, 0, err);
    assert.match(out, /^9 of 9 sent/m);
    const kept = readdirSync(taken);
    assert.equal(kept.length, 9);
    for (const name of kept) {
      const index = Number(/9\.(\d+)$/.exec(name)?.[1]);
      const expected = Buffer.from(buildDataSet(elements(index), { transferSyntax: EXPLICIT_LITTLE }));
      assert.ok(readFileSync(join(taken, name)).includes(expected), name);
    }
    const scu = await StorageScu.connect({
      ...TITLES,
      port,
      operationsInvoked: 8,
      contexts: [{ abstractSyntax: CT_IMAGE_STORAGE, transferSyntaxes: [EXPLICIT_LITTLE] }],
    });
    assert.equal(scu.window, 1);
    await scu.release();
  });
});
