/** The one place where a claimed row becomes something a destination may see: prepared, verified, pseudonymous. */
import { LetheError } from '../core/errors.ts';
import type { DeliverableInstance, PreparedManifest } from '../delivery/destination.ts';
import type { Spool } from '../queue/spool.ts';
import type { ClaimedDelivery } from '../queue/store.ts';

/** @throws SPOOL_CORRUPT where the row's manifest is not what `prepare` wrote */
export function deliverableOf(spool: Spool): (claimed: ClaimedDelivery) => DeliverableInstance {
  return ({ instance, prepared }) => {
    const facts = {
      id: instance.id,
      manifest: manifestOf(prepared.manifest),
      open: (file: string) => spool.openPrepared(prepared.location, file),
    };
    return facts as DeliverableInstance; // the brand: rows with a prepared location come from a sealed pack only
  };
}

function manifestOf(text: string): PreparedManifest {
  try {
    return JSON.parse(text) as PreparedManifest;
  } catch (error) {
    throw new LetheError('SPOOL_CORRUPT', { what: 'manifest' }, { cause: error });
  }
}
