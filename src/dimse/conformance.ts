/**
 * The conformance statement of a running configuration, in the order of PS3.2 Annex N, made from the tables that the code
 * runs on: it cannot promise what is not there. Pure; Markdown.
 *
 * Public: `conformanceStatement`.
 */
import { ERRORS } from '../core/errors.ts';
import { IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, VERSION } from '../core/version.ts';
import { TRANSFER_SYNTAXES } from '../dicom/transfer-syntax.ts';
import { STORAGE_SOP_CLASSES } from '../dicom/uids.ts';
import { ASSOCIATION_TIMERS } from './association.ts';
import { STORAGE_COMMITMENT_PUSH_MODEL, VERIFICATION } from './negotiation.ts';
import { ABORT_REASON, REJECTION } from './pdu.ts';
import { ERROR_COMMENTS } from './refusal.ts';
import type { StorageScpOptions } from './storage-scp.ts';

export type ConformanceOptions = Omit<StorageScpOptions, 'host'>;

export function conformanceStatement(options: ConformanceOptions): string {
  return `${[
    `# DICOM Conformance Statement\n\nLethe ${VERSION}. Made from the running configuration.`,
    overview(),
    applicationEntity(options),
    sopClasses(options),
    transferSyntaxes(options),
    extendedNegotiation(options),
    storeStatuses(),
    associationAnswers(),
    communication(options),
    security(options),
  ].join('\n\n')}\n`;
}

function overview(): string {
  return `## 1 Overview

The Storage AE receives composite objects by C-STORE as SCP and answers Success when an object is durable on disk. It is
SCP of Verification and, where configured, of the Storage Commitment Push Model. It keeps every data set as it was
received (level 2, full, PS3.4 §B.4.1), private elements included, and coerces nothing on storage.`;
}

function applicationEntity({ aeTitles, peers, negotiation, ...limits }: ConformanceOptions): string {
  return table(
    '## 2 Application Entity',
    ['Property', 'Value'],
    [
      ['AE titles', aeTitles.map(({ aeTitle }) => aeTitle.trim()).join(', ')],
      ['Application context', '1.2.840.10008.3.1.1.1'],
      ['Implementation Class UID', IMPLEMENTATION_CLASS_UID],
      ['Implementation Version Name', IMPLEMENTATION_VERSION_NAME],
      ['Associations at once', String(limits.maxAssociations)],
      ['Associations at once of one address', String(limits.maxAssociationsPerPeer)],
      ['Operations performed at once on an association', String(negotiation.operationsPerformedMax)],
      ['Maximum PDU length received', `${negotiation.maxPduLengthBytes} bytes`],
      [
        'Peers',
        peers === 'any' ? 'any calling AE title' : `${peers.length} listed by AE title, address or certificate`,
      ],
    ],
  );
}

function sopClasses({ negotiation }: ConformanceOptions): string {
  const rows = [...STORAGE_SOP_CLASSES].map(([uid, name]) => [name, uid, 'SCP']);
  const commitment = negotiation.furtherSopClasses.has(STORAGE_COMMITMENT_PUSH_MODEL);
  const others =
    negotiation.unknownSopClasses === 'accept'
      ? 'Private SOP classes, and those that PS3.6 does not list, are accepted and stored as they are.'
      : 'Other SOP classes are refused, unless SOP Class Common Extended Negotiation relates them to a storage class.';
  return `${table(
    '## 3 SOP classes',
    ['Name', 'UID', 'Role'],
    [
      ['Verification', VERIFICATION, 'SCP'],
      ...(commitment ? [['Storage Commitment Push Model', STORAGE_COMMITMENT_PUSH_MODEL, 'SCP']] : []),
      ...rows,
    ],
  )}\n\n${others}`;
}

function transferSyntaxes({ negotiation }: ConformanceOptions): string {
  const preferred = negotiation.preferredTransferSyntaxes;
  const choice =
    preferred.length === 0
      ? 'Of several in one presentation context the first that is offered is accepted: the sender keeps what it has.'
      : `Of several in one presentation context the first of this list that is offered is accepted: ${preferred.join(', ')}; else the first that is offered.`;
  const others = negotiation.unknownTransferSyntaxes === 'accept' ? 'accepted as opaque bytes' : 'refused';
  const rows = [...TRANSFER_SYNTAXES.values()].map(({ name, uid }) => [name, uid]);
  return `${table('## 4 Transfer syntaxes', ['Name', 'UID'], rows)}\n\n${choice} Others, private ones among them, are ${others}.`;
}

function extendedNegotiation({ users }: ConformanceOptions): string {
  return table(
    '## 5 Extended negotiation (PS3.7 Annex D.3.3)',
    ['Item', 'Answer'],
    [
      [
        'Asynchronous operations window',
        'The smaller of what is asked and performed at once; zero is taken as no limit',
      ],
      ['SCP/SCU role selection', 'The requestor is SCU, this AE is SCP'],
      ['SOP class extended (storage)', 'Level of support 2, digital signature level 0, element coercion 0'],
      ['SOP class common extended', 'Related general SOP classes are honoured, not answered'],
      [
        'User identity',
        users === undefined ? 'Ignored' : `${users.required ? 'Required' : 'Optional'}; verified, answered where asked`,
      ],
    ],
  );
}

/** Every row of the error table that a C-STORE can be answered with. */
function storeStatuses(): string {
  const rows = Object.entries(ERRORS).flatMap(([code, row]) => {
    if (!('dimseStatus' in row)) return [];
    const comment = ERROR_COMMENTS[code as keyof typeof ERRORS] ?? '';
    return [[hex(row.dimseStatus), row.disposition === 'retry' ? 'yes' : 'no', comment, row.message]];
  });
  const sorted = rows.toSorted(([a = ''], [b = '']) => a.localeCompare(b));
  return `${table(
    '## 6 C-STORE statuses',
    ['Status', 'Send again', 'Error Comment', 'Meaning'],
    [['0000', '', '', 'The object and its record are durable.'], ...sorted],
  )}\n\nOffending Element (0000,0901) names the element where a status is about one.`;
}

function associationAnswers(): string {
  const rejections = Object.entries(REJECTION).map(([name, { result, source, reason }]) => [
    words(name),
    result === 1 ? 'permanent' : 'transient',
    `${source}/${reason}`,
  ]);
  const aborts = Object.entries(ABORT_REASON).map(([name, reason]) => [words(name), `2/${reason}`]);
  return `${table('## 7 Association rejection and abort', ['A-ASSOCIATE-RJ', 'Result', 'Source/reason'], rejections)}\n\n${table(
    undefined,
    ['A-ABORT', 'Source/reason'],
    aborts,
  )}`;
}

function communication({ port, tls, timers }: ConformanceOptions): string {
  const resolved = { ...ASSOCIATION_TIMERS, ...timers };
  return table(
    '## 8 Communication',
    ['Property', 'Value'],
    [
      ['Port', String(port)],
      ['TLS port', tls === undefined ? 'none' : String(tls.port)],
      ['ARTIM timer', seconds(resolved.artimTimeoutMs)],
      ['Idle association', seconds(resolved.idleTimeoutMs)],
      ['PDU or message that does not go on', seconds(resolved.dimseTimeoutMs)],
      ['Bytes that the peer does not take', seconds(resolved.writeTimeoutMs)],
    ],
  );
}

function security({ tls }: ConformanceOptions): string {
  const transport =
    tls === undefined
      ? 'No TLS port is configured.'
      : `BCP 195 RFC 9325 TLS Secure Transport Connection Profile (PS3.15 §B.12): TLS 1.2 and 1.3, ephemeral key exchange, authenticated encryption. Client certificates: ${tls.clientAuth}. Certificates are read again without a restart.`;
  return `## 9 Security\n\n${transport}`;
}

function table(title: string | undefined, head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const lines = [line(head), line(head.map(() => '---')), ...rows.map(line)];
  return [...(title === undefined ? [] : [title, '']), ...lines].join('\n');
}

function hex(status: number): string {
  return status.toString(16).toUpperCase().padStart(4, '0');
}

function seconds(ms: number): string {
  return `${ms / 1000} s`;
}

/** `calledAeTitleNotRecognized` as words. */
function words(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
