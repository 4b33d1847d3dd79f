/** `lethe queue VERB`: what is where and why; act on it. Works beside a running gateway, which notices within a second. */
import { userInfo } from 'node:os';
import { LetheError } from '../core/errors.ts';
import { isInstanceId } from '../core/identifier.ts';
import { summaryOf } from '../gateway/admin-face.ts';
import type { SqliteStore } from '../queue/sqlite-store.ts';
import type { InstanceState, ListOptions } from '../queue/store.ts';
import {
  CONFIG_OPTION,
  type Command,
  EXIT,
  type Invocation,
  integerOption,
  JSON_OPTION,
  textOption,
  UsageError,
} from './command.ts';
import { withStore } from './offline.ts';
import { bytesText, tableLines } from './table.ts';

const STATES: readonly InstanceState[] = ['received', 'prepared', 'held', 'discarded'];

export const command: Command = {
  summary: 'Lists instances, shows one, or decides about it: retry, hold, release, discard.',
  usage:
    'list [--state S] [--customer C] [--limit N] | show ID | retry ID... | hold ID... | release ID... | discard ID...',
  options: {
    config: CONFIG_OPTION,
    state: { type: 'string', value: 'S', help: 'received, prepared, held or discarded.' },
    customer: { type: 'string', value: 'C', help: 'Only of this customer.' },
    limit: { type: 'string', value: 'N', help: 'At most so many (default 50).' },
    json: JSON_OPTION,
  },
  details: `release: a held instance is processed again, or sent when it was prepared already. retry: held or deferred deliveries
are sent at once. discard: it will not be delivered; the decision is in the audit with the name of who called.`,
  async run(invocation) {
    const [verb = 'list', ...ids] = invocation.positionals;
    return withStore(invocation, async (store) => {
      if (verb === 'list') return list(store, invocation);
      if (ids.length === 0) throw new UsageError(`queue ${verb} needs the id of at least one instance`);
      for (const id of ids) await act(store, { verb, id, invocation });
      return EXIT.success;
    });
  },
};

async function list(store: SqliteStore, { options, terminal }: Invocation): Promise<number> {
  const state = textOption(options, 'state');
  if (state !== undefined && !STATES.some((known) => known === state))
    throw new UsageError(`--state takes ${STATES.join(', ')}`);
  const customer = textOption(options, 'customer');
  const limit = integerOption(options, 'limit', { minimum: 1, maximum: 10_000, fallback: 50 });
  const query: ListOptions = {
    limit,
    ...(state === undefined ? {} : { state: state as InstanceState }),
    ...(customer === undefined ? {} : { customer }),
  };
  const rows = (await store.list(query)).map(summaryOf);
  if (terminal.json) for (const row of rows) terminal.out(JSON.stringify(row));
  else {
    const columns = [
      { head: 'id', cell: (row: (typeof rows)[number]) => row.id },
      { head: 'state', cell: (row: (typeof rows)[number]) => row.state },
      { head: 'customer', cell: (row: (typeof rows)[number]) => row.customer },
      { head: 'object', cell: (row: (typeof rows)[number]) => row.sopClassName, widthMax: 40 },
      { head: 'size', cell: (row: (typeof rows)[number]) => bytesText(row.bytes), align: 'right' as const },
      { head: 'reason', cell: (row: (typeof rows)[number]) => row.reason },
    ];
    for (const line of tableLines(columns, rows)) terminal.out(line);
  }
  return EXIT.success;
}

async function act(
  store: SqliteStore,
  { verb, id, invocation }: { verb: string; id: string; invocation: Invocation },
): Promise<void> {
  const { terminal } = invocation;
  const row = isInstanceId(id) ? await store.instance(id) : undefined;
  if (row === undefined) throw new LetheError('INSTANCE_UNKNOWN', { id });
  const by = `${userInfo().username} (command line)`;
  switch (verb) {
    case 'show':
      break;
    case 'retry':
    case 'release':
      await store.release(id, by);
      break;
    case 'hold':
      await store.hold(id, 'INSTANCE_HELD_BY_RULE', `by ${by}`);
      break;
    case 'discard':
      await store.discard(id, `operator ${by}`);
      break;
    default:
      throw new UsageError(`queue: there is no ${verb}`);
  }
  const after = await store.instance(id);
  const detail = {
    ...summaryOf(after ?? row),
    deliveries: await store.deliveriesOf(id),
    history: await store.history(id),
  };
  if (terminal.json) return terminal.out(JSON.stringify(detail));
  terminal.out(
    `${detail.id}  ${detail.state}${detail.reason === undefined ? '' : `  ${detail.reason} ${detail.reasonDetail ?? ''}`}`,
  );
  if (detail.advice !== undefined) terminal.out(`  ${detail.advice}`);
  if (verb !== 'show') return;
  terminal.out(
    `  ${detail.sopClassName}, ${bytesText(detail.bytes)}, ${detail.images} images, customer ${detail.customer}, from ${detail.sourceKind} ${detail.sourceName}`,
  );
  if (detail.pixels !== undefined) terminal.out(`  pixels ${detail.pixels}`);
  for (const one of detail.deliveries)
    terminal.out(
      `  -> ${one.destination}: ${one.state}, ${one.attempts} attempts ${one.reason ?? ''} ${one.reasonDetail ?? ''}`,
    );
  for (const one of detail.history) terminal.out(`  ${new Date(one.atMs).toISOString()}  ${one.event}  ${one.detail}`);
}
