/** DIMSE messages on one association of the listener: C-STORE, C-ECHO and what is neither. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LetheError } from '../../src/core/errors.ts';
import type { StoreResponse } from '../../src/dimse/storage-handler.ts';
import { CT_IMAGE_STORAGE, commandSet, echoRq, pData, storeRq, u8 } from '../build/pdu.ts';
import { CT, dataSet, ECHO, store, TIMEOUT, WINDOW_4 } from './conversation.ts';
import { startListener, until } from './listener.ts';
import { ScriptedPeer } from './scripted-peer.ts';
import { STATUS_BY_CODE } from './statuses.ts';

describe('messages', TIMEOUT, () => {
  test('S1, F6: one instance sent in every odd way is the same instance', async (context) => {
    const { port, stored } = await startListener(context);
    const command = storeRq({ messageId: 1, sopInstanceUid: '1.2.1' });
    const data = Buffer.from(dataSet('1.2.1'));
    const whole = { id: 1, command: true, last: true, data: command };
    const ways: Uint8Array[][] = [
      [pData([whole, { id: 1, command: false, last: true, data }])],
      [
        pData([{ ...whole, last: false, data: command.subarray(0, 30) }]),
        pData([
          { ...whole, data: command.subarray(30) },
          { id: 1, command: false, last: false, data: data.subarray(0, 1) },
        ]),
        pData([{ id: 1, command: false, last: false, data: Buffer.alloc(0) }]),
        pData([{ id: 1, command: false, last: true, data: data.subarray(1) }]),
      ],
      Array.from(Buffer.concat([pData([whole]), pData([{ id: 1, command: false, last: true, data }])]), (byte) =>
        u8(byte),
      ),
      [
        pData([whole]),
        pData([{ id: 1, command: false, last: false, data }]),
        pData([{ id: 1, command: false, last: true, data: Buffer.alloc(0) }]),
      ],
    ];
    for (const way of ways) {
      const peer = await ScriptedPeer.associated(port, { contexts: [CT] });
      peer.send(...way);
      assert.equal(await peer.status(), 0);
      peer.destroy();
    }
    assert.equal(stored.length, ways.length);
    for (const { bytes } of stored) assert.deepEqual(bytes, data);
  });

  test('F18: requests inside the window are answered by message id, in any order', async (context) => {
    const first = Promise.withResolvers<StoreResponse>();
    const complete = async ({ sopInstanceUid }: { sopInstanceUid: string }) =>
      sopInstanceUid === '1.2.1' ? first.promise : undefined;
    const { port } = await startListener(context, {}, { complete });
    const peer = await ScriptedPeer.associated(port, { contexts: [CT, ECHO], user: [WINDOW_4] });
    store(peer, 1);
    store(peer, 2);
    peer.message(3, echoRq(3));
    const answered = [await peer.response(), await peer.response()].map((one) => one.get(0x0120)?.readUInt16LE());
    assert.deepEqual(answered.toSorted(), [2, 3]);
    first.resolve({ status: 0 });
    assert.equal((await peer.response()).get(0x0120)?.readUInt16LE(), 1);
  });

  test('F18: without a window the next request waits until the one before is answered', async (context) => {
    const begun: string[] = [];
    const first = Promise.withResolvers<undefined>();
    const { port } = await startListener(
      context,
      {},
      {
        begin: ({ sopInstanceUid }) => void begun.push(sopInstanceUid),
        complete: () => first.promise,
      },
    );
    const peer = await ScriptedPeer.associated(port, { contexts: [CT] });
    store(peer, 1);
    store(peer, 2);
    await until(() => begun.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.deepEqual(begun, ['1.2.1']);
    first.resolve(undefined);
    const answered = [await peer.response(), await peer.response()].map((one) => one.get(0x0120)?.readUInt16LE());
    assert.deepEqual(answered, [1, 2]);
  });

  test('F19: C-ECHO succeeds, C-CANCEL is not answered, an unknown request is 0211', async (context) => {
    const { port } = await startListener(context);
    const peer = await ScriptedPeer.associated(port, { contexts: [CT, ECHO] });
    const cancel = commandSet([
      [0x0100, 'US', 0x0fff],
      [0x0120, 'US', 1],
      [0x0800, 'US', 0x0101],
    ]);
    const find = commandSet([
      [0x0002, 'UI', CT_IMAGE_STORAGE],
      [0x0100, 'US', 0x0020],
      [0x0110, 'US', 5],
      [0x0800, 'US', 1],
    ]);
    peer.message(3, cancel);
    peer.message(1, find, Buffer.alloc(20));
    peer.message(3, echoRq(6));
    const unknown = await peer.response();
    assert.equal(unknown.get(0x0900)?.readUInt16LE(), 0x0211);
    assert.equal(unknown.get(0x0100)?.readUInt16LE(), 0x8020);
    const echo = await peer.response();
    assert.equal(echo.get(0x0900)?.readUInt16LE(), 0);
    assert.equal(echo.get(0x0120)?.readUInt16LE(), 6);
  });

  test('F19: an operation in the context of another service is 0122', async (context) => {
    const { port, stored } = await startListener(context);
    const peer = await ScriptedPeer.associated(port, { contexts: [CT, ECHO] });
    peer.message(1, echoRq(1));
    assert.equal(await peer.status(), 0x0122);
    peer.message(3, storeRq({ messageId: 2, sopInstanceUid: '1.2' }), dataSet('1.2'));
    assert.equal(await peer.status(), 0x0122);
    assert.equal(stored.length, 0);
  });

  for (const [what, command, data, status] of [
    ['a malformed SOP Instance UID', storeRq({ messageId: 1, sopInstanceUid: '1.2.x' }), dataSet('1.2.x'), 0x0117],
    ['another SOP Instance UID', storeRq({ messageId: 1, sopInstanceUid: '1.2.1' }), dataSet('1.2.2'), 0xa900],
    [
      'another SOP Class UID',
      storeRq({ messageId: 1, sopInstanceUid: '1.2.1', sopClassUid: '1.2.840.10008.5.1.4.1.1.4' }),
      dataSet('1.2.1'),
      0xa900,
    ],
    ['bytes that are no data set', storeRq({ messageId: 1, sopInstanceUid: '1.2.1' }), Buffer.alloc(99, 0xff), 0xc000],
  ] as const)
    test(`F21: ${what} is answered ${status.toString(16)} and the association goes on`, async (context) => {
      const { port, stored, aborted } = await startListener(context);
      const peer = await ScriptedPeer.associated(port, { contexts: [CT] });
      peer.message(1, command, data);
      const response = await peer.response();
      assert.equal(response.get(0x0900)?.readUInt16LE(), status);
      assert.ok((response.get(0x0902)?.length ?? 0) > 0, 'an Error Comment');
      store(peer, 2);
      assert.equal(await peer.status(), 0);
      assert.equal(stored.length, 1);
      assert.ok(aborted.length <= 1);
    });

  for (const [code, status] of STATUS_BY_CODE)
    test(`F20: custody that fails with ${code} is answered ${status.toString(16).padStart(4, '0')} with its comment`, async (context) => {
      const complete = async () => {
        throw new LetheError(code, { tag: 0x00080018 });
      };
      const { port, stored, statuses } = await startListener(context, {}, { complete });
      const peer = await ScriptedPeer.associated(port, { contexts: [CT] });
      store(peer, 7);
      const response = await peer.response();
      assert.equal(response.get(0x0900)?.readUInt16LE(), status);
      assert.equal(response.get(0x0120)?.readUInt16LE(), 7);
      assert.ok((response.get(0x0902)?.length ?? 0) > 10);
      assert.deepEqual([...(response.get(0x0901) ?? [])], [0x08, 0x00, 0x18, 0x00], 'Offending Element');
      assert.deepEqual([stored.length, statuses], [0, [status]]);
    });

  test('F20: what nobody foresaw is a processing failure (0110) with its comment, and the association goes on', async (context) => {
    let calls = 0;
    const complete = async () => {
      calls++;
      if (calls === 1) throw new TypeError('unforeseen');
      return undefined;
    };
    const { port, stored } = await startListener(context, {}, { complete });
    const peer = await ScriptedPeer.associated(port, { contexts: [CT] });
    store(peer, 1);
    const response = await peer.response();
    assert.equal(response.get(0x0900)?.readUInt16LE(), 0x0110);
    assert.doesNotMatch(response.get(0x0902)?.toString('latin1') ?? '', /unforeseen/);
    store(peer, 2);
    assert.equal(await peer.status(), 0);
    assert.equal(stored.length, 1);
  });

  test('S7, F20: what custody fails with is the status, and the data set is read away', async (context) => {
    const { port, log } = await startListener(
      context,
      {},
      {
        begin: ({ sopInstanceUid }) => {
          if (sopInstanceUid === '1.2.1') throw new LetheError('SPOOL_FULL');
        },
        complete: async ({ sopInstanceUid }) => {
          if (sopInstanceUid === '1.2.2') throw new LetheError('STORE_UNAVAILABLE');
          if (sopInstanceUid === '1.2.3') throw new TypeError('a bug');
          return undefined;
        },
      },
    );
    const peer = await ScriptedPeer.associated(port, { contexts: [CT] });
    const statuses: number[] = [];
    for (const messageId of [1, 2, 3, 4]) {
      store(peer, messageId);
      statuses.push(await peer.status());
    }
    assert.deepEqual(statuses, [0xa700, 0xa702, 0x0110, 0]);
    assert.equal(log.filter(({ event }) => event === 'store.refused').length, 3);
  });

  test('F20: a message id in progress is a duplicate invocation (0210), and the first is answered too', async (context) => {
    const first = Promise.withResolvers<undefined>();
    const { port } = await startListener(context, {}, { complete: () => first.promise });
    const peer = await ScriptedPeer.associated(port, { contexts: [CT], user: [WINDOW_4] });
    store(peer, 1, '1.2.1');
    store(peer, 1, '1.2.2');
    assert.equal(await peer.status(), 0x0210);
    first.resolve(undefined);
    assert.equal(await peer.status(), 0);
  });

  test('F16: a C-STORE without a data set is a mistyped argument (0212)', async (context) => {
    const { port } = await startListener(context);
    const peer = await ScriptedPeer.associated(port, { contexts: [CT] });
    peer.message(1, storeRq({ messageId: 1, sopInstanceUid: '1.2', dataSetType: 0x0101 }));
    assert.equal(await peer.status(), 0x0212);
  });

  test('F7: nothing is read while custody is over its high-water mark', async (context) => {
    const gate = Promise.withResolvers<void>();
    let written = 0;
    const { port } = await startListener(
      context,
      {},
      {
        write: (bytes) => {
          written += bytes.length;
          return false;
        },
        drained: () => gate.promise,
      },
    );
    const peer = await ScriptedPeer.associated(port, { contexts: [CT] });
    const data = Buffer.from(dataSet('1.2.1', 32 * 1024 * 1024));
    peer.message(1, storeRq({ messageId: 1, sopInstanceUid: '1.2.1' }), ...cut(data, 100_000));
    await until(() => written > 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(written < 200_000, `${written} bytes went on`);
    gate.resolve();
    assert.equal(await peer.status(), 0);
    assert.equal(written, data.length);
  });

  test('F25: a data set that is cut off, with an odd length or absurd depth, ends in an answer', async (context) => {
    const { port } = await startListener(context);
    const peer = await ScriptedPeer.associated(port, { contexts: [CT] });
    const data = Buffer.from(dataSet('1.2.1'));
    const deep = Buffer.concat(
      Array.from({ length: 5000 }, () => Buffer.from('0800051153510000fffffffffeff00e0ffffffff', 'hex')),
    );
    for (const [index, bytes] of [data.subarray(0, 40), data.subarray(0, -3), deep, Buffer.alloc(0)].entries()) {
      peer.message(1, storeRq({ messageId: index, sopInstanceUid: '1.2.1' }), bytes);
      const status = await peer.status();
      assert.ok(status === 0 || (status & 0xf000) === 0xc000, status.toString(16));
    }
  });
});

function* cut(bytes: Uint8Array, length: number): Generator<Uint8Array> {
  for (let position = 0; position < bytes.length; position += length) yield bytes.subarray(position, position + length);
}
