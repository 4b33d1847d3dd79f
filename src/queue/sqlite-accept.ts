/** The row for committed bytes, and what is known under the same UID already. The body of one operation of the store. */

import type { SpooledInstance } from './spool.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { type Audit, discardInstance } from './sqlite-recovery.ts';
import { optional, text } from './sqlite-rows.ts';
import { type AcceptOutcome, CONTENT_LOST, type OtherContent } from './store.ts';

export interface Offer {
  readonly spooled: SpooledInstance;
  readonly studyInstanceUid: string | undefined;
  readonly otherContent: OtherContent;
  readonly nowMs: number;
}

export function acceptInstance(database: SqliteDatabase, offer: Offer, audit: Audit): AcceptOutcome {
  const { record, digest } = offer.spooled;
  const known = database.all(
    'SELECT id, state, reason, digest, location FROM instance WHERE customer = ? AND sop_instance_uid = ?',
    record.customer,
    record.sopInstanceUid,
  );
  if (known.some((row) => text(row, 'id') === record.id)) return { kind: 'accepted' };
  if (known.length > 0) {
    const open = known.filter((row) => text(row, 'digest') === '' && !isLost(row));
    if (digest === undefined || open.length > 0) return undetermined(open);
    const same = known.find((row) => text(row, 'digest') === digest) ?? known.find(isLost);
    if (same !== undefined) return acceptAgain(database, { ...offer, digest }, same, audit);
  }
  return acceptNew(database, offer, { digest: digest ?? '', versions: known.length > 0 }, audit);
}

/** Bytes whose digest was never found out, and that are gone or damaged: whatever comes under their UID is their like. */
function isLost(row: Row): boolean {
  const state = text(row, 'state');
  const held = state === 'held' && optional(row, 'reason') === 'SPOOL_CORRUPT';
  const digest = text(row, 'digest');
  return (held && digest === '') || ((held || state === 'received') && digest === CONTENT_LOST);
}

function undetermined(open: readonly Row[]): AcceptOutcome {
  const earlier = open.map((row) => ({ id: text(row, 'id'), location: text(row, 'location') }));
  return { kind: 'undetermined', earlier };
}

function acceptNew(
  database: SqliteDatabase,
  offer: Offer,
  { digest, versions }: { digest: string; versions: boolean },
  audit: Audit,
): AcceptOutcome {
  const { record } = offer.spooled;
  const others = versions && offer.otherContent !== 'keep' ? otherVersions(database, offer) : [];
  const [earliest] = others;
  if (earliest !== undefined && offer.otherContent === 'refuse') {
    audit('instance.duplicate', earliest.id, digests('refused', earliest, digest));
    return { kind: 'conflict', of: earliest.id, digest: earliest.digest };
  }
  insert(database, offer);
  audit('instance.received', record.id, digest === '' ? record.sourceKind : `${record.sourceKind} sha256:${digest}`);
  if (earliest !== undefined && offer.otherContent === 'hold') {
    database.run("UPDATE instance SET state = 'held', reason = 'INSTANCE_DUPLICATE' WHERE id = ?", record.id);
    audit('instance.held', record.id, `INSTANCE_DUPLICATE of ${earliest.id}`);
  }
  if (earliest === undefined || offer.otherContent !== 'replace') return { kind: 'accepted' };
  for (const earlier of others) {
    audit('instance.duplicate', earlier.id, digests('replaced', earlier, digest));
    if (!earlier.settled)
      discardInstance(database, { id: earlier.id, rule: `replaced by ${record.id}`, nowMs: offer.nowMs }, audit);
  }
  return { kind: 'accepted', replaced: others.map(({ id }) => id) };
}

function digests(what: string, earlier: Version, offered: string): string {
  return `other content ${what}: stored sha256:${earlier.digest} offered sha256:${offered}`;
}

type Row = ReturnType<SqliteDatabase['all']>[number];

/** One that was held because its bytes were lost comes back to life: the sender had them still. */
function acceptAgain(
  database: SqliteDatabase,
  { spooled, digest }: Offer & { readonly digest: string },
  same: Row,
  audit: Audit,
): AcceptOutcome {
  const of = text(same, 'id');
  const held = text(same, 'state') === 'held' && optional(same, 'reason') === 'SPOOL_CORRUPT';
  if (!held && !isLost(same)) {
    audit('instance.duplicate', of, '');
    return { kind: 'duplicate', of };
  }
  database.run(
    `UPDATE instance SET state = 'received', reason = NULL, reason_detail = NULL, location = ?, digest = ?, prepared_location = NULL, manifest = NULL
     WHERE id = ?`,
    spooled.location,
    digest,
    of,
  );
  audit('instance.restored', of, '');
  return { kind: 'restored', of };
}

interface Version {
  readonly id: string;
  readonly digest: string;
  /** What was delivered stays delivered. */
  readonly settled: boolean;
}

/** Of other content, not discarded, oldest first. */
function otherVersions(database: SqliteDatabase, { spooled }: Offer): Version[] {
  return database
    .all(
      "SELECT id, digest, settled_at_ms FROM instance WHERE customer = ? AND sop_instance_uid = ? AND state <> 'discarded' ORDER BY id",
      spooled.record.customer,
      spooled.record.sopInstanceUid,
    )
    .map((row) => ({ id: text(row, 'id'), digest: text(row, 'digest'), settled: row['settled_at_ms'] !== null }));
}

function insert(database: SqliteDatabase, { spooled, studyInstanceUid }: Offer): void {
  const { record, location, bytes, digest } = spooled;
  database.run(
    `INSERT INTO instance (id, customer, source_kind, source_name, sop_class_uid, sop_instance_uid, study_instance_uid,
       transfer_syntax_uid, bytes, digest, received_at_ms, urgent, state, location, profile)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'received', ?, ?)`,
    record.id,
    record.customer,
    record.sourceKind,
    record.sourceName,
    record.sopClassUid,
    record.sopInstanceUid,
    studyInstanceUid ?? null,
    record.transferSyntaxUid,
    bytes,
    digest ?? '',
    record.receivedAtMs,
    record.priority === 'high' ? 1 : 0,
    location,
    record.profile ?? null,
  );
}
