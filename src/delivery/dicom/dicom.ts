/**
 * Destination type `dicom`: C-STORE to a storage SCP (PS3.4 Annex B), one association a batch, with a presentation
 * context for each pair of SOP class and transfer syntax in it. Between batches associations rest and are used again.
 * Instances go as they are, in their own syntax.
 *
 * The status decides about its instance alone (`store-status.ts`). An association that breaks leaves its instance
 * ambiguous and the next one continues on a new association, so that an instance on which a peer breaks each time does
 * not block its neighbours; after a few breaks in a row the peer is taken to be unwell. Idempotent: a storage SCP knows
 * an instance by its UID; Duplicate SOP Instance (0111) is a receipt.
 *
 * API: `dicomDestination(name, options) -> Destination`.
 */
import { type ByteSource, rangeSource } from '../../core/bytes.ts';
import { type ErrorCode, LetheError } from '../../core/errors.ts';
import { readFileMeta } from '../../dicom/part10.ts';
import { VERIFICATION } from '../../dimse/negotiation.ts';
import { ScuPool } from '../../dimse/scu-pool.ts';
import { type ProposedContext, StorageScu } from '../../dimse/storage-scu.ts';
import { orAborted } from '../aborted.ts';
import { type DeliverableInstance, type DeliveryOutcome, type Destination, dicomFileOf } from '../destination.ts';
import { type FailedOutcome, outcomeOfError } from '../http-failure.ts';
import { Pacer } from '../pacer.ts';
import { outcomeOfStoreStatus, type StatusPolicy } from '../store-status.ts';
import { connectionOptionsOf, type TlsOptions } from '../tls.ts';

export interface DicomOptions {
  readonly host: string;
  readonly port: number;
  readonly calledAeTitle: string;
  readonly callingAeTitle: string;
  readonly tls?: TlsOptions;
  readonly connectTimeoutMs?: number;
  /** The longest wait for the answer to one C-STORE. */
  readonly dimseTimeoutMs?: number;
  /** Requests in progress at once on an association, where the peer grants them. Default 1. */
  readonly operationsInvoked?: number;
  /** How long an association may rest for the next batch; 0: it is released after each. Default 30 s. */
  readonly restMs?: number;
  /** What the site wants done about a status, where that differs from `outcomeOfStoreStatus`. */
  readonly statuses?: StatusPolicy;
  /** Of data sets, over all associations together. */
  readonly bytesPerSecond?: number;
}

/** Odd presentation context identifiers from 1 to 255 (PS3.8 §9.3.2.2). */
const CONTEXTS_MAX = 127; // one more is for the C-ECHO that keeps an association alive
const BREAKS_IN_A_ROW_MAX = 3;
const SLICE_BYTES = 256 * 1024;
/** A peer that does not agree to the release within this is aborted. */
const RELEASE_TIMEOUT_MS = 5_000;
const REST_MS = 30_000;
/** More often than peers and firewalls find an association idle. */
const KEEP_ALIVE_MS = 10_000;
const RESTING_MAX = 4;
const IMPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2';

const STOPPED: FailedOutcome = { kind: 'failed', code: 'DELIVERY_CONNECTION_LOST', detail: 'stopped' };

export function dicomDestination(name: string, options: DicomOptions): Destination {
  return new Dicom(name, options);
}

class Dicom implements Destination {
  readonly name: string;
  readonly type = 'dicom';
  readonly idempotent = true;
  readonly #options: DicomOptions;
  readonly #pacer: Pacer | undefined;
  readonly #pool: ScuPool;

  constructor(name: string, options: DicomOptions) {
    this.name = name;
    this.#options = options;
    this.#pool = new ScuPool({
      connect: (contexts, signal) => this.#connect(contexts, signal),
      idleMs: options.restMs ?? REST_MS,
      keepAliveMs: KEEP_ALIVE_MS,
      restingMax: RESTING_MAX,
    });
    this.#pacer = options.bytesPerSecond === undefined ? undefined : new Pacer(options.bytesPerSecond);
  }

  async deliver(batch: readonly DeliverableInstance[], signal: AbortSignal): Promise<DeliveryOutcome[]> {
    const outcomes: DeliveryOutcome[] = [];
    let breaks = 0;
    while (outcomes.length < batch.length) {
      const before = outcomes.length;
      const failure = signal.aborted ? STOPPED : await this.#sendFrom(batch, outcomes, signal);
      // A break after something was stored is the first of its row.
      breaks = outcomes.slice(before).some((outcome) => outcome.kind === 'delivered') ? 1 : breaks + 1;
      if (failure === undefined) continue;
      const broken = outcomes.length > before && breaks < BREAKS_IN_A_ROW_MAX;
      if (!broken) outcomes.push(...batch.slice(outcomes.length).map(() => failure));
    }
    return outcomes;
  }

  async probe(signal: AbortSignal): Promise<ErrorCode | undefined> {
    try {
      const scu = await this.#pool.take(
        [{ abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_LITTLE_ENDIAN] }],
        signal,
      );
      const { status } = await orAborted(scu.echo(), signal).finally(() => this.#pool.giveBack(scu));
      return status === 0 ? undefined : 'DELIVERY_BUSY';
    } catch (error) {
      return signal.aborted ? STOPPED.code : outcomeOfError(error).code;
    }
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  /**
   * Sends what has no outcome yet on one association, as far as it lasts and its contexts reach. The failure when it
   * could not be had or broke; the instance on which it broke has its outcome already.
   */
  async #sendFrom(
    batch: readonly DeliverableInstance[],
    outcomes: DeliveryOutcome[],
    signal: AbortSignal,
  ): Promise<FailedOutcome | undefined> {
    const { contexts, count } = contextsFor(batch.slice(outcomes.length));
    let scu: StorageScu;
    try {
      scu = await this.#pool.take(contexts, signal);
    } catch (error) {
      return signal.aborted ? STOPPED : outcomeOfError(error);
    }
    const { statuses } = this.#options;
    let broken: FailedOutcome | undefined;
    const share = batch.slice(outcomes.length, outcomes.length + count);
    const sent = await inOrder(share, scu.window, async (instance) => {
      if (broken !== undefined) return undefined; // it was not begun: it has no outcome yet
      const one = await send(scu, instance, { signal, pacer: this.#pacer, statuses });
      broken ??= one.broken;
      return one.outcome;
    });
    outcomes.push(...sent.filter((outcome) => outcome !== undefined));
    if (broken === undefined) this.#pool.giveBack(scu);
    else scu.abort();
    return broken;
  }

  async #connect(contexts: readonly ProposedContext[], signal: AbortSignal | undefined): Promise<StorageScu> {
    const { tls, host, port, calledAeTitle, callingAeTitle, connectTimeoutMs, dimseTimeoutMs } = this.#options;
    const { operationsInvoked } = this.#options;
    const connecting = StorageScu.connect({
      host,
      port,
      calledAeTitle,
      callingAeTitle,
      contexts,
      timers: { artimTimeoutMs: RELEASE_TIMEOUT_MS },
      ...(tls === undefined ? {} : { tls: connectionOptionsOf(tls) }),
      ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
      ...(dimseTimeoutMs === undefined ? {} : { dimseTimeoutMs }),
      ...(operationsInvoked === undefined ? {} : { operationsInvoked }),
      ...(signal === undefined ? {} : { signal }),
    });
    try {
      return await (signal === undefined ? connecting : orAborted(connecting, signal));
    } catch (error) {
      // An association that comes after all is not wanted any more.
      connecting.then(
        (scu) => scu.abort(),
        () => undefined,
      );
      throw error;
    }
  }
}

interface Sent {
  readonly outcome: DeliveryOutcome;
  /** The association is of no use any more. */
  readonly broken?: FailedOutcome;
}

async function send(
  scu: StorageScu,
  instance: DeliverableInstance,
  { signal, pacer, statuses }: { signal: AbortSignal; pacer: Pacer | undefined; statuses: StatusPolicy | undefined },
): Promise<Sent> {
  let source: (ByteSource & { close(): void }) | undefined;
  let dataSet: ByteSource;
  try {
    source = instance.open(dicomFileOf(instance.manifest));
    const { dataSetOffset } = readFileMeta(source);
    dataSet = rangeSource(source, dataSetOffset, source.size - dataSetOffset);
  } catch (error) {
    source?.close();
    // Nothing was sent yet: the association is as good as before.
    return { outcome: outcomeOfError(error) };
  }
  try {
    const { sopClassUid, sopInstanceUid, transferSyntaxUid } = instance.manifest;
    const chunks = slices(dataSet, signal);
    const paced = pacer === undefined ? chunks : pacer.through(chunks, signal);
    const operation = { sopClassUid, sopInstanceUid, transferSyntaxUid, dataSet: paced };
    const { status } = await orAborted(scu.store(operation), signal);
    return { outcome: outcomeOfStoreStatus(status, statuses) };
  } catch (error) {
    const failure = signal.aborted ? STOPPED : outcomeOfError(error);
    return failure.code === 'DIMSE_NO_CONTEXT' ? { outcome: failure } : { outcome: failure, broken: failure };
  } finally {
    source.close();
  }
}

/** The contexts that the first `count` instances need, as many as one association can carry. */
function contextsFor(batch: readonly DeliverableInstance[]): { contexts: ProposedContext[]; count: number } {
  const contexts = new Map<string, ProposedContext>();
  let count = 0;
  for (const { manifest } of batch) {
    const key = `${manifest.sopClassUid} ${manifest.transferSyntaxUid}`;
    if (!contexts.has(key) && contexts.size === CONTEXTS_MAX) break;
    contexts.set(key, { abstractSyntax: manifest.sopClassUid, transferSyntaxes: [manifest.transferSyntaxUid] });
    count += 1;
  }
  return { contexts: [...contexts.values()], count };
}

/** Copies, because the source may reuse its buffer before the socket is done with it. */
function* slices(source: ByteSource, signal: AbortSignal): Generator<Uint8Array> {
  for (let position = 0; position < source.size; position += SLICE_BYTES) {
    // The association ends later than the wait for it, and the source is closed by then.
    if (signal.aborted) throw new LetheError('DELIVERY_CONNECTION_LOST', { what: 'stopped' });
    yield source.read(position, SLICE_BYTES).slice();
  }
}

/** At most `window` at once, begun in order; the answers in the order of the items. */
async function inOrder<Item, Answer>(
  items: readonly Item[],
  window: number,
  work: (item: Item) => Promise<Answer>,
): Promise<Answer[]> {
  const answers = new Map<number, Answer>();
  const queue = items.entries();
  const lane = async () => {
    for (const [index, item] of queue) answers.set(index, await work(item));
  };
  await Promise.all(Array.from({ length: Math.min(window, items.length) }, lane));
  return [...answers].toSorted(([a], [b]) => a - b).map(([, answer]) => answer);
}
