/**
 * Destination type `dicom`: C-STORE to a storage SCP (PS3.4 Annex B), one association a batch, with a presentation
 * context for each pair of SOP class and transfer syntax in it. Instances go as they are, in their own syntax.
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
import { type ProposedContext, StorageScu } from '../../dimse/storage-scu.ts';
import { orAborted } from '../aborted.ts';
import type { DeliverableInstance, DeliveryOutcome, Destination } from '../destination.ts';
import { type FailedOutcome, outcomeOfError } from '../http-failure.ts';
import { Pacer } from '../pacer.ts';
import { outcomeOfStoreStatus } from '../store-status.ts';
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
  /** Of data sets, over all associations together. */
  readonly bytesPerSecond?: number;
}

/** Odd presentation context identifiers from 1 to 255 (PS3.8 §9.3.2.2). */
const CONTEXTS_MAX = 128;
const BREAKS_IN_A_ROW_MAX = 3;
const SLICE_BYTES = 256 * 1024;
/** A peer that does not agree to the release within this is aborted. */
const RELEASE_TIMEOUT_MS = 5_000;
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
  /** Associations on their way out. */
  readonly #releasing = new Set<Promise<void>>();

  constructor(name: string, options: DicomOptions) {
    this.name = name;
    this.#options = options;
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
      const scu = await this.#connect(
        [{ abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT_LITTLE_ENDIAN] }],
        signal,
      );
      const { status } = await orAborted(scu.echo(), signal).finally(() => this.#release(scu));
      return status === 0 ? undefined : 'DELIVERY_BUSY';
    } catch (error) {
      return signal.aborted ? STOPPED.code : outcomeOfError(error).code;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#releasing);
  }

  /** Nobody waits for a peer that is slow to agree: every outcome is known. */
  #release(scu: StorageScu): void {
    const released = scu
      .release()
      .catch(() => scu.abort())
      .finally(() => this.#releasing.delete(released));
    this.#releasing.add(released);
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
      scu = await this.#connect(contexts, signal);
    } catch (error) {
      return signal.aborted ? STOPPED : outcomeOfError(error);
    }
    for (const instance of batch.slice(outcomes.length, outcomes.length + count)) {
      const sent = await send(scu, instance, { signal, pacer: this.#pacer });
      outcomes.push(sent.outcome);
      if (sent.broken !== undefined) {
        scu.abort();
        return sent.broken;
      }
    }
    this.#release(scu);
    return undefined;
  }

  async #connect(contexts: readonly ProposedContext[], signal: AbortSignal): Promise<StorageScu> {
    const { tls, host, port, calledAeTitle, callingAeTitle, connectTimeoutMs, dimseTimeoutMs } = this.#options;
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
    });
    try {
      return await orAborted(connecting, signal);
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
  { signal, pacer }: { signal: AbortSignal; pacer: Pacer | undefined },
): Promise<Sent> {
  let source: (ByteSource & { close(): void }) | undefined;
  let dataSet: ByteSource;
  try {
    source = instance.open(instance.manifest.dicomFile);
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
    return { outcome: outcomeOfStoreStatus(status) };
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
