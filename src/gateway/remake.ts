/**
 * Prepared output that is not what was written, because a power cut came before the system had put it on the medium or
 * because a disk lost it, is made again from the received bytes, which stay until nothing is owed. Once for each instance
 * and run: where that does not help the disk is at fault, and the delivery stays held.
 */
import type { InstanceId } from '../core/identifier.ts';
import type { Logger } from '../core/log.ts';
import type { PreparedLocation } from '../queue/spool.ts';
import type { ClaimedDelivery, Store } from '../queue/store.ts';

export interface RemakeDeps {
  readonly store: Pick<Store, 'prepareAgain'>;
  readonly logger: Logger;
  /** It is received again: whoever prepares may look. `output` is not its prepared output any more. */
  onUnprepared(id: InstanceId, output: PreparedLocation): void;
}

/** The oldest is forgotten, which costs one more try. */
const REMEMBERED_MAX = 10_000;

export class Remake {
  readonly #deps: RemakeDeps;
  readonly #tried = new Set<InstanceId>();

  constructor(deps: RemakeDeps) {
    this.#deps = deps;
  }

  /** Of a delivery that is held because of its bytes. Does nothing the second time. @throws STORE_UNAVAILABLE */
  async again({ instance, prepared }: ClaimedDelivery): Promise<void> {
    if (this.#tried.has(instance.id)) return;
    await this.#deps.store.prepareAgain(instance.id);
    this.#tried.add(instance.id);
    const [oldest] = this.#tried;
    if (this.#tried.size > REMEMBERED_MAX && oldest !== undefined) this.#tried.delete(oldest);
    this.#deps.logger.log('warn', 'instance.remade', { instance: instance.id });
    this.#deps.onUnprepared(instance.id, prepared.location);
  }
}
