/** The listener against a scripted peer over real sockets: the rules of the Standard and the rudeness of the field. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { StoreResponse } from '../../src/dimse/storage-handler.ts';
import {
  abortPdu,
  associateAc,
  associateRj,
  associateRq,
  echoRq,
  pData,
  pdu,
  releaseRp,
  releaseRq,
  storeRq,
  u8,
  u32,
} from '../build/pdu.ts';
import { CT, dataSet, ECHO, expectAbort, store, TIMEOUT, WINDOW_4 } from './conversation.ts';
import { NEGOTIATION, startListener, until } from './listener.ts';
import { ScriptedPeer } from './scripted-peer.ts';

describe('association', TIMEOUT, () => {
  for (const [what, request, expected, options] of [
    ['another called AE title', associateRq({ called: 'OTHER' }), [1, 1, 7], {}],
    ['a peer that is not on the list', associateRq(), [1, 1, 3], { peers: [{ aeTitle: 'ELSE' }] }],
    ['a peer from elsewhere', associateRq(), [1, 1, 3], { peers: [{ aeTitle: 'PEER', host: '192.0.2.0/24' }] }],
    ['another application context', associateRq({ applicationContext: '1.2' }), [1, 1, 2], {}],
    ['another protocol version', associateRq({ protocolVersion: 2 }), [1, 2, 2], {}],
    ['no identity where one is required', associateRq(), [1, 2, 1], { users: { required: true, users: [] } }],
    ['one association too many', associateRq(), [2, 3, 2], { maxAssociations: 0 }],
    ['F15: one too many of a peer', associateRq(), [2, 3, 2], { maxAssociationsPerPeer: 0 }],
  ] as const)
    test(`F9: ${what} is rejected with ${expected}`, async (context) => {
      const { port, log } = await startListener(context, options);
      // No connection is dropped for the limit of this test.
      const peer = await ScriptedPeer.connect(port).catch(() => undefined);
      if (peer === undefined) return;
      peer.send(request);
      const heard = await peer.next();
      if (options && 'maxAssociations' in options && heard === undefined) return;
      assert.equal(heard?.type, 0x03);
      assert.deepEqual([...heard.body.subarray(1)], expected);
      assert.ok(log.some(({ event }) => event === 'association.rejected'));
      peer.destroy();
    });

  test('S7, F9: a handler without space rejects as transient, and the peer is let in when there is some', async (context) => {
    let full = true;
    const admit = () => (full ? { result: 2, source: 3, reason: 1 } : undefined);
    const { port } = await startListener(context, {}, { admit });
    const refused = await ScriptedPeer.connect(port);
    refused.send(associateRq());
    assert.deepEqual([...((await refused.next())?.body.subarray(1) ?? [])], [2, 3, 1]);
    full = false;
    await ScriptedPeer.associated(port);
  });

  test('S6, F15: a place is free again with the release, even where the peer keeps its socket open', async (context) => {
    const { port, scp } = await startListener(context, { maxAssociations: 1 });
    const first = await ScriptedPeer.associated(port);
    assert.equal(scp.associationCount, 1);
    const second = await ScriptedPeer.connect(port);
    second.send(associateRq());
    assert.deepEqual([...((await second.next())?.body.subarray(1) ?? [])], [2, 3, 2]);
    first.send(releaseRq());
    assert.equal((await first.next())?.type, 0x06);
    const third = await ScriptedPeer.associated(port);
    assert.equal(scp.associationCount, 1);
    third.destroy();
  });

  test('F15: connections beyond a multiple of the limit are dropped and counted before they cost anything', async (context) => {
    const { port, rejections } = await startListener(context, { maxAssociations: 1 });
    const peers = await Promise.all(Array.from({ length: 4 }, () => ScriptedPeer.connect(port)));
    const dropped = await ScriptedPeer.connect(port);
    await dropped.closed();
    assert.deepEqual(rejections, [{ result: 2, source: 3, reason: 2 }]);
    peers[0]?.send(associateRq());
    assert.equal((await peers[0]?.next())?.type, 0x02);
  });

  test('F1: a plain port listens where it was told and may be taken again at once', async (context) => {
    const { scp, port } = await startListener(context);
    const peer = await ScriptedPeer.associated(port);
    await scp.close(0);
    await peer.closed();
    const again = await startListener(context, { port });
    assert.equal(again.port, port);
    await assert.rejects(startListener(context, { port }), { code: 'CONFIG_INVALID' });
  });

  test('F14: who the peer is reaches the handler, customer and profile by the called AE title', async (context) => {
    const { port, stored } = await startListener(context);
    const peer = await ScriptedPeer.associated(port, { contexts: [CT] });
    store(peer, 1);
    assert.equal(await peer.status(), 0);
    const facts = stored[0]?.facts;
    assert.equal(facts?.callingAeTitle, 'PEER');
    assert.equal(facts?.customer, 'main');
    assert.equal(facts?.profile, 'basic');
    assert.equal(facts?.implementation, 'BUILDER');
    assert.equal(facts?.remoteAddress, '127.0.0.1');
  });
});

describe('F2: what does not belong into a state', TIMEOUT, () => {
  const wrong: readonly (readonly [string, Uint8Array])[] = [
    ['A-ASSOCIATE-AC', associateAc([])],
    ['A-ASSOCIATE-RJ', associateRj(1, 1, 1)],
    ['P-DATA-TF', pData([{ id: 1, command: true, last: true, data: echoRq(1) }])],
    ['A-RELEASE-RQ', releaseRq()],
    ['A-RELEASE-RP', releaseRp()],
    ['an unknown PDU', pdu(0x42, u32(0))],
  ];
  for (const [what, bytes] of wrong)
    test(`${what} before an association is aborted by the user (AA-1)`, async (context) => {
      const { port } = await startListener(context);
      const peer = await ScriptedPeer.connect(port);
      peer.send(bytes);
      await expectAbort(peer, 0, 0);
    });

  const during: readonly (readonly [string, Uint8Array, number])[] = [
    ['a second A-ASSOCIATE-RQ', associateRq(), 2],
    ['A-ASSOCIATE-AC', associateAc([]), 2],
    ['A-ASSOCIATE-RJ', associateRj(1, 1, 1), 2],
    ['A-RELEASE-RP', releaseRp(), 2],
    ['an unknown PDU', pdu(0x42, u32(0)), 1],
    ['a PDU longer than announced', Buffer.concat([u8(4, 0), u32(10_000_000)]), 6],
    ['a PDV longer than its PDU', pdu(0x04, u32(100), u8(1, 0)), 6],
    ['a context that was not accepted', pData([{ id: 99, command: true, last: true, data: echoRq(1) }]), 6],
    ['data without a command', pData([{ id: 1, command: false, last: true, data: u8(1, 2) }]), 2],
    ['a command set that is none', pData([{ id: 1, command: true, last: true, data: u8(1, 2) }]), 0],
  ];
  for (const [what, bytes, reason] of during)
    test(`${what} during an association is aborted by the provider with ${reason}`, async (context) => {
      const { port, log } = await startListener(context);
      const peer = await ScriptedPeer.associated(port);
      peer.send(bytes);
      await expectAbort(peer, 2, reason);
      peer.socket.end();
      await until(() => log.some(({ event }) => event === 'association.aborted'));
    });

  test('after wrong bytes one A-ABORT is sent, whatever else comes', async (context) => {
    const { port } = await startListener(context);
    const peer = await ScriptedPeer.associated(port);
    peer.send(pdu(0x42, u32(0)));
    await expectAbort(peer, 2, 1);
    for (let count = 0; count < 20; count++) peer.send(Buffer.alloc(1000, count));
    peer.socket.end();
    assert.equal(await peer.next(), undefined);
  });

  test('F8: release collision: the peer answers our release as it asks for its own', async (context) => {
    // The acceptor never releases by itself: a peer that sends both gets its own answered and the other refused.
    const { port } = await startListener(context);
    const peer = await ScriptedPeer.associated(port);
    peer.send(releaseRq(), releaseRp());
    assert.equal((await peer.next())?.type, 0x06);
    peer.socket.end();
    assert.equal(await peer.next(), undefined);
  });
});

describe('F3: timers', TIMEOUT, () => {
  test('a peer that connects and says nothing is closed by ARTIM', async (context) => {
    const { port } = await startListener(context, { timers: { artimTimeoutMs: 60 } });
    const peer = await ScriptedPeer.connect(port);
    assert.equal(await peer.next(), undefined);
  });

  test('a request that drips is closed by ARTIM all the same', async (context) => {
    const { port } = await startListener(context, { timers: { artimTimeoutMs: 100 } });
    const peer = await ScriptedPeer.connect(port);
    const bytes = associateRq();
    let sent = 0;
    const drip = setInterval(() => peer.send(bytes.subarray(sent, ++sent)), 10);
    await peer.closed();
    clearInterval(drip);
    assert.ok(sent < bytes.length);
  });

  test('a peer that is told to go and stays is closed by ARTIM', async (context) => {
    const { port } = await startListener(context, { timers: { artimTimeoutMs: 60 } });
    const peer = await ScriptedPeer.associated(port);
    peer.send(releaseRq());
    assert.equal((await peer.next())?.type, 0x06);
    assert.equal(await peer.next(), undefined);
  });

  test('an association on which nothing happens is aborted by the idle timer', async (context) => {
    const { port, log } = await startListener(context, { timers: { idleTimeoutMs: 80 } });
    const peer = await ScriptedPeer.associated(port);
    await expectAbort(peer, 2, 0);
    assert.match(JSON.stringify(log), /DIMSE_TIMEOUT.*timer=idle/);
  });

  test('a PDU that begins and drips is aborted by the DIMSE timer, long before it would end', async (context) => {
    const { port, log } = await startListener(context, { timers: { dimseTimeoutMs: 120 } });
    const peer = await ScriptedPeer.associated(port);
    peer.send(Buffer.concat([u8(4, 0), u32(1000), u32(996), u8(1, 1)]));
    const drip = setInterval(() => peer.send(u8(0)), 20);
    await expectAbort(peer, 2, 0);
    clearInterval(drip);
    assert.match(JSON.stringify(log), /timer=dimse/);
  });

  test('silence while an instance is made durable is not idleness', async (context) => {
    const taken = Promise.withResolvers<StoreResponse>();
    const { port } = await startListener(
      context,
      { timers: { idleTimeoutMs: 60 }, negotiation: { ...NEGOTIATION, operationsPerformedMax: 4 } },
      { complete: () => taken.promise },
    );
    const peer = await ScriptedPeer.associated(port, { contexts: [CT], user: [WINDOW_4] });
    store(peer, 1);
    setTimeout(() => taken.resolve({ status: 0 }), 300);
    assert.equal(await peer.status(), 0);
  });

  test('a peer that takes none of its answers is closed by the write timer', async (context) => {
    const { port, scp, log } = await startListener(context, { timers: { writeTimeoutMs: 150 } });
    const peer = await ScriptedPeer.associated(port, { contexts: [ECHO] });
    peer.socket.pause();
    const echo = pData([{ id: 3, command: true, last: true, data: echoRq(1) }]);
    const many = Buffer.concat(Array.from({ length: 2000 }, () => echo));
    const flood = () => void peer.socket.write(many, (error) => (error ? undefined : flood()));
    flood();
    await until(() => log.some(({ fields }) => JSON.stringify(fields).includes('timer=write')));
    await until(() => scp.associationCount === 0);
    peer.destroy();
  });
});

describe('F8: ends of every kind', TIMEOUT, () => {
  const ends: readonly (readonly [string, (peer: ScriptedPeer) => void])[] = [
    ['A-ABORT', (peer) => peer.send(abortPdu(0, 0))],
    ['a closed socket', (peer) => peer.socket.end()],
    ['a reset', (peer) => peer.socket.resetAndDestroy()],
    ['A-RELEASE-RQ inside an instance', (peer) => peer.send(releaseRq())],
  ];
  for (const [what, end] of ends)
    test(`S4, F8: ${what}: what was stored stays, what was not complete leaves nothing`, async (context) => {
      const { port, stored, aborted, scp, ended } = await startListener(context);
      const peer = await ScriptedPeer.associated(port, { contexts: [CT] });
      store(peer, 1);
      assert.equal(await peer.status(), 0);
      const data = Buffer.from(dataSet('1.2.2'));
      peer.message(1, storeRq({ messageId: 2, sopInstanceUid: '1.2.2' }));
      peer.send(pData([{ id: 1, command: false, last: false, data: data.subarray(0, 50) }]));
      await new Promise((resolve) => setTimeout(resolve, 20));
      end(peer);
      peer.socket.end();
      await until(() => ended.length === 1 && scp.associationCount === 0);
      assert.deepEqual(
        stored.map(({ request }) => request.sopInstanceUid),
        ['1.2.1'],
      );
      assert.deepEqual(aborted, ['1.2.2']);
    });

  for (const [what, end] of ends.slice(0, 3))
    test(`${what} while an instance is made durable does not undo it`, async (context) => {
      const taken = Promise.withResolvers<undefined>();
      const begun = Promise.withResolvers<void>();
      const complete = () => {
        begun.resolve();
        return taken.promise;
      };
      const { port, stored, aborted } = await startListener(context, {}, { complete });
      const peer = await ScriptedPeer.associated(port, { contexts: [CT] });
      store(peer, 1);
      await begun.promise;
      end(peer);
      await new Promise((resolve) => setTimeout(resolve, 20));
      taken.resolve(undefined);
      await until(() => stored.length === 1);
      assert.deepEqual(aborted, []);
    });

  test('a release that comes while instances are made durable is answered after them', async (context) => {
    const taken = Promise.withResolvers<undefined>();
    const { port } = await startListener(context, {}, { complete: () => taken.promise });
    const peer = await ScriptedPeer.associated(port, { contexts: [CT], user: [WINDOW_4] });
    store(peer, 1);
    store(peer, 2);
    peer.send(releaseRq());
    setTimeout(() => taken.resolve(undefined), 50);
    assert.equal((await peer.next())?.type, 0x06 - 2, 'a response first');
    assert.equal((await peer.next())?.type, 0x04);
    assert.equal((await peer.next())?.type, 0x06);
  });

  test('closing lets what runs finish within the grace, rejects what comes, then aborts', async (context) => {
    const { scp, port, stored } = await startListener(context);
    const peer = await ScriptedPeer.associated(port, { contexts: [CT] });
    const silent = await ScriptedPeer.connect(port);
    const closed = scp.close(150);
    await silent.closed();
    store(peer, 1);
    assert.equal(await peer.status(), 0);
    await expectAbort(peer, 0, 0);
    await closed;
    assert.equal(stored.length, 1);
  });

  test('F15: an abort or a reset at every byte of a conversation leaves nothing behind', async (context) => {
    const { port, scp, ended, log } = await startListener(context, { maxAssociations: 1000 });
    const talk = Buffer.concat([
      associateRq({ contexts: [CT] }),
      pData([{ id: 1, command: true, last: true, data: storeRq({ messageId: 1, sopInstanceUid: '1.2.1' }) }]),
      pData([{ id: 1, command: false, last: true, data: dataSet('1.2.1') }]),
      releaseRq(),
    ]);
    for (let cutAt = 0; cutAt <= talk.length; cutAt += 7) {
      const peer = await ScriptedPeer.connect(port);
      await new Promise<void>((resolve) => peer.socket.write(talk.subarray(0, cutAt), () => resolve()));
      if (cutAt % 2 === 0) peer.socket.resetAndDestroy();
      else peer.socket.end();
    }
    await until(() => scp.associationCount === 0);
    const accepted = () => log.filter(({ event }) => event === 'association.accepted').length;
    await until(() => accepted() === ended.length);
    const peer = await ScriptedPeer.associated(port, { contexts: [ECHO] });
    peer.message(3, echoRq(1));
    assert.equal(await peer.status(), 0);
  });
});
