/**
 * Hands instances on to a gateway's listener while they arrive: what C-GET brings is stored there, and the archive is
 * answered with the gateway's own status, which tells of custody. Nothing is kept here; back-pressure goes all the way.
 * An association for each SOP class and transfer syntax that occurs, because a context has one transfer syntax.
 */
import { LetheError, toLetheError } from '../core/errors.ts';
import { refusalOf } from '../dimse/refusal.ts';
import type { IncomingStore, StorageAssociation, StoreRequest, StoreResponse } from '../dimse/storage-handler.ts';
import { type OperationResponse, StorageScu, type StorageScuOptions } from '../dimse/storage-scu.ts';

const QUEUE_BYTES_MAX = 2 * 1024 * 1024; // of one instance between the two associations

export class Relay implements StorageAssociation {
  readonly #target: Omit<StorageScuOptions, 'contexts'>;
  readonly #associations = new Map<string, Promise<StorageScu>>();

  constructor(target: Omit<StorageScuOptions, 'contexts'>) {
    this.#target = target;
  }

  begin({ sopClassUid, sopInstanceUid, transferSyntaxUid }: StoreRequest): IncomingStore {
    const key = `${sopClassUid} ${transferSyntaxUid}`;
    const queue = new ChunkRelay();
    const stored = this.#association(key, sopClassUid, transferSyntaxUid)
      .then((scu) => scu.store({ sopClassUid, sopInstanceUid, transferSyntaxUid, dataSet: queue.chunks() }))
      .catch((error: unknown) => {
        this.#associations.delete(key); // the next instance gets a fresh one
        queue.fail();
        throw error;
      });
    stored.catch(() => undefined);
    return new RelayedStore(queue, stored);
  }

  end(): void {
    for (const opening of this.#associations.values())
      void opening.then(
        (scu) => scu.release(),
        () => undefined,
      );
    this.#associations.clear();
  }

  #association(key: string, sopClassUid: string, transferSyntaxUid: string): Promise<StorageScu> {
    const known = this.#associations.get(key);
    if (known !== undefined) return known;
    const contexts = [{ abstractSyntax: sopClassUid, transferSyntaxes: [transferSyntaxUid] }];
    const opening = StorageScu.connect({ ...this.#target, contexts });
    this.#associations.set(key, opening);
    return opening;
  }
}

class RelayedStore implements IncomingStore {
  readonly #queue: ChunkRelay;
  readonly #stored: Promise<OperationResponse>;

  constructor(queue: ChunkRelay, stored: Promise<OperationResponse>) {
    this.#queue = queue;
    this.#stored = stored;
  }

  write(bytes: Uint8Array): boolean {
    return this.#queue.push(new Uint8Array(bytes));
  }

  drained(): Promise<void> {
    return this.#queue.drained();
  }

  async complete(): Promise<StoreResponse> {
    this.#queue.end();
    try {
      const { status, errorComment } = await this.#stored;
      return { status, ...(errorComment === undefined ? {} : { errorComment }) };
    } catch (error) {
      return refusalOf(toLetheError(error));
    }
  }

  abort(): void {
    this.#queue.fail();
  }
}

/** Pushed at one side, pulled at the other; one reader. */
class ChunkRelay {
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #state: 'open' | 'ended' | 'failed' = 'open';
  #changed = Promise.withResolvers<void>();

  push(chunk: Uint8Array): boolean {
    if (this.#state !== 'open') return true; // nobody reads any more: the answer says why
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    this.#wake();
    return this.#bytes < QUEUE_BYTES_MAX;
  }

  async drained(): Promise<void> {
    while (this.#state === 'open' && this.#bytes >= QUEUE_BYTES_MAX) await this.#changed.promise;
  }

  end(): void {
    if (this.#state === 'open') this.#state = 'ended';
    this.#wake();
  }

  /** The reader throws: an instance that is not complete is not stored. */
  fail(): void {
    this.#state = 'failed';
    this.#wake();
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#state === 'failed') throw new LetheError('DIMSE_ASSOCIATION_ABORTED', { what: 'the sender is gone' });
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#bytes -= chunk.length;
        this.#wake();
        yield chunk;
      } else if (this.#state === 'ended') return;
      else await this.#changed.promise;
    }
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}
