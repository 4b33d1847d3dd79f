/**
 * The DICOM Conformance Statement of a configuration, in the order of PS3.2 Annex N, from the tables and the configuration
 * that the gateway runs on. Reads profiles; no secret is opened. Markdown.
 *
 *   conformanceStatement(loaded) -> text
 */
import type { LoadedConfiguration } from '../config/load.ts';
import type { Configuration, DestinationConfiguration } from '../config/schema.ts';
import { bytesSource } from '../core/bytes.ts';
import { VERSION } from '../core/version.ts';
import type { CompiledProfile } from '../deid/profile.ts';
import { BASIC_METHOD_CODE, METHOD_CODES } from '../deid/profile-options.ts';
import { EDITION } from '../deid/tables.ts';
import { characterSetOf } from '../dicom/charset.ts';
import { readDataSet } from '../dicom/data-set-reader.ts';
import { attributeOf } from '../dicom/dictionary.ts';
import { tagText } from '../dicom/tag.ts';
import {
  type ConformanceOptions,
  communicationConformance,
  listenerConformance,
  transportSecurity,
} from '../dimse/conformance.ts';
import { markdownSection, markdownTable } from '../dimse/markdown.ts';
import { findIdentifier, retrieveIdentifier } from '../dimse/query-retrieve.ts';
import { COMPRESSED, QUERY_RETRIEVE, storageContexts } from './pull.ts';
import { readProfile } from './read-profile.ts';
import { scpOptions } from './scp-options.ts';

const COMMITMENT = {
  custody: 'when it is in custody: its bytes and record are durable here',
  delivery: 'when every destination has taken it',
  off: undefined,
} as const;
const DUPLICATES = {
  refuse: 'refused (0111)',
  keep: 'kept as another version',
  replace: 'it takes the place of versions that were not delivered yet',
} as const;

/** @throws DEID_PROFILE_INVALID, CONFIG_UNREADABLE */
export function conformanceStatement({
  configuration,
  baseDir,
}: Pick<LoadedConfiguration, 'configuration' | 'baseDir'>): string {
  const { dicom } = configuration;
  const commitmentPolicy = COMMITMENT[dicom.commitment];
  const options: ConformanceOptions = {
    ...scpOptions(configuration),
    duplicatePolicy: DUPLICATES[dicom.duplicates],
    ...(commitmentPolicy === undefined ? {} : { commitmentPolicy, commitmentHours: dicom.commitmentHours }),
  };
  return `${[
    `# DICOM Conformance Statement\n\nLethe ${VERSION}. Made from the running configuration; the requirements behind it, and the tests that hold them, are in docs/requirements.md.`,
    overview(configuration),
    introduction(),
    model(configuration),
    markdownSection(2, '4 AE specification: storage SCP', listenerConformance(options, 4)),
    storageScu(configuration),
    queryScu(),
    markdownSection(2, '7 Network interfaces', networkText(dicom), communicationConformance(options)),
    media(configuration),
    characterSets(),
    security(configuration, baseDir, options),
    annexes(),
  ].join('\n\n')}\n`;
}

type DicomDestination = Extract<DestinationConfiguration, { type: 'dicom' }>;

function dicomDestinations({ destinations = [] }: Configuration): DicomDestination[] {
  return destinations.filter((one) => one.type === 'dicom');
}

function overview(configuration: Configuration): string {
  const { dicom, folders } = configuration;
  const sends = dicomDestinations(configuration).length > 0;
  const yes = (value: boolean) => (value ? 'yes' : 'no');
  return markdownSection(
    2,
    '1 Overview',
    'Lethe receives composite objects, takes custody of them before it answers Success, removes who the patient is from metadata and pixels, and delivers the result to configured destinations. Objects that could not be made safe are held and never leave.',
    markdownTable(
      ['Network service', 'User (SCU)', 'Provider (SCP)'],
      [
        ['Verification', yes(true), yes(dicom.enabled)],
        ['Storage', yes(sends), yes(dicom.enabled)],
        ...QUERY_OPERATIONS.map(({ name }) => [`${name}, by \`lethe pull\``, 'yes', 'no']),
        ['Storage Commitment Push Model', 'no', yes(dicom.enabled && dicom.commitment !== 'off')],
      ],
    ),
    markdownTable(
      ['Media and web service', 'Role'],
      [
        ['Part 10 files in watched folders', folders.length > 0 ? 'reader' : 'not configured'],
        ['STOW-RS (PS3.18 §10.5)', configuration.http.enabled ? 'origin server' : 'not configured'],
      ],
    ),
  );
}

function introduction(): string {
  return markdownSection(
    2,
    '2 Introduction',
    'For the people who connect this product to others: PACS administrators, integration and deployment engineers, privacy officers. A conformance statement does not replace a test of the connection. Terms are those of the DICOM Standard (PS3.1 to PS3.22); an instance is a SOP Instance, *held* means kept for a person to decide, *custody* begins when bytes and record are durable.',
  );
}

function model({ dicom }: Configuration): string {
  const titles = [{ aeTitle: dicom.aeTitle }, ...dicom.aeTitles];
  const rows = titles.map((one) => [
    one.aeTitle,
    ('customer' in one ? one.customer : undefined) ?? 'of the peer, else default',
    ('profile' in one ? one.profile : undefined) ?? "the site's own",
  ]);
  return markdownSection(
    2,
    '3 Implementation model',
    'Three application entities. The **storage SCP** accepts associations, stores, verifies and answers storage commitment. The **storage SCU** sends de-identified instances to DICOM destinations. The **query/retrieve SCU** is started by a person (`lethe pull`) and brings studies of a list from an archive to the storage SCP. An instance passes in one direction: received and durable, inspected, cleaned in its pixels, de-identified, verified, rendered, delivered, settled. Nothing upstream waits for anything downstream, and the storage SCP transcodes nothing.',
    markdownTable(['Called AE title', 'Customer', 'De-identification profile'], rows),
  );
}

function storageScu(configuration: Configuration): string {
  const { dicom } = configuration;
  const destinations = dicomDestinations(configuration);
  if (destinations.length === 0)
    return markdownSection(2, '5 AE specification: storage SCU', 'No DICOM destination is configured.');
  const statuses = ({ statuses }: DicomDestination) =>
    statuses === undefined
      ? 'as below'
      : Object.entries(statuses)
          .map(([what, list]) => `${what}: ${(list ?? []).join(' ')}`)
          .join('; ');
  return markdownSection(
    2,
    '5 AE specification: storage SCU',
    'For each pair of SOP class and transfer syntax that a batch holds one presentation context is proposed, in the instances’ own transfer syntaxes, and Verification beside them. Associations rest between batches, kept alive by C-ECHO. A transient rejection and a broken association are tried again with growing pauses; a peer that is unwell is left alone for a while.',
    markdownTable(
      ['Destination', 'Peer', 'Called / calling AE title', 'TLS', 'Requests at once', 'Rests', 'Statuses'],
      destinations.map((one) => [
        one.name,
        `${one.host}:${one.port}`,
        `${one.calledAeTitle} / ${one.callingAeTitle ?? dicom.aeTitle}`,
        one.tls === undefined ? 'no' : 'yes',
        String(one.maxOperations),
        `${one.restSeconds} s`,
        statuses(one),
      ]),
    ),
    markdownTable(
      ['C-STORE status', 'Taken as'],
      [
        ['0000, Bxxx, 0001, 0107, 0116', 'delivered'],
        ['0111', 'delivered: the instance is there'],
        ['A7xx, 0110, 0213', 'sent again later'],
        ['0122', 'held: no presentation context'],
        ['0124', 'sent again later: not authorized'],
        ['others', 'held: refused'],
      ],
    ),
  );
}

const QUERY_OPERATIONS = [
  { name: 'Study Root Query/Retrieve Information Model - FIND', command: 'C-FIND', context: QUERY_RETRIEVE.find },
  { name: 'Study Root Query/Retrieve Information Model - MOVE', command: 'C-MOVE', context: QUERY_RETRIEVE.move },
  { name: 'Study Root Query/Retrieve Information Model - GET', command: 'C-GET', context: QUERY_RETRIEVE.get },
];

/** From the contexts and identifiers that `pull` sends. */
function queryScu(): string {
  const [syntax] = QUERY_RETRIEVE.find.transferSyntaxes;
  const keysOf = (identifier: Uint8Array): string => {
    const dataSet = readDataSet(bytesSource(identifier), { explicitVr: true, littleEndian: true });
    return [...dataSet.elements()].map(({ tag }) => `${attributeOf(tag)?.keyword ?? ''} ${tagText(tag)}`).join(', ');
  };
  const uid = '1.2.3';
  const keys = {
    'C-FIND': keysOf(findIdentifier({ studyInstanceUid: uid }, syntax)),
    retrieval: keysOf(retrieveIdentifier(uid, syntax)),
  };
  return markdownSection(
    2,
    '6 AE specification: query/retrieve SCU',
    'Level STUDY only, one study at a time, named by its Study Instance UID or Accession Number; wildcards and lists are never sent, and nothing is asked relationally. What C-MOVE names as its destination is the storage SCP; what C-GET brings comes as C-STORE on the same association, is passed to the storage SCP and answered with its answer.',
    markdownTable(
      ['SOP class', 'UID', 'Operation', 'Role', 'Transfer syntaxes', 'Keys'],
      QUERY_OPERATIONS.map(({ name, command, context }) => [
        name,
        context.abstractSyntax,
        command,
        'SCU',
        context.transferSyntaxes.join(', '),
        command === 'C-FIND' ? keys['C-FIND'] : keys.retrieval,
      ]),
    ),
    `With C-GET the storage SOP classes that the archive names in (0008,0062) are proposed with the SCP role (PS3.7 §D.3.3.4); where it names none, ${storageContexts([]).length} of section 4.1, the usual ones first. Beside the transfer syntaxes above these are accepted as stored: ${COMPRESSED.join(', ')}.`,
  );
}

function networkText({ host }: Configuration['dicom']): string {
  return `TCP/IP, IPv4 and IPv6, on ${host}. Addresses, ports, AE titles, peers, limits and timers are parameters of the configuration (docs/config.md).`;
}

function media({ folders }: Configuration): string {
  const text =
    folders.length === 0
      ? 'No folder is watched. `POST /receive_dicom` and STOW-RS take Part 10 files of any transfer syntax.'
      : `${folders.length} watched folders take Part 10 files (PS3.10 §7) of any SOP class and transfer syntax, alone, in ZIP archives, or on media with a DICOMDIR (PS3.10 §8); other files stay where they are. Nothing is written to media.`;
  return markdownSection(2, '8 Media interchange', text);
}

/** Defined Terms of Specific Character Set (PS3.3 §C.12.1.1.2). */
const DEFINED_TERMS = [
  ...['ISO_IR 6', 'ISO_IR 100', 'ISO_IR 101', 'ISO_IR 109', 'ISO_IR 110', 'ISO_IR 144', 'ISO_IR 127', 'ISO_IR 126'],
  ...['ISO_IR 138', 'ISO_IR 148', 'ISO_IR 203', 'ISO_IR 13', 'ISO_IR 166', 'ISO_IR 192', 'GB18030', 'GBK'],
  ...['ISO 2022 IR 6', 'ISO 2022 IR 100', 'ISO 2022 IR 101', 'ISO 2022 IR 109', 'ISO 2022 IR 110', 'ISO 2022 IR 144'],
  ...['ISO 2022 IR 127', 'ISO 2022 IR 126', 'ISO 2022 IR 138', 'ISO 2022 IR 148', 'ISO 2022 IR 203'],
  ...['ISO 2022 IR 13', 'ISO 2022 IR 166', 'ISO 2022 IR 87', 'ISO 2022 IR 159', 'ISO 2022 IR 149', 'ISO 2022 IR 58'],
];

function isKnown(term: string): boolean {
  try {
    characterSetOf(term.startsWith('ISO 2022') ? ['', term] : [term]);
    return true;
  } catch {
    return false; // it is asked, not needed
  }
}

function characterSets(): string {
  return markdownSection(
    2,
    '9 Character sets',
    `Storage does not interpret text. De-identification reads and writes: ${DEFINED_TERMS.filter(isKnown).join(', ')}. An instance with another Specific Character Set (0008,0005) is held.`,
  );
}

function auditMessages({ syslog }: Configuration['audit']): string {
  if (syslog === undefined) return 'No audit repository is configured.';
  const { protocol, host, port } = syslog;
  const transport = protocol === 'tls' ? 'RFC 5425 (TLS), PS3.15 §A.6' : 'RFC 5426 (UDP), PS3.15 §A.7';
  return `Audit messages (PS3.15 §A.5) go to ${host}:${port} by ${transport}.`;
}

function security(
  { audit, deidentification, dicom }: Configuration,
  baseDir: string,
  options: ConformanceOptions,
): string {
  const names = [deidentification.profile, ...dicom.aeTitles.flatMap(({ profile }) => profile ?? [])];
  const profiles = [...new Set(names)].map((name) => readProfile(name, baseDir));
  return markdownSection(
    2,
    '10 Security',
    `### 10.1 Transport\n\n${transportSecurity(options)}`,
    `### 10.2 Associations and audit\n\nPeers, user identities and limits: section 4. Refused associations and failed TLS handshakes are in the audit trail, whose entries are chained by hash (\`lethe audit verify\`). ${auditMessages(audit)}`,
    `### 10.3 Attribute confidentiality (PS3.15 Annex E)\n\nDe-identifier after Table E.1-1 (${EDITION}). The Basic Application Level Confidentiality Profile, with these options:`,
    markdownTable(['Profile', 'Methods (CID 7050)'], profiles.map(methodsOf)),
  );
}

function methodsOf({ name, base, options }: CompiledProfile): string[] {
  if (base === 'none') return [name, 'none: the rules of the profile alone'];
  const methods = [BASIC_METHOD_CODE, ...[...options].map((option) => METHOD_CODES[option])];
  return [name, methods.map(([code, meaning]) => `${code} ${meaning}`).join('; ')];
}

function annexes(): string {
  return markdownSection(
    2,
    '11 Annexes',
    'Instances that this product sends are derived from those that it received: de-identified, with new UIDs, Patient Identity Removed (0012,0062) and De-identification Method Code Sequence (0012,0064). It creates no private attributes, SOP classes or transfer syntaxes of its own, and no attribute is coerced on storage. Coded terminology: CID 7050. It displays no images for diagnosis; Grayscale Standard Display Function: not applicable.',
  );
}
