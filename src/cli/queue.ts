/** `lethe queue VERB`: what is where and why; act on it. Works beside a running gateway, which notices within a second. */
import { userInfo } from 'node:os';
import { LetheError } from '../core/errors.ts';
import { isInstanceId } from '../core/identifier.ts';
import { summaryOf } from '../gateway/admin-face.ts';
import { decideReview, type Review, readReview } from '../gateway/review.ts';
import { openReceived } from '../queue/local-received.ts';
import { LocalReviews } from '../queue/local-review.ts';
import type { SqliteStore } from '../queue/sqlite-store.ts';
import type { InstanceState, ListOptions } from '../queue/store.ts';
import {
  CONFIG_OPTION,
  type Command,
  EXIT,
  flag,
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
    'list [--state S] [--customer C] [--limit N] | show ID | retry ID... | hold ID... | release ID... | discard ID... | review ID [--accept | --boxes LIST] [--save-rule]',
  options: {
    config: CONFIG_OPTION,
    state: { type: 'string', value: 'S', help: 'received, prepared, held or discarded.' },
    customer: { type: 'string', value: 'C', help: 'Only of this customer.' },
    limit: { type: 'string', value: 'N', help: 'At most so many (default 50).' },
    boxes: {
      type: 'string',
      value: 'LIST',
      help: 'Of review: blank x,y,width,height;... and nothing else ("" for none).',
    },
    accept: { type: 'boolean', help: 'Of review: blank the boxes that were found.' },
    'save-rule': { type: 'boolean', help: 'Of review: do the same to every image of this model and size.' },
    json: JSON_OPTION,
  },
  details: `release: a held instance is processed again, or sent when it was prepared already. retry: held or deferred deliveries
are sent at once. review: shows where text was found in the pixels of a held instance; with
--accept or --boxes it is processed again with those blanked, on every frame. --accept is refused where no box was found. discard: it will not be delivered; the decision is in the audit with the name of who called.`,
  async run(invocation) {
    const [verb = 'list', ...ids] = invocation.positionals;
    return withStore(invocation, async (store, dataDir) => {
      if (verb === 'list') return list(store, invocation);
      if (verb === 'review') return review(store, dataDir, { ids, invocation });
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

async function review(
  store: SqliteStore,
  dataDir: string,
  { ids, invocation }: { ids: readonly string[]; invocation: Invocation },
): Promise<number> {
  const { options, terminal } = invocation;
  const [id, ...more] = ids;
  if (id === undefined || more.length > 0 || !isInstanceId(id)) throw new UsageError('queue review needs one instance');
  const spool = { openReceived: (location: string) => openReceived(dataDir, location) };
  const deps = { store, spool, reviews: new LocalReviews(dataDir) };
  const found = await readReview(deps, id);
  const list = textOption(options, 'boxes');
  const isAccepted = flag(options, 'accept');
  if (isAccepted) assertAcceptable(found, list);
  const boxes = list === undefined ? found.boxes : parseBoxes(list);
  const isDecided = list !== undefined || isAccepted;
  if (!isDecided && flag(options, 'save-rule')) throw new UsageError('--save-rule goes with --accept or --boxes');
  if (isDecided) {
    const by = `${userInfo().username} (command line)`;
    await decideReview(deps, id, { boxes, saveRule: flag(options, 'save-rule') }, by);
  }
  if (terminal.json) terminal.out(JSON.stringify({ id, ...found, boxes, decided: isDecided }));
  else {
    terminal.out(
      `${id}  ${found.columns} × ${found.rows}, ${boxes.length} boxes${isDecided ? ', will be blanked' : ''}`,
    );
    for (const { x, y, width, height } of boxes) terminal.out(`  ${x},${y},${width},${height}`);
  }
  return EXIT.success;
}

/** Accepting is blanking what was found: where nothing was, or not all is listed, it would let the rest pass unseen. */
function assertAcceptable({ boxes, complete }: Review, list: string | undefined): void {
  if (list !== undefined) throw new UsageError('queue review takes --accept or --boxes, not both');
  if (boxes.length === 0)
    throw new UsageError(
      'no boxes were found to accept; draw them with --boxes, or let the image pass with --boxes ""',
    );
  if (!complete) throw new UsageError('there may be more boxes than a list holds; draw larger ones with --boxes');
}

function parseBoxes(list: string) {
  return list
    .split(';')
    .filter((part) => part !== '')
    .map((part) => {
      if (!/^\d{1,5}(?:,\d{1,5}){3}$/.test(part)) throw new UsageError('--boxes takes x,y,width,height;...');
      const [x = 0, y = 0, width = 0, height = 0] = part.split(',').map(Number);
      return { x, y, width, height };
    });
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
