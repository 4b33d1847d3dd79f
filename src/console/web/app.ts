/** The console's first page: shows the flow, asks the API every two seconds, acts on held instances. No dependencies. */

interface Summary {
  id: string;
  customer: string;
  sourceKind: string;
  sourceName: string;
  sopClassName: string;
  bytes: number;
  receivedAtMs: number;
  state: string;
  delivered: boolean;
  reason?: string;
  reasonDetail?: string;
  advice?: string;
  images: number;
}
interface Status {
  version: string;
  startedAtMs: number;
  associations: number;
  counts: {
    received: number;
    prepared: number;
    held: number;
    discarded: number;
    deliveries: Record<string, Record<string, number>>;
  };
  space: { freeBytes: number; limitBytes: number; full: boolean; low: boolean };
  listeners: { kind: string; host: string; port: number }[];
  destinations: { name: string; type: string; breaker: string; oldestOwedAtMs?: number; lastError?: string }[];
}

const POLL_MS = 2000;
const LAST = 15;
const HELD = 25;

const byId = (id: string): HTMLElement => document.getElementById(id) ?? document.body;

/** An element with text and children; text is always text, so nothing that comes from the API can become markup. */
function make(tag: string, options: { text?: string; className?: string; children?: Node[] } = {}): HTMLElement {
  const element = document.createElement(tag);
  if (options.text !== undefined) element.textContent = options.text;
  if (options.className !== undefined) element.className = options.className;
  for (const child of options.children ?? []) element.append(child);
  return element;
}

async function ask<Answer>(path: string, init?: RequestInit): Promise<Answer> {
  const response = await fetch(`/api/v1${path}`, init);
  if (!response.ok) throw new Error(`${response.status}`);
  return (await response.json()) as Answer;
}

const number = new Intl.NumberFormat('en');
const time = new Intl.DateTimeFormat(undefined, { dateStyle: 'short', timeStyle: 'medium' });

function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

function age(sinceMs: number): string {
  const seconds = Math.max(0, Math.round((Date.now() - sinceMs) / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;
}

function sum(status: Status, states: string[]): number {
  return Object.values(status.counts.deliveries).reduce(
    (total, counts) => total + states.reduce((part, state) => part + (counts[state] ?? 0), 0),
    0,
  );
}

function showFlow(status: Status): void {
  const { counts } = status;
  const held = counts.held + sum(status, ['held']);
  const cards: [string, number, string, string][] = [
    ['Waiting', counts.received, 'in custody, to be de-identified', ''],
    ['On the way', sum(status, ['queued', 'claimed', 'inflight']), 'prepared, to be sent', ''],
    [
      'Deferred',
      sum(status, ['deferred']),
      'will be tried again by itself',
      sum(status, ['deferred']) > 0 ? 'warn' : '',
    ],
    ['Delivered', sum(status, ['delivered']), 'accepted by a destination', 'good'],
    ['Held', held, 'needs a person', held > 0 ? 'bad' : ''],
    ['Discarded', counts.discarded, 'by a rule, on record', ''],
  ];
  byId('flow').replaceChildren(
    ...cards.map(([label, count, meaning, tone]) =>
      make('li', {
        className: tone,
        children: [
          make('span', { className: 'number', text: number.format(count) }),
          make('span', { className: 'label', text: label }),
          make('span', { className: 'meaning', text: meaning }),
        ],
      }),
    ),
  );
}

function table(caption: string, heads: string[], rows: Node[][]): HTMLElement {
  const head = make('tr', {
    children: heads.map((text) => {
      const cell = make('th', { text });
      cell.setAttribute('scope', 'col');
      return cell;
    }),
  });
  const body = rows.map((cells) => make('tr', { children: cells.map((cell) => make('td', { children: [cell] })) }));
  const element = make('table', { children: [make('thead', { children: [head] }), make('tbody', { children: body })] });
  element.setAttribute('aria-label', caption);
  const box = make('div', { className: 'table', children: [element] });
  box.tabIndex = 0; // scrollable: the keyboard must reach it
  box.setAttribute('role', 'region');
  box.setAttribute('aria-label', `${caption}: table`); // the section around it has the bare name
  return box;
}

function badge(text: string, tone: string): HTMLElement {
  return make('span', { className: `badge ${tone}`, text });
}

const text = (value: string): Node => document.createTextNode(value);

function showDestinations(status: Status): void {
  const rows = status.destinations.map((one) => {
    const counts = status.counts.deliveries[one.name] ?? {};
    const owed =
      (counts['queued'] ?? 0) + (counts['claimed'] ?? 0) + (counts['inflight'] ?? 0) + (counts['deferred'] ?? 0);
    const state =
      one.breaker === 'closed'
        ? badge('reachable', 'good')
        : badge(one.breaker === 'open' ? 'not reachable' : 'being tried', one.breaker === 'open' ? 'bad' : 'warn');
    const detail = [one.oldestOwedAtMs === undefined ? '' : `oldest ${age(one.oldestOwedAtMs)}`, one.lastError ?? '']
      .filter((part) => part !== '')
      .join(', ');
    return [
      make('strong', { text: one.name }),
      text(one.type),
      state,
      text(`${number.format(counts['delivered'] ?? 0)}`),
      text(`${number.format(owed)}${detail === '' ? '' : ` (${detail})`}`),
    ];
  });
  const empty = make('p', { className: 'empty', text: 'No destination is configured.' });
  byId('destinations').replaceChildren(
    rows.length === 0 ? empty : table('Destinations', ['Name', 'Type', 'State', 'Delivered', 'Owed'], rows),
  );
}

function showSystem(status: Status): void {
  const { space } = status;
  const disk = make('span', {
    children: [
      text(`${bytes(space.freeBytes)} free `),
      space.full ? badge('full: nothing is accepted', 'bad') : space.low ? badge('low', 'warn') : badge('ok', 'good'),
    ],
  });
  const facts: [string, Node][] = [
    ['Version', text(status.version)],
    ['Running since', text(`${time.format(status.startedAtMs)} (${age(status.startedAtMs)})`)],
    [
      'Listening',
      text(status.listeners.map(({ kind, host, port }) => `${kind} ${host}:${port}`).join(', ') || 'nothing'),
    ],
    ['Associations', text(number.format(status.associations))],
    ['Disk', disk],
  ];
  byId('system').replaceChildren(
    ...facts.flatMap(([name, value]) => [make('dt', { text: name }), make('dd', { children: [value] })]),
  );
}

function what(one: Summary): Node {
  return make('span', { children: [text(one.sopClassName), make('br'), make('code', { text: one.id })] });
}

function showHeld(held: Summary[]): void {
  const rows = held.map((one) => {
    const why = make('div', {
      children: [
        make('code', { text: `${one.reason ?? ''}${one.reasonDetail === undefined ? '' : ` ${one.reasonDetail}`}` }),
        make('p', { className: 'advice', text: one.advice ?? '' }),
      ],
    });
    const actions = make('div', { children: [action(one, 'release', 'Try again'), action(one, 'discard', 'Discard')] });
    return [what(one), text(`${one.customer} · ${one.sourceKind} ${one.sourceName}`), why, actions];
  });
  const empty = make('p', {
    className: 'empty',
    text: 'Nothing is held. Instances that could not be made safe, or that a destination refused, would be listed here with the reason.',
  });
  byId('held').replaceChildren(
    rows.length === 0 ? empty : table('Held instances', ['Instance', 'Source', 'Why', 'Decide'], rows),
  );
}

async function decide(button: HTMLButtonElement, one: Summary, verb: 'release' | 'discard'): Promise<void> {
  if (verb === 'discard' && !confirm('Discard this instance? It will not be delivered. The decision goes on record.'))
    return;
  button.disabled = true;
  try {
    await ask(`/instances/${one.id}/${verb}`, { method: 'POST' });
  } finally {
    await refresh();
  }
}

function action(one: Summary, verb: 'release' | 'discard', label: string): HTMLElement {
  const button = make('button', { text: label }) as HTMLButtonElement;
  button.type = 'button';
  button.setAttribute('aria-label', `${label}: ${one.sopClassName} ${one.id}`);
  button.addEventListener('click', () => void decide(button, one, verb));
  return button;
}

const TONES: Record<string, string> = { held: 'bad', received: 'warn' };

function stateBadge(one: Summary): HTMLElement {
  return one.delivered ? badge('delivered', 'good') : badge(one.state, TONES[one.state] ?? '');
}

function showLast(last: Summary[]): void {
  const rows = last.map((one) => [
    what(one),
    text(`${one.customer} · ${one.sourceKind} ${one.sourceName}`),
    text(bytes(one.bytes)),
    text(number.format(one.images)),
    text(time.format(one.receivedAtMs)),
    stateBadge(one),
  ]);
  const empty = make('p', {
    className: 'empty',
    text: 'Nothing has been received yet. Point the PACS at the listener above, drop files into a watched folder, or run: bin/lethe send HOST PORT FILE',
  });
  byId('last').replaceChildren(
    rows.length === 0
      ? empty
      : table('Last instances', ['Instance', 'Source', 'Size', 'Images', 'Received', 'State'], rows),
  );
}

/** Redrawing under the keyboard would lose its place: a section that has the focus is left until it has moved on. */
function free(id: string): boolean {
  return !byId(id).contains(document.activeElement) || document.activeElement === document.body;
}

async function refresh(): Promise<void> {
  const pulse = byId('pulse');
  try {
    const [status, held, last] = await Promise.all([
      ask<Status>('/status'),
      ask<{ instances: Summary[] }>(`/instances?state=held&limit=${HELD}`),
      ask<{ instances: Summary[] }>(`/instances?limit=${LAST}`),
    ]);
    showFlow(status);
    showSystem(status);
    if (free('destinations')) showDestinations(status);
    if (free('held')) showHeld(held.instances);
    if (free('last')) showLast(last.instances);
    pulse.textContent = `Running, as of ${new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' }).format(Date.now())}`;
    pulse.className = 'pulse';
  } catch {
    pulse.textContent = 'The gateway does not answer. What is shown may be old.';
    pulse.className = 'pulse bad';
  }
}

async function poll(): Promise<void> {
  if (!document.hidden) await refresh();
  setTimeout(() => void poll(), POLL_MS);
}

document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void refresh();
});
void poll();
