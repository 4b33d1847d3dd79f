/**
 * DICOM audit messages, PS3.15 §A.5: XML as its schema (§A.5.1) orders it, with the codes of the events that a gateway
 * has (§A.5.3). Pure. What stands in a message about patients is the caller's decision; here everything is escaped.
 */

export interface Code {
  readonly code: string;
  readonly system: string;
  readonly meaning: string;
}

function dcm(code: string, meaning: string): Code {
  return { code, system: 'DCM', meaning };
}

/** PS3.16 CID 400. */
export const EVENT = {
  applicationActivity: dcm('110100', 'Application Activity'),
  beginTransferring: dcm('110102', 'Begin Transferring DICOM Instances'),
  instancesAccessed: dcm('110103', 'DICOM Instances Accessed'),
  instancesTransferred: dcm('110104', 'DICOM Instances Transferred'),
  export: dcm('110106', 'Export'),
  import: dcm('110107', 'Import'),
  securityAlert: dcm('110113', 'Security Alert'),
  userAuthentication: dcm('110114', 'User Authentication'),
} as const;

/** PS3.16 CID 401. */
export const EVENT_TYPE = {
  applicationStart: dcm('110120', 'Application Start'),
  applicationStop: dcm('110121', 'Application Stop'),
  login: dcm('110122', 'Login'),
  nodeAuthentication: dcm('110126', 'Node Authentication'),
  useOfRestrictedFunction: dcm('110132', 'Use of Restricted Function'),
} as const;

/** PS3.16 CID 402. */
export const ROLE = {
  application: dcm('110150', 'Application'),
  applicationLauncher: dcm('110151', 'Application Launcher'),
  destination: dcm('110152', 'Destination Role ID'),
  source: dcm('110153', 'Source Role ID'),
  destinationMedia: dcm('110154', 'Destination Media'),
  sourceMedia: dcm('110155', 'Source Media'),
} as const;

export const STUDY_INSTANCE_UID: Code = dcm('110180', 'Study Instance UID');
export const PATIENT_NUMBER: Code = { code: '2', system: 'RFC-3881', meaning: 'Patient Number' };
export const NODE_ID: Code = dcm('110182', 'Node ID');
const URI: Code = dcm('110031', 'Media Type URI'); // what a folder or a bucket is to this schema

export interface Participant {
  readonly userId: string;
  readonly requestor: boolean;
  readonly roles?: readonly Code[];
  /** Address or host name. */
  readonly address?: string;
  /** Of Source Media and Destination Media. */
  readonly media?: boolean;
}

export interface ParticipantObject {
  readonly id: string;
  readonly idType: Code;
  readonly name: string;
  /** 1 person, 2 system object. */
  readonly type: '1' | '2';
  /** 1 patient, 3 report (what a study is here, §A.5.3), 13 security resource. */
  readonly role: '1' | '3' | '13';
  readonly details?: readonly { readonly type: string; readonly value: string }[];
  /** Instances by SOP class. */
  readonly sopClasses?: ReadonlyMap<string, number>;
  readonly anonymized?: boolean;
}

export interface AuditMessage {
  readonly event: Code;
  readonly types?: readonly Code[];
  readonly action: 'C' | 'R' | 'U' | 'D' | 'E';
  readonly atMs: number;
  /** 0 success, 4 minor failure, 8 serious failure, 12 major failure. */
  readonly outcome: '0' | '4' | '8' | '12';
  readonly description?: string;
  readonly participants: readonly Participant[];
  readonly sourceId: string;
  readonly siteId?: string;
  readonly objects?: readonly ParticipantObject[];
}

/** Application server process (§A.5.1.2.1). */
const APPLICATION_SERVER = '4';

export function writeAuditMessage(message: AuditMessage): string {
  const {
    event,
    types = [],
    action,
    atMs,
    outcome,
    description,
    participants,
    sourceId,
    siteId,
    objects = [],
  } = message;
  const time = new Date(atMs).toISOString();
  return [
    '<?xml version="1.0" encoding="UTF-8"?><AuditMessage>',
    `<EventIdentification${attributes({ EventActionCode: action, EventDateTime: time, EventOutcomeIndicator: outcome })}>`,
    coded('EventID', event),
    ...types.map((type) => coded('EventTypeCode', type)),
    ...(description === undefined
      ? []
      : [`<EventOutcomeDescription>${escaped(description)}</EventOutcomeDescription>`]),
    '</EventIdentification>',
    ...participants.map(participantXml),
    `<AuditSourceIdentification${attributes({ AuditEnterpriseSiteID: siteId, AuditSourceID: sourceId })}>`,
    `<AuditSourceTypeCode${attributes({ 'csd-code': APPLICATION_SERVER })}/></AuditSourceIdentification>`,
    ...objects.map(objectXml),
    '</AuditMessage>',
  ].join('');
}

function participantXml({ userId, requestor, roles = [], address, media }: Participant): string {
  const isAddress = address !== undefined && /^[0-9.]+$|:/.test(address);
  const own = attributes({
    UserID: userId,
    UserIsRequestor: String(requestor),
    NetworkAccessPointID: address,
    NetworkAccessPointTypeCode: address === undefined ? undefined : isAddress ? '2' : '1',
  });
  const medium = media === true ? `<MediaIdentifier>${coded('MediaType', URI)}</MediaIdentifier>` : '';
  const codes = roles.map((role) => coded('RoleIDCode', role)).join('');
  return `<ActiveParticipant${own}>${codes}${medium}</ActiveParticipant>`;
}

function objectXml(object: ParticipantObject): string {
  const { id, idType, name, type, role, details = [], sopClasses, anonymized } = object;
  const own = attributes({
    ParticipantObjectID: id,
    ParticipantObjectTypeCode: type,
    ParticipantObjectTypeCodeRole: role,
  });
  const described = [
    ...[...(sopClasses ?? [])].map(
      ([uid, count]) => `<SOPClass${attributes({ UID: uid, NumberOfInstances: String(count) })}/>`,
    ),
    ...(anonymized === undefined ? [] : [`<Anonymized>${String(anonymized)}</Anonymized>`]),
  ];
  return [
    `<ParticipantObjectIdentification${own}>`,
    coded('ParticipantObjectIDTypeCode', idType),
    `<ParticipantObjectName>${escaped(name)}</ParticipantObjectName>`,
    ...details.map(
      (detail) =>
        `<ParticipantObjectDetail${attributes({ type: detail.type, value: Buffer.from(detail.value, 'utf8').toString('base64') })}/>`,
    ),
    ...(described.length === 0
      ? []
      : [`<ParticipantObjectDescription>${described.join('')}</ParticipantObjectDescription>`]),
    '</ParticipantObjectIdentification>',
  ].join('');
}

function coded(element: string, { code, system, meaning }: Code): string {
  return `<${element}${attributes({ 'csd-code': code, codeSystemName: system, originalText: meaning })}/>`;
}

function attributes(values: Readonly<Record<string, string | undefined>>): string {
  return Object.entries(values)
    .flatMap(([name, value]) => (value === undefined ? [] : [` ${name}="${escaped(value)}"`]))
    .join('');
}

/** XML 1.0 §2.2 knows no other control characters; a peer chooses AE titles, so they are not trusted. */
function escaped(text: string): string {
  return text
    .replaceAll(/\p{Cc}|[\uFFFE\uFFFF]|\p{Cs}/gu, '?')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
