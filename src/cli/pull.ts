/** `lethe pull HOST PORT --list FILE`: studies of a list from an archive into the gateway of a configuration. */
import { appendFileSync, closeSync, existsSync, fsyncSync, openSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type LoadedConfiguration, loadConfiguration } from '../config/load.ts';
import { systemClock } from '../core/clock.ts';
import { LetheError } from '../core/errors.ts';
import { opensInMs, parseTimeWindow } from '../delivery/pace.ts';
import { type PullOptions, type PullResult, pull } from '../gateway/pull.ts';
import { type PullRecord, parsePullList, parsePullRecords } from '../gateway/pull-list.ts';
import { SqliteStore } from '../queue/sqlite-store.ts';
import {
  CONFIG_OPTION,
  type Command,
  EXIT,
  flag,
  type Invocation,
  integerOption,
  JSON_OPTION,
  requiredOption,
  type Terminal,
  textOption,
  UsageError,
} from './command.ts';
import { PEER_OPTIONS, peerAddress } from './peer.ts';
import { Progress } from './progress.ts';

export const command: Command = {
  summary: 'Pulls the studies of a list from an archive (C-FIND with C-GET or C-MOVE) into the gateway.',
  usage: 'HOST PORT --list FILE [--method get|move] [--called AET] [--per-hour N] [--window TIMES] [--config FILE]',
  options: {
    ...PEER_OPTIONS,
    called: { type: 'string', value: 'AET', help: "The archive's AE title (required)." },
    calling: { type: 'string', value: 'AET', help: 'Our AE title (default: dicom.aeTitle of the configuration).' },
    list: { type: 'string', value: 'FILE', help: 'CSV: an accession number or Study Instance UID a line.' },
    by: {
      type: 'string',
      value: 'KIND',
      help: 'What a list without headers holds: accession or study (default: by its looks).',
    },
    method: {
      type: 'string',
      value: 'get|move',
      help: 'get (default): through this program; move: the archive sends by itself.',
    },
    'move-to': {
      type: 'string',
      value: 'AET',
      help: 'Of move: the AE title the archive knows the gateway by (default: dicom.aeTitle).',
    },
    source: {
      type: 'string',
      value: 'AET',
      help: "Of get: calling AE title towards the gateway (default: the archive's).",
    },
    'per-hour': { type: 'string', value: 'N', help: 'Studies an hour at most.' },
    window: {
      type: 'string',
      value: 'TIMES',
      help: 'When to pull, e.g. "mon-fri 20:00-06:00"; outside of it the program waits.',
    },
    attempts: { type: 'string', value: 'N', help: 'Tries of a study (default 3).' },
    state: {
      type: 'string',
      value: 'FILE',
      help: 'Where it is recorded what is done (default: FILE.pulled.jsonl beside the list).',
    },
    restart: { type: 'boolean', help: 'Pull what is recorded as complete once more.' },
    progress: { type: 'boolean', help: 'Show a progress bar (the default on a terminal).' },
    config: CONFIG_OPTION,
    json: JSON_OPTION,
  },
  details: `The gateway must run; its address is taken from the configuration. Started again with the same list, it goes on where
it was. The list may have headers (AccessionNumber, StudyInstanceUID). A study is complete when as many instances came as the
archive says it has, and, where the gateway's store is at hand, when they are in its ledger. Lines are named by their number;
no value of the list is printed or recorded. Exits 0 when every study of the list is complete.`,
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const { options, cwd, env, terminal } = invocation;
  const loaded = loadConfiguration({ path: textOption(options, 'config'), cwd, env });
  const listPath = resolve(cwd, requiredOption(options, 'list'));
  const items = parsePullList(readList(listPath), kindOf(textOption(options, 'by')));
  const statePath = resolve(cwd, textOption(options, 'state') ?? `${listPath}.pulled.jsonl`);
  const known =
    existsSync(statePath) && !flag(options, 'restart') ? parsePullRecords(readFileSync(statePath, 'utf8')) : new Map();
  const todo = items.filter(({ hash }) => known.get(hash)?.status !== 'complete');
  const interactive = (terminal.interactive && !terminal.json) || flag(options, 'progress');
  const progress = new Progress(
    { ...terminal, interactive },
    { label: 'Pulling', unit: 'studies', total: items.length },
  );
  progress.update(items.length - todo.length);
  const results: PullResult[] = [];
  for await (const result of pull(todo, pullOptions(invocation, loaded), {
    clock: systemClock,
    signal: stopSignal(),
  })) {
    results.push(result);
    record(statePath, result.record);
    progress.step();
    report(result, terminal);
  }
  progress.finish();
  const short = await notInLedger(results, loaded);
  for (const result of short) {
    record(statePath, { ...result.record, status: 'incomplete' });
    report({ ...result, record: { ...result.record, status: 'incomplete', code: 'not in the ledger' } }, terminal);
  }
  const complete = results.filter((result) => result.record.status === 'complete' && !short.includes(result)).length;
  const done = items.length - todo.length + complete;
  if (!terminal.json)
    terminal.out(`${done} of ${items.length} complete${done < items.length ? '; start it again for the rest' : ''}`);
  return done === items.length ? EXIT.success : EXIT.failure;
}

function readList(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new LetheError('CONFIG_UNREADABLE', { path }, { cause: error });
  }
}

function kindOf(by: string | undefined): 'accession' | 'study' | undefined {
  if (by === undefined || by === 'accession' || by === 'study') return by;
  throw new UsageError('--by takes accession or study');
}

function pullOptions(invocation: Invocation, { configuration }: LoadedConfiguration): PullOptions {
  const { options } = invocation;
  const { dicom } = configuration;
  const called = requiredOption(options, 'called');
  const archive = {
    ...peerAddress(invocation),
    calledAeTitle: called,
    callingAeTitle: textOption(options, 'calling') ?? dicom.aeTitle,
  };
  const method = textOption(options, 'method') ?? 'get';
  if (method !== 'get' && method !== 'move') throw new UsageError('--method takes get or move');
  const host = dicom.host === '0.0.0.0' || dicom.host === '::' ? '127.0.0.1' : dicom.host;
  const source = textOption(options, 'source') ?? called;
  const gateway = { host, port: dicom.port, callingAeTitle: source, calledAeTitle: dicom.aeTitle };
  const perHour = integerOption(options, 'per-hour', { minimum: 0, maximum: 100_000, fallback: 0 });
  const window = textOption(options, 'window');
  const windows = window === undefined ? [] : [parseTimeWindow(window)];
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return {
    archive,
    how:
      method === 'get'
        ? { kind: 'get', gateway }
        : { kind: 'move', destination: textOption(options, 'move-to') ?? dicom.aeTitle },
    perHour: perHour === 0 ? undefined : perHour,
    opensInMs: (nowMs) => opensInMs(windows, nowMs, zone),
    attemptsMax: integerOption(options, 'attempts', { minimum: 1, maximum: 100, fallback: ATTEMPTS }),
    retryMs: RETRY_MS,
  };
}

const ATTEMPTS = 3;
const RETRY_MS = 2000;

/** The first signal ends the study in hand, which is pulled again next time; the second ends the program as usual. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
  return controller.signal;
}

/** Flushed: what is recorded as complete is not pulled again. */
function record(path: string, line: PullRecord): void {
  const file = openSync(path, 'a', 0o600);
  try {
    appendFileSync(file, `${JSON.stringify(line)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Those that the archive says are complete and of which the gateway's ledger has less; none where there is no store. */
async function notInLedger(
  results: readonly PullResult[],
  { configuration }: LoadedConfiguration,
): Promise<PullResult[]> {
  const path = join(configuration.dataDir, 'lethe.db');
  const complete = results.filter(({ record: { status } }) => status === 'complete');
  if (complete.length === 0 || !existsSync(path)) return [];
  const store = new SqliteStore(path, systemClock);
  try {
    const received = new Map<string, number>();
    for (const line of await store.ledger({ limit: Number.MAX_SAFE_INTEGER }))
      if (line.studyInstanceUid !== undefined)
        received.set(line.studyInstanceUid, (received.get(line.studyInstanceUid) ?? 0) + line.received);
    return complete.filter(({ studies }) =>
      studies.some(({ studyInstanceUid, expected }) => (received.get(studyInstanceUid) ?? 0) < (expected ?? 1)),
    );
  } finally {
    await store.close();
  }
}

function report({ item, record: { status, studies, expected, received, code } }: PullResult, terminal: Terminal): void {
  if (terminal.json) {
    terminal.out(JSON.stringify({ line: item.line, status, studies, expected, received, code }));
    return;
  }
  if (status === 'complete') return;
  const counts = `${received} of ${expected ?? 'an unknown number of'} instances`;
  terminal.note(
    `line ${item.line}: ${status}${status === 'incomplete' ? `, ${counts}` : ''}${code === undefined ? '' : ` (${code})`}`,
  );
}
