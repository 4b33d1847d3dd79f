/**
 * Association negotiation of the storage SCP: PS3.8 §7.1 and §9.3.3, PS3.7 Annex D.3.3, PS3.4 Annex B.3. Pure: a request
 * and a policy in, an A-ASSOCIATE-AC or a rejection out.
 *
 * A presentation context is accepted with one transfer syntax: the first of the site's preference that the requestor
 * offers, else the requestor's own first (keep what the sender has). Unknown and private abstract and transfer syntaxes
 * are accepted as opaque bytes by default (level 2 storage, PS3.4 §B.4.1).
 */
import { IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME } from '../core/version.ts';
import { transferSyntaxOf } from '../dicom/transfer-syntax.ts';
import { STORAGE_SOP_CLASSES, uidName } from '../dicom/uids.ts';
import {
  APPLICATION_CONTEXT,
  type AssociateAc,
  type AssociateRq,
  CONTEXT_RESULT,
  type PresentationContextAc,
  type PresentationContextRq,
  REJECTION,
  type Rejection,
  type UserInformation,
} from './pdu.ts';

export const VERIFICATION = '1.2.840.10008.1.1';
export const STORAGE_COMMITMENT_PUSH_MODEL = '1.2.840.10008.1.20.1';
const IMPLICIT_VR_LITTLE_ENDIAN = '1.2.840.10008.1.2';
const PROTOCOL_VERSION = 1;
const AE_TITLE_CHARACTERS_MAX = 16;

export interface NegotiationPolicy {
  readonly maxPduLengthBytes: number;
  readonly unknownSopClasses: 'accept' | 'reject';
  readonly unknownTransferSyntaxes: 'accept' | 'reject';
  /** Most wanted first; empty: what the sender offers first. */
  readonly preferredTransferSyntaxes: readonly string[];
  /** Operations that we perform at once for one peer; 1 answers no window item with more. */
  readonly operationsPerformedMax: number;
  /** Further abstract syntaxes that are served, such as storage commitment. */
  readonly furtherSopClasses: ReadonlySet<string>;
}

export interface NegotiatedContext {
  readonly id: number;
  readonly abstractSyntax: string;
  readonly transferSyntax: string;
}

/** Of a SOP class or in a transfer syntax that PS3.6 does not list: taken as bytes that nobody here can read. */
export function isOpaque({ abstractSyntax, transferSyntax }: NegotiatedContext): boolean {
  return uidName(abstractSyntax) === undefined || transferSyntaxOf(transferSyntax) === undefined;
}

/** May instances of this class be stored under this policy, whatever context they come in? */
export function isStorable(sopClassUid: string, unknownSopClasses: 'accept' | 'reject'): boolean {
  return STORAGE_SOP_CLASSES.has(sopClassUid) || unknownSopClasses === 'accept';
}

/** PS3.8 §9.3.2 and Table 9-21: what makes a request unacceptable whoever sends it. */
export function protocolRefusal(request: AssociateRq): Rejection | undefined {
  if ((request.protocolVersion & PROTOCOL_VERSION) === 0) return REJECTION.protocolVersionNotSupported;
  if (request.applicationContext !== APPLICATION_CONTEXT) return REJECTION.applicationContextNotSupported;
  if (!isAeTitle(request.calledAeTitle)) return REJECTION.calledAeTitleNotRecognized;
  if (!isAeTitle(request.callingAeTitle)) return REJECTION.callingAeTitleNotRecognized;
  return undefined;
}

/**
 * Not only spaces, at most 16 characters, no backslash, no control character (PS3.5 §6.2, VR AE). Tolerance: letters
 * beyond the default repertoire, which some sites have in their titles.
 */
function isAeTitle(title: string): boolean {
  if (title.length > AE_TITLE_CHARACTERS_MAX || title.trim() === '') return false;
  return Array.from(title).every((letter) => letter >= ' ' && letter !== '\\' && letter !== '\x7f');
}

/** AE titles are compared without leading and trailing spaces (PS3.5 §6.2). */
export function sameAeTitle(a: string, b: string): boolean {
  return a.trim() === b.trim();
}

/** `identityAccepted`: the requestor's user identity was verified, which a positive response tells it. */
export function negotiate(
  request: AssociateRq,
  policy: NegotiationPolicy,
  identityAccepted = false,
): { response: AssociateAc; contexts: NegotiatedContext[] } {
  const answers = request.contexts.map((context) => answer(context, request, policy));
  const contexts = answers.flatMap((context, index) => {
    const abstractSyntax = request.contexts[index]?.abstractSyntax ?? '';
    return context.result === CONTEXT_RESULT.acceptance
      ? [{ id: context.id, abstractSyntax, transferSyntax: context.transferSyntax }]
      : [];
  });
  const response: AssociateAc = {
    type: 'A-ASSOCIATE-AC',
    protocolVersion: PROTOCOL_VERSION,
    calledAeTitle: request.calledAeTitle, // sent back as received, not tested by the peer (PS3.8 Table 9-17)
    callingAeTitle: request.callingAeTitle,
    applicationContext: APPLICATION_CONTEXT,
    contexts: answers,
    userInformation: userInformation(request, policy, identityAccepted),
  };
  return { response, contexts };
}

function answer(
  context: PresentationContextRq,
  request: AssociateRq,
  policy: NegotiationPolicy,
): PresentationContextAc {
  if (!isServed(context.abstractSyntax, request, policy))
    return refused(context, CONTEXT_RESULT.abstractSyntaxNotSupported);
  // A requestor that will not be SCU has nothing to say to an SCP (PS3.7 §D.3.3.4).
  if (request.userInformation.roles?.some((role) => role.sopClassUid === context.abstractSyntax && !role.scu) === true)
    return refused(context, CONTEXT_RESULT.userRejection);
  const transferSyntax = chooseTransferSyntax(context, policy);
  if (transferSyntax === undefined) return refused(context, CONTEXT_RESULT.transferSyntaxesNotSupported);
  return { id: context.id, result: CONTEXT_RESULT.acceptance, transferSyntax };
}

function refused(context: PresentationContextRq, result: PresentationContextAc['result']): PresentationContextAc {
  return { id: context.id, result, transferSyntax: context.transferSyntaxes[0] ?? IMPLICIT_VR_LITTLE_ENDIAN };
}

/** Is this abstract syntax ours to serve? What PS3.6 lists and is no storage class belongs to another service. */
function isServed(abstractSyntax: string, request: AssociateRq, policy: NegotiationPolicy): boolean {
  if (
    abstractSyntax === VERIFICATION ||
    STORAGE_SOP_CLASSES.has(abstractSyntax) ||
    policy.furtherSopClasses.has(abstractSyntax)
  )
    return true;
  if (policy.unknownSopClasses === 'reject' || abstractSyntax === '')
    return isRelatedToStorage(abstractSyntax, request);
  return uidName(abstractSyntax) === undefined;
}

/** SOP Class Common Extended Negotiation: a private class that names a known storage class as its general one. */
function isRelatedToStorage(abstractSyntax: string, request: AssociateRq): boolean {
  const related = request.userInformation.commonExtended?.find((item) => item.sopClassUid === abstractSyntax);
  return related?.relatedGeneralSopClassUids.some((uid) => STORAGE_SOP_CLASSES.has(uid)) ?? false;
}

function chooseTransferSyntax(context: PresentationContextRq, policy: NegotiationPolicy): string | undefined {
  const offered = context.transferSyntaxes.filter(
    (uid) => uid !== '' && (policy.unknownTransferSyntaxes === 'accept' || transferSyntaxOf(uid) !== undefined),
  );
  if (context.abstractSyntax === VERIFICATION && offered.includes(IMPLICIT_VR_LITTLE_ENDIAN))
    return IMPLICIT_VR_LITTLE_ENDIAN;
  return policy.preferredTransferSyntaxes.find((uid) => offered.includes(uid)) ?? offered[0];
}

/** PS3.7 §D.3.3: an item is answered only when it was asked. */
function userInformation(request: AssociateRq, policy: NegotiationPolicy, identityAccepted: boolean): UserInformation {
  const asked = request.userInformation;
  const window = asked.asyncWindow;
  const performed = policy.operationsPerformedMax;
  return {
    maxPduLengthBytes: policy.maxPduLengthBytes,
    implementationClassUid: IMPLEMENTATION_CLASS_UID,
    implementationVersionName: IMPLEMENTATION_VERSION_NAME,
    // The requestor's "invoked" is what we perform; 0 means that it sets no limit, ours stands (PS3.7 §D.3.3.3).
    ...(window === undefined
      ? {}
      : {
          asyncWindow: {
            invoked: window.invoked === 0 ? performed : Math.min(window.invoked, performed),
            performed: 1, // what we may invoke: one N-EVENT-REPORT at a time
          },
        }),
    ...(asked.roles === undefined
      ? {}
      : { roles: asked.roles.map(({ sopClassUid, scu }) => ({ sopClassUid, scu, scp: false })) }),
    ...(asked.extended === undefined
      ? {}
      : {
          extended: asked.extended
            .filter(({ sopClassUid }) => STORAGE_SOP_CLASSES.has(sopClassUid))
            .map(({ sopClassUid }) => ({ sopClassUid, information: LEVEL_2_STORAGE })),
        }),
    // The response is empty for a username and for a JSON Web Token (PS3.7 §D.3.3.7.2).
    ...(identityAccepted && asked.userIdentity?.positiveResponseRequested === true
      ? { userIdentityResponse: new Uint8Array(0) }
      : {}),
  };
}

/** PS3.4 Table B.3-1: level of support 2 (full), digital signatures level 0, element coercion 0 (none). */
const LEVEL_2_STORAGE = Uint8Array.of(2, 0, 0, 0, 0, 0);
