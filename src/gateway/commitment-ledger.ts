/**
 * Storage commitment over the store (PS3.4 Annex J): what is promised is what the ledger can show. On custody: an instance
 * that is in the spool or went on from there. On delivery: one that every destination has taken; until then the peer
 * waits, and a discarded instance is a failure. Answers are in the sender's own UIDs.
 */
import { isIP } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { Configuration } from '../config/schema.ts';
import { systemClock } from '../core/clock.ts';
import {
  type CommitmentLedger,
  type CommitmentResult,
  type CommitmentTransaction,
  FAILURE_REASON,
  type FailedReference,
  type SopReference,
} from '../dimse/commitment.ts';
import type { ReportAddress } from '../dimse/commitment-reporter.ts';
import type { InstanceRow, Store } from '../queue/store.ts';
import { DEFAULT_CUSTOMER } from './keys.ts';

export type CommitmentPolicy = 'custody' | 'delivery';

export function commitmentLedger(store: Store, policy: CommitmentPolicy): CommitmentLedger {
  return {
    remember: (transaction) => remember(store, transaction),
    decide: (transaction, last) => decide(store, transaction, { policy, last }),
    settle: (transaction, outcome) =>
      store.settleCommitment(transaction.callingAeTitle, transaction.transactionUid, outcome),
    owed: async () => (await store.owedCommitments()).map(transactionOf),
  };
}

async function remember(store: Store, transaction: CommitmentTransaction): Promise<'new' | 'same' | 'other'> {
  const { callingAeTitle, transactionUid, references } = transaction;
  const earlier = await store.rememberCommitment(callingAeTitle, transactionUid, JSON.stringify(transaction));
  if (earlier === undefined) return 'new';
  return isDeepStrictEqual(transactionOf(earlier).references, references) ? 'same' : 'other';
}

/** As it was remembered; JSON has no undefined, and requests of earlier versions have no time. */
function transactionOf(request: string): CommitmentTransaction {
  const { customer, requestedAtMs, ...transaction } = JSON.parse(request) as Omit<
    CommitmentTransaction,
    'requestedAtMs'
  > & { requestedAtMs?: number };
  return { ...transaction, customer, requestedAtMs: requestedAtMs ?? systemClock.nowMs() };
}

/** Undefined: at least one instance is still on its way. */
async function decide(
  store: Store,
  transaction: CommitmentTransaction,
  { policy, last }: { policy: CommitmentPolicy; last: boolean },
): Promise<CommitmentResult | undefined> {
  const committed: SopReference[] = [];
  const failed: FailedReference[] = [];
  for (const reference of transaction.references) {
    const versions = await versionsOf(store, transaction, reference);
    const reason = failureOf(versions, reference);
    const open = policy === 'delivery' && versions.some(({ settledAtMs }) => settledAtMs === undefined);
    if (reason !== undefined) failed.push({ ...reference, reason });
    else if (!open) committed.push(reference);
    else if (last) failed.push({ ...reference, reason: FAILURE_REASON.processingFailure });
    else return undefined;
  }
  return { committed, failed };
}

/** Those that still count; where all were discarded, what is left of them. */
async function versionsOf(
  store: Store,
  { customer }: CommitmentTransaction,
  { sopInstanceUid }: SopReference,
): Promise<InstanceRow[]> {
  const versions = await store.versionsOf(customer ?? DEFAULT_CUSTOMER, sopInstanceUid);
  const kept = versions.filter(({ state }) => state !== 'discarded');
  return kept.length > 0 ? kept : versions;
}

function failureOf(versions: readonly InstanceRow[], reference: SopReference): number | undefined {
  if (versions.length === 0) return FAILURE_REASON.noSuchObjectInstance;
  if (!versions.some(({ sopClassUid }) => sopClassUid === reference.sopClassUid))
    return FAILURE_REASON.classInstanceConflict;
  return versions.every(({ state }) => state === 'discarded') ? FAILURE_REASON.processingFailure : undefined;
}

/** Where peers hear of it when their association is over: those with an address and a port in the configuration. */
export function reportAddresses(peers: Configuration['dicom']['peers']): ReadonlyMap<string, ReportAddress> {
  const listed = Array.isArray(peers) ? peers : [];
  return new Map(
    listed.flatMap(({ aeTitle, host, reportPort }) =>
      aeTitle !== undefined && host !== undefined && isIP(host) !== 0 && reportPort !== undefined
        ? [[aeTitle, { host, port: reportPort }]]
        : [],
    ),
  );
}
