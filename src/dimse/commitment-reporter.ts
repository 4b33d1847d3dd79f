/**
 * Sees storage commitment through: remembers a request before it is answered, asks the ledger, and reports by
 * N-EVENT-REPORT (PS3.4 §J.3.3) on the association of the request while that stands, else on one of its own to the peer's
 * configured address, again and again with growing pauses until the peer confirms or the attempts are used up. What is
 * owed at a stop is owed at the next start.
 */
import { type Clock, systemClock } from '../core/clock.ts';
import { LetheError, toLetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { AssociationTimers } from './association.ts';
import {
  type CommitmentLedger,
  type CommitmentResult,
  type CommitmentTransaction,
  REPORT_TRANSFER_SYNTAX,
} from './commitment.ts';
import { STORAGE_COMMITMENT_PUSH_MODEL } from './negotiation.ts';
import { StorageScu } from './storage-scu.ts';

/** Where a peer listens for reports. */
export interface ReportAddress {
  readonly host: string;
  readonly port: number;
}

export interface ReporterOptions {
  /** By the AE title that asked; a peer without one hears only on its own association. */
  readonly addresses: ReadonlyMap<string, ReportAddress>;
  readonly attemptsMax?: number;
  readonly firstDelayMs?: number;
  readonly delayMsMax?: number;
  /** What is not decided within this is answered as failed: the sender keeps it and may ask again. */
  readonly decideWithinMs?: number;
  readonly clock?: Clock;
  readonly timers?: Partial<AssociationTimers>;
}

/** Reports on the association of the request; false where it is over or the peer did not confirm. */
export type SameAssociation = (transaction: CommitmentTransaction, result: CommitmentResult) => Promise<boolean>;

/** How often and at what distance a report is repeated, where the options say nothing else. */
export const REPORTING = {
  attemptsMax: 30,
  firstDelayMs: 5_000,
  delayMsMax: 30 * 60_000,
  decideWithinMs: 24 * 3_600_000,
} as const;

interface Next {
  readonly transaction: CommitmentTransaction;
  readonly same: SameAssociation | undefined;
  readonly attempt: number;
}

export class CommitmentReporter {
  readonly #ledger: CommitmentLedger;
  readonly #options: ReporterOptions;
  readonly #logger: Logger;
  readonly #timers = new Map<NodeJS.Timeout, CommitmentTransaction>();
  readonly #running = new Set<Promise<void>>();
  #stopped = false;

  constructor(ledger: CommitmentLedger, options: ReporterOptions, logger: Logger) {
    this.#ledger = ledger;
    this.#options = options;
    this.#logger = logger;
  }

  /** Takes up what was owed before the restart. */
  async start(): Promise<void> {
    for (const transaction of await this.#ledger.owed()) this.#run(transaction, undefined, 1);
  }

  /** Resolves when the request is durable; the report follows by `answered`. */
  async request(
    asked: Omit<CommitmentTransaction, 'requestedAtMs'>,
  ): Promise<{ transaction: CommitmentTransaction; known: 'new' | 'same' | 'other' }> {
    if (this.#stopped) throw new LetheError('STORE_UNAVAILABLE', { what: 'stopping' });
    const transaction = { ...asked, requestedAtMs: this.#nowMs() };
    return { transaction, known: await this.#ledger.remember(transaction) };
  }

  #nowMs(): number {
    return (this.#options.clock ?? systemClock).nowMs();
  }

  /** After the request was answered, which the Standard wants first. */
  answered(transaction: CommitmentTransaction, same: SameAssociation): void {
    this.#run(transaction, same, 1);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers.keys()) clearTimeout(timer);
    this.#timers.clear();
    await Promise.all(this.#running);
  }

  #run(transaction: CommitmentTransaction, same: SameAssociation | undefined, attempt: number): void {
    if (this.#stopped) return;
    const running = this.#attempt(transaction, same, attempt).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Never rejects: a failure is another attempt. */
  async #attempt(
    transaction: CommitmentTransaction,
    same: SameAssociation | undefined,
    attempt: number,
  ): Promise<void> {
    try {
      const waitedMs = this.#nowMs() - transaction.requestedAtMs;
      const withinMs = this.#options.decideWithinMs ?? REPORTING.decideWithinMs;
      const result = await this.#ledger.decide(transaction, waitedMs >= withinMs);
      if (result === undefined) {
        // Not a failure of the peer: waiting for a decision uses up no attempt. Rarer the longer it takes.
        this.#after(Math.max(this.#delayMs(1), waitedMs / 10), { transaction, same, attempt });
        return;
      }
      if (!((await same?.(transaction, result)) ?? false)) await this.#reportByOwnAssociation(transaction, result);
      await this.#ledger.settle(transaction, 'reported');
      this.#logger.log('info', 'commitment.answered', {
        transaction: transaction.transactionUid,
        committed: result.committed.length,
        failed: result.failed.length,
      });
    } catch (error) {
      await this.#failed(transaction, attempt, toLetheError(error));
    }
  }

  async #failed(transaction: CommitmentTransaction, attempt: number, error: LetheError): Promise<void> {
    const { transactionUid } = transaction;
    this.#logger.log('warn', 'commitment.deferred', { transaction: transactionUid, attempt, code: error.code });
    if (attempt < (this.#options.attemptsMax ?? REPORTING.attemptsMax))
      this.#after(this.#delayMs(attempt), { transaction, same: undefined, attempt: attempt + 1 });
    else await this.#ledger.settle(transaction, 'given up').catch(() => undefined);
  }

  #delayMs(attempt: number): number {
    return (this.#options.firstDelayMs ?? REPORTING.firstDelayMs) * 2 ** (attempt - 1);
  }

  #after(wantedMs: number, { transaction, same, attempt }: Next): void {
    if (this.#stopped) return;
    const delayMs = Math.min(this.#options.delayMsMax ?? REPORTING.delayMsMax, wantedMs);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#run(transaction, same, attempt);
    }, delayMs);
    timer.unref();
    this.#timers.set(timer, transaction);
  }

  /** @throws DELIVERY_UNREACHABLE, DIMSE_* */
  async #reportByOwnAssociation(transaction: CommitmentTransaction, result: CommitmentResult): Promise<void> {
    const address = this.#options.addresses.get(transaction.callingAeTitle);
    if (address === undefined) throw new LetheError('DIMSE_NO_CONTEXT', { what: 'no address to report to' });
    const scu = await StorageScu.connect({
      ...address,
      callingAeTitle: transaction.calledAeTitle,
      calledAeTitle: transaction.callingAeTitle,
      contexts: [{ abstractSyntax: STORAGE_COMMITMENT_PUSH_MODEL, transferSyntaxes: [REPORT_TRANSFER_SYNTAX] }],
      // We stay the SCP although we ask for the association (PS3.4 §J.3.3, PS3.7 §D.3.3.4).
      roles: [{ sopClassUid: STORAGE_COMMITMENT_PUSH_MODEL, scu: false, scp: true }],
      ...(this.#options.timers === undefined ? {} : { timers: this.#options.timers }),
    });
    try {
      const { status } = await scu.reportCommitment(transaction.transactionUid, result);
      if (status !== 0) throw new LetheError('DIMSE_COMMITMENT_INVALID', { what: 'report refused', status });
      await scu.release();
    } catch (error) {
      scu.abort();
      throw error;
    }
  }
}
