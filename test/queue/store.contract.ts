/**
 * What every store must do, whatever it stands on: custody rows, the two legs, claiming, restart, erasing, the ledger and
 * the audit. Run by `sqlite-store.test.ts`; another implementation adds its own caller.
 */
import { custodyContract } from './custody.contract.ts';
import { deliveriesContract } from './deliveries.contract.ts';
import { historyContract } from './history.contract.ts';
import { contractOf, type OpenStore } from './store-rig.ts';

export function storeContract(name: string, open: OpenStore): void {
  const contract = contractOf(name, open);
  custodyContract(contract);
  deliveriesContract(contract);
  historyContract(contract);
}
