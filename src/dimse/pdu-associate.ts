/**
 * A-ASSOCIATE-RQ and A-ASSOCIATE-AC, PS3.8 §9.3.2 and §9.3.3 with the user information items of PS3.8 Annex D.1 and
 * PS3.7 Annex D.3.3: one function an item. Items of unknown type are passed over, as PS3.8 §9.3.1 wants for the user
 * information; an item that does not fit its PDU is an error.
 */
import {
  ABORT_REASON,
  type AssociateAc,
  type AssociateRq,
  CONTEXT_RESULT,
  type CommonExtendedNegotiation,
  type ContextResult,
  type ExtendedNegotiation,
  ITEM_TYPE,
  type PresentationContextAc,
  type PresentationContextRq,
  type RoleSelection,
  type UserIdentityRq,
  type UserInformation,
} from './pdu.ts';
import { FieldReader, malformed } from './pdu-field.ts';

/** PS3.8 §9.3.2, Table 9-11. `body` begins at byte 7, Protocol-version. */
export function parseAssociateRq(body: Uint8Array): AssociateRq {
  const pdu = 'A-ASSOCIATE-RQ';
  const fields = new FieldReader(pdu, body);
  const fixed = parseFixedFields(fields);
  let applicationContext = '';
  let userInformation = NO_USER_INFORMATION;
  const contexts: PresentationContextRq[] = [];
  while (!fields.finished) {
    const { type, body: item } = fields.item('variable item');
    if (type === ITEM_TYPE.applicationContext) applicationContext = restText(item, 'application context');
    else if (type === ITEM_TYPE.presentationContextRq) contexts.push(parseContextRq(item));
    else if (type === ITEM_TYPE.userInformation) userInformation = parseUserInformation(item);
  }
  checkContextIds(pdu, contexts);
  return { type: pdu, ...fixed, applicationContext, contexts, userInformation };
}

/** PS3.8 §9.3.3, Table 9-17. */
export function parseAssociateAc(body: Uint8Array): AssociateAc {
  const pdu = 'A-ASSOCIATE-AC';
  const fields = new FieldReader(pdu, body);
  const fixed = parseFixedFields(fields);
  let applicationContext = '';
  let userInformation = NO_USER_INFORMATION;
  const contexts: PresentationContextAc[] = [];
  while (!fields.finished) {
    const { type, body: item } = fields.item('variable item');
    if (type === ITEM_TYPE.applicationContext) applicationContext = restText(item, 'application context');
    else if (type === ITEM_TYPE.presentationContextAc) contexts.push(parseContextAc(item));
    else if (type === ITEM_TYPE.userInformation) userInformation = parseUserInformation(item);
  }
  return { type: pdu, ...fixed, applicationContext, contexts, userInformation };
}

/** What a peer that sends no user information at all is taken to have said. */
const NO_USER_INFORMATION: UserInformation = { maxPduLengthBytes: 0, implementationClassUid: '' };

interface FixedFields {
  readonly protocolVersion: number;
  readonly calledAeTitle: string;
  readonly callingAeTitle: string;
}

function parseFixedFields(fields: FieldReader): FixedFields {
  const protocolVersion = fields.uint16('Protocol-version'); // 7-8
  fields.skip(2, 'reserved'); // 9-10
  const calledAeTitle = fields.text(16, 'Called-AE-title'); // 11-26
  const callingAeTitle = fields.text(16, 'Calling-AE-title'); // 27-42
  fields.skip(32, 'reserved'); // 43-74
  return { protocolVersion, calledAeTitle, callingAeTitle };
}

/** PS3.8 §9.3.2.2, Table 9-13. */
function parseContextRq(item: FieldReader): PresentationContextRq {
  const id = item.uint8('Presentation-context-ID'); // 5
  item.skip(3, 'reserved'); // 6-8
  let abstractSyntax = '';
  const transferSyntaxes: string[] = [];
  while (!item.finished) {
    const { type, body } = item.item('syntax sub-item');
    if (type === ITEM_TYPE.abstractSyntax) abstractSyntax = restText(body, 'Abstract-syntax-name');
    else if (type === ITEM_TYPE.transferSyntax) transferSyntaxes.push(restText(body, 'Transfer-syntax-name'));
  }
  return { id, abstractSyntax, transferSyntaxes };
}

/** IDs are odd, 1 to 255 (PS3.8 §9.3.2.2), and name one context each (PS3.8 §7.1.1.13). */
function checkContextIds(pdu: string, contexts: readonly PresentationContextRq[]): void {
  const seen = new Set<number>();
  for (const { id } of contexts) {
    if (id % 2 === 0 || seen.has(id))
      throw malformed(pdu, 'Presentation-context-ID', ABORT_REASON.invalidParameterValue);
    seen.add(id);
  }
}

/** PS3.8 §9.3.3.2, Table 9-18. */
function parseContextAc(item: FieldReader): PresentationContextAc {
  const id = item.uint8('Presentation-context-ID'); // 5
  item.skip(1, 'reserved'); // 6
  const result = contextResultOf(item.uint8('Result/Reason')); // 7
  item.skip(1, 'reserved'); // 8
  let transferSyntax = '';
  while (!item.finished) {
    const { type, body } = item.item('Transfer Syntax sub-item');
    if (type === ITEM_TYPE.transferSyntax) transferSyntax = restText(body, 'Transfer-syntax-name');
  }
  return { id, result, transferSyntax };
}

function contextResultOf(value: number): ContextResult {
  const known = Object.values(CONTEXT_RESULT).find((result) => result === value);
  return known ?? CONTEXT_RESULT.noReason;
}

type Draft = { -readonly [Key in keyof UserInformation]: UserInformation[Key] };

/** PS3.8 §9.3.2.3. */
function parseUserInformation(item: FieldReader): UserInformation {
  const information: Draft = { ...NO_USER_INFORMATION };
  const roles: RoleSelection[] = [];
  const extended: ExtendedNegotiation[] = [];
  const commonExtended: CommonExtendedNegotiation[] = [];
  while (!item.finished) {
    const { type, body } = item.item('user information sub-item');
    if (type === ITEM_TYPE.roleSelection) roles.push(parseRoleSelection(body));
    else if (type === ITEM_TYPE.sopClassExtendedNegotiation) extended.push(parseExtended(body));
    else if (type === ITEM_TYPE.sopClassCommonExtendedNegotiation) commonExtended.push(parseCommonExtended(body));
    else parseSingleItem(type, body, information);
  }
  if (roles.length > 0) information.roles = roles;
  if (extended.length > 0) information.extended = extended;
  if (commonExtended.length > 0) information.commonExtended = commonExtended;
  return information;
}

/** The sub-items that occur once. */
function parseSingleItem(type: number, body: FieldReader, information: Draft): void {
  switch (type) {
    case ITEM_TYPE.maximumLength: // PS3.8 §D.1
      information.maxPduLengthBytes = body.uint32('Maximum-length-received');
      return;
    case ITEM_TYPE.implementationClassUid: // PS3.7 §D.3.3.2.1
      information.implementationClassUid = restText(body, 'Implementation-class-uid');
      return;
    case ITEM_TYPE.implementationVersionName: // PS3.7 §D.3.3.2.3
      information.implementationVersionName = restText(body, 'Implementation-version-name');
      return;
    case ITEM_TYPE.asynchronousOperationsWindow: // PS3.7 §D.3.3.3.1
      information.asyncWindow = {
        invoked: body.uint16('Maximum-number-operations-invoked'),
        performed: body.uint16('Maximum-number-operations-performed'),
      };
      return;
    case ITEM_TYPE.userIdentityRq:
      information.userIdentity = parseUserIdentity(body);
      return;
    case ITEM_TYPE.userIdentityAc: // PS3.7 §D.3.3.7.2
      information.userIdentityResponse = body.bytes(body.uint16('Server-response-length'), 'Server-response').slice();
      return;
    default: // PS3.8 §9.3.1: unrecognized items are ignored
  }
}

/** PS3.7 Table D.3-9. */
function parseRoleSelection(body: FieldReader): RoleSelection {
  const sopClassUid = body.text(body.uint16('UID-length'), 'SOP-class-uid');
  const scu = body.uint8('SCU-role') === 1;
  const scp = body.uint8('SCP-role') === 1;
  return { sopClassUid, scu, scp };
}

/** PS3.7 Table D.3-11. */
function parseExtended(body: FieldReader): ExtendedNegotiation {
  const sopClassUid = body.text(body.uint16('SOP-class-uid-length'), 'SOP-class-uid');
  return { sopClassUid, information: body.rest('Service-class-application-information').slice() };
}

/** PS3.7 Table D.3-12. Its Item-length spans all fields; Tolerance: further bytes of later versions are passed over. */
function parseCommonExtended(body: FieldReader): CommonExtendedNegotiation {
  const sopClassUid = body.text(body.uint16('SOP-class-uid-length'), 'SOP-class-uid');
  const serviceClassUid = body.text(body.uint16('Service-class-uid-length'), 'Service-class-uid');
  const length = body.uint16('Related-general-sop-class-identification-length');
  const related = new FieldReader('A-ASSOCIATE-RQ', body.bytes(length, 'Related-general-sop-class-identification'));
  const relatedGeneralSopClassUids: string[] = [];
  while (!related.finished) {
    relatedGeneralSopClassUids.push(related.text(related.uint16('UID-length'), 'Related-general-sop-class-uid'));
  }
  return { sopClassUid, serviceClassUid, relatedGeneralSopClassUids };
}

/** PS3.7 Table D.3-14. */
function parseUserIdentity(body: FieldReader): UserIdentityRq {
  const type = body.uint8('User-Identity-Type');
  const positiveResponseRequested = body.uint8('Positive-response-requested') === 1;
  const primary = body.bytes(body.uint16('Primary-field-length'), 'Primary-field').slice();
  const secondary = body.bytes(body.uint16('Secondary-field-length'), 'Secondary-field').slice();
  return { type, positiveResponseRequested, primary, secondary };
}

function restText(body: FieldReader, field: string): string {
  const bytes = body.rest(field);
  return new FieldReader('A-ASSOCIATE', bytes).text(bytes.length, field);
}
