/**
 * The protocol data units of the DICOM upper layer as values: PS3.8 §9.3.1 to §9.3.8 and, for the user information
 * items, PS3.8 Annex D.1 and PS3.7 Annex D.3.3. `pdu-reader.ts` makes them from bytes, `pdu-writer.ts` makes bytes of
 * them; neither keeps reserved fields. Lengths are bytes, multi-byte integers are big-endian.
 *
 * Public: the PDU types, `PDU_TYPE`, `ITEM_TYPE`, the reason tables, `APPLICATION_CONTEXT`.
 */

/** DICOM Application Context Name, PS3.7 §A.2.1. */
export const APPLICATION_CONTEXT = '1.2.840.10008.3.1.1.1';

/** PDU-type, first byte of every PDU (PS3.8 §9.3.1). */
export const PDU_TYPE = {
  'A-ASSOCIATE-RQ': 0x01,
  'A-ASSOCIATE-AC': 0x02,
  'A-ASSOCIATE-RJ': 0x03,
  'P-DATA-TF': 0x04,
  'A-RELEASE-RQ': 0x05,
  'A-RELEASE-RP': 0x06,
  'A-ABORT': 0x07,
} as const;

/** Item-type of the variable items of A-ASSOCIATE-RQ and -AC (PS3.8 §9.3.2 and §9.3.3, PS3.7 §D.3.3). */
export const ITEM_TYPE = {
  applicationContext: 0x10,
  presentationContextRq: 0x20,
  presentationContextAc: 0x21,
  abstractSyntax: 0x30,
  transferSyntax: 0x40,
  userInformation: 0x50,
  maximumLength: 0x51,
  implementationClassUid: 0x52,
  asynchronousOperationsWindow: 0x53,
  roleSelection: 0x54,
  implementationVersionName: 0x55,
  sopClassExtendedNegotiation: 0x56,
  sopClassCommonExtendedNegotiation: 0x57,
  userIdentityRq: 0x58,
  userIdentityAc: 0x59,
} as const;

/** One proposed presentation context (PS3.8 §9.3.2.2). `id` is odd, 1 to 255. */
export interface PresentationContextRq {
  readonly id: number;
  readonly abstractSyntax: string;
  readonly transferSyntaxes: readonly string[];
}

/** Result/Reason of a presentation context (PS3.8 Table 9-18). */
export const CONTEXT_RESULT = {
  acceptance: 0,
  userRejection: 1,
  noReason: 2,
  abstractSyntaxNotSupported: 3,
  transferSyntaxesNotSupported: 4,
} as const;
export type ContextResult = (typeof CONTEXT_RESULT)[keyof typeof CONTEXT_RESULT];

/** One answered presentation context (PS3.8 §9.3.3.2). `transferSyntax` is not significant unless accepted. */
export interface PresentationContextAc {
  readonly id: number;
  readonly result: ContextResult;
  readonly transferSyntax: string;
}

/** PS3.7 §D.3.3.4. Absent means SCU for the requestor and SCP for the acceptor. */
export interface RoleSelection {
  readonly sopClassUid: string;
  readonly scu: boolean;
  readonly scp: boolean;
}

/** PS3.7 §D.3.3.5; the application information is opaque here. */
export interface ExtendedNegotiation {
  readonly sopClassUid: string;
  readonly information: Uint8Array;
}

/** PS3.7 §D.3.3.6. */
export interface CommonExtendedNegotiation {
  readonly sopClassUid: string;
  readonly serviceClassUid: string;
  readonly relatedGeneralSopClassUids: readonly string[];
}

/** PS3.7 §D.3.3.3. Zero means unlimited. */
export interface AsyncOperationsWindow {
  readonly invoked: number;
  readonly performed: number;
}

/** User-Identity-Type, PS3.7 Table D.3-14. */
export const USER_IDENTITY_TYPE = { username: 1, usernameAndPasscode: 2, kerberos: 3, saml: 4, jwt: 5 } as const;

/** PS3.7 §D.3.3.7.1. The fields are secrets: they are never logged. */
export interface UserIdentityRq {
  readonly type: number;
  readonly positiveResponseRequested: boolean;
  readonly primary: Uint8Array;
  readonly secondary: Uint8Array;
}

/** User Information of an A-ASSOCIATE-RQ or -AC (PS3.8 §9.3.2.3, PS3.7 §D.3.3). */
export interface UserInformation {
  /** Largest PDU variable field that the sender of this item takes; 0 is unlimited (PS3.8 §D.1). */
  readonly maxPduLengthBytes: number;
  readonly implementationClassUid: string;
  readonly implementationVersionName?: string;
  readonly asyncWindow?: AsyncOperationsWindow;
  readonly roles?: readonly RoleSelection[];
  readonly extended?: readonly ExtendedNegotiation[];
  readonly commonExtended?: readonly CommonExtendedNegotiation[];
  readonly userIdentity?: UserIdentityRq;
  /** Server-response of the acceptor (PS3.7 §D.3.3.7.2). */
  readonly userIdentityResponse?: Uint8Array;
}

export interface AssociateRq {
  readonly type: 'A-ASSOCIATE-RQ';
  /** Bit field; bit 0 is version 1, the only one there is. */
  readonly protocolVersion: number;
  readonly calledAeTitle: string;
  readonly callingAeTitle: string;
  readonly applicationContext: string;
  readonly contexts: readonly PresentationContextRq[];
  readonly userInformation: UserInformation;
}

export interface AssociateAc {
  readonly type: 'A-ASSOCIATE-AC';
  readonly protocolVersion: number;
  readonly calledAeTitle: string;
  readonly callingAeTitle: string;
  readonly applicationContext: string;
  readonly contexts: readonly PresentationContextAc[];
  readonly userInformation: UserInformation;
}

/** PS3.8 Table 9-21: result 1 permanent, 2 transient; source 1 user, 2 provider (ACSE), 3 provider (presentation). */
export interface Rejection {
  readonly result: number;
  readonly source: number;
  readonly reason: number;
}

export interface AssociateRj extends Rejection {
  readonly type: 'A-ASSOCIATE-RJ';
}

export interface ReleaseRq {
  readonly type: 'A-RELEASE-RQ';
}

export interface ReleaseRp {
  readonly type: 'A-RELEASE-RP';
}

/** PS3.8 Table 9-26: source 0 service-user, 2 service-provider. */
export interface Abort {
  readonly type: 'A-ABORT';
  readonly source: number;
  readonly reason: number;
}

/** The start of a P-DATA-TF PDU; its PDVs follow as slices. `length` is that of the variable field. */
export interface DataTfStart {
  readonly type: 'P-DATA-TF';
  readonly length: number;
}

/**
 * Some bytes of one presentation data value, as they arrived (PS3.8 §9.3.5.1, Annex E). A PDV comes as one or more
 * slices; `end` marks the last slice of the PDV, `last` (message control header bit 1) that the PDV is the last
 * fragment of its command or data set.
 */
export interface PdvSlice {
  readonly type: 'pdv';
  readonly contextId: number;
  readonly command: boolean;
  readonly last: boolean;
  readonly end: boolean;
  readonly bytes: Uint8Array;
}

export type ControlPdu = AssociateRq | AssociateAc | AssociateRj | ReleaseRq | ReleaseRp | Abort;
export type PduToken = ControlPdu | DataTfStart | PdvSlice;

/** Reasons of an A-ABORT by the service-provider, PS3.8 Table 9-26 (3 is reserved). */
export const ABORT_REASON = {
  unspecified: 0,
  unrecognizedPdu: 1,
  unexpectedPdu: 2,
  unrecognizedParameter: 4,
  unexpectedParameter: 5,
  invalidParameterValue: 6,
} as const;

/** The rejections this project sends, by their words in PS3.8 Table 9-21. */
export const REJECTION = {
  noReasonGiven: { result: 1, source: 1, reason: 1 },
  applicationContextNotSupported: { result: 1, source: 1, reason: 2 },
  callingAeTitleNotRecognized: { result: 1, source: 1, reason: 3 },
  calledAeTitleNotRecognized: { result: 1, source: 1, reason: 7 },
  authenticationFailed: { result: 1, source: 2, reason: 1 },
  protocolVersionNotSupported: { result: 1, source: 2, reason: 2 },
  temporaryCongestion: { result: 2, source: 3, reason: 1 },
  localLimitExceeded: { result: 2, source: 3, reason: 2 },
} as const satisfies Record<string, Rejection>;
