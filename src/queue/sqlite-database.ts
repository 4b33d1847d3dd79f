/**
 * The one file that knows `node:sqlite`: opening, migrating, prepared statements, and transactions that are committed
 * together. SQLite in WAL mode allows other processes (the command line) beside the gateway.
 *
 * Writes are operations that wait for the next round; one round is one transaction (group commit). A round is flushed
 * (`synchronous=FULL`) when any operation in it asks for that; rows that the spool's journal can rebuild do not. What nobody
 * waits for goes with the round of something else, or after a few milliseconds.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { LetheError } from '../core/errors.ts';
import { LogFlush } from './log-flush.ts';

export type Row = Readonly<Record<string, string | number | bigint | null | Uint8Array>>;

interface Operation {
  readonly durable: boolean;
  run(): void;
  fail(error: LetheError): void;
  done(): void;
}

const MIGRATIONS = join(import.meta.dirname, 'migrations');
/** How long a write waits for another process's transaction; the command line's take milliseconds. */
const BUSY_MS = 5000;
/** At most this is waited inside SQLite, where nothing else of this process can run; then the round is tried anew. */
const BUSY_IN_ENGINE_MS = 20;
const BUSY_PAUSE_MS = 25;
const SQLITE_BUSY = 5;
const ROUND_MAX = 500; // operations in one transaction: bounds its time
/** How long an operation may wait for others; a transaction costs more than most of what is in one. */
const PATIENCE_MS = 4;

export class SqliteDatabase {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #waiting: Operation[] = [];
  #scheduled = false;
  /** Set while nothing but patient operations wait. */
  #patience: NodeJS.Timeout | undefined;
  #durable = true;
  #round = 0;
  /** Since when (monotonic) another process has held the write lock; undefined while none does. */
  #busySinceMs: number | undefined;
  readonly #busyMs: number;
  readonly #log: LogFlush;

  /** @throws STORE_UNAVAILABLE, STORE_SCHEMA_NEWER */
  constructor(path: string, options: { readonly migrations?: string; readonly busyMs?: number } = {}) {
    this.#database = attempt(() => new DatabaseSync(path));
    this.#busyMs = options.busyMs ?? BUSY_MS;
    this.#log = new LogFlush(path);
    try {
      this.#database.exec(
        `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = ${BUSY_MS};`,
      );
      this.#migrate(options.migrations ?? MIGRATIONS);
      this.#database.exec(`PRAGMA busy_timeout = ${BUSY_IN_ENGINE_MS}`);
    } catch (error) {
      this.#database.close();
      throw storeError(error);
    }
  }

  #migrate(folder: string): void {
    const files = readdirSync(folder)
      .filter((name) => /^\d{4}_.*\.sql$/.test(name))
      .toSorted();
    const current = Number(this.#database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
    if (current > files.length) throw new LetheError('STORE_SCHEMA_NEWER', { found: current, known: files.length });
    for (const [index, name] of files.entries()) {
      if (index < current) continue;
      const sql = readFileSync(join(folder, name), 'utf8');
      this.#database.exec(`BEGIN IMMEDIATE;\n${sql}\nPRAGMA user_version = ${index + 1};\nCOMMIT;`);
    }
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return attempt(() => this.#statement(sql).all(...values) as Row[]);
  }

  first(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return attempt(() => this.#statement(sql).get(...values) as Row | undefined);
  }

  /** As `all`, row by row; no row is read any more once the caller leaves its loop. */
  *rows(sql: string, ...values: SQLInputValue[]): Generator<Row> {
    try {
      yield* this.#statement(sql).iterate(...values) as Iterable<Row>;
    } catch (error) {
      throw storeError(error);
    }
  }

  /** Which transaction this is: what an operation read in it is true as long as this number stays. */
  get round(): number {
    return this.#round;
  }

  /** Inside an operation only. Answers how many rows changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  /**
   * Queues an operation for the next round; resolves with its result when the round is committed. What `work` throws
   * undoes this operation alone; it may be called twice, the first time for nothing. `isPatient`: no sender waits for it.
   */
  write<Result>(durable: boolean, work: () => Result, isPatient = false): Promise<Result> {
    return new Promise((resolve, reject) => {
      let result: Result;
      this.#waiting.push({
        durable,
        run: () => {
          result = work();
        },
        fail: reject,
        done: () => resolve(result),
      });
      if (this.#scheduled) return;
      if (isPatient) this.#patience ??= setTimeout(() => this.#schedule(), PATIENCE_MS);
      else this.#schedule();
    });
  }

  #schedule(): void {
    clearTimeout(this.#patience);
    this.#patience = undefined;
    this.#scheduled = true;
    setImmediate(() => this.#runRound());
  }

  #runRound(): void {
    const operations = this.#waiting.splice(0, ROUND_MAX);
    if (operations.length > 0 && !this.#begin(operations)) return;
    this.#scheduled = this.#waiting.length > 0;
    if (this.#scheduled) setImmediate(() => this.#runRound());
    if (operations.length > 0) this.#transact(operations);
  }

  /** False where the round does not take place now: another process writes, and the operations wait or have failed. */
  #begin(operations: readonly Operation[]): boolean {
    try {
      this.#setDurable(operations.some((operation) => operation.durable));
      this.#beginTransaction();
      this.#busySinceMs = undefined;
      return true;
    } catch (error) {
      const nowMs = performance.now();
      this.#busySinceMs ??= nowMs;
      if (errorNumber(error) === SQLITE_BUSY && nowMs - this.#busySinceMs < this.#busyMs) {
        this.#waiting.unshift(...operations);
        setTimeout(() => this.#runRound(), BUSY_PAUSE_MS);
        return false;
      }
      this.#scheduled = this.#waiting.length > 0;
      if (this.#scheduled) setImmediate(() => this.#runRound());
      for (const operation of operations) operation.fail(storeError(error));
      return false;
    }
  }

  #beginTransaction(): void {
    this.#statement('BEGIN IMMEDIATE').run();
    this.#round++;
  }

  #transact(operations: readonly Operation[]): void {
    try {
      const kept = this.#runAll(operations);
      this.#statement('COMMIT').run();
      for (const operation of kept) operation.done();
      this.#log.wrote();
    } catch (error) {
      this.#rollBack();
      for (const operation of operations) operation.fail(storeError(error));
    }
  }

  #rollBack(): void {
    if (this.#database.isOpen && this.#database.isTransaction) this.#database.exec('ROLLBACK');
    this.#round++;
  }

  /**
   * Those that were not undone. Savepoints cost a copy of each page that is changed, and hardly any operation throws: only
   * where one of several does are all undone and done again, each by itself.
   */
  #runAll(operations: readonly Operation[]): readonly Operation[] {
    try {
      for (const operation of operations) operation.run();
      return operations;
    } catch (error) {
      if (operations.length === 1) throw error;
    }
    this.#rollBack();
    this.#beginTransaction();
    return operations.filter((operation) => this.#runAlone(operation));
  }

  #runAlone(operation: Operation): boolean {
    this.#statement('SAVEPOINT operation').run();
    try {
      operation.run();
      this.#statement('RELEASE operation').run();
      return true;
    } catch (error) {
      this.#statement('ROLLBACK TO operation').run();
      this.#statement('RELEASE operation').run();
      this.#round++;
      operation.fail(storeError(error));
      return false;
    }
  }

  #setDurable(durable: boolean): void {
    if (durable === this.#durable) return;
    this.#database.exec(`PRAGMA synchronous = ${durable ? 'FULL' : 'NORMAL'}`);
    this.#durable = durable;
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** Commits what waits, then closes. */
  async close(): Promise<void> {
    while (this.#waiting.length > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await this.#log.close();
    if (this.#database.isOpen) this.#database.close();
  }
}

function attempt<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw storeError(error);
  }
}

/** SQLite's primary result code; the extended ones hold more in their higher bits. */
function errorNumber(error: unknown): number | undefined {
  const { errcode } = error as { errcode?: number };
  return errcode === undefined ? undefined : errcode & 0xff;
}

/** Every failure of the engine is STORE_UNAVAILABLE with its number; ours pass as they are. */
function storeError(error: unknown): LetheError {
  if (error instanceof LetheError) return error;
  const errcode = errorNumber(error);
  return new LetheError('STORE_UNAVAILABLE', errcode === undefined ? {} : { sqlite: errcode }, { cause: error });
}
