/** The one place where a claimed row becomes something a destination may see: prepared, verified, pseudonymous. */
import type { DeliverableInstance } from '../delivery/destination.ts';
import type { Spool } from '../queue/spool.ts';
import type { ClaimedDelivery } from '../queue/store.ts';
import { manifestFor } from './manifests.ts';

/** @throws SPOOL_CORRUPT where the row's manifest is not what `prepare` wrote */
export function deliverableOf(spool: Spool): (claimed: ClaimedDelivery) => DeliverableInstance {
  return ({ delivery, instance, prepared }) => {
    const facts = {
      id: instance.id,
      manifest: manifestFor(prepared.manifest, delivery.destination),
      open: (file: string) => spool.openPrepared(prepared.location, file),
    };
    return facts as DeliverableInstance; // the brand: rows with a prepared location come from a sealed pack only
  };
}
