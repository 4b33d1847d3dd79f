/** The sending side against our listener, and against scripted servers that misbehave. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { StorageScu, type StorageScuOptions } from '../../src/dimse/storage-scu.ts';
import { buildDataSet } from '../build/data-set.ts';
import {
  abortPdu,
  associateAc,
  associateRj,
  CT_IMAGE_STORAGE,
  commandSet,
  EXPLICIT_LITTLE,
  IMPLICIT_LITTLE,
  item,
  pData,
  releaseRq,
  u16,
  VERIFICATION,
} from '../build/pdu.ts';
import { startListener, until } from './listener.ts';
import { ScriptedPeer } from './scripted-peer.ts';

const TIMEOUT = { timeout: 60_000 };
const CONTEXTS = [
  { abstractSyntax: CT_IMAGE_STORAGE, transferSyntaxes: [EXPLICIT_LITTLE] },
  { abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_LITTLE] },
];
const ACCEPTED = [
  [1, 0, EXPLICIT_LITTLE],
  [3, 0, IMPLICIT_LITTLE],
] as const;

function optionsFor(port: number, options: Partial<StorageScuOptions> = {}): StorageScuOptions {
  return { host: '127.0.0.1', port, callingAeTitle: 'US', calledAeTitle: 'LETHE', contexts: CONTEXTS, ...options };
}

function operation(sopInstanceUid: string, chunkBytes = 1000) {
  const bytes = buildDataSet([
    ['SOPClassUID', CT_IMAGE_STORAGE],
    ['SOPInstanceUID', sopInstanceUid],
    ['PixelData', 'OW', new Uint8Array(100_000).fill(7)],
  ]);
  const chunks = function* () {
    for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
  };
  return {
    bytes,
    store: { sopClassUid: CT_IMAGE_STORAGE, sopInstanceUid, transferSyntaxUid: EXPLICIT_LITTLE, dataSet: chunks() },
  };
}

/** A server for one connection; `serve` says what it does after the request. */
async function server(context: TestContext, serve: (peer: ScriptedPeer) => Promise<void>): Promise<number> {
  const sockets: Socket[] = [];
  const listening = createServer((socket) => {
    sockets.push(socket);
    const peer = new ScriptedPeer(socket);
    void peer.next().then(() => serve(peer));
  }).listen(0, '127.0.0.1');
  await once(listening, 'listening');
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    listening.close();
  });
  return (listening.address() as AddressInfo).port;
}

function storeRsp(messageId: number, status: number): Buffer {
  const command = commandSet([
    [0x0100, 'US', 0x8001],
    [0x0120, 'US', messageId],
    [0x0800, 'US', 0x0101],
    [0x0900, 'US', status],
    [0x0902, 'LO', 'because'],
  ]);
  return pData([{ id: 1, command: true, last: true, data: command }]);
}

describe('F29: the sending side', TIMEOUT, () => {
  test('stores, echoes and releases on one association', async (context) => {
    const { port, stored, log } = await startListener(context);
    const scu = await StorageScu.connect(optionsFor(port));
    for (const [index, chunkBytes] of [7, 1001, 65_536, 1_000_000].entries()) {
      const { bytes, store } = operation(`1.2.${index + 1}`, chunkBytes);
      assert.deepEqual(await scu.store(store), { status: 0, errorComment: undefined });
      assert.deepEqual(stored[index]?.bytes, Buffer.from(bytes));
    }
    assert.equal((await scu.echo()).status, 0);
    assert.equal(scu.accepts(CT_IMAGE_STORAGE, IMPLICIT_LITTLE), false);
    await scu.release();
    await until(() => log.some(({ event }) => event === 'association.released'));
  });

  test('the status of a refusal comes with its comment', async (context) => {
    const port = await server(context, async (peer) => {
      peer.send(associateAc(ACCEPTED));
      await peer.next();
      peer.send(storeRsp(1, 0xa700));
    });
    const scu = await StorageScu.connect(optionsFor(port));
    assert.deepEqual(await scu.store(operation('1.2.1').store), { status: 0xa700, errorComment: 'because' });
    scu.abort();
  });

  test('no more requests are unanswered than the peer grants', async (context) => {
    const gates = [1, 2, 3, 4].map(() => Promise.withResolvers<undefined>());
    const waiting: string[] = [];
    const complete = ({ sopInstanceUid }: { sopInstanceUid: string }) => {
      waiting.push(sopInstanceUid);
      return gates[waiting.length - 1]?.promise ?? Promise.resolve(undefined);
    };
    const negotiation = {
      maxPduLengthBytes: 16384,
      unknownSopClasses: 'accept',
      unknownTransferSyntaxes: 'accept',
      preferredTransferSyntaxes: [],
      operationsPerformedMax: 2,
      furtherSopClasses: new Set<string>(),
    } as const;
    const { port } = await startListener(context, { negotiation }, { complete });
    const scu = await StorageScu.connect(optionsFor(port, { operationsInvoked: 4 }));
    const stores = [1, 2, 3, 4].map((index) => scu.store(operation(`1.2.${index}`).store));
    await until(() => waiting.length === 2);
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal(waiting.length, 2);
    for (const gate of gates) gate.resolve(undefined);
    const released = scu.release();
    assert.deepEqual(
      (await Promise.all(stores)).map(({ status }) => status),
      [0, 0, 0, 0],
    );
    await released;
  });

  test('a window of zero is no limit', async (context) => {
    const heard: number[] = [];
    const port = await server(context, async (peer) => {
      peer.send(associateAc(ACCEPTED, [item(0x53, u16(0), u16(1))]));
      for (let pdu = await peer.next(); pdu !== undefined; pdu = await peer.next())
        if ((pdu.body[5] ?? 0) & 1) heard.push(pdu.type);
    });
    const scu = await StorageScu.connect(optionsFor(port, { operationsInvoked: 3 }));
    const stores = Promise.allSettled([1, 2, 3].map((index) => scu.store(operation(`1.2.${index}`).store)));
    await until(() => heard.length === 3);
    scu.abort();
    await stores;
  });

  test('F29: abort rejects what waits at once, though the peer does not close its side', async (context) => {
    const port = await server(context, async (peer) => peer.send(associateAc(ACCEPTED)));
    const scu = await StorageScu.connect(optionsFor(port));
    const stores = [1, 2].map((index) => scu.store(operation(`1.2.${index}`).store));
    const rejected = Promise.all(stores.map((store) => assert.rejects(store, { code: 'DIMSE_ASSOCIATION_ABORTED' })));
    scu.abort();
    await rejected;
    await assert.rejects(scu.echo(), { code: 'DIMSE_ASSOCIATION_ABORTED' });
    await scu.release();
  });

  test('a rejection says its result, source and reason', async (context) => {
    const port = await server(context, async (peer) => peer.send(associateRj(2, 3, 2)));
    await assert.rejects(StorageScu.connect(optionsFor(port)), (error: Error) => {
      assert.match(error.message, /DIMSE_ASSOCIATION_REJECTED.*result=2 source=3 reason=2/);
      return true;
    });
  });

  const silent = async () => undefined;
  test('a signal ends the wait for an answer to the request', async (context) => {
    const port = await server(context, silent);
    const connecting = StorageScu.connect(optionsFor(port, { signal: AbortSignal.timeout(50) }));
    await assert.rejects(connecting, { code: 'DIMSE_ASSOCIATION_ABORTED' });
    const before = StorageScu.connect(optionsFor(port, { signal: AbortSignal.abort() }));
    await assert.rejects(before, { code: 'DIMSE_ASSOCIATION_ABORTED' });
  });

  test('a peer that does not answer the request, or a C-STORE, is a timeout', async (context) => {
    const port = await server(context, silent);
    await assert.rejects(StorageScu.connect(optionsFor(port, { connectTimeoutMs: 50 })), { code: 'DIMSE_TIMEOUT' });
    const mute = await server(context, async (peer) => peer.send(associateAc(ACCEPTED)));
    const scu = await StorageScu.connect(optionsFor(mute, { dimseTimeoutMs: 50 }));
    await assert.rejects(scu.store(operation('1.2.1').store), { code: 'DIMSE_TIMEOUT' });
  });

  test('a peer that never answers the release does not hold us', async (context) => {
    const port = await server(context, async (peer) => peer.send(associateAc(ACCEPTED)));
    const scu = await StorageScu.connect(optionsFor(port, { timers: { artimTimeoutMs: 50 } }));
    await scu.release();
  });

  for (const [what, end] of [
    ['aborts', (peer: ScriptedPeer) => peer.send(abortPdu(2, 0))],
    ['closes', (peer: ScriptedPeer) => peer.socket.end()],
    ['resets', (peer: ScriptedPeer) => peer.socket.resetAndDestroy()],
    ['answers nonsense', (peer: ScriptedPeer) => peer.send(Buffer.alloc(20, 0x99))],
  ] as const)
    test(`a peer that ${what} in the middle of a C-STORE rejects it`, async (context) => {
      const port = await server(context, async (peer) => {
        peer.send(associateAc(ACCEPTED));
        await peer.next();
        end(peer);
      });
      const scu = await StorageScu.connect(optionsFor(port));
      await assert.rejects(scu.store(operation('1.2.1').store));
    });

  test('F8: release collision: both sides ask, both are answered', async (context) => {
    const heard: number[] = [];
    const port = await server(context, async (peer) => {
      peer.send(associateAc(ACCEPTED));
      heard.push((await peer.next())?.type ?? 0); // its A-RELEASE-RQ
      peer.send(releaseRq());
      heard.push((await peer.next())?.type ?? 0); // its A-RELEASE-RP, the requestor answers first (Sta9)
      peer.send(Buffer.from('06000000000400000000', 'hex'));
      await peer.closed();
    });
    const scu = await StorageScu.connect(optionsFor(port));
    await scu.release();
    assert.deepEqual(heard, [0x05, 0x06]);
  });

  test('a source that fails in the middle aborts: the message cannot be finished', async (context) => {
    const { port, aborted } = await startListener(context);
    const scu = await StorageScu.connect(optionsFor(port));
    const failing = function* () {
      yield new Uint8Array(300_000);
      throw new Error('disk');
    };
    await assert.rejects(scu.store({ ...operation('1.2.1').store, dataSet: failing() }), { code: 'INVARIANT' });
    await until(() => aborted.length === 1);
  });

  test('a context that was not accepted is no reason to break the association', async (context) => {
    const { port } = await startListener(context);
    const scu = await StorageScu.connect(optionsFor(port));
    const store = { ...operation('1.2.1').store, transferSyntaxUid: IMPLICIT_LITTLE };
    await assert.rejects(scu.store(store), { code: 'DIMSE_NO_CONTEXT' });
    assert.equal((await scu.echo()).status, 0);
    await scu.release();
  });
});

test('F15: many short associations one after another leave no socket and no place taken', TIMEOUT, async (context) => {
  const { port, scp } = await startListener(context, { maxAssociations: 3 });
  const count = process.env['LETHE_LONG'] === '1' ? 10_000 : 300;
  for (let index = 0; index < count; index++) {
    const scu = await StorageScu.connect(optionsFor(port));
    assert.equal((await scu.echo()).status, 0);
    await scu.release();
  }
  await until(() => scp.associationCount === 0);
  await until(() => process.getActiveResourcesInfo().filter((one) => one === 'TCPSocketWrap').length <= 1);
});
