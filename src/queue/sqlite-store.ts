/**
 * The store on SQLite: one file beside the spool. Every transition is one operation with its audit entry in the same
 * transaction. What a person decided, and what is held, is flushed before it resolves. What the program can find out again
 * is not flushed by itself, because losing the last moments of it in a power cut costs a repetition and nothing else:
 * a received row is made again from the journal, preparing is deterministic, a delivery is sent again to a destination
 * that recognises it. Nothing is erased before a flush that covers all of it (`markErased`). A killed process loses
 * nothing either way.
 */

import { type AuditEntry, CHAIN_START, chainHash } from '../core/chain.ts';
import type { Clock } from '../core/clock.ts';
import type { InstanceId } from '../core/identifier.ts';
import type { Relocation, SpooledInstance } from './spool.ts';
import { acceptInstance } from './sqlite-accept.ts';
import { auditHead, readAudit } from './sqlite-audit.ts';
import { claimDeliveries } from './sqlite-claim.ts';
import { owedCommitments, rememberCommitment, settleCommitment } from './sqlite-commitment.ts';
import { SqliteDatabase } from './sqlite-database.ts';
import { archivedAudit, dropArchived, noteArchived, pruneHistory } from './sqlite-history.ts';
import { type Move, moveDeliveries, settleDeliveries, settleInstances } from './sqlite-move.ts';
import { listInstances, readCounts, readLedger } from './sqlite-overview.ts';
import { owe } from './sqlite-owe.ts';
import {
  type Audit,
  correctSchedule,
  discardInstance,
  prepareAgain,
  relocate,
  requeueBusy,
} from './sqlite-recovery.ts';
import { columns, DELIVERY_COLUMNS, deliveryOf, INSTANCE_COLUMNS, instanceOf, number, text } from './sqlite-rows.ts';
import { bindStudy } from './sqlite-study.ts';
import type {
  AcceptOutcome,
  ClaimedDelivery,
  ClaimOptions,
  DeliveryRow,
  DeliveryState,
  FlowCounts,
  HistoryLimits,
  InstanceRow,
  InstanceState,
  LedgerLine,
  ListOptions,
  OtherContent,
  PrepareDecision,
  PreparedOutput,
  Pruned,
  Store,
  StudyOfPatient,
} from './store.ts';

const INSTANCE = columns(INSTANCE_COLUMNS, 'instance');

export class SqliteStore implements Store {
  readonly #database: SqliteDatabase;
  readonly #clock: Clock;
  readonly #schedule: Clock;
  /** The last entry of the audit, as of the transaction that it was read or written in. */
  #head: { readonly round: number; readonly sequence: number; readonly hash: string } | undefined;

  /**
   * Opens or makes the database and brings its schema up to date. `schedule` is the clock by which things are due, the
   * one that whoever claims goes by (`steadyClock`); the audit goes by `clock`. @throws STORE_UNAVAILABLE, STORE_SCHEMA_NEWER
   */
  constructor(path: string, clock: Clock, schedule: Clock = clock) {
    this.#clock = clock;
    this.#schedule = schedule;
    this.#database = new SqliteDatabase(path);
  }

  accept(
    spooled: SpooledInstance,
    studyInstanceUid: string | undefined,
    otherContent: OtherContent = 'keep',
  ): Promise<AcceptOutcome> {
    return this.#database.write(false, () =>
      acceptInstance(
        this.#database,
        { spooled, studyInstanceUid, otherContent, nowMs: this.#schedule.nowMs() },
        this.#audit,
      ),
    );
  }

  noteDigest(id: InstanceId, digest: string): Promise<void> {
    return this.#database.write(
      false,
      () => {
        const changed = this.#database.run("UPDATE instance SET digest = ? WHERE id = ? AND digest = ''", digest, id);
        if (changed > 0) this.#audit('instance.digest', id, `sha256:${digest}`);
      },
      true,
    );
  }

  async findBySopInstanceUid(customer: string, sopInstanceUid: string): Promise<InstanceRow | undefined> {
    const row = this.#database.first(
      `SELECT ${INSTANCE} FROM instance WHERE customer = ? AND sop_instance_uid = ? ORDER BY id LIMIT 1`,
      customer,
      sopInstanceUid,
    );
    return row === undefined ? undefined : instanceOf(row);
  }

  async versionsOf(customer: string, sopInstanceUid: string): Promise<InstanceRow[]> {
    const where = 'customer = ? AND sop_instance_uid = ?';
    return this.#database
      .all(`SELECT ${INSTANCE} FROM instance WHERE ${where} ORDER BY id`, customer, sopInstanceUid)
      .map(instanceOf);
  }

  async instance(id: InstanceId): Promise<InstanceRow | undefined> {
    const row = this.#database.first(`SELECT ${INSTANCE} FROM instance WHERE id = ?`, id);
    return row === undefined ? undefined : instanceOf(row);
  }

  async takeReceived(limit: number, except: ReadonlySet<InstanceId> = new Set()): Promise<InstanceRow[]> {
    const ids: InstanceId[] = [];
    // No limit that is bound: the engine would plan the statement anew for each value.
    for (const row of this.#database.rows(
      "SELECT id FROM instance WHERE state = 'received' ORDER BY urgent DESC, id",
    )) {
      if (ids.length >= limit) break;
      const id = text(row, 'id');
      if (!except.has(id)) ids.push(id);
    }
    const rows = ids.map((id) => this.#database.first(`SELECT ${INSTANCE} FROM instance WHERE id = ?`, id));
    return rows.flatMap((row) => (row === undefined ? [] : [instanceOf(row)]));
  }

  markPrepared(
    id: InstanceId,
    output: PreparedOutput,
    destinations: readonly string[],
    decision: PrepareDecision = {},
  ): Promise<boolean> {
    const unprepared = decision.unprepared ?? [];
    const mark = () => {
      const nowMs = this.#schedule.nowMs();
      const { patient } = decision;
      if (patient !== undefined && !bindStudy(this.#database, patient.customer, patient.studies, nowMs)) return false;
      const changed = this.#database.run(
        `UPDATE instance SET state = 'prepared', reason = NULL, reason_detail = NULL, prepared_location = ?, manifest = ?, study_key = ?,
           series_key = ?, prepared_bytes = ?, urgent = max(urgent, ?) WHERE id = ? AND state = 'received'`,
        output.location,
        output.manifest,
        output.studyKey,
        output.seriesKey,
        output.bytes,
        decision.urgent === true ? 1 : 0,
        id,
      );
      if (changed === 0) return true; // decided otherwise meanwhile, by a person
      for (const name of destinations)
        owe(this.#database, id, { destination: name, bytes: output.bytesFor?.[name] ?? output.bytes, nowMs });
      this.#audit('instance.prepared', id, destinations.join(' '));
      for (const { destinations: names, reason, detail } of unprepared) {
        for (const destination of names) {
          owe(this.#database, id, { destination, bytes: 0, nowMs, held: { reason, detail } });
          this.#audit(
            'delivery.held',
            id,
            [destination, reason, detail].filter((part) => part !== undefined).join(' '),
          );
        }
      }
      // Prepared anew after all that is owed had arrived: nothing is owed any more.
      settleInstances(this.#database, [id], this.#schedule.nowMs());
      return true;
    };
    return this.#database.write(unprepared.length > 0, mark, true);
  }

  hold(id: InstanceId, reason: string, detail: string | undefined): Promise<void> {
    return this.#database.write(true, () => {
      const changed = this.#database.run(
        "UPDATE instance SET state = 'held', reason = ?, reason_detail = ? WHERE id = ? AND state IN ('received', 'prepared') AND settled_at_ms IS NULL",
        reason,
        detail ?? null,
        id,
      );
      if (changed === 0) return; // nothing is owed any more
      this.#database.run(
        "UPDATE delivery SET state = 'held', reason = ? WHERE instance = ? AND state IN ('queued', 'claimed', 'deferred')",
        reason,
        id,
      );
      this.#audit('instance.held', id, detail === undefined ? reason : `${reason} ${detail}`);
    });
  }

  discard(id: InstanceId, rule: string): Promise<void> {
    return this.#database.write(true, () =>
      discardInstance(this.#database, { id, rule, nowMs: this.#schedule.nowMs() }, this.#audit),
    );
  }

  release(id: InstanceId, by: string): Promise<void> {
    return this.#database.write(true, () => {
      const nowMs = this.#schedule.nowMs();
      this.#database.run(
        `UPDATE instance SET state = CASE WHEN prepared_location IS NULL THEN 'received' ELSE 'prepared' END, reason = NULL, reason_detail = NULL
         WHERE id = ? AND state = 'held'`,
        id,
      );
      this.#database.run(
        `UPDATE instance SET state = 'received' WHERE id = ? AND state = 'prepared' AND location IS NOT NULL
           AND EXISTS (SELECT 1 FROM delivery WHERE instance = instance.id AND state = 'held' AND prepared = 0)`,
        id,
      );
      this.#database.run(
        "UPDATE delivery SET state = 'queued', attempts = 0, created_at_ms = ?, due_at_ms = ?, reason = NULL, reason_detail = NULL WHERE instance = ? AND state IN ('held', 'deferred') AND prepared = 1",
        nowMs,
        nowMs,
        id,
      );
      // What was on its way when it was held may have arrived meanwhile.
      settleInstances(this.#database, [id], this.#schedule.nowMs());
      this.#audit('instance.released', id, `by ${by}`);
    });
  }

  /** Not flushed by itself: processing the instance again says the same. */
  bindStudyToPatient(customer: string, studies: readonly StudyOfPatient[]): Promise<boolean> {
    return this.#database.write(false, () => bindStudy(this.#database, customer, studies, this.#schedule.nowMs()));
  }

  claim(destination: string, options: ClaimOptions): Promise<ClaimedDelivery[]> {
    return this.#database.write(false, () => claimDeliveries(this.#database, destination, options));
  }

  markInflight(deliveries: readonly number[], flushed = false): Promise<void> {
    return this.#move(deliveries, 'inflight', ['claimed'], { audit: undefined, attempts: 1, flushed });
  }

  settle(deliveries: readonly number[], receipt: string): Promise<void> {
    return this.#database.write(false, () =>
      settleDeliveries(this.#database, { deliveries, receipt, nowMs: this.#schedule.nowMs() }, this.#audit),
    );
  }

  defer(deliveries: readonly number[], dueAtMs: number, reason: string, detail: string | undefined): Promise<void> {
    return this.#move(deliveries, 'deferred', ['claimed', 'inflight'], {
      audit: 'delivery.deferred',
      dueAtMs,
      reason,
      detail,
    });
  }

  holdDeliveries(deliveries: readonly number[], reason: string, detail: string | undefined): Promise<void> {
    return this.#move(deliveries, 'held', ['queued', 'claimed', 'inflight', 'deferred'], {
      flushed: true,
      audit: 'delivery.held',
      reason,
      detail,
    });
  }

  unclaim(deliveries: readonly number[]): Promise<void> {
    return this.#move(deliveries, 'queued', ['claimed', 'inflight'], { audit: undefined, attempts: -1 });
  }

  #move(ids: readonly number[], to: DeliveryState, from: readonly DeliveryState[], how: Move): Promise<void> {
    return this.#database.write(how.flushed ?? false, () =>
      moveDeliveries(this.#database, { ids, to, from }, how, this.#audit),
    );
  }

  requeueAfterRestart(idempotent: (destination: string) => boolean): Promise<{ requeued: number; held: number }> {
    return this.#database.write(true, () => {
      const requeued = requeueBusy(this.#database, idempotent, this.#audit);
      correctSchedule(this.#database, this.#schedule.nowMs());
      return requeued;
    });
  }

  hasten(destination: string): Promise<void> {
    return this.#database.write(false, () => {
      this.#database.run(
        `UPDATE delivery SET due_at_ms = created_at_ms WHERE destination = ? AND state IN ('queued', 'deferred') AND state = 'deferred'`,
        destination,
      );
    });
  }

  prepareAgain(id: InstanceId): Promise<void> {
    return this.#database.write(true, () => prepareAgain(this.#database, id, this.#audit));
  }

  relocate(moves: readonly Relocation[]): Promise<void> {
    return this.#database.write(true, () => relocate(this.#database, moves));
  }

  async unsettled(state: InstanceState, limit: number, afterId?: InstanceId): Promise<InstanceRow[]> {
    return this.#database
      .all(
        `SELECT ${INSTANCE} FROM instance WHERE settled_at_ms IS NULL AND state = ? AND id > ? ORDER BY id LIMIT ?`,
        state,
        afterId ?? '',
        limit,
      )
      .map(instanceOf);
  }

  async nextDueAtMs(destination: string): Promise<number | undefined> {
    const due = [0, 1].map((urgent) =>
      this.#database.first(
        "SELECT min(due_at_ms) AS due FROM delivery WHERE destination = ? AND urgent = ? AND state IN ('queued', 'deferred')",
        destination,
        urgent,
      ),
    );
    const times = due.map((row) => row?.['due']).filter((value) => typeof value === 'number');
    return times.length === 0 ? undefined : Math.min(...times);
  }

  async oldestOwedAtMs(destination: string): Promise<number | undefined> {
    const row = this.#database.first(
      "SELECT min(created_at_ms) AS at FROM delivery WHERE destination = ? AND state IN ('queued', 'deferred')",
      destination,
    );
    return typeof row?.['at'] === 'number' ? row['at'] : undefined;
  }

  async erasable(what: 'received' | 'prepared', settledBeforeMs: number, limit: number): Promise<InstanceRow[]> {
    const column = what === 'received' ? 'location' : 'prepared_location';
    return this.#database
      .all(
        `SELECT ${INSTANCE} FROM instance WHERE settled_at_ms IS NOT NULL AND settled_at_ms <= ? AND ${column} IS NOT NULL ORDER BY settled_at_ms LIMIT ?`,
        settledBeforeMs,
        limit,
      )
      .map(instanceOf);
  }

  markErased(ids: readonly InstanceId[], what: 'received' | 'prepared'): Promise<void> {
    // The manifest describes what goes: history is kept without it.
    const gone = what === 'received' ? 'location = NULL' : 'prepared_location = NULL, manifest = NULL';
    return this.#database.write(true, () => {
      for (const id of ids) {
        this.#database.run(`UPDATE instance SET ${gone} WHERE id = ?`, id);
        this.#audit('instance.erased', id, what);
      }
    });
  }

  rememberCommitment(peer: string, transactionUid: string, request: string): Promise<string | undefined> {
    const asked = { peer, transactionUid, request, nowMs: this.#clock.nowMs() };
    return this.#database.write(true, () => rememberCommitment(this.#database, asked, this.#audit));
  }

  settleCommitment(peer: string, transactionUid: string, outcome: string): Promise<void> {
    return this.#database.write(true, () =>
      settleCommitment(this.#database, { peer, transactionUid, outcome }, this.#audit),
    );
  }

  async owedCommitments(): Promise<string[]> {
    return owedCommitments(this.#database);
  }

  /** Not flushed by itself: what comes back after a power cut is pruned again. */
  prune(limits: HistoryLimits): Promise<Pruned> {
    return this.#database.write(false, () => pruneHistory(this.#database, limits, this.#audit));
  }

  async archivedAudit(): Promise<{ sequence: number; hash: string }> {
    return archivedAudit(this.#database);
  }

  noteArchived(through: { readonly sequence: number; readonly hash: string }): Promise<void> {
    return this.#database.write(true, () => noteArchived(this.#database, through));
  }

  dropArchived(limit: number): Promise<number> {
    return this.#database.write(false, () => dropArchived(this.#database, limit));
  }

  async counts(): Promise<FlowCounts> {
    return readCounts(this.#database);
  }

  async ledger(options: { customer?: string; limit: number }): Promise<LedgerLine[]> {
    return readLedger(this.#database, options);
  }

  async list(options: ListOptions): Promise<InstanceRow[]> {
    return listInstances(this.#database, options);
  }

  async deliveriesOf(id: InstanceId): Promise<DeliveryRow[]> {
    return this.#database
      .all(`SELECT ${columns(DELIVERY_COLUMNS, 'delivery')} FROM delivery WHERE instance = ? ORDER BY id`, id)
      .map(deliveryOf);
  }

  async history(id: InstanceId): Promise<{ atMs: number; event: string; detail: string }[]> {
    return this.#database
      .all('SELECT at_ms, event, detail FROM audit WHERE instance = ? ORDER BY sequence', id)
      .map((row) => ({ atMs: number(row, 'at_ms'), event: text(row, 'event'), detail: text(row, 'detail') }));
  }

  note(event: string, detail: string, id?: InstanceId): Promise<void> {
    return this.#database.write(true, () => this.#audit(event, id ?? '', detail));
  }

  auditEntries(after?: number): AsyncIterable<AuditEntry & { readonly hash: string }> {
    return readAudit(this.#database, after ?? archivedAudit(this.#database).sequence);
  }

  async auditHead(): Promise<{ sequence: number; hash: string } | undefined> {
    return auditHead(this.#database);
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  /** In the transaction of what it tells; the last hash is read anew in each, because the command line may have written too. */
  readonly #audit: Audit = (event, instance, detail) => {
    const { round } = this.#database;
    const head = this.#head?.round === round ? this.#head : auditHead(this.#database);
    const { sequence, hash } = head ?? { sequence: 0, hash: CHAIN_START };
    const entry = { sequence: sequence + 1, atMs: this.#clock.nowMs(), event, instance, detail };
    const next = chainHash(hash, entry);
    this.#database.run(
      'INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?)',
      entry.sequence,
      entry.atMs,
      event,
      instance,
      detail,
      next,
    );
    this.#head = { round, sequence: entry.sequence, hash: next };
  };
}
