import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ERRORS, type ErrorCode, LetheError } from '../../src/core/errors.ts';
import { type CommandSet, parseCommand, responseTo, writeCommand } from '../../src/dimse/command.ts';
import { type Fragment, fragmentsOf } from '../../src/dimse/fragments.ts';
import { MessageAssembler } from '../../src/dimse/message-assembler.ts';
import { ERROR_COMMENTS, refusalOf } from '../../src/dimse/refusal.ts';
import { ascii, CT_IMAGE_STORAGE, commandElement, commandSet, echoRq, storeRq } from '../build/pdu.ts';
import { STATUS_BY_CODE } from './statuses.ts';

function isMalformed(error: unknown): boolean {
  return error instanceof LetheError && error.code === 'DIMSE_COMMAND_MALFORMED';
}

describe('F16: command sets, Implicit VR Little Endian', () => {
  test('a C-STORE-RQ with its move originator is read', () => {
    const bytes = storeRq({
      messageId: 7,
      sopInstanceUid: '1.2.3',
      priority: 1,
      further: [
        [0x1030, 'AE', 'MOVER'],
        [0x1031, 'US', 9],
      ],
    });
    assert.deepEqual(parseCommand(bytes), {
      affectedSopClassUid: CT_IMAGE_STORAGE,
      commandField: 0x0001,
      messageId: 7,
      priority: 1,
      dataSetType: 1,
      affectedSopInstanceUid: '1.2.3',
      moveOriginatorAeTitle: 'MOVER',
      moveOriginatorMessageId: 9,
    });
  });

  test('F17: a C-STORE-RSP has the request it answers, its class and instance, no data set, status, element and comment', () => {
    const request = parseCommand(storeRq({ messageId: 7, sopInstanceUid: '1.2.3' }));
    const response = responseTo(request, { status: 0xa900, offendingElements: [0x00080018], errorComment: 'no' });
    assert.deepEqual(
      Buffer.from(writeCommand(response)),
      commandSet([
        [0x0002, 'UI', CT_IMAGE_STORAGE],
        [0x0100, 'US', 0x8001],
        [0x0120, 'US', 7],
        [0x0800, 'US', 0x0101],
        [0x0900, 'US', 0xa900],
        [0x0901, 'AT', 0x00080018],
        [0x0902, 'LO', 'no'],
        [0x1000, 'UI', '1.2.3'],
      ]),
    );
  });

  test('unused elements are passed over', () => {
    const bytes = Buffer.concat([echoRq(1), commandElement(0x5010, ascii('retired!'))]);
    assert.equal(parseCommand(bytes).commandField, 0x0030);
  });

  for (const [what, bytes] of [
    ['cut inside a header', echoRq(1).subarray(0, -6)],
    ['cut inside a value', echoRq(1).subarray(0, -1)],
    ['of another group', Buffer.from('0800000002000000 0000'.replace(' ', ''), 'hex')],
    ['without a command field', commandSet([[0x0800, 'US', 0x0101]])],
    ['without a data set type', commandSet([[0x0100, 'US', 0x0030]])],
    ['with a number of four bytes', Buffer.concat([echoRq(1), commandElement(0x0110, Buffer.alloc(4))])],
    ['that is empty', Buffer.alloc(0)],
  ] as const)
    test(`F25: a command set ${what} is refused`, () => {
      assert.throws(() => parseCommand(bytes), isMalformed);
    });

  const uid = fc.stringMatching(/^[0-9]{1,3}(\.[0-9]{1,5}){1,8}$/);
  const number = fc.nat(0xffff);
  const command = fc.record(
    {
      commandField: number,
      dataSetType: number,
      messageId: number,
      messageIdBeingRespondedTo: number,
      affectedSopClassUid: uid,
      requestedSopInstanceUid: uid,
      priority: number,
      status: number,
      offendingElements: fc.array(fc.nat(0xffffffff), { maxLength: 4 }),
      errorComment: fc.stringMatching(/^[A-Za-z]{1,64}$/),
      eventTypeId: number,
      actionTypeId: number,
      moveOriginatorAeTitle: fc.stringMatching(/^[A-Z]{1,16}$/),
    },
    { requiredKeys: ['commandField', 'dataSetType'] },
  );
  test('any command set is read as it was written; random bytes are refused or read', () => {
    fc.assert(
      fc.property(command, (value) => assert.deepEqual(parseCommand(writeCommand(value as CommandSet)), { ...value })),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          parseCommand(bytes);
        } catch (error) {
          assert.ok(isMalformed(error));
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('F20: the status of a refusal', () => {
  for (const [code, status] of STATUS_BY_CODE)
    test(`${code}: ${status.toString(16).padStart(4, '0')}, with a comment that helps`, () => {
      const refusal = refusalOf(new LetheError(code));
      assert.equal(refusal.status, status);
      assert.ok((refusal.errorComment ?? '').length > 10);
    });

  test('0112 and 0214, which PS3.2 lists for storage, are sent for no cause; B000 and B006 are not either', () => {
    const statuses = Object.values(ERRORS).flatMap((row) => ('dimseStatus' in row ? [row.dimseStatus as number] : []));
    for (const status of [0x0112, 0x0214, 0xb000, 0xb006]) assert.ok(!statuses.includes(status));
  });

  test('every code that has a status has a comment of at most 64 characters', () => {
    for (const [code, row] of Object.entries(ERRORS)) {
      if (!('dimseStatus' in row)) continue;
      const comment = ERROR_COMMENTS[code as ErrorCode];
      assert.ok(comment !== undefined && comment.length <= 64, code);
    }
  });

  test('the element that was wrong is named by its tag', () => {
    const refusal = refusalOf(new LetheError('DIMSE_SOP_CLASS_MISMATCH', { tag: 0x00080016 }));
    assert.deepEqual(refusal.offendingElements, [0x00080016]);
  });
});

describe('F6: messages out of PDVs', () => {
  const slice = { contextId: 1, last: true, end: true };
  function assembler(): { assembler: MessageAssembler; heard: string[] } {
    const heard: string[] = [];
    const user = {
      onCommand: (command: CommandSet, id: number) => heard.push(`command ${command.messageId} in ${id}`),
      onData: (bytes: Uint8Array) => heard.push(`data ${Buffer.from(bytes).toString('latin1')}`),
      onDataEnd: () => heard.push('end'),
    };
    return { assembler: new MessageAssembler(user), heard };
  }

  test('fragments of a command are joined, those of a data set passed on', () => {
    const { assembler: messages, heard } = assembler();
    const bytes = storeRq({ messageId: 3, sopInstanceUid: '1.2' });
    messages.push({ ...slice, type: 'pdv', command: true, last: false, bytes: bytes.subarray(0, 10) });
    messages.push({ ...slice, type: 'pdv', command: true, end: false, bytes: bytes.subarray(10, 20) });
    messages.push({ ...slice, type: 'pdv', command: true, bytes: bytes.subarray(20) });
    messages.push({ ...slice, type: 'pdv', command: false, last: false, bytes: ascii('ab') });
    messages.push({ ...slice, type: 'pdv', command: false, end: false, bytes: ascii('cd') });
    messages.push({ ...slice, type: 'pdv', command: false, bytes: ascii('') });
    messages.push({ ...slice, type: 'pdv', command: true, bytes: echoRq(4) });
    assert.deepEqual(heard, ['command 3 in 1', 'data ab', 'data cd', 'end', 'command 4 in 1']);
    assert.equal(messages.busy, false);
  });

  const store = storeRq({ messageId: 3, sopInstanceUid: '1.2' });
  for (const [what, second] of [
    ['a fragment of another context', { contextId: 3, command: false, bytes: ascii('x') }],
    ['a command inside a data set', { contextId: 1, command: true, bytes: echoRq(9) }],
  ] as const)
    test(`${what} inside a message is refused`, () => {
      const { assembler: messages } = assembler();
      messages.push({ ...slice, type: 'pdv', command: true, bytes: store });
      assert.throws(
        () => messages.push({ ...slice, type: 'pdv', ...second }),
        (error) => error instanceof LetheError && error.code === 'DIMSE_PDU_UNEXPECTED',
      );
    });

  test('F25: a command set without end is refused before it takes memory', () => {
    const { assembler: messages } = assembler();
    const piece = { ...slice, type: 'pdv', command: true, last: false, bytes: Buffer.alloc(16_384) } as const;
    for (let count = 0; count < 4; count++) messages.push(piece);
    assert.throws(() => messages.push(piece), isMalformed);
  });

  test('a data set is cut into even fragments of one length, however its source is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 30 })),
        fc.integer({ min: 1, max: 8 }),
        async (list, half) => {
          const fragments: Fragment[] = [];
          for await (const fragment of fragmentsOf(list, half * 2)) fragments.push(fragment);
          assert.deepEqual(Buffer.concat(fragments.map(({ bytes }) => bytes)), Buffer.concat(list));
          assert.ok(fragments.slice(0, -1).every(({ bytes, last }) => bytes.length === half * 2 && !last));
          assert.equal(fragments.at(-1)?.last, true);
        },
      ),
      { numRuns: 300 },
    );
  });
});
