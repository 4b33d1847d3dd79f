/**
 * Storage commitment over the store (PS3.4 Annex J): what is promised is what the ledger can show. On custody: an instance
 * that is in the spool or went on from there. On delivery: one that every destination has taken; until then the peer
 * waits, and a discarded instance is a failure. Answers are in the sender's own UIDs.
 */
import { isIP } from 'node:net';
import type { Configuration } from '../config/schema.ts';
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
    remember: (transaction) =>
      store.rememberCommitment(transaction.callingAeTitle, transaction.transactionUid, JSON.stringify(transaction)),
    decide: (transaction) => decide(store, policy, transaction),
    settle: (transaction, outcome) =>
      store.settleCommitment(transaction.callingAeTitle, transaction.transactionUid, outcome),
    owed: async () => (await store.owedCommitments()).map(transactionOf),
  };
}

/** As it was remembered; JSON has no undefined. */
function transactionOf(request: string): CommitmentTransaction {
  const { customer, ...transaction } = JSON.parse(request) as CommitmentTransaction;
  return { ...transaction, customer };
}

/** Undefined: at least one instance is still on its way. */
async function decide(
  store: Store,
  policy: CommitmentPolicy,
  transaction: CommitmentTransaction,
): Promise<CommitmentResult | undefined> {
  const committed: SopReference[] = [];
  const failed: FailedReference[] = [];
  for (const reference of transaction.references) {
    const row = await store.findBySopInstanceUid(transaction.customer ?? DEFAULT_CUSTOMER, reference.sopInstanceUid);
    const reason = failureOf(row, reference);
    if (reason !== undefined) failed.push({ ...reference, reason });
    else if (policy === 'delivery' && row?.settledAtMs === undefined) return undefined;
    else committed.push(reference);
  }
  return { committed, failed };
}

function failureOf(row: InstanceRow | undefined, reference: SopReference): number | undefined {
  if (row === undefined) return FAILURE_REASON.noSuchObjectInstance;
  if (row.sopClassUid !== reference.sopClassUid) return FAILURE_REASON.classInstanceConflict;
  return row.state === 'discarded' ? FAILURE_REASON.processingFailure : undefined;
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
