/** F21: what is checked on receipt, and what the site wants done about it: refused, stored with a warning, or stored. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildDataSet } from '../build/data-set.ts';
import { CT_IMAGE_STORAGE, storeRq, u8 } from '../build/pdu.ts';
import { CT, dataSet, TIMEOUT } from './conversation.ts';
import { NEGOTIATION, startListener } from './listener.ts';
import { ScriptedPeer } from './scripted-peer.ts';

const withoutStudy = buildDataSet([
  ['SOPClassUID', CT_IMAGE_STORAGE],
  ['SOPInstanceUID', '1.2.1'],
  ['PixelData', 'OW', new Uint8Array(10)],
]);
const emptySeries = buildDataSet([
  ['SOPClassUID', CT_IMAGE_STORAGE],
  ['SOPInstanceUID', '1.2.1'],
  ['StudyInstanceUID', '1.2.3'],
  ['SeriesInstanceUID', ''],
  ['PixelData', 'OW', new Uint8Array(10)],
]);
const notAUid = buildDataSet([
  ['SOPClassUID', CT_IMAGE_STORAGE],
  ['SOPInstanceUID', 'NO-UID'],
  ['StudyInstanceUID', '1.2.3'],
  ['SeriesInstanceUID', '1.2.3.4'],
  ['PixelData', 'OW', new Uint8Array(10)],
]);

interface Answer {
  readonly status: number;
  readonly comment: string;
  readonly element: number | undefined;
  readonly stored: number;
}

describe('F21: validation on receipt', TIMEOUT, () => {
  const cases = [
    ['uidsDiffer', 'an instance UID that differs', '1.2.1', dataSet('1.2.99'), 0xa900, 0x00080018],
    ['uidMalformed', 'a malformed instance UID', 'NO-UID', notAUid, 0x0117, undefined],
    ['unreadable', 'bytes that are no data set', '1.2.1', u8(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), 0xc000, undefined],
    ['studyUidsMissing', 'no Study Instance UID', '1.2.1', withoutStudy, 0xa901, 0x0020000d],
    ['studyUidsMissing', 'an empty Series Instance UID', '1.2.1', emptySeries, 0xa901, 0x0020000e],
  ] as const;

  for (const [policy, what, uid, bytes, status, element] of cases) {
    const answered = async (context: Parameters<typeof startListener>[0], remedy: 'refuse' | 'warn' | 'accept') => {
      const { port, stored } = await startListener(context, { validation: { [policy]: remedy } });
      const peer = await ScriptedPeer.associated(port, { contexts: [CT] });
      peer.message(1, storeRq({ messageId: 1, sopInstanceUid: uid }), bytes);
      const response = await peer.response();
      const offending = response.get(0x0901);
      return {
        status: response.get(0x0900)?.readUInt16LE() ?? -1,
        comment: response.get(0x0902)?.toString('latin1') ?? '',
        element: offending && offending.readUInt16LE(0) * 0x10000 + offending.readUInt16LE(2),
        stored: stored.length,
      } satisfies Answer;
    };

    test(`${what}, refused: ${status.toString(16)}, nothing stored`, async (context) => {
      const { comment, ...answer } = await answered(context, 'refuse');
      assert.deepEqual(answer, { status, element, stored: 0 });
      assert.ok(comment.length > 10);
    });

    test(`F20: ${what}, with a warning: stored, B007 and what is wrong`, async (context) => {
      const { comment, ...answer } = await answered(context, 'warn');
      assert.deepEqual(answer, { status: 0xb007, element, stored: 1 });
      assert.ok(comment.length > 10);
    });

    test(`${what}, accepted: stored, Success`, async (context) => {
      assert.deepEqual(await answered(context, 'accept'), { status: 0, comment: '', element: undefined, stored: 1 });
    });
  }

  test('of several faults the severest remedy decides', async (context) => {
    const { port, stored } = await startListener(context, { validation: { uidMalformed: 'warn' } });
    const peer = await ScriptedPeer.associated(port, { contexts: [CT] });
    peer.message(1, storeRq({ messageId: 1, sopInstanceUid: 'NO-UID' }), dataSet('1.2.3'));
    assert.equal(await peer.status(), 0xa900);
    assert.equal(stored.length, 0);
  });

  test('an empty UID, or one that could not be kept, is refused whatever the policy', async (context) => {
    const { port, stored } = await startListener(context, { validation: { uidMalformed: 'accept' } });
    const peer = await ScriptedPeer.associated(port, { contexts: [CT] });
    for (const uid of ['', 'A\u0007', '1'.repeat(65)]) {
      peer.message(1, storeRq({ messageId: 1, sopInstanceUid: uid }), dataSet('1.2.3'));
      assert.equal(await peer.status(), 0x0117);
    }
    assert.equal(stored.length, 0);
  });

  test('F20: a class that is unknown is 0122 in the context of another, where the site takes no unknown ones', async (context) => {
    const negotiation = { ...NEGOTIATION, unknownSopClasses: 'reject' } as const;
    const { port } = await startListener(context, { negotiation });
    const peer = await ScriptedPeer.associated(port, { contexts: [CT] });
    peer.message(1, storeRq({ messageId: 1, sopInstanceUid: '1.2.1', sopClassUid: '1.2.3.4.5' }), dataSet('1.2.1'));
    assert.equal(await peer.status(), 0x0122);
  });
});
