/** `lethe status`: the ledger, the queue by destination and age, and what is held, on one screen. */
import type { FlowCounts, InstanceRow, LedgerLine } from '../queue/store.ts';
import { CONFIG_OPTION, type Command, EXIT, JSON_OPTION, type Terminal } from './command.ts';
import { withStore } from './offline.ts';
import { durationText, tableLines } from './table.ts';

export const command: Command = {
  summary: 'Shows the ledger, the queue by destination and age, and what is held.',
  usage: '[--config FILE]',
  options: { config: CONFIG_OPTION, json: JSON_OPTION },
  async run(invocation) {
    await withStore(invocation, async (store) => {
      const counts = await store.counts();
      const ledger = await store.ledger({ limit: 20 });
      const held = [
        ...(await store.list({ state: 'held', limit: 20 })),
        ...(await store.list({ deliveryState: 'held', limit: 20 })),
      ];
      const oldest: Record<string, number | undefined> = {};
      for (const name of Object.keys(counts.deliveries)) oldest[name] = await store.oldestOwedAtMs(name);
      if (invocation.terminal.json)
        invocation.terminal.out(
          JSON.stringify({
            counts,
            ledger: ledger.map(withoutStudy),
            held: held.map(heldLine),
            oldestOwedAtMs: oldest,
          }),
        );
      else show(invocation.terminal, { counts, ledger, held, oldest });
    });
    return EXIT.success;
  },
};

interface Shown {
  readonly counts: FlowCounts;
  readonly ledger: readonly LedgerLine[];
  readonly held: readonly InstanceRow[];
  readonly oldest: Readonly<Record<string, number | undefined>>;
}

function show(terminal: Terminal, { counts, ledger, held, oldest }: Shown): void {
  const { received, prepared, discarded } = counts;
  terminal.out(`waiting ${received}  prepared ${prepared}  held ${counts.held}  discarded ${discarded}`);
  const destinations = Object.entries(counts.deliveries).map(([name, states]) => ({
    name,
    states,
    since: oldest[name],
  }));
  const columns = [
    { head: 'destination', cell: (row: (typeof destinations)[number]) => row.name },
    { head: 'queued', cell: (row: (typeof destinations)[number]) => row.states.queued + row.states.claimed },
    { head: 'inflight', cell: (row: (typeof destinations)[number]) => row.states.inflight },
    { head: 'deferred', cell: (row: (typeof destinations)[number]) => row.states.deferred },
    { head: 'delivered', cell: (row: (typeof destinations)[number]) => row.states.delivered },
    { head: 'held', cell: (row: (typeof destinations)[number]) => row.states.held },
    {
      head: 'oldest',
      cell: (row: (typeof destinations)[number]) =>
        row.since === undefined ? '' : durationText(Date.now() - row.since),
    },
  ];
  section(terminal, 'Queue', tableLines(columns, destinations));
  const lines = [
    { head: 'customer', cell: (row: LedgerLine) => row.customer },
    { head: 'source', cell: (row: LedgerLine) => row.sourceName },
    { head: 'received', cell: (row: LedgerLine) => row.received },
    { head: 'delivered', cell: (row: LedgerLine) => row.delivered },
    { head: 'held', cell: (row: LedgerLine) => row.held },
    { head: 'discarded', cell: (row: LedgerLine) => row.discarded },
    { head: 'on the way', cell: (row: LedgerLine) => row.onTheWay },
  ];
  section(terminal, 'Ledger, a line a study, newest first', tableLines(lines, ledger));
  const rows = [
    { head: 'held instance', cell: (row: InstanceRow) => row.id },
    { head: 'customer', cell: (row: InstanceRow) => row.customer },
    { head: 'reason', cell: (row: InstanceRow) => row.reason ?? 'a delivery is held' },
    { head: 'detail', cell: (row: InstanceRow) => row.reasonDetail, widthMax: 60 },
  ];
  section(terminal, 'Held', held.length === 0 ? ['nothing is held'] : tableLines(rows, held));
}

function section(terminal: Terminal, title: string, lines: readonly string[]): void {
  terminal.out(`\n${title}`);
  for (const line of lines) terminal.out(line);
}

/** A study's own UID identifies: the ledger on a screen goes without. */
function withoutStudy({ studyInstanceUid: _study, ...line }: LedgerLine) {
  return line;
}

function heldLine({ id, customer, reason, reasonDetail }: InstanceRow) {
  return { id, customer, reason, reasonDetail };
}
