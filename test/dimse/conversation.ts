/** What tests of the listener say to it again and again: an instance, a C-STORE, and the abort that they expect. */
import assert from 'node:assert/strict';
import { buildDataSet } from '../build/data-set.ts';
import {
  type BuildContext,
  CT_IMAGE_STORAGE,
  EXPLICIT_LITTLE,
  IMPLICIT_LITTLE,
  item,
  storeRq,
  u16,
  VERIFICATION,
} from '../build/pdu.ts';
import type { ScriptedPeer } from './scripted-peer.ts';

export const TIMEOUT = { timeout: 60_000 };
export const CT: BuildContext = [1, CT_IMAGE_STORAGE, [EXPLICIT_LITTLE]];
export const ECHO: BuildContext = [3, VERIFICATION, [IMPLICIT_LITTLE]];

export function dataSet(sopInstanceUid: string, pixelBytes = 64): Uint8Array {
  return buildDataSet([
    ['SOPClassUID', CT_IMAGE_STORAGE],
    ['SOPInstanceUID', sopInstanceUid],
    ['PatientName', 'Nobody^Invented'],
    ['StudyInstanceUID', '1.2.3.4'],
    ['SeriesInstanceUID', '1.2.3.4.5'],
    ['PixelData', 'OW', new Uint8Array(pixelBytes)],
  ]);
}

export function store(peer: ScriptedPeer, messageId: number, sopInstanceUid = `1.2.${messageId}`): void {
  peer.message(1, storeRq({ messageId, sopInstanceUid }), dataSet(sopInstanceUid));
}

export async function expectAbort(peer: ScriptedPeer, source: number, reason: number): Promise<void> {
  const heard = await peer.next();
  assert.equal(heard?.type, 0x07);
  assert.deepEqual([heard.body[2], heard.body[3]], [source, reason]);
}

export const WINDOW_4 = item(0x53, u16(4), u16(1));
