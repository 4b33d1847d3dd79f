/** Golden bytes with their meaning beside them, each fed whole and split at every byte. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { LetheError } from '../../src/core/errors.ts';
import type { ControlPdu, PduToken } from '../../src/dimse/pdu.ts';
import { abortReasonOf, PduReader } from '../../src/dimse/pdu-reader.ts';
import { commandPdus, dataTfHeader, pdvDataBytesMax, writePdu } from '../../src/dimse/pdu-writer.ts';
import {
  abortPdu,
  ascii,
  associateAc,
  associateRj,
  associateRq,
  counted,
  item,
  normal,
  pData,
  pdu,
  releaseRp,
  releaseRq,
  u8,
  u16,
  u32,
} from '../build/pdu.ts';

const MAX = 16384;

function read(chunks: readonly Uint8Array[], max = MAX): PduToken[] {
  const reader = new PduReader({ maxPduLengthBytes: max });
  const tokens: PduToken[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    for (let token = reader.next(); token !== undefined; token = reader.next()) tokens.push(copied(token));
  }
  assert.equal(reader.insidePdu, false);
  return tokens;
}

function copied(token: PduToken): PduToken {
  return normal(token.type === 'pdv' ? { ...token, bytes: token.bytes.slice() } : token);
}

/** Slices of one PDV joined: what a split changes and may change. */
function joined(tokens: readonly PduToken[]): PduToken[] {
  const all: PduToken[] = [];
  for (const token of tokens) {
    const last = all.at(-1);
    if (token.type === 'pdv' && last?.type === 'pdv' && !last.end)
      all[all.length - 1] = { ...token, bytes: Buffer.concat([last.bytes, token.bytes]) };
    else all.push(token.type === 'pdv' ? { ...token, bytes: Buffer.from(token.bytes) } : token);
  }
  return all;
}

function readHowever(bytes: Buffer): PduToken[] {
  const whole = joined(read([bytes]));
  for (let cut = 1; cut < bytes.length; cut++)
    assert.deepEqual(joined(read([bytes.subarray(0, cut), bytes.subarray(cut)])), whole, `cut at ${cut}`);
  assert.deepEqual(joined(read(Array.from(bytes, (byte) => Uint8Array.of(byte)))), whole, 'byte by byte');
  return whole;
}

const FULL_RQ = associateRq({
  called: ' LETHE',
  calling: 'MODALITY1',
  contexts: [
    [1, '1.2.840.10008.1.1', ['1.2.840.10008.1.2']],
    [255, '1.2.840.10008.5.1.4.1.1.2', ['1.2.840.10008.1.2.1', '1.2.840.10008.1.2']],
  ],
  user: [
    item(0x53, u16(0), u16(1)),
    item(0x54, counted(ascii('1.2.840.10008.5.1.4.1.1.2')), u8(1, 0)),
    item(0x56, counted(ascii('1.2.840.10008.5.1.4.1.1.2')), u8(2, 0, 0, 0, 0, 0)),
    item(0x57, counted(ascii('1.3.6.1')), counted(ascii('1.2.840.10008.4.2')), counted(counted(ascii('1.2.9')))),
    item(0x58, u8(2, 1), counted(ascii('joe')), counted(ascii('secret'))),
    item(0x7f, ascii('an item of a later edition')),
  ],
});

describe('F5: PDUs of PS3.8 §9.3', () => {
  test('an A-ASSOCIATE-RQ with every item of PS3.7 Annex D.3.3, AE titles without their spaces', () => {
    assert.deepEqual(
      readHowever(FULL_RQ),
      [
        {
          type: 'A-ASSOCIATE-RQ',
          protocolVersion: 1,
          calledAeTitle: 'LETHE',
          callingAeTitle: 'MODALITY1',
          applicationContext: '1.2.840.10008.3.1.1.1',
          contexts: [
            { id: 1, abstractSyntax: '1.2.840.10008.1.1', transferSyntaxes: ['1.2.840.10008.1.2'] },
            {
              id: 255,
              abstractSyntax: '1.2.840.10008.5.1.4.1.1.2',
              transferSyntaxes: ['1.2.840.10008.1.2.1', '1.2.840.10008.1.2'],
            },
          ],
          userInformation: {
            maxPduLengthBytes: 16384,
            implementationClassUid: '1.2.3.4',
            implementationVersionName: 'BUILDER',
            asyncWindow: { invoked: 0, performed: 1 },
            roles: [{ sopClassUid: '1.2.840.10008.5.1.4.1.1.2', scu: true, scp: false }],
            extended: [
              { sopClassUid: '1.2.840.10008.5.1.4.1.1.2', information: Uint8Array.from([2, 0, 0, 0, 0, 0]) },
            ].map((one) => ({ ...one, information: Buffer.from(one.information) })),
            commonExtended: [
              {
                sopClassUid: '1.3.6.1',
                serviceClassUid: '1.2.840.10008.4.2',
                relatedGeneralSopClassUids: ['1.2.9'],
              },
            ],
            userIdentity: {
              type: 2,
              positiveResponseRequested: true,
              primary: ascii('joe'),
              secondary: ascii('secret'),
            },
          },
        },
      ].map(normal),
    );
  });

  test('an A-ASSOCIATE-AC, its results as in Table 9-18, an undefined one taken as a refusal without reason', () => {
    const bytes = associateAc([
      [1, 0, '1.2.840.10008.1.2'],
      [3, 4, '1.2.840.10008.1.2'],
      [5, 9, ''],
    ]);
    const [ac] = readHowever(bytes);
    assert.ok(ac?.type === 'A-ASSOCIATE-AC');
    assert.deepEqual(ac.contexts, [
      { id: 1, result: 0, transferSyntax: '1.2.840.10008.1.2' },
      { id: 3, result: 4, transferSyntax: '1.2.840.10008.1.2' },
      { id: 5, result: 2, transferSyntax: '' },
    ]);
  });

  test('the PDUs of four bytes, one after the other', () => {
    const bytes = Buffer.concat([associateRj(2, 3, 2), releaseRq(), releaseRp(), abortPdu(2, 6)]);
    assert.deepEqual(readHowever(bytes), [
      { type: 'A-ASSOCIATE-RJ', result: 2, source: 3, reason: 2 },
      { type: 'A-RELEASE-RQ' },
      { type: 'A-RELEASE-RP' },
      { type: 'A-ABORT', source: 2, reason: 6 },
    ]);
  });

  test('F6: several PDVs in one PDU, an empty one too, and one PDV over several PDUs', () => {
    const bytes = Buffer.concat([
      pData([
        { id: 1, command: true, last: true, data: ascii('command!') },
        { id: 1, command: false, last: false, data: ascii('') },
        { id: 1, command: false, last: false, data: ascii('data') },
      ]),
      pData([{ id: 1, command: false, last: true, data: ascii('rest') }]),
    ]);
    assert.deepEqual(readHowever(bytes), [
      { type: 'P-DATA-TF', length: 30 },
      { type: 'pdv', contextId: 1, command: true, last: true, end: true, bytes: ascii('command!') },
      { type: 'pdv', contextId: 1, command: false, last: false, end: true, bytes: ascii('') },
      { type: 'pdv', contextId: 1, command: false, last: false, end: true, bytes: ascii('data') },
      { type: 'P-DATA-TF', length: 10 },
      { type: 'pdv', contextId: 1, command: false, last: true, end: true, bytes: ascii('rest') },
    ]);
  });

  test('what is written is what the builder writes from the Standard, byte for byte', () => {
    assert.deepEqual(Buffer.from(writePdu({ type: 'A-RELEASE-RQ' })), releaseRq());
    assert.deepEqual(Buffer.from(writePdu({ type: 'A-RELEASE-RP' })), releaseRp());
    assert.deepEqual(Buffer.from(writePdu({ type: 'A-ABORT', source: 2, reason: 1 })), abortPdu(2, 1));
    const rejection = { type: 'A-ASSOCIATE-RJ', result: 1, source: 1, reason: 7 } as const;
    assert.deepEqual(Buffer.from(writePdu(rejection)), Buffer.from('03000000000400010107', 'hex'));
    const header = dataTfHeader({ contextId: 3, command: false, last: true, length: 4 });
    assert.deepEqual(
      Buffer.concat([header, ascii('data')]),
      pData([{ id: 3, command: false, last: true, data: ascii('data') }]),
    );
  });

  test('a command set longer than the PDUs of the peer is cut into fragments that it takes', () => {
    const command = Buffer.from(Array.from({ length: 101 }, (_value, index) => index));
    const tokens = joined(read([Buffer.from(commandPdus(5, command, 46))]));
    const pdvs = tokens.filter((token) => token.type === 'pdv');
    assert.deepEqual(Buffer.concat(pdvs.map(({ bytes }) => bytes)), command);
    assert.deepEqual(
      pdvs.map(({ last, bytes }) => [bytes.length, last]),
      [
        [40, false],
        [40, false],
        [21, true],
      ],
    );
    assert.equal(pdvDataBytesMax(0, 100), 100);
  });
});

/** What wrong bytes are answered with: the reason of the A-ABORT, PS3.8 Table 9-26. */
const WRONG: readonly (readonly [what: string, bytes: Buffer, abortReason: number])[] = [
  ['a PDU of no type', pdu(0x08, u32(0)), 1],
  ['a PDU of type 0', pdu(0x00, u32(0)), 1],
  ['an A-RELEASE-RQ of five bytes', pdu(0x05, u8(0, 0, 0, 0, 0)), 6],
  ['an A-ABORT of nothing', pdu(0x07), 6],
  ['an A-ASSOCIATE-RQ too short for its fixed fields', pdu(0x01, Buffer.alloc(67)), 6],
  ['an A-ASSOCIATE-RQ longer than any', Buffer.concat([u8(1, 0), u32(0xffffffff)]), 6],
  ['an item longer than its PDU', pdu(0x01, Buffer.alloc(68), u8(0x10, 0, 0, 9), ascii('1.2')), 6],
  ['a sub-item longer than its item', pdu(0x01, Buffer.alloc(68), item(0x50, u8(0x51, 0, 0, 4), u16(1))), 6],
  ['an even presentation context ID', associateRq({ contexts: [[2, '1.2', ['1.2']]] }), 6],
  [
    'a presentation context ID twice',
    associateRq({
      contexts: [
        [1, '1.2', ['1.2']],
        [1, '1.3', ['1.2']],
      ],
    }),
    6,
  ],
  ['a P-DATA-TF without a PDV', pdu(0x04), 6],
  ['a PDV without a control header', pdu(0x04, u32(1), u8(1, 0)), 6],
  ['a PDV longer than its PDU', pdu(0x04, u32(9), u8(1, 2), ascii('data')), 6],
  ['bytes after the last PDV', pdu(0x04, u32(4), u8(1, 2), ascii('ok'), u8(0, 0, 0)), 6],
];

describe('F2: wrong bytes have the reason of Table 9-26', () => {
  for (const [what, bytes, abortReason] of WRONG)
    test(`${what}: ${abortReason}`, () => {
      for (const chunks of [[bytes], Array.from(bytes, (byte) => Uint8Array.of(byte))])
        assert.throws(
          () => read(chunks),
          (error) => error instanceof LetheError && abortReasonOf(error) === abortReason,
        );
    });

  test('F5: a P-DATA-TF beyond the announced length is refused by its header alone; without a limit it is taken', () => {
    const header = Buffer.concat([u8(4, 0), u32(0x7fffffff)]);
    assert.throws(
      () => read([header]),
      (error) => error instanceof LetheError && error.code === 'DIMSE_PDU_TOO_LONG',
    );
    const reader = new PduReader({ maxPduLengthBytes: 0 });
    reader.push(header);
    assert.deepEqual(reader.next(), { type: 'P-DATA-TF', length: 0x7fffffff });
  });
});

const uid = fc.stringMatching(/^[0-9]{1,3}(\.[0-9]{1,5}){1,8}$/);
const aeTitle = fc.stringMatching(/^[A-Z0-9_]{1,16}$/);
const field = fc.uint8Array({ maxLength: 40 });
const identity = fc.record({
  type: fc.constantFrom(1, 2, 3, 4, 5),
  positiveResponseRequested: fc.boolean(),
  primary: field,
  secondary: field,
});
const userInformation = fc.record(
  {
    maxPduLengthBytes: fc.nat(),
    implementationClassUid: uid,
    implementationVersionName: aeTitle,
    asyncWindow: fc.record({ invoked: fc.nat(65535), performed: fc.nat(65535) }),
    roles: fc.array(fc.record({ sopClassUid: uid, scu: fc.boolean(), scp: fc.boolean() }), {
      minLength: 1,
      maxLength: 3,
    }),
    extended: fc.array(fc.record({ sopClassUid: uid, information: field }), { minLength: 1, maxLength: 3 }),
    commonExtended: fc.array(
      fc.record({
        sopClassUid: uid,
        serviceClassUid: uid,
        relatedGeneralSopClassUids: fc.array(uid, { maxLength: 3 }),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    userIdentity: identity,
    userIdentityResponse: field,
  },
  { requiredKeys: ['maxPduLengthBytes', 'implementationClassUid'] },
);
const titles = {
  protocolVersion: fc.nat(65535),
  calledAeTitle: aeTitle,
  callingAeTitle: aeTitle,
  applicationContext: uid,
  userInformation,
};
const ids = fc.uniqueArray(
  fc.nat(127).map((index) => index * 2 + 1),
  { maxLength: 8 },
);
const control: fc.Arbitrary<ControlPdu> = fc.oneof(
  fc
    .tuple(fc.record(titles), ids, fc.array(uid, { maxLength: 3 }), uid)
    .map(([rest, list, transferSyntaxes, abstractSyntax]) => ({
      type: 'A-ASSOCIATE-RQ' as const,
      ...rest,
      contexts: list.map((id) => ({ id, abstractSyntax, transferSyntaxes })),
    })),
  fc.tuple(fc.record(titles), ids, fc.constantFrom(0, 1, 2, 3, 4), uid).map(([rest, list, result, transferSyntax]) => ({
    type: 'A-ASSOCIATE-AC' as const,
    ...rest,
    contexts: list.map((id) => ({ id, result: result as 0, transferSyntax })),
  })),
  fc.record({
    type: fc.constant('A-ASSOCIATE-RJ' as const),
    result: fc.nat(255),
    source: fc.nat(255),
    reason: fc.nat(255),
  }),
  fc.record({ type: fc.constant('A-ABORT' as const), source: fc.nat(255), reason: fc.nat(255) }),
);

describe('properties', () => {
  test('any PDU is read as it was written, wherever it is cut', () => {
    fc.assert(
      fc.property(control, fc.nat(), (value, cut) => {
        const bytes = writePdu(value);
        const at = cut % bytes.length;
        assert.deepEqual(normal(read([bytes.subarray(0, at), bytes.subarray(at)])), normal([value]));
      }),
      { numRuns: 500 },
    );
  });

  test('F25: random and damaged bytes end in tokens or in a typed error', () => {
    const damaged = fc.tuple(control, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), damaged.map(damage)), (bytes) => {
        const reader = new PduReader({ maxPduLengthBytes: MAX });
        reader.push(bytes);
        try {
          for (let count = 0; reader.next() !== undefined; count++) assert.ok(count <= bytes.length);
        } catch (error) {
          assert.ok(error instanceof LetheError && error.code.startsWith('DIMSE_PDU_'), String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('F25: a large request that comes byte by byte is read as fast as it comes', () => {
    const big = associateRq({ user: Array.from({ length: 6 }, () => item(0x7e, Buffer.alloc(10_000))) });
    assert.equal(read(Array.from(big, (byte) => Uint8Array.of(byte))).length, 1);
  });
});

function damage([value, edits]: [ControlPdu, [number, number][]]): Uint8Array {
  const bytes = writePdu(value).slice();
  for (const [at, byte] of edits) bytes[at % bytes.length] = byte;
  return bytes;
}
