/**
 * Protocol data units as bytes (PS3.8 §9.3). One buffer a PDU, so that one write carries it. Reserved fields are sent
 * zero. P-DATA-TF: `dataTfHeader` makes the 12 bytes before a PDV's data, which the caller writes without copying.
 *
 * Public: `writePdu`, `dataTfHeader`, `DATA_TF_HEADER_BYTES`, `commandPdus`.
 */
import { assert } from '../core/errors.ts';
import {
  type AssociateAc,
  type AssociateRq,
  type CommonExtendedNegotiation,
  type ControlPdu,
  ITEM_TYPE,
  PDU_TYPE,
  type PresentationContextAc,
  type PresentationContextRq,
  type UserIdentityRq,
  type UserInformation,
} from './pdu.ts';

/** PDU header and one PDV header. */
export const DATA_TF_HEADER_BYTES = 12;

export function writePdu(pdu: ControlPdu): Uint8Array {
  switch (pdu.type) {
    case 'A-ASSOCIATE-RQ':
      return writeAssociate(pdu, pdu.contexts.map(contextRqItem));
    case 'A-ASSOCIATE-AC':
      return writeAssociate(pdu, pdu.contexts.map(contextAcItem));
    case 'A-ASSOCIATE-RJ':
      return framed(PDU_TYPE[pdu.type], [Uint8Array.of(0, pdu.result, pdu.source, pdu.reason)]);
    case 'A-RELEASE-RQ':
    case 'A-RELEASE-RP':
      return framed(PDU_TYPE[pdu.type], [new Uint8Array(4)]);
    case 'A-ABORT':
      return framed(PDU_TYPE[pdu.type], [Uint8Array.of(0, 0, pdu.source, pdu.reason)]);
  }
}

export interface PdvHeader {
  readonly contextId: number;
  readonly command: boolean;
  readonly last: boolean;
  /** Of the PDV's data. */
  readonly length: number;
}

/** The bytes before the data of a P-DATA-TF PDU that holds one PDV (PS3.8 §9.3.5, §E.2). */
export function dataTfHeader(pdv: PdvHeader): Uint8Array {
  const header = new Uint8Array(DATA_TF_HEADER_BYTES);
  const view = new DataView(header.buffer);
  header[0] = PDU_TYPE['P-DATA-TF'];
  view.setUint32(2, pdv.length + 6);
  view.setUint32(6, pdv.length + 2);
  header[10] = pdv.contextId;
  header[11] = (pdv.command ? 1 : 0) | (pdv.last ? 2 : 0);
  return header;
}

/** A command set as P-DATA-TF PDUs that the peer takes, in one buffer. `maxPduLengthBytes` 0 is unlimited. */
export function commandPdus(contextId: number, command: Uint8Array, maxPduLengthBytes: number): Uint8Array {
  const fragment = pdvDataBytesMax(maxPduLengthBytes, command.length);
  const parts: Uint8Array[] = [];
  for (let position = 0; position < command.length; position += fragment) {
    const bytes = command.subarray(position, position + fragment);
    const last = position + fragment >= command.length;
    parts.push(dataTfHeader({ contextId, command: true, last, length: bytes.length }), bytes);
  }
  return joined(parts);
}

/** How much data one PDV may carry where it is alone in its PDU: even, as fragments shall be (PS3.8 §E.2). */
export function pdvDataBytesMax(maxPduLengthBytes: number, wanted: number): number {
  if (maxPduLengthBytes === 0) return Math.max(2, wanted);
  // A peer that announces less than a PDV header and two bytes cannot be spoken to; send the least that makes sense.
  return Math.max(2, Math.min(wanted + (wanted % 2), (maxPduLengthBytes - 6) & ~1));
}

/** PS3.8 Tables 9-11 and 9-17. */
function writeAssociate(pdu: AssociateRq | AssociateAc, contexts: readonly Uint8Array[]): Uint8Array {
  const fixed = new Uint8Array(68);
  new DataView(fixed.buffer).setUint16(0, pdu.protocolVersion); // 7-8
  fixed.set(aeTitle(pdu.calledAeTitle), 4); // 11-26
  fixed.set(aeTitle(pdu.callingAeTitle), 20); // 27-42
  return framed(PDU_TYPE[pdu.type], [
    fixed,
    item(ITEM_TYPE.applicationContext, ascii(pdu.applicationContext)),
    ...contexts,
    item(ITEM_TYPE.userInformation, ...userInformationItems(pdu.userInformation)),
  ]);
}

function contextRqItem(context: PresentationContextRq): Uint8Array {
  return item(
    ITEM_TYPE.presentationContextRq,
    Uint8Array.of(context.id, 0, 0, 0),
    item(ITEM_TYPE.abstractSyntax, ascii(context.abstractSyntax)),
    ...context.transferSyntaxes.map((uid) => item(ITEM_TYPE.transferSyntax, ascii(uid))),
  );
}

function contextAcItem(context: PresentationContextAc): Uint8Array {
  return item(
    ITEM_TYPE.presentationContextAc,
    Uint8Array.of(context.id, 0, context.result, 0),
    item(ITEM_TYPE.transferSyntax, ascii(context.transferSyntax)),
  );
}

/** In the order of their item types, as PS3.7 §D.3.3 lists them. */
function userInformationItems(information: UserInformation): Uint8Array[] {
  const items = [
    item(ITEM_TYPE.maximumLength, uint32(information.maxPduLengthBytes)),
    item(ITEM_TYPE.implementationClassUid, ascii(information.implementationClassUid)),
  ];
  const { asyncWindow, implementationVersionName, userIdentity, userIdentityResponse } = information;
  if (asyncWindow !== undefined) {
    const window = [uint16(asyncWindow.invoked), uint16(asyncWindow.performed)];
    items.push(item(ITEM_TYPE.asynchronousOperationsWindow, ...window));
  }
  for (const { sopClassUid, scu, scp } of information.roles ?? []) {
    items.push(item(ITEM_TYPE.roleSelection, counted(ascii(sopClassUid)), Uint8Array.of(scu ? 1 : 0, scp ? 1 : 0)));
  }
  if (implementationVersionName !== undefined) {
    items.push(item(ITEM_TYPE.implementationVersionName, ascii(implementationVersionName)));
  }
  for (const { sopClassUid, information: bytes } of information.extended ?? []) {
    items.push(item(ITEM_TYPE.sopClassExtendedNegotiation, counted(ascii(sopClassUid)), bytes));
  }
  for (const common of information.commonExtended ?? []) items.push(commonExtendedItem(common));
  if (userIdentity !== undefined) items.push(userIdentityItem(userIdentity));
  if (userIdentityResponse !== undefined) items.push(item(ITEM_TYPE.userIdentityAc, counted(userIdentityResponse)));
  return items;
}

function commonExtendedItem(common: CommonExtendedNegotiation): Uint8Array {
  return item(
    ITEM_TYPE.sopClassCommonExtendedNegotiation,
    counted(ascii(common.sopClassUid)),
    counted(ascii(common.serviceClassUid)),
    counted(...common.relatedGeneralSopClassUids.map((uid) => counted(ascii(uid)))),
  );
}

function userIdentityItem(identity: UserIdentityRq): Uint8Array {
  return item(
    ITEM_TYPE.userIdentityRq,
    Uint8Array.of(identity.type, identity.positiveResponseRequested ? 1 : 0),
    counted(identity.primary),
    counted(identity.secondary),
  );
}

function framed(type: number, parts: readonly Uint8Array[]): Uint8Array {
  const body = joined(parts);
  return joined([Uint8Array.of(type, 0), uint32(body.length), body]);
}

function item(type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return joined([Uint8Array.of(type, 0), counted(...parts)]);
}

/** The parts after their common length in 16 bits. */
function counted(...parts: readonly Uint8Array[]): Uint8Array {
  const body = joined(parts);
  assert(body.length <= 0xffff, 'an item of an A-ASSOCIATE PDU fits its 16-bit length');
  return joined([uint16(body.length), body]);
}

function aeTitle(title: string): Uint8Array {
  return ascii(title.slice(0, 16).padEnd(16));
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0) & 0xff);
}

function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value & 0xff);
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    all.set(part, position);
    position += part.length;
  }
  return all;
}
