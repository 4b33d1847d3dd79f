/**
 * Sends the audit to a repository by syslog. The audit chain itself is the spool: a cursor remembers the last entry
 * that was sent, flushed to disk, and moves when a batch is out. While the repository is away nothing more is held in
 * memory than one batch, and after a crash at most the last batch is sent twice. Starts at the end of the chain when it
 * is first switched on.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeAuditMessage } from '../audit/audit-message.ts';
import { type SyslogSender, syslogMessage } from '../audit/syslog.ts';
import type { AuditEntry } from '../core/chain.ts';
import type { Clock } from '../core/clock.ts';
import { toLetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { Store } from '../queue/store.ts';
import { type AuditContext, type AuditedInstance, messagesOf } from './audit-events.ts';
import { mainManifest } from './manifests.ts';
import { Wake } from './signal.ts';

export interface AuditExportOptions {
  readonly cursorPath: string;
  readonly context: Omit<AuditContext, 'instance'>;
  readonly identifiers: 'pseudonyms' | 'none';
}

export interface AuditExportDeps {
  readonly store: Store;
  readonly sender: SyslogSender;
  readonly clock: Clock;
  readonly logger: Logger;
}

const BATCH_MAX = 500; // entries: bounds memory, and what a crash repeats
const POLL_MS = 1000;
const RETRY_MS_MAX = 60_000;

export class AuditExport {
  readonly #options: AuditExportOptions;
  readonly #deps: AuditExportDeps;
  readonly #wake = new Wake();
  #cursor: number | undefined;
  #failures = 0;
  #running: Promise<void> | undefined;

  constructor(options: AuditExportOptions, deps: AuditExportDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  async start(): Promise<void> {
    this.#cursor = readCursor(this.#options.cursorPath) ?? (await this.#deps.store.auditHead())?.sequence ?? 0;
    writeCursor(this.#options.cursorPath, this.#cursor);
    this.#running = this.#loop();
  }

  /** One more try for what was recorded until now, then the end. */
  async stop(): Promise<void> {
    this.#wake.close();
    await this.#running;
    if (this.#failures === 0) while ((await this.#turn()) > 0);
    this.#deps.sender.close();
  }

  /** Entries that were not sent yet. */
  async unsent(): Promise<number> {
    const head = await this.#deps.store.auditHead();
    return Math.max(0, (head?.sequence ?? 0) - (this.#cursor ?? 0));
  }

  async #loop(): Promise<void> {
    while (!this.#wake.closed) {
      const sent = await this.#turn();
      if (sent === BATCH_MAX) continue;
      await this.#wake.wait(Math.min(POLL_MS * 2 ** this.#failures, RETRY_MS_MAX));
    }
  }

  /** Never rejects: what could not be sent is owed. */
  async #turn(): Promise<number> {
    try {
      const entries = await this.#next();
      const last = entries.at(-1);
      if (last === undefined) return 0;
      const instances = await this.#instancesOf(entries);
      const messages = messagesOf(entries, { ...this.#options.context, instance: (id) => instances.get(id) });
      if (messages.length > 0)
        await this.#deps.sender.send(
          messages.map((message) => syslogMessage(writeAuditMessage(message), message.atMs)),
        );
      this.#cursor = last.sequence;
      writeCursor(this.#options.cursorPath, last.sequence);
      this.#failures = 0;
      return entries.length;
    } catch (error) {
      // Said once for each outage, not for each try.
      if (this.#failures === 0)
        this.#deps.logger.log('warn', 'gateway.warning', { what: 'audit export', code: toLetheError(error).code });
      this.#failures = Math.min(this.#failures + 1, 10);
      return 0;
    }
  }

  async #next(): Promise<AuditEntry[]> {
    const entries: AuditEntry[] = [];
    for await (const { hash: _hash, ...entry } of this.#deps.store.auditEntries(this.#cursor ?? 0)) {
      entries.push(entry);
      if (entries.length === BATCH_MAX) break;
    }
    return entries;
  }

  async #instancesOf(entries: readonly AuditEntry[]): Promise<Map<string, AuditedInstance>> {
    const found = new Map<string, AuditedInstance>();
    for (const id of new Set(entries.map(({ instance }) => instance))) {
      const row = id === '' ? undefined : await this.#deps.store.instance(id);
      if (row === undefined) continue;
      const { sopClassUid, sourceKind, sourceName, prepared } = row;
      const told =
        this.#options.identifiers === 'pseudonyms' && prepared !== undefined
          ? mainManifest(prepared.manifest)
          : undefined;
      found.set(id, {
        ...{ sopClassUid, sourceKind, sourceName },
        studyInstanceUid: told?.studyInstanceUid,
        patientId: told?.patientId,
      });
    }
    return found;
  }
}

function readCursor(path: string): number | undefined {
  if (!existsSync(path)) return undefined;
  const sequence = Number(readFileSync(path, 'utf8'));
  return Number.isSafeInteger(sequence) && sequence >= 0 ? sequence : undefined;
}

/** Replaced as a whole; one that a power cut takes back costs a repetition. */
function writeCursor(path: string, sequence: number): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.part`, String(sequence), { mode: 0o600 });
  renameSync(`${path}.part`, path);
}
