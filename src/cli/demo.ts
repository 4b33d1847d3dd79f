/**
 * `lethe demo`: a gateway and the reference backend on loopback, the sample studies sent over a real association, and what
 * became of each. Everything lives in a folder of its own that goes when the demo ends.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LoadedConfiguration, parseConfiguration } from '../config/load.ts';
import { bytesSource } from '../core/bytes.ts';
import type { InstanceDetail } from '../gateway/admin.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { makeSampleStudies, type SampleStudy } from '../samples/studies.ts';
import { type Command, EXIT, flag, type Invocation, JSON_OPTION, type Terminal } from './command.ts';
import { createLogger } from './logging.ts';
import { Progress } from './progress.ts';
import { isTaken } from './send.ts';
import { type Running, signalled, startAll } from './serve.ts';
import { storeFiles } from './store-files.ts';
import { bytesText, tableLines } from './table.ts';

export const command: Command = {
  summary: 'Sends sample studies through a gateway to the reference backend and shows what became of them.',
  usage: '[--once]',
  options: {
    once: {
      type: 'boolean',
      help: 'Stop when all is delivered; exit 0 only when the backend accepted every instance.',
    },
    json: JSON_OPTION,
  },
  run,
};

const SETTLE_TIMEOUT_MS = 150_000;
const POLL_MS = 200;
const LIST_MAX = 500;
/** What a reader wants to see first; the console and `lethe explain` show the rest. */
const SHOWN: ReadonlySet<string> = new Set([
  'PatientName',
  'PatientID',
  'PatientBirthDate',
  'PatientAge',
  'AccessionNumber',
  'StudyDate',
  'StudyTime',
  'StudyDescription',
  'InstitutionName',
  'ReferringPhysicianName',
  'OperatorsName',
  'StationName',
  'DeviceSerialNumber',
  'StudyInstanceUID',
  'SOPInstanceUID',
  'PatientTelephoneNumbers',
  'PatientSex',
]);

interface StudyResult {
  readonly study: string;
  readonly sent: number;
  readonly received: number;
  readonly removed: number;
  readonly images: number;
  readonly accepted: number;
  readonly held: readonly string[];
}

async function run({ options, env, terminal }: Invocation): Promise<number> {
  const dataDir = mkdtempSync(join(tmpdir(), 'lethe-demo-'));
  const stopped = flag(options, 'once') ? undefined : signalled();
  const running = await startAll(demoConfiguration(dataDir), { logger: createLogger('warn', 2), env, backendPort: 0 });
  try {
    const { gateway, http, backend } = running;
    const console_ = `http://127.0.0.1:${http?.port ?? 0}/`;
    const store = `http://127.0.0.1:${backend?.port ?? 0}/`;
    terminal.note(
      `gateway on 127.0.0.1:${gateway.ports.dicom ?? 0} (AE title LETHE), console ${console_}, reference backend ${store}`,
    );
    const studies = await sendAll(gateway, terminal);
    await settled(gateway, terminal);
    const results = await Promise.all(studies.map((study) => resultOf(gateway, study)));
    await show(gateway, results, terminal);
    const complete = results.every(({ sent, accepted }) => sent > 0 && accepted === sent);
    if (stopped !== undefined) await stayUp(running, { console_, store, stopped, terminal });
    else if (!terminal.json)
      terminal.out(
        complete
          ? '\nEvery instance was accepted by the backend.'
          : '\nNot every instance was accepted by the backend.',
      );
    return complete ? EXIT.success : EXIT.failure;
  } finally {
    await running.stop('demo ends');
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function demoConfiguration(dataDir: string): LoadedConfiguration {
  const text = JSON.stringify({
    dataDir,
    dicom: { port: 0 },
    http: { port: 0 },
    batching: { idleSeconds: 0.5 },
    limits: { minFreeDiskBytes: '100MiB' },
    retention: { receivedMinutes: 60 }, // so that the console can show before and after
  });
  return {
    configuration: parseConfiguration(text, 'demo', {}),
    path: undefined,
    baseDir: dataDir,
    placeOf: () => ({}),
  };
}

interface SentStudy {
  readonly title: string;
  /** Each study comes from a calling AE title of its own, so that its instances can be told apart without identifiers. */
  readonly aeTitle: string;
  readonly sent: number;
  readonly received: number;
}

async function sendAll(gateway: Gateway, terminal: Terminal): Promise<SentStudy[]> {
  const sent: SentStudy[] = [];
  for await (const study of makeSampleStudies())
    sent.push(await sendStudy(gateway, study, { aeTitle: `DEMO_${sent.length + 1}`, terminal }));
  return sent;
}

async function sendStudy(
  gateway: Gateway,
  study: SampleStudy,
  as: { aeTitle: string; terminal: Terminal },
): Promise<SentStudy> {
  const bytes = study.files.reduce((sum, file) => sum + file.bytes.length, 0);
  const progress = new Progress(as.terminal, { label: study.title, unit: 'instances', total: study.files.length });
  const items = study.files.map((file) => ({
    name: file.name,
    open: () => ({ ...bytesSource(file.bytes), close: () => undefined }),
  }));
  const peer = {
    host: '127.0.0.1',
    port: gateway.ports.dicom ?? 0,
    callingAeTitle: as.aeTitle,
    calledAeTitle: 'LETHE',
    parallel: 1,
  };
  let received = 0;
  for await (const result of storeFiles(items, peer)) {
    if (isTaken(result)) received++;
    else progress.note(`${result.name}: ${result.error?.message ?? `status ${result.status?.toString(16)}`}`);
    progress.step();
  }
  progress.finish(`sent ${received}/${study.files.length}  ${bytesText(bytes).padStart(8)}  ${study.title}`);
  return { title: study.title, aeTitle: as.aeTitle, sent: study.files.length, received };
}

/** Resolves when nothing is on its way any more, or the patience is over. */
async function settled(gateway: Gateway, terminal: Terminal): Promise<void> {
  const deadline = performance.now() + SETTLE_TIMEOUT_MS;
  const total = (await gateway.admin.list({ limit: LIST_MAX })).length;
  const progress = new Progress(terminal, { label: 'De-identified, rendered and delivered', unit: 'instances', total });
  for (;;) {
    const { counts } = await gateway.admin.status();
    const owed = Object.values(counts.deliveries).reduce(
      (sum, states) => sum + states.queued + states.claimed + states.inflight + states.deferred,
      0,
    );
    progress.update(Math.max(0, total - counts.received - owed));
    if ((counts.received === 0 && owed === 0) || performance.now() > deadline) break;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  progress.finish();
}

async function resultOf(gateway: Gateway, study: SentStudy): Promise<StudyResult> {
  const details = await detailsOf(gateway, study.aeTitle);
  const first = details[0];
  const lines = first === undefined ? [] : ((await gateway.admin.explain(first.id, 'demo')) ?? []);
  const removed = lines.filter(({ before, after }) => before !== after).length;
  const accepted = details.filter(
    ({ deliveries }) => deliveries.length > 0 && deliveries.every(({ state }) => state === 'delivered'),
  ).length;
  const held = details
    .flatMap((one) => [
      one.reason,
      ...one.deliveries.map(({ state, reason }) => (state === 'held' ? reason : undefined)),
    ])
    .filter((reason) => reason !== undefined);
  const images = details.reduce((sum, one) => sum + one.images, 0);
  return {
    study: study.title,
    sent: study.sent,
    received: study.received,
    removed,
    images,
    accepted,
    held: [...new Set(held)],
  };
}

async function detailsOf(gateway: Gateway, aeTitle: string): Promise<InstanceDetail[]> {
  const own = (await gateway.admin.list({ limit: LIST_MAX })).filter(({ sourceName }) => sourceName === aeTitle);
  const details = await Promise.all(own.map(({ id }) => gateway.admin.detail(id)));
  return details.filter((detail) => detail !== undefined);
}

async function show(gateway: Gateway, results: readonly StudyResult[], terminal: Terminal): Promise<void> {
  if (terminal.json) {
    terminal.out(JSON.stringify({ studies: results }));
    return;
  }
  const columns = [
    { head: 'study', cell: (row: StudyResult) => row.study },
    { head: 'sent', cell: (row: StudyResult) => row.sent },
    { head: 'received', cell: (row: StudyResult) => row.received },
    { head: 'elements changed', cell: (row: StudyResult) => row.removed },
    { head: 'images', cell: (row: StudyResult) => row.images },
    { head: 'accepted', cell: (row: StudyResult) => row.accepted },
    { head: 'held', cell: (row: StudyResult) => row.held.join(' ') },
  ];
  terminal.out('');
  for (const line of tableLines(columns, results)) terminal.out(line);
  const [sample] = await detailsOf(gateway, 'DEMO_3');
  const lines = sample === undefined ? [] : ((await gateway.admin.explain(sample.id, 'demo')) ?? []);
  const shown = lines.filter(({ path, keyword }) => SHOWN.has(keyword) && !path.includes('['));
  terminal.out('\nBefore and after, the ultrasound (all names are invented):');
  const parts = [
    { head: 'element', cell: (row: (typeof shown)[number]) => row.keyword },
    { head: 'before', cell: (row: (typeof shown)[number]) => row.before, widthMax: 34 },
    { head: 'action', cell: (row: (typeof shown)[number]) => row.action },
    { head: 'after', cell: (row: (typeof shown)[number]) => row.after ?? '(removed)', widthMax: 44 },
  ];
  for (const line of tableLines(parts, shown)) terminal.out(line);
}

async function stayUp(
  running: Running,
  at: { console_: string; store: string; stopped: Promise<string>; terminal: Terminal },
): Promise<void> {
  at.terminal.note(
    `\nConsole  ${at.console_}\nBackend  ${at.store}\nSend more: bin/lethe send 127.0.0.1 ${running.gateway.ports.dicom ?? 0} FILE...\nCtrl-C stops and removes everything.`,
  );
  await at.stopped;
}
