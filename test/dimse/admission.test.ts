/** Who is let in, to which port, as which user and how much of the listener it may take. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { UserIdentityPolicy } from '../../src/dimse/user-identity.ts';
import { ascii, associateRq, counted, echoRq, item, releaseRq, storeRq, u8 } from '../build/pdu.ts';
import { CT, dataSet, ECHO, store, TIMEOUT } from './conversation.ts';
import { NEGOTIATION, startListener, until } from './listener.ts';
import { ScriptedPeer } from './scripted-peer.ts';

/** PS3.7 Table D.3-14: User-Identity-Type, Positive-response-requested, primary and secondary field. */
function identity(type: number, primary: string, secondary = '', response = 1): Buffer {
  return item(0x58, u8(type, response), counted(ascii(primary)), counted(ascii(secondary)));
}

/** The bodies of the items of one type, in an A-ASSOCIATE-AC or in an item of it. */
function itemsOf(bytes: Buffer, type: number): Buffer[] {
  const found: Buffer[] = [];
  for (let rest = bytes; rest.length >= 4; rest = rest.subarray(4 + rest.readUInt16BE(2)))
    if (rest[0] === type) found.push(rest.subarray(4, 4 + rest.readUInt16BE(2)));
  return found;
}

async function asked(port: number, request: Buffer) {
  const peer = await ScriptedPeer.connect(port);
  peer.send(request);
  const heard = await peer.next();
  const [user = Buffer.alloc(0)] = heard?.type === 2 ? itemsOf(heard.body.subarray(68), 0x50) : [];
  return {
    peer,
    rejected: heard?.type === 3 ? [...heard.body.subarray(1)] : undefined,
    identityResponse: itemsOf(user, 0x59)[0],
  };
}

describe('F1: ports', TIMEOUT, () => {
  test('several plain ports are served alike', async (context) => {
    const { scp } = await startListener(context, { furtherPorts: [0, 0] });
    const { plain, further } = scp.ports;
    assert.equal(new Set([plain, ...further]).size, 3);
    for (const port of [plain, ...further]) {
      const peer = await ScriptedPeer.associated(port, { contexts: [ECHO] });
      peer.message(3, echoRq(1));
      assert.equal(await peer.status(), 0);
    }
  });

  test('F9: connections of all ports count together', async (context) => {
    const { scp } = await startListener(context, { furtherPorts: [0], maxAssociations: 1 });
    await ScriptedPeer.associated(scp.ports.plain);
    assert.deepEqual((await asked(scp.ports.further[0] ?? 0, associateRq())).rejected, [2, 3, 2]);
  });
});

describe('F10: AE titles', TIMEOUT, () => {
  for (const [what, options, rejected] of [
    ['spaces around a title do not count', { called: '  LETHE ', calling: ' CT1' }, undefined],
    ['the called title is compared with its case', { called: 'lethe' }, [1, 1, 7]],
    ['a called title of spaces is none', { called: '' }, [1, 1, 7]],
    ['a calling title of spaces is none', { calling: '' }, [1, 1, 3]],
    ['a backslash is not in a title', { calling: 'A\\B' }, [1, 1, 3]],
    ['a control character is not in a title', { calling: 'A\tB' }, [1, 1, 3]],
    ['sixteen characters are a title', { calling: 'ABCDEFGHIJKLMNOP' }, undefined],
  ] as const)
    test(what, async (context) => {
      const { port } = await startListener(context);
      assert.deepEqual((await asked(port, associateRq(options))).rejected, rejected);
    });

  test('F14: each called title has its customer and its profile', async (context) => {
    const aeTitles = [
      { aeTitle: 'NORTH', customer: 'north' },
      { aeTitle: 'SOUTH', customer: 'south', profile: 'basic' },
    ];
    const { port, stored } = await startListener(context, { aeTitles });
    for (const called of ['NORTH', 'SOUTH']) {
      const peer = await ScriptedPeer.associated(port, { called, contexts: [CT] });
      store(peer, 1);
      assert.equal(await peer.status(), 0);
    }
    assert.deepEqual(
      stored.map(({ facts }) => [facts.customer, facts.profile]),
      [
        ['north', undefined],
        ['south', 'basic'],
      ],
    );
  });
});

describe('F14: user identity', TIMEOUT, () => {
  const users: UserIdentityPolicy = {
    required: false,
    users: [{ name: 'joe' }, { name: 'ann', passcode: 'secret' }],
    tokenTypes: [5],
    verifyToken: (type, token) => (type === 5 && Buffer.from(token).toString() === 'a.b.c' ? 'eva' : undefined),
  };
  const required = { ...users, required: true };
  const REFUSED = [1, 2, 1]; // rejected-permanent, service-provider (ACSE), no-reason-given

  for (const [what, offered, user] of [
    ['a username (1)', identity(1, 'joe'), 'joe'],
    ['a username and passcode (2)', identity(2, 'ann', 'secret'), 'ann'],
    ['a JSON Web Token (5)', identity(5, 'a.b.c'), 'eva'],
  ] as const)
    test(`${what} is accepted, answered where that is asked, and known to the handler`, async (context) => {
      const { port, stored } = await startListener(context, { users: required });
      const { peer, identityResponse } = await asked(port, associateRq({ contexts: [CT], user: [offered] }));
      assert.deepEqual(identityResponse && [...identityResponse], [0, 0], 'an empty server response');
      store(peer, 1);
      assert.equal(await peer.status(), 0);
      assert.equal(stored[0]?.facts.user, user);
    });

  test('no answer where none is asked', async (context) => {
    const { port } = await startListener(context, { users });
    const { rejected, identityResponse } = await asked(port, associateRq({ user: [identity(1, 'joe', '', 0)] }));
    assert.deepEqual([rejected, identityResponse], [undefined, undefined]);
  });

  for (const [what, offered] of [
    ['an unknown user', identity(1, 'eve')],
    ['a user without the passcode', identity(1, 'ann')],
    ['a wrong passcode', identity(2, 'ann', 'wrong')],
    ['a wrong token', identity(5, 'a.b.d')],
  ] as const)
    test(`${what} is refused even where no identity is required`, async (context) => {
      const { port } = await startListener(context, { users });
      assert.deepEqual((await asked(port, associateRq({ user: [offered] }))).rejected, REFUSED);
    });

  for (const [what, offered] of [
    ['Kerberos (3)', [identity(3, 'ticket')]],
    ['SAML (4)', [identity(4, '<Assertion/>')]],
    ['an unknown type', [identity(9, 'x')]],
    ['no identity at all', []],
  ] as const)
    test(`${what} is passed over without an answer, and refused where an identity is required`, async (context) => {
      const open = await startListener(context, { users });
      const { rejected, identityResponse } = await asked(open.port, associateRq({ user: offered }));
      assert.deepEqual([rejected, identityResponse], [undefined, undefined]);
      const closed = await startListener(context, { users: required });
      assert.deepEqual((await asked(closed.port, associateRq({ user: offered }))).rejected, REFUSED);
    });
});

describe('F15: peers and limits', TIMEOUT, () => {
  test('a peer may be a network without a title, or a title without a network', async (context) => {
    const peers = [{ host: '127.0.0.0/8', customer: 'lan' }];
    const { port, stored } = await startListener(context, { peers });
    const peer = await ScriptedPeer.associated(port, { calling: 'ANYBODY', contexts: [CT] });
    store(peer, 1);
    assert.equal(await peer.status(), 0);
    assert.equal(stored[0]?.facts.customer, 'lan');
  });

  for (const [what, peers] of [
    ['an entry that would let anybody in', [{}]],
    ['a fingerprint that is none', [{ tlsFingerprint: 'AB:CD' }]],
    ['a host that is neither address nor network', [{ aeTitle: 'A', host: 'ct1.local' }]],
  ] as const)
    test(`${what} stops the start`, async (context) => {
      await assert.rejects(startListener(context, { peers }), { code: 'CONFIG_INVALID' });
    });

  test('a peer has a limit of its own, and others their places', async (context) => {
    const peers = [{ aeTitle: 'GREEDY', maxAssociations: 1 }, { aeTitle: 'PEER' }];
    const { port } = await startListener(context, { peers });
    const greedy = await ScriptedPeer.associated(port, { calling: 'GREEDY' });
    assert.deepEqual((await asked(port, associateRq({ calling: 'GREEDY' }))).rejected, [2, 3, 2]);
    await ScriptedPeer.associated(port);
    greedy.send(releaseRq());
    assert.equal((await greedy.next())?.type, 0x06);
    await ScriptedPeer.associated(port, { calling: 'GREEDY' });
  });

  test('F20: a peer that may only verify is answered its C-ECHO, and its C-STORE with 0124', async (context) => {
    const { port, stored } = await startListener(context, { peers: [{ aeTitle: 'PEER', store: false }] });
    const peer = await ScriptedPeer.associated(port, { contexts: [CT, ECHO] });
    peer.message(3, echoRq(1));
    assert.equal(await peer.status(), 0);
    store(peer, 2);
    const response = await peer.response();
    assert.equal(response.get(0x0900)?.readUInt16LE(), 0x0124);
    assert.match(response.get(0x0902)?.toString() ?? '', /not allowed/);
    assert.equal(stored.length, 0);
  });

  test('F20: beyond its instances an association is told 0213, keeps what is stored and may go on elsewhere', async (context) => {
    const { port, stored } = await startListener(context, { maxInstancesPerAssociation: 2 });
    const peer = await ScriptedPeer.associated(port, { contexts: [CT] });
    const statuses: number[] = [];
    for (let id = 1; id <= 4; id++) {
      store(peer, id);
      statuses.push(await peer.status());
    }
    assert.deepEqual(statuses, [0, 0, 0x0213, 0x0213]);
    const next = await ScriptedPeer.associated(port, { contexts: [CT] });
    store(next, 3);
    assert.equal(await next.status(), 0);
    assert.equal(stored.length, 3);
  });

  test('F20: beyond its bytes too, in the middle of an instance that leaves no trace', async (context) => {
    const { port, stored, aborted } = await startListener(context, { maxBytesPerAssociation: 5000 });
    const peer = await ScriptedPeer.associated(port, { contexts: [CT] });
    store(peer, 1);
    assert.equal(await peer.status(), 0);
    peer.message(1, storeRq({ messageId: 2, sopInstanceUid: '1.2.2' }), dataSet('1.2.2', 6000));
    assert.equal(await peer.status(), 0x0213);
    assert.deepEqual([stored.length, aborted], [1, ['1.2.2']]);
  });

  test('F13: what nobody here can read is accepted and reported', async (context) => {
    const { port, log } = await startListener(context);
    await ScriptedPeer.associated(port, {
      contexts: [CT, [3, '1.2.276.0.9', ['1.2.840.10008.1.2']], [5, CT[1], ['1.2.276.0.8']]],
    });
    const opaque = log.filter(({ event }) => event === 'association.opaque').map(({ fields }) => fields);
    assert.deepEqual(
      opaque.map((fields) =>
        'sopClass' in fields ? [fields.sopClass, 'transferSyntax' in fields && fields.transferSyntax] : [],
      ),
      [
        ['1.2.276.0.9', '1.2.840.10008.1.2'],
        [CT[1], '1.2.276.0.8'],
      ],
    );
  });

  test('F12: the transfer syntax that the site prefers is taken of those that are offered', async (context) => {
    const negotiation = { ...NEGOTIATION, preferredTransferSyntaxes: ['1.2.840.10008.1.2.1'] };
    const { port, stored } = await startListener(context, { negotiation });
    const peer = await ScriptedPeer.associated(port, {
      contexts: [[1, CT[1], ['1.2.840.10008.1.2', '1.2.840.10008.1.2.1']]],
    });
    store(peer, 1);
    assert.equal(await peer.status(), 0);
    assert.equal(stored[0]?.request.transferSyntaxUid, '1.2.840.10008.1.2.1');
  });
});

describe('F3: rude peers cost nobody else anything', TIMEOUT, () => {
  test('a silent connection, a dripping request, a message that stops and a peer that takes nothing are ended by their timers, while others store', async (context) => {
    const timers = { artimTimeoutMs: 150, idleTimeoutMs: 60_000, dimseTimeoutMs: 150, writeTimeoutMs: 60_000 };
    const { port, stored, log, scp } = await startListener(context, { timers });
    const silent = await ScriptedPeer.connect(port);
    const dripping = await ScriptedPeer.connect(port);
    dripping.send(associateRq().subarray(0, 10));
    const stopped = await ScriptedPeer.associated(port, { contexts: [CT] });
    stopped.message(1, storeRq({ messageId: 1, sopInstanceUid: '1.2.1' })); // and no data set follows
    const good = await ScriptedPeer.associated(port, { contexts: [CT] });
    for (let id = 2; id < 12; id++) {
      store(good, id);
      assert.equal(await good.status(), 0);
    }
    await Promise.all([silent.closed(), dripping.closed(), stopped.closed()]);
    assert.match(JSON.stringify(log), /timer=dimse/);
    assert.equal(stored.length, 10);
    await until(() => scp.associationCount === 1);
  });

  test('one fragment of one byte a moment is no progress, though each is a whole PDU', async (context) => {
    const { port, log, aborted } = await startListener(context, { timers: { dimseTimeoutMs: 200 } });
    const peer = await ScriptedPeer.associated(port, { contexts: [CT] });
    peer.message(1, storeRq({ messageId: 1, sopInstanceUid: '1.2.1' }));
    const byte = Buffer.concat([u8(4, 0, 0, 0, 0, 7, 0, 0, 0, 3, 1, 0), u8(0)]);
    const drip = setInterval(() => peer.send(byte), 20);
    const heard = await peer.next();
    clearInterval(drip);
    assert.equal(heard?.type, 0x07);
    assert.match(JSON.stringify(log), /timer=dimse/);
    assert.deepEqual(aborted, ['1.2.1']);
  });

  test('S9: a handler that is stuck on one peer holds up no other', async (context) => {
    const complete = ({ sopInstanceUid }: { sopInstanceUid: string }) =>
      sopInstanceUid === '1.2.1' ? new Promise<undefined>(() => undefined) : Promise.resolve(undefined);
    const { port } = await startListener(context, {}, { complete });
    const stuck = await ScriptedPeer.associated(port, { contexts: [CT] });
    store(stuck, 1);
    const other = await ScriptedPeer.associated(port, { contexts: [CT, ECHO] });
    store(other, 2);
    assert.equal(await other.status(), 0);
    other.message(3, echoRq(3));
    assert.equal(await other.status(), 0);
  });
});
