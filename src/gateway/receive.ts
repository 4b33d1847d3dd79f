/**
 * Where custody passes. An instance is ours when its bytes and its row are durable, and only then is anyone told so:
 * `commit` flushes bytes and journal record, `accept` makes the row, the caller answers Success. Whatever fails before
 * leaves no trace; whatever fails after is found again at the next start.
 *
 * Same customer, UID and content again: Success, and nothing is kept or sent twice. Same UID with other content: by
 * policy, refused (0111), kept as another version, or taken in the place of what was not delivered yet; both digests are
 * on record either way.
 */
import type { Clock, Random } from '../core/clock.ts';
import { ERRORS, LetheError, toLetheError } from '../core/errors.ts';
import { type InstanceId, newInstanceId } from '../core/identifier.ts';
import type { Logger } from '../core/log.ts';
import type { IncomingInstance, ReceivedRecord, Spool, SpooledInstance, SpoolWriter } from '../queue/spool.ts';
import type { Store } from '../queue/store.ts';
import type { ReceiveOrigin, ReceiveResult } from './admin.ts';
import { type Accepted, acceptContent } from './content.ts';
import { HeadReader, type InstanceHead } from './head.ts';

export interface ReceiveDeps {
  readonly spool: Spool;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface ReceiveOptions {
  readonly duplicates: 'refuse' | 'keep' | 'replace';
  readonly instanceBytesMax: number;
  /** Called after custody of something new, so that processing starts at once. */
  onAccepted(record: ReceivedRecord, bytes: number): void;
}

export interface Custody {
  readonly kind: 'accepted' | 'duplicate';
  readonly id: InstanceId;
}

export class Receiver {
  readonly #options: ReceiveOptions;
  readonly #deps: ReceiveDeps;

  constructor(options: ReceiveOptions, deps: ReceiveDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  get spool(): Spool {
    return this.#deps.spool;
  }

  /** Below the mark nothing is taken. @throws SPOOL_FULL */
  requireSpace(): void {
    const space = this.#deps.spool.space();
    if (space.full) throw new LetheError('SPOOL_FULL', { freeBytes: space.freeBytes, limitBytes: space.limitBytes });
  }

  newRecord(facts: Omit<ReceivedRecord, 'id' | 'receivedAtMs'>): ReceivedRecord {
    const { clock, random } = this.#deps;
    return { ...facts, id: newInstanceId(clock, random), receivedAtMs: clock.nowMs() };
  }

  /** The step that makes it ours. @throws SPOOL_IO SPOOL_FULL STORE_UNAVAILABLE INSTANCE_DUPLICATE */
  async takeCustody(incoming: IncomingInstance, studyInstanceUid: string | undefined): Promise<Custody> {
    const spooled = await incoming.commit();
    const outcome = await this.#accept(spooled, studyInstanceUid);
    if (outcome.kind === 'conflict') return this.#refuseOtherContent(spooled, outcome);
    const { record, bytes } = spooled;
    if (outcome.kind === 'restored') {
      this.#deps.logger.log('info', 'instance.restored', { instance: outcome.of, customer: record.customer });
      this.#options.onAccepted(record, bytes);
      return { kind: 'duplicate', id: outcome.of };
    }
    if (outcome.kind === 'duplicate') {
      await this.#deps.spool.eraseReceived([spooled.location]);
      this.#deps.logger.log('info', 'instance.duplicate', {
        instance: outcome.of,
        customer: record.customer,
        sameContent: true,
      });
      return { kind: 'duplicate', id: outcome.of };
    }
    const source = `${record.sourceKind}:${record.sourceName}`;
    this.#deps.logger.log('info', 'instance.received', {
      instance: record.id,
      customer: record.customer,
      source,
      bytes,
      sopClass: record.sopClassUid,
    });
    for (const earlier of outcome.replaced ?? []) this.#noteOther(earlier, record.customer);
    this.#options.onAccepted(record, bytes);
    return { kind: 'accepted', id: record.id };
  }

  /** Without a row it is nobody's, and the sender is told so: its bytes must not wait for the next start. */
  async #accept(spooled: SpooledInstance, studyInstanceUid: string | undefined): Promise<Accepted> {
    const offer = { spooled, studyInstanceUid, otherContent: this.#options.duplicates };
    try {
      return await acceptContent(offer, this.#deps);
    } catch (error) {
      await this.#deps.spool.eraseReceived([spooled.location]).catch(() => undefined); // the next start finds it
      throw error;
    }
  }

  async #refuseOtherContent(
    spooled: SpooledInstance,
    earlier: { of: InstanceId; digest: string; offered: string },
  ): Promise<never> {
    await this.#deps.spool.eraseReceived([spooled.location]);
    this.#noteOther(earlier.of, spooled.record.customer);
    throw new LetheError('INSTANCE_DUPLICATE', { earlier: earlier.digest, offered: earlier.offered });
  }

  #noteOther(instance: InstanceId, customer: string): void {
    this.#deps.logger.log('warn', 'instance.duplicate', { instance, customer, sameContent: false });
  }

  /** One Part 10 file as a stream: HTTP, watched folders, STOW-RS. Never throws for what was sent. */
  async receive(bytes: AsyncIterable<Uint8Array>, from: ReceiveOrigin): Promise<ReceiveResult> {
    try {
      return await this.#receive(bytes, from);
    } catch (error) {
      const known = toLetheError(error);
      return {
        status: 'refused',
        code: known.code,
        message: ERRORS[known.code].message,
        httpStatus: known.row.httpStatus ?? 500,
      };
    }
  }

  async #receive(bytes: AsyncIterable<Uint8Array>, from: ReceiveOrigin): Promise<ReceiveResult> {
    this.requireSpace();
    const writer = this.#deps.spool.writer();
    let streamed: Streamed | undefined;
    try {
      streamed = await this.#stream(bytes, from, writer);
      const custody = await this.takeCustody(streamed.incoming, streamed.head.studyInstanceUid);
      return { status: custody.kind, id: custody.id, sopInstanceUid: streamed.head.sopInstanceUid };
    } finally {
      await writer.close();
    }
  }

  async #stream(bytes: AsyncIterable<Uint8Array>, from: ReceiveOrigin, writer: SpoolWriter): Promise<Streamed> {
    const reader = new HeadReader();
    let streamed: Streamed | undefined;
    let length = 0;
    try {
      for await (const chunk of bytes) {
        length += chunk.length;
        if (length > this.#options.instanceBytesMax)
          throw new LetheError('HTTP_BODY_TOO_LARGE', { limit: this.#options.instanceBytesMax });
        if (streamed !== undefined) await write(streamed.incoming, chunk);
        else {
          const head = reader.push(chunk);
          if (head !== undefined) streamed = await this.#begin(head, reader.bytes(), { from, writer });
        }
      }
      return streamed ?? (await this.#begin(reader.end(), reader.bytes(), { from, writer }));
    } catch (error) {
      await streamed?.incoming.abort();
      throw error;
    }
  }

  async #begin(
    head: InstanceHead,
    bytes: Uint8Array,
    at: { from: ReceiveOrigin; writer: SpoolWriter },
  ): Promise<Streamed> {
    const { sopClassUid, sopInstanceUid, transferSyntaxUid } = head;
    const { customer, kind, name, studyInstanceUid } = at.from;
    if (studyInstanceUid !== undefined && studyInstanceUid !== head.studyInstanceUid)
      throw new LetheError('HTTP_STUDY_MISMATCH');
    const record = this.newRecord({
      customer,
      sourceKind: kind,
      sourceName: name,
      sopClassUid,
      sopInstanceUid,
      transferSyntaxUid,
      priority: 'normal',
    });
    const incoming = at.writer.begin(record, bytes.subarray(0, head.dataSetOffset));
    await write(incoming, bytes.subarray(head.dataSetOffset));
    return { incoming, head };
  }
}

interface Streamed {
  readonly incoming: IncomingInstance;
  readonly head: InstanceHead;
}

async function write(incoming: IncomingInstance, bytes: Uint8Array): Promise<void> {
  if (!incoming.write(bytes)) await incoming.drained();
}
