import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { STORAGE_SOP_CLASSES } from '../../src/dicom/uids.ts';
import { type NegotiationPolicy, negotiate, protocolRefusal } from '../../src/dimse/negotiation.ts';
import type { AssociateRq, UserInformation } from '../../src/dimse/pdu.ts';
import { isWithin, type PeerPolicy, peerOf } from '../../src/dimse/peer-policy.ts';
import { userOf } from '../../src/dimse/user-identity.ts';
import {
  ascii,
  CT_IMAGE_STORAGE,
  EXPLICIT_LITTLE,
  IMPLICIT_LITTLE,
  JPEG_BASELINE,
  VERIFICATION,
} from '../build/pdu.ts';

const POLICY: NegotiationPolicy = {
  maxPduLengthBytes: 131072,
  unknownSopClasses: 'accept',
  unknownTransferSyntaxes: 'accept',
  preferredTransferSyntaxes: [],
  operationsPerformedMax: 8,
  furtherSopClasses: new Set(),
};
const PATIENT_ROOT_FIND = '1.2.840.10008.5.1.4.1.2.1.1';

type Proposal = readonly [abstractSyntax: string, ...transferSyntaxes: string[]];

function request(proposals: readonly Proposal[], information: Partial<UserInformation> = {}): AssociateRq {
  return {
    type: 'A-ASSOCIATE-RQ',
    protocolVersion: 1,
    calledAeTitle: 'LETHE',
    callingAeTitle: 'PEER',
    applicationContext: '1.2.840.10008.3.1.1.1',
    contexts: proposals.map(([abstractSyntax, ...transferSyntaxes], index) => ({
      id: index * 2 + 1,
      abstractSyntax,
      transferSyntaxes,
    })),
    userInformation: { maxPduLengthBytes: 0, implementationClassUid: '1.2', ...information },
  };
}

function answers(proposals: readonly Proposal[], policy: Partial<NegotiationPolicy> = {}): (string | number)[] {
  const { response } = negotiate(request(proposals), { ...POLICY, ...policy });
  return response.contexts.map(({ result, transferSyntax }) => (result === 0 ? transferSyntax : result));
}

function userInformation(asked: Partial<UserInformation>, identityAccepted = false): UserInformation {
  return negotiate(request([], asked), POLICY, identityAccepted).response.userInformation;
}

describe('F9: what makes a request unacceptable, PS3.8 Table 9-21', () => {
  for (const [what, change, expected] of [
    ['no protocol version 1', { protocolVersion: 2 }, { result: 1, source: 2, reason: 2 }],
    ['another application context', { applicationContext: '1.2.3' }, { result: 1, source: 1, reason: 2 }],
    ['a called AE title with a control character', { calledAeTitle: 'LE\nTHE' }, { result: 1, source: 1, reason: 7 }],
    ['F10: a calling AE title of spaces', { callingAeTitle: '' }, { result: 1, source: 1, reason: 3 }],
    ['F10: a calling AE title with a backslash', { callingAeTitle: 'A\\B' }, { result: 1, source: 1, reason: 3 }],
  ] as const)
    test(what, () => assert.deepEqual(protocolRefusal({ ...request([]), ...change }), expected));

  test('version 1 among others is enough', () => {
    assert.equal(protocolRefusal({ ...request([]), protocolVersion: 3 }), undefined);
  });
});

describe('F11: presentation contexts, PS3.8 Table 9-18', () => {
  test('each has its own answer, one transfer syntax where it is accepted', () => {
    assert.deepEqual(
      answers([
        [VERIFICATION, EXPLICIT_LITTLE, IMPLICIT_LITTLE],
        [CT_IMAGE_STORAGE, JPEG_BASELINE],
        [CT_IMAGE_STORAGE, IMPLICIT_LITTLE],
        [PATIENT_ROOT_FIND, IMPLICIT_LITTLE],
        [CT_IMAGE_STORAGE],
      ]),
      [IMPLICIT_LITTLE, JPEG_BASELINE, IMPLICIT_LITTLE, 3, 4],
    );
  });

  test('F12: Implicit VR Little Endian is accepted for every storage SOP class', () => {
    const classes = [...STORAGE_SOP_CLASSES.keys()];
    assert.ok(classes.length > 120);
    assert.deepEqual(new Set(answers(classes.map((uid) => [uid, IMPLICIT_LITTLE]))), new Set([IMPLICIT_LITTLE]));
  });

  test('F12: the sender keeps what it has, unless the site prefers something it offers', () => {
    const offer: Proposal = [CT_IMAGE_STORAGE, JPEG_BASELINE, IMPLICIT_LITTLE, EXPLICIT_LITTLE];
    assert.deepEqual(answers([offer]), [JPEG_BASELINE]);
    assert.deepEqual(answers([offer], { preferredTransferSyntaxes: ['1.2.9', EXPLICIT_LITTLE] }), [EXPLICIT_LITTLE]);
  });

  test('S5, F13: private SOP classes and transfer syntaxes are accepted or refused by policy', () => {
    const offers: Proposal[] = [
      ['1.3.46.670589.5.0.1', IMPLICIT_LITTLE],
      [CT_IMAGE_STORAGE, '1.2.840.113619.5.2'],
    ];
    assert.deepEqual(answers(offers), [IMPLICIT_LITTLE, '1.2.840.113619.5.2']);
    assert.deepEqual(answers(offers, { unknownSopClasses: 'reject', unknownTransferSyntaxes: 'reject' }), [3, 4]);
  });

  test('F14: a private class that says which storage class it is related to is one', () => {
    const commonExtended = [
      { sopClassUid: '1.2.9.1', serviceClassUid: '1.2.840.10008.4.2', relatedGeneralSopClassUids: [CT_IMAGE_STORAGE] },
    ];
    const { contexts } = negotiate(request([['1.2.9.1', IMPLICIT_LITTLE]], { commonExtended }), {
      ...POLICY,
      unknownSopClasses: 'reject',
    });
    assert.equal(contexts.length, 1);
  });

  test('F14: a requestor that will not be SCU of a class is refused by the user (1)', () => {
    const roles = [{ sopClassUid: CT_IMAGE_STORAGE, scu: false, scp: true }];
    const { response } = negotiate(request([[CT_IMAGE_STORAGE, IMPLICIT_LITTLE]], { roles }), POLICY);
    assert.equal(response.contexts[0]?.result, 1);
  });
});

describe('F14: user information, PS3.7 Annex D.3.3', () => {
  test('what was not asked is not answered', () => {
    assert.deepEqual(Object.keys(userInformation({})).toSorted(), [
      'implementationClassUid',
      'implementationVersionName',
      'maxPduLengthBytes',
    ]);
  });

  for (const [asked, invoked] of [
    [0, 8],
    [1, 1],
    [5, 5],
    [100, 8],
  ] as const)
    test(`S2: a window of ${asked} is answered ${invoked}: zero is no limit, not a deadlock`, () => {
      const asyncWindow = { invoked: asked, performed: 1 };
      assert.deepEqual(userInformation({ asyncWindow }).asyncWindow, { invoked, performed: 1 });
    });

  test('roles: the requestor is SCU, we are SCP', () => {
    const roles = [{ sopClassUid: CT_IMAGE_STORAGE, scu: true, scp: true }];
    assert.deepEqual(userInformation({ roles }).roles, [{ sopClassUid: CT_IMAGE_STORAGE, scu: true, scp: false }]);
  });

  test('extended negotiation: level 2 storage, no digital signature level, no coercion (PS3.4 Table B.3-1)', () => {
    const extended = [{ sopClassUid: CT_IMAGE_STORAGE, information: Uint8Array.of(2, 0, 0, 0, 1, 0) }];
    assert.deepEqual(userInformation({ extended }).extended?.[0]?.information, Uint8Array.of(2, 0, 0, 0, 0, 0));
  });

  test('user identity: a positive response only where it was asked and the identity was verified', () => {
    const userIdentity = { type: 1, positiveResponseRequested: true, primary: ascii('joe'), secondary: ascii('') };
    assert.equal(userInformation({ userIdentity }).userIdentityResponse, undefined);
    assert.equal(userInformation({ userIdentity }, true).userIdentityResponse?.length, 0);
    const silent = { ...userIdentity, positiveResponseRequested: false };
    assert.equal(userInformation({ userIdentity: silent }, true).userIdentityResponse, undefined);
  });

  test('user identity: name (1), name and passcode (2), token (5)', () => {
    const verifyToken = (type: number, token: Uint8Array) =>
      type === 5 && Buffer.from(token).toString() === 'a.b.c' ? 'token-user' : undefined;
    const policy = { required: true, users: [{ name: 'joe' }, { name: 'ann', passcode: 'pw' }], verifyToken };
    const tried = (type: number, primary: string, secondary = '') =>
      userOf(policy, { type, positiveResponseRequested: false, primary: ascii(primary), secondary: ascii(secondary) });
    assert.equal(tried(1, 'joe'), 'joe');
    assert.equal(tried(1, 'ann'), undefined, 'a user with a passcode must give it');
    assert.equal(tried(2, 'ann', 'pw'), 'ann');
    assert.equal(tried(2, 'ann', 'px'), undefined);
    assert.equal(tried(2, 'joe', ''), undefined);
    assert.equal(tried(5, 'a.b.c'), 'token-user');
    assert.equal(tried(4, 'a.b.c'), undefined);
    assert.equal(tried(9, 'joe'), undefined);
  });
});

describe('F15: peers by AE title, address and certificate', () => {
  const policy: PeerPolicy = [
    { aeTitle: 'CT1', host: '10.1.2.3', customer: 'ward' },
    { aeTitle: 'CT1', host: '10.2.0.0/16' },
    { aeTitle: 'MR', tlsName: 'mr.hospital' },
    { aeTitle: 'SIX', host: '2001:db8::/32' },
  ];
  for (const [callingAeTitle, remoteAddress, tlsNames, expected] of [
    ['CT1', '10.1.2.3', [], true],
    ['CT1', '10.2.250.1', [], true],
    ['CT1', '10.3.0.1', [], false],
    ['CT2', '10.1.2.3', [], false],
    ['MR', '192.0.2.1', ['mr.hospital'], true],
    ['MR', '192.0.2.1', [], false],
    ['SIX', '2001:db8::1', [], true],
    ['SIX', '10.1.2.3', [], false],
  ] as const)
    test(`${callingAeTitle} from ${remoteAddress} with [${tlsNames}] is ${expected ? 'let in' : 'refused'}`, () => {
      assert.equal(peerOf(policy, { callingAeTitle, remoteAddress, tls: { names: tlsNames } }) !== undefined, expected);
    });

  test('the first entry that fits says whose customer it is', () => {
    const caller = { callingAeTitle: ' CT1 ', remoteAddress: '10.1.2.3', tls: { names: [] } };
    assert.equal(peerOf(policy, caller)?.customer, 'ward');
  });

  for (const host of ['ct1.local', '10.0.0.0/33', '10.0.0.0/x', '::1/129', ''])
    test(`"${host}" is no network`, () => assert.throws(() => isWithin('10.0.0.1', host), { code: 'CONFIG_INVALID' }));
});
