/**
 * The storage SCP's part of the conformance statement (PS3.2 Annex N, AE specification), made from the tables that the
 * listener runs on: it cannot promise what is not there. Pure; Markdown, sections of the level that is asked for.
 *
 * Public: `listenerConformance`, `communicationConformance`, `transportSecurity`.
 */
import { ERRORS } from '../core/errors.ts';
import { IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME } from '../core/version.ts';
import { TRANSFER_SYNTAXES } from '../dicom/transfer-syntax.ts';
import { STORAGE_SOP_CLASSES } from '../dicom/uids.ts';
import { ASSOCIATION_TIMERS } from './association.ts';
import { EVENT_TYPE, FAILURE_REASON } from './commitment.ts';
import { REPORTING } from './commitment-reporter.ts';
import { markdownSection, markdownTable, wordsOf } from './markdown.ts';
import { STORAGE_COMMITMENT_PUSH_MODEL, VERIFICATION } from './negotiation.ts';
import { ABORT_REASON, APPLICATION_CONTEXT, CONTEXT_RESULT, REJECTION, USER_IDENTITY_TYPE } from './pdu.ts';
import { ERROR_COMMENTS } from './refusal.ts';
import type { StorageScpOptions } from './storage-scp.ts';
import { cipherSuitesOf } from './storage-tls.ts';
import { identityTypesOf } from './user-identity.ts';
import { VALIDATION, type ValidationPolicy } from './validation.ts';

export type ConformanceOptions = Omit<StorageScpOptions, 'host'> & {
  /** When storage commitment is answered, in words; undefined: it is not served. */
  readonly commitmentPolicy?: string;
  /** Until an undecided request is answered as failed. */
  readonly commitmentHours?: number;
  /** What happens to other content under a known UID, in words. */
  readonly duplicatePolicy?: string;
};

/** The AE specification under headings `number.1`, `number.2`, ... */
export function listenerConformance(options: ConformanceOptions, number: number): string {
  return [
    sopClasses(options, `${number}.1`),
    policies(options, `${number}.2`),
    initiation(options, `${number}.3`),
    acceptance(options, `${number}.4`),
    storage(options, `${number}.5`),
    otherServices(options, `${number}.6`),
    associationAnswers(`${number}.7`),
  ].join('\n\n');
}

function sopClasses({ negotiation }: ConformanceOptions, number: string): string {
  const rows = [...STORAGE_SOP_CLASSES].map(([uid, name]) => [name, uid, 'SCP']);
  const commitment = negotiation.furtherSopClasses.has(STORAGE_COMMITMENT_PUSH_MODEL);
  const others =
    negotiation.unknownSopClasses === 'accept'
      ? 'Private SOP classes, and those that PS3.6 does not list, are accepted and stored as they are.'
      : 'Other SOP classes are refused, unless SOP Class Common Extended Negotiation relates them to a storage class.';
  const table = markdownTable(
    ['Name', 'UID', 'Role'],
    [
      ['Verification', VERIFICATION, 'SCP'],
      ...(commitment ? [['Storage Commitment Push Model', STORAGE_COMMITMENT_PUSH_MODEL, 'SCP']] : []),
      ...rows,
    ],
  );
  return markdownSection(3, `${number} SOP classes`, table, others);
}

function policies({ aeTitles, peers, negotiation, ...limits }: ConformanceOptions, number: string): string {
  const most = (limit: number | undefined, unit: string) => (limit === undefined ? 'no limit' : `${limit} ${unit}`);
  const rows = [
    ['AE titles', aeTitles.map(({ aeTitle }) => aeTitle.trim()).join(', ')],
    ['Application context', APPLICATION_CONTEXT],
    ['Implementation Class UID', IMPLEMENTATION_CLASS_UID],
    ['Implementation Version Name', IMPLEMENTATION_VERSION_NAME],
    ['Associations at once', String(limits.maxAssociations)],
    ['Associations at once of one address', String(limits.maxAssociationsPerPeer)],
    ['Instances of one association', most(limits.maxInstancesPerAssociation, 'instances, then 0213')],
    ['Bytes of one association', most(limits.maxBytesPerAssociation, 'bytes, then 0213')],
    ['Operations performed at once on an association', String(negotiation.operationsPerformedMax)],
    ['Operations invoked at once on an association', '1 (N-EVENT-REPORT)'],
    ['Maximum PDU length received', `${negotiation.maxPduLengthBytes} bytes`],
  ];
  return markdownSection(3, `${number} Association policies`, markdownTable(['Property', 'Value'], rows));
}

function initiation({ commitmentPolicy }: ConformanceOptions, number: string): string {
  const text =
    commitmentPolicy === undefined
      ? 'This AE asks for no associations.'
      : `This AE asks for an association to report storage commitment (N-EVENT-REPORT) where the association of the request is over and the peer has an address and a report port in the configuration. It proposes the Storage Commitment Push Model in Implicit VR Little Endian and the SCP role for itself. A report that the peer does not confirm is sent again up to ${REPORTING.attemptsMax} times, the first after ${seconds(REPORTING.firstDelayMs)}, each pause twice the one before and at most ${seconds(REPORTING.delayMsMax)}; what is owed at a stop is owed at the next start.`;
  return markdownSection(3, `${number} Association initiation`, text);
}

function acceptance(options: ConformanceOptions, number: string): string {
  const { peers, negotiation } = options;
  const allowed =
    peers === 'any'
      ? 'Any calling AE title is accepted.'
      : `Callers must fit one of ${peers.length} entries, by AE title, address or network, and name or fingerprint of their certificate.`;
  const preferred = negotiation.preferredTransferSyntaxes;
  const choice =
    preferred.length === 0
      ? 'Of several transfer syntaxes in one presentation context the first that is offered is accepted: the sender keeps what it has.'
      : `Of several transfer syntaxes in one presentation context the first of this list that is offered is accepted: ${preferred.join(', ')}; else the first that is offered.`;
  const others = negotiation.unknownTransferSyntaxes === 'accept' ? 'accepted as opaque bytes' : 'refused';
  const results = Object.entries(CONTEXT_RESULT).map(([name, value]) => [String(value), wordsOf(name)]);
  return markdownSection(
    3,
    `${number} Association acceptance`,
    `${allowed} Several presentation contexts of one abstract syntax are accepted side by side. ${choice} Others, private ones among them, are ${others}.`,
    markdownTable(
      ['Transfer syntax', 'UID'],
      [...TRANSFER_SYNTAXES.values()].map(({ name, uid }) => [name, uid]),
    ),
    markdownTable(['Result of a presentation context', 'Meaning'], results),
    extendedNegotiation(options),
  );
}

function extendedNegotiation({ users }: ConformanceOptions): string {
  const names = new Map<number, string>(
    Object.entries(USER_IDENTITY_TYPE).map(([name, type]) => [type, wordsOf(name)]),
  );
  const types = users === undefined ? [] : identityTypesOf(users).map((type) => `${names.get(type)} (${type})`);
  const identity =
    users === undefined
      ? 'Ignored'
      : `${users.required ? 'Required' : 'Optional'}; verified: ${types.join(', ') || 'none'}; answered where asked; a wrong one is rejected`;
  return markdownTable(
    ['Extended negotiation (PS3.7 Annex D.3.3)', 'Answer'],
    [
      [
        'Asynchronous operations window',
        'The smaller of what is asked and performed at once; zero is taken as no limit',
      ],
      ['SCP/SCU role selection', 'The requestor is SCU, this AE is SCP'],
      ['SOP class extended (storage)', 'Level of support 2, digital signature level 0, element coercion 0'],
      ['SOP class common extended', 'Related general SOP classes are honoured, not answered'],
      ['User identity', identity],
    ],
  );
}

const FAULTS: Readonly<Record<keyof ValidationPolicy, string>> = {
  uidsDiffer: 'SOP Class or SOP Instance UID of command and data set differ',
  uidMalformed: 'The SOP Instance UID is malformed',
  unreadable: 'The data set cannot be read as far as its UIDs',
  studyUidsMissing: 'Study or Series Instance UID is missing or malformed',
};
const REMEDIES = {
  refuse: 'refused with its status',
  warn: 'stored, answered B007, held for review',
  accept: 'stored, answered 0000, decided by processing',
} as const;

/** Every row of the error table that a C-STORE can be answered with. */
function storage(options: ConformanceOptions, number: string): string {
  const validation: ValidationPolicy = { ...VALIDATION, ...options.validation };
  const rows = Object.entries(ERRORS).flatMap(([code, row]) => {
    if (!('dimseStatus' in row) || code === 'DIMSE_COMMITMENT_INVALID') return []; // that answers an N-ACTION
    const comment = ERROR_COMMENTS[code as keyof typeof ERRORS] ?? '';
    return [[hex(row.dimseStatus), row.disposition === 'retry' ? 'yes' : 'no', comment, row.message]];
  });
  const sorted = rows.toSorted(([a = ''], [b = '']) => a.localeCompare(b));
  const faults = Object.entries(FAULTS).map(([name, text]) => [
    text,
    REMEDIES[validation[name as keyof ValidationPolicy]],
  ]);
  return markdownSection(
    3,
    `${number} Storage`,
    'Level of support 2 (full, PS3.4 §B.4.1): the data set is kept byte for byte, private elements included; nothing is coerced or discarded on storage, so B000 and B006 are never sent. Success means that data set and record are durable. The order, number and end of associations mean nothing: what was answered with Success stays.',
    markdownTable(
      ['Status', 'Send again', 'Error Comment', 'Meaning'],
      [
        ['0000', '', '', 'The object and its record are durable.'],
        ['B007', 'no', 'as below', 'Stored in spite of a fault that the site wants a warning for.'],
        ...sorted,
      ],
    ),
    'Offending Element (0000,0901) names the element where a status is about one. Statuses 0112 and 0214, which PS3.2 Table N.7-42 lists for storage, are no statuses of C-STORE in PS3.4 and are not sent.',
    markdownTable(['Found on receipt', 'What is done'], faults),
    `The same instance again is answered 0000 and neither stored nor sent a second time. Other content under the same SOP Instance UID: ${options.duplicatePolicy ?? 'by policy'}; both digests are on record.`,
  );
}

function otherServices(options: ConformanceOptions, number: string): string {
  const { commitmentPolicy } = options;
  const verification = 'Verification: C-ECHO is answered 0000. Other operations: 0211; C-CANCEL is not answered.';
  if (commitmentPolicy === undefined) return markdownSection(3, `${number} Other services`, verification);
  const reasons = Object.entries(FAILURE_REASON).map(([name, value]) => [hex(value), wordsOf(name)]);
  return markdownSection(
    3,
    `${number} Other services`,
    verification,
    `Storage Commitment Push Model (PS3.4 Annex J): N-ACTION is answered when the request is durable. An instance is committed ${commitmentPolicy}. The report (N-EVENT-REPORT, event type ${EVENT_TYPE.successful} or ${EVENT_TYPE.failuresExist}) is in the sender's own UIDs, on the association of the request as long as that stands.${options.commitmentHours === undefined ? '' : ` What is not decided within ${options.commitmentHours} h is reported as failed (0110).`}`,
    markdownTable(['Failure Reason', 'Meaning'], reasons),
  );
}

function associationAnswers(number: string): string {
  const rejections = Object.entries(REJECTION).map(([name, { result, source, reason }]) => [
    wordsOf(name),
    result === 1 ? 'permanent' : 'transient',
    `${source}/${reason}`,
  ]);
  const aborts = Object.entries(ABORT_REASON).map(([name, reason]) => [wordsOf(name), `2/${reason}`]);
  return markdownSection(
    3,
    `${number} Association rejection and abort`,
    markdownTable(['A-ASSOCIATE-RJ', 'Result', 'Source/reason'], rejections),
    markdownTable(['A-ABORT', 'Source/reason'], aborts),
  );
}

/** Rows of the network interface: ports and timers. */
export function communicationConformance({ port, furtherPorts = [], tls, timers }: ConformanceOptions): string {
  const resolved = { ...ASSOCIATION_TIMERS, ...timers };
  const plain = port === undefined ? [] : [port, ...furtherPorts];
  return markdownTable(
    ['Property', 'Value'],
    [
      ['Plain ports', plain.length === 0 ? 'none' : plain.join(', ')],
      ['TLS port', tls === undefined ? 'none' : String(tls.port)],
      ['ARTIM timer', seconds(resolved.artimTimeoutMs)],
      ['Idle association', seconds(resolved.idleTimeoutMs)],
      ['PDU or message that does not go on', seconds(resolved.dimseTimeoutMs)],
      ['Bytes that the peer does not take', seconds(resolved.writeTimeoutMs)],
    ],
  );
}

/** Of the TLS port. */
export function transportSecurity({ tls }: ConformanceOptions): string {
  if (tls === undefined) return 'No TLS port is configured.';
  const profile = tls.profile ?? 'bcp195';
  const name =
    profile === 'bcp195'
      ? 'BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile (PS3.15 §B.12)'
      : 'Modified BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile (PS3.15 §B.13)';
  return `${name}: TLS 1.2 and 1.3. Client certificates: ${tls.clientAuth}. Certificates are read again without a restart; ${(tls.serverNames ?? []).length} further by server name. Cipher suites, most wanted first: ${cipherSuitesOf(profile).join(', ')}. The retired profiles (B.1 to B.3, B.9 to B.11) are not offered.`;
}

function hex(status: number): string {
  return status.toString(16).toUpperCase().padStart(4, '0');
}

function seconds(ms: number): string {
  return `${ms / 1000} s`;
}
