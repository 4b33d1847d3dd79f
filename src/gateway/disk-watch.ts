/** Says once that the disk gets full, and once that it has room again. */
import type { Logger } from '../core/log.ts';
import type { SpoolSpace } from '../queue/spool.ts';

export class DiskWatch {
  readonly #logger: Logger;
  #low = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  look({ low, freeBytes, limitBytes }: SpoolSpace): void {
    if (low === this.#low) return;
    this.#low = low;
    if (low) this.#logger.log('warn', 'disk.low', { freeBytes, limitBytes });
    else this.#logger.log('info', 'disk.recovered', { freeBytes });
  }
}
