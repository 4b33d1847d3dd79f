/**
 * Audit entries as DICOM audit messages (PS3.15 §A.5.3): which of them are events of the profile, and what they say. Pure.
 * Entries that follow each other and are of one event (the instances of an association, of a batch) become one
 * message a study. Patients and studies appear by pseudonym where there is one; the sender's own identifiers never do.
 */
import {
  type AuditMessage,
  type Code,
  EVENT,
  EVENT_TYPE,
  NODE_ID,
  PATIENT_NUMBER,
  type Participant,
  type ParticipantObject,
  ROLE,
  STUDY_INSTANCE_UID,
} from '../audit/audit-message.ts';
import type { AuditEntry } from '../core/chain.ts';

/** What is known of an instance, as far as it may be told. */
export interface AuditedInstance {
  readonly sopClassUid: string;
  readonly sourceKind: string;
  readonly sourceName: string;
  /** Pseudonyms; undefined until it is prepared, or where the policy is to tell none. */
  readonly studyInstanceUid: string | undefined;
  readonly patientId: string | undefined;
}

export interface AuditContext {
  readonly sourceId: string;
  readonly siteId: string | undefined;
  /** Our own address towards peers, as configured. */
  readonly address: string;
  instance(id: string): AuditedInstance | undefined;
  destination(name: string): { readonly type: string; readonly address: string | undefined } | undefined;
}

const WITHHELD = 'withheld';
/** Our own ids that a message lists; more are counted, so that no message outgrows a datagram. */
const DETAILS_MAX = 100;

/** Entries that are no event of the profile give nothing. In the order of the entries. */
export function messagesOf(entries: readonly AuditEntry[], context: AuditContext): AuditMessage[] {
  return groupsOf(entries).flatMap((group) => groupMessages(group, context));
}

/** Entries of one event with one counterpart that follow each other. */
interface Group {
  readonly event: string;
  readonly detail: string;
  readonly entries: AuditEntry[];
}

const GROUPED: ReadonlySet<string> = new Set(['instance.received', 'delivery.delivered', 'delivery.begun']);

function groupsOf(entries: readonly AuditEntry[]): Group[] {
  const groups: Group[] = [];
  for (const entry of entries) {
    // Of what was received the detail holds a digest behind the way it came.
    const detail = entry.event === 'instance.received' ? (entry.detail.split(' ')[0] ?? '') : entry.detail;
    const last = groups.at(-1);
    if (last !== undefined && GROUPED.has(entry.event) && last.event === entry.event && last.detail === detail)
      last.entries.push(entry);
    else groups.push({ event: entry.event, detail, entries: [entry] });
  }
  return groups;
}

function groupMessages(group: Group, context: AuditContext): AuditMessage[] {
  switch (group.event) {
    case 'instance.received':
      return bySource(group, context).flatMap(({ entries, source }) =>
        byStudy(entries, context).map((members) => received(members, source, context)),
      );
    case 'delivery.begun':
      return byStudy(group.entries, context).map((members) =>
        sent(EVENT.beginTransferring, group.detail, { members, context }),
      );
    case 'delivery.delivered':
      return byStudy(group.entries, context).map((members) => {
        const kind = context.destination(group.detail)?.type;
        const leaves = kind === 'folder' || kind === 's3';
        return sent(leaves ? EVENT.export : EVENT.instancesTransferred, group.detail, { members, context });
      });
    default:
      return group.entries.flatMap((entry) => single(entry, context) ?? []);
  }
}

function received(
  entries: readonly AuditEntry[],
  source: { kind: string; name: string },
  context: AuditContext,
): AuditMessage {
  const us: Participant = {
    userId: context.sourceId,
    requestor: false,
    roles: [ROLE.destination],
    address: context.address,
  };
  const isMedia = source.kind === 'folder';
  const them: Participant = isMedia
    ? { userId: source.name, requestor: false, roles: [ROLE.sourceMedia], media: true }
    : { userId: source.name, requestor: true, roles: [ROLE.source] };
  return {
    ...common(entries, context),
    event: isMedia ? EVENT.import : EVENT.instancesTransferred,
    action: 'C', // new here: PS3.15 §A.5.3.7, Create
    outcome: '0',
    participants: isMedia ? [{ ...us, requestor: true }, them] : [them, us],
    objects: objectsOf(entries, context),
  };
}

function sent(
  event: Code,
  destination: string,
  { members, context }: { members: readonly AuditEntry[]; context: AuditContext },
): AuditMessage {
  const to = context.destination(destination);
  const isExport = event === EVENT.export;
  const us: Participant = { userId: context.sourceId, requestor: true, roles: [ROLE.source], address: context.address };
  const them: Participant = {
    userId: destination,
    requestor: false,
    roles: [isExport ? ROLE.destinationMedia : ROLE.destination],
    ...(isExport ? { media: true } : {}),
    ...(to?.address === undefined ? {} : { address: to.address }),
  };
  return {
    ...common(members, context),
    event,
    action: event === EVENT.beginTransferring ? 'E' : 'R', // the receiver may create, we read
    outcome: '0',
    participants: [us, them],
    objects: objectsOf(members, context),
  };
}

function common(entries: readonly AuditEntry[], { sourceId, siteId }: AuditContext) {
  return { atMs: entries.at(-1)?.atMs ?? 0, sourceId, ...(siteId === undefined ? {} : { siteId }) };
}

/** The study and the patient are mandatory (§A.5.3.6, §A.5.3.7): where nothing may be told, they are withheld. */
function objectsOf(entries: readonly AuditEntry[], context: AuditContext): ParticipantObject[] {
  const [first] = entries;
  const known = context.instance(first?.instance ?? '');
  const sopClasses = new Map<string, number>();
  for (const { instance } of entries) {
    const uid = context.instance(instance)?.sopClassUid;
    if (uid !== undefined) sopClasses.set(uid, (sopClasses.get(uid) ?? 0) + 1);
  }
  return [
    {
      id: known?.studyInstanceUid ?? WITHHELD,
      idType: STUDY_INSTANCE_UID,
      name: known?.studyInstanceUid === undefined ? WITHHELD : 'pseudonym',
      type: '2',
      role: '3',
      details: entries.slice(0, DETAILS_MAX).map(({ instance }) => ({ type: 'lethe instance', value: instance })),
      sopClasses,
      ...(known?.studyInstanceUid === undefined ? {} : { anonymized: true }),
    },
    {
      id: known?.patientId ?? WITHHELD,
      idType: PATIENT_NUMBER,
      name: known?.patientId === undefined ? WITHHELD : 'pseudonym',
      type: '1',
      role: '1',
    },
  ];
}

function bySource(group: Group, context: AuditContext) {
  const sources = Map.groupBy(group.entries, ({ instance }) => context.instance(instance)?.sourceName ?? 'unknown');
  return [...sources].map(([name, entries]) => ({ entries, source: { kind: group.detail, name } }));
}

function byStudy(entries: readonly AuditEntry[], context: AuditContext): AuditEntry[][] {
  return [...Map.groupBy(entries, ({ instance }) => context.instance(instance)?.studyInstanceUid ?? WITHHELD).values()];
}

/** Events that stand for themselves. */
function single(entry: AuditEntry, context: AuditContext): AuditMessage | undefined {
  const base = common([entry], context);
  const us: Participant = {
    userId: context.sourceId,
    requestor: false,
    roles: [ROLE.application],
    address: context.address,
  };
  switch (entry.event) {
    case 'gateway.started':
    case 'gateway.stopped': {
      const type = entry.event === 'gateway.started' ? EVENT_TYPE.applicationStart : EVENT_TYPE.applicationStop;
      return {
        ...base,
        event: EVENT.applicationActivity,
        types: [type],
        action: 'E',
        outcome: '0',
        participants: [us],
      };
    }
    case 'instance.explained':
    case 'instance.viewed':
      return accessed(entry, context, 'R');
    case 'instance.released':
      return accessed(entry, context, 'U');
    case 'instance.discarded':
    case 'instance.held':
      return personOf(entry) === undefined ? undefined : accessed(entry, context, 'U');
    case 'user.login':
    case 'user.refused':
      return authentication(entry, context);
    case 'association.rejected':
    case 'tls.failed':
      return alert(entry, EVENT_TYPE.nodeAuthentication, context);
    case 'user.forbidden':
      return alert(entry, EVENT_TYPE.useOfRestrictedFunction, context);
    default:
      return undefined;
  }
}

function accessed(entry: AuditEntry, context: AuditContext, action: 'R' | 'U'): AuditMessage {
  return {
    ...common([entry], context),
    event: EVENT.instancesAccessed,
    action,
    outcome: '0',
    participants: [{ userId: personOf(entry) ?? 'unknown', requestor: true }],
    objects: objectsOf([entry], context),
  };
}

/** `... by NAME`, as every act of a person is recorded. */
function personOf({ detail }: AuditEntry): string | undefined {
  return /(?:^|\s)(?:by|operator) (\S+)$/.exec(detail)?.[1];
}

/** Details: `NAME from ADDRESS`. */
function authentication(entry: AuditEntry, context: AuditContext): AuditMessage {
  const [, name = 'unknown', address] = /^(.*) from (\S+)/.exec(entry.detail) ?? [];
  return {
    ...common([entry], context),
    event: EVENT.userAuthentication,
    types: [EVENT_TYPE.login],
    action: 'E',
    outcome: entry.event === 'user.login' ? '0' : '4',
    participants: [
      { userId: name, requestor: true, ...(address === undefined ? {} : { address }) },
      { userId: context.sourceId, requestor: false, address: context.address },
    ],
  };
}

function alert(entry: AuditEntry, type: Code, context: AuditContext): AuditMessage {
  const address = / from (\S+)/.exec(entry.detail)?.[1];
  return {
    ...common([entry], context),
    event: EVENT.securityAlert,
    types: [type],
    action: 'E',
    outcome: '4',
    description: entry.event,
    participants: [{ userId: context.sourceId, requestor: false, address: context.address }],
    objects: [
      {
        id: address ?? 'unknown',
        idType: NODE_ID,
        name: 'peer',
        type: '2',
        role: '13',
        details: [{ type: 'Alert Description', value: entry.detail }],
      },
    ],
  };
}
