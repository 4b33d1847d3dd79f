/**
 * The gateway as a whole: opens spool and store, recovers, starts listeners and loops, and stops them in the reverse
 * order. It decides nothing about an instance; the stages do. Its public face for the console is `admin-face.ts`.
 */
import { createPublicKey } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { type LoadedConfiguration, sizeBytes } from '../config/load.ts';
import type { Configuration, DestinationConfiguration } from '../config/schema.ts';
import { PEM_BYTES_MAX, readTextFile } from '../core/bounded-file.ts';
import { type Clock, steadyClock, systemClock, systemRandom } from '../core/clock.ts';
import { LetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { SCRATCH_BYTES_MAX } from '../core/scratch.ts';
import { VERSION } from '../core/version.ts';
import { envelopeKey } from '../deid/enveloped-data.ts';
import { compileProfile } from '../deid/profile.ts';
import { CommitmentReporter } from '../dimse/commitment-reporter.ts';
import { StorageScp } from '../dimse/storage-scp.ts';
import { flushFolder } from '../queue/disk.ts';
import { LocalReviews } from '../queue/local-review.ts';
import { LocalSpool } from '../queue/local-spool.ts';
import { SqliteStore } from '../queue/sqlite-store.ts';
import type { GatewayAdmin } from './admin.ts';
import { AdminFace } from './admin-face.ts';
import { commitmentLedger, reportAddresses } from './commitment-ledger.ts';
import { deliverableOf } from './deliverable.ts';
import { destinationOf, dispatchOptionsOf, objectWanted, renderingOf, takerOf } from './destinations.ts';
import { type DispatchDeps, Dispatcher } from './dispatch.ts';
import { FlowObserver } from './flow-observer.ts';
import { FolderSource } from './folder-source.ts';
import { History, type HistoryDeps } from './history.ts';
import { compileRules } from './inspect.ts';
import { defaultKeyPath, loadOrMakeKey, loadOrMakeStudiesKey } from './keys.ts';
import { listenerEvents } from './listener-events.ts';
import { lookInto } from './look.ts';
import { Metrics } from './metrics.ts';
import { PrepareLoop } from './prepare.ts';
import type { ProcessJob, ProcessOutcome } from './process-job.ts';
import type { ProcessWorkerData } from './process-worker.ts';
import { profilePath, profileText } from './profile-text.ts';
import { Receiver } from './receive.ts';
import { type Recovery, recover } from './recover.ts';
import { Remake, type RemakeDeps } from './remake.ts';
import { Retention } from './retention.ts';
import { rulesOf } from './rules.ts';
import { scpOptions } from './scp-options.ts';
import { SiteAudit } from './site-audit.ts';
import { storageHandler } from './storage-handler.ts';
import { OtlpTracer } from './traces.ts';
import { WorkerPool } from './worker-pool.ts';

export interface GatewayOptions {
  readonly loaded: LoadedConfiguration;
  /** Where the configuration names none: the caller decides (the reference backend that it started). */
  readonly destinations: readonly DestinationConfiguration[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
}

const WORKER_HEAP_MEGABYTES = 512; // outside of pixel buffers, which are not on the heap
const RETENTION_POLL_MS = 2000;
const HISTORY_POLL_MS = 10_000;
const DAY_MS = 86_400_000;
const STOP_GRACE_MS = 20_000; // of the 30 s that a service manager grants

export class Gateway {
  readonly #parts: Parts;
  readonly #scp: StorageScp | undefined;
  readonly admin: GatewayAdmin;
  readonly recovery: Recovery;

  private constructor(parts: Parts, scp: StorageScp | undefined, admin: GatewayAdmin, recovery: Recovery) {
    this.#parts = parts;
    this.#scp = scp;
    this.admin = admin;
    this.recovery = recovery;
  }

  /** Takes custody from the moment it resolves. @throws CONFIG_*, DEID_KEY_*, STORE_*, SPOOL_IO */
  static async start(options: GatewayOptions): Promise<Gateway> {
    const { configuration } = options.loaded;
    options.logger.log('info', 'gateway.starting', { version: VERSION, node: process.versions.node });
    const parts = await openParts(options);
    const recovery = await recover({
      ...parts,
      logger: options.logger,
      idempotent: (name) => parts.dispatchers.get(name)?.destination.idempotent ?? false,
      wantsObject: objectWanted(configuration.destinations),
      otherContent: configuration.dicom.duplicates === 'keep' ? 'keep' : 'hold',
    });
    for (const part of [parts.prepare, parts.retention, parts.history, ...parts.dispatchers.values()]) part.start();
    for (const folder of parts.folders) await folder.start();
    const scp = configuration.dicom.enabled ? await listen(options, parts, options.logger) : undefined;
    await parts.commitment?.start();
    await parts.audit.start();
    parts.tracer?.start();
    const admin = new AdminFace({
      store: parts.store,
      spool: parts.spool,
      reviews: new LocalReviews(configuration.dataDir),
      receiver: parts.receiver,
      metrics: parts.metrics,
      clock: systemClock,
      dispatchers: parts.dispatchers,
      host: configuration.dicom.host,
      scp: () => scp,
      wake: () => parts.prepare.wake(),
      look: lookInto({ dataDir: configuration.dataDir, logger: options.logger }),
      explainWith: {
        profile: parts.profile,
        profiles: pickedProfiles(options),
        key: parts.key,
        generation: generationOf(options.loaded.configuration),
      },
      logger: options.logger,
      tracesDropped: () => parts.tracer?.dropped,
      auditUnsent: () => parts.audit.unsent(),
    });
    parts.observe = () => admin.observe();
    options.logger.log('info', 'gateway.started', {
      ...(scp === undefined || scp.ports.plain === 0 ? {} : { dicomPort: scp.ports.plain }),
      ...(scp?.ports.tls === undefined ? {} : { tlsPort: scp.ports.tls }),
    });
    return new Gateway(parts, scp, admin, recovery);
  }

  get ports(): { readonly dicom: number | undefined; readonly tls: number | undefined } {
    const plain = this.#scp?.ports.plain;
    return { dicom: plain === 0 ? undefined : plain, tls: this.#scp?.ports.tls };
  }

  /** Reads certificate and key again; associations that run keep theirs. @throws CONFIG_UNREADABLE */
  reloadCertificates(): void {
    this.#scp?.reloadTls(systemClock.nowMs());
  }

  /** Stops accepting, finishes or parks what is in hand, closes. Within 30 s. */
  async stop(reason: string): Promise<void> {
    const { parts, logger } = { parts: this.#parts, logger: this.#parts.logger };
    logger.log('info', 'gateway.stopping', { reason });
    await Promise.all([this.#scp?.close(STOP_GRACE_MS / 4), ...parts.folders.map((folder) => folder.stop())]);
    await parts.commitment?.stop();
    const prepared = parts.prepare.stop();
    const patience = setTimeout(() => void parts.pool.close(), STOP_GRACE_MS / 4);
    await prepared;
    clearTimeout(patience);
    await Promise.all([...parts.dispatchers.values()].map((dispatcher) => dispatcher.stop(STOP_GRACE_MS / 2)));
    await Promise.all([parts.retention.stop(), parts.history.stop()]);
    await parts.pool.close();
    const { received, deliveries } = await parts.store.counts();
    const owed = Object.values(deliveries).reduce(
      (sum, states) => sum + states.queued + states.deferred + states.claimed + states.inflight,
      0,
    );
    await parts.tracer?.stop();
    await parts.audit.stop(reason);
    await parts.store.close();
    await parts.spool.close();
    logger.log('info', 'gateway.stopped', { parked: received + owed });
  }
}

interface Parts {
  readonly logger: Logger;
  readonly spool: LocalSpool;
  readonly store: SqliteStore;
  readonly receiver: Receiver;
  readonly pool: WorkerPool<ProcessJob, ProcessOutcome>;
  readonly prepare: PrepareLoop;
  readonly retention: Retention;
  readonly history: History;
  readonly dispatchers: ReadonlyMap<string, Dispatcher>;
  readonly folders: readonly FolderSource[];
  readonly metrics: Metrics;
  readonly observer: FlowObserver;
  readonly tracer: OtlpTracer | undefined;
  readonly audit: SiteAudit;
  readonly commitment: CommitmentReporter | undefined;
  readonly profile: string;
  readonly key: Uint8Array;
  observe: () => ReturnType<AdminFace['observe']>;
}

async function openParts(options: GatewayOptions): Promise<Parts> {
  const { logger } = options;
  const { configuration } = options.loaded;
  const { dataDir } = configuration;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const spool = await LocalSpool.open(
    { dataDir, minFreeDiskBytes: sizeBytes(configuration.limits.minFreeDiskBytes) },
    { clock: systemClock, random: systemRandom },
  );
  const schedule = steadyClock(systemClock);
  const store = new SqliteStore(join(dataDir, 'lethe.db'), systemClock, schedule);
  const keys = await openKeys(options, store);
  await flushFolder(dataDir); // the names of the database and of the key's folder
  const profile = profileText(configuration.deidentification.profile, options.loaded.baseDir);
  const pool = openPool(options, {
    dataDir,
    ...keys,
    profile,
    profiles: pickedProfiles(options),
    logger,
    crosswalkPublicKey: publicKeyOf(options.loaded),
  });
  const metrics = new Metrics(() => parts.observe());
  const tracer = openTracer(configuration, logger);
  const observer = new FlowObserver(metrics, tracer, systemClock);
  const audit = new SiteAudit(
    { ...options.loaded, destinations: options.destinations },
    { store, clock: systemClock, logger },
  );
  const onUnprepared: RemakeDeps['onUnprepared'] = (id, output) => {
    retention.supersede(id, [output]);
    prepare.wake();
  };
  const remake = new Remake({ store, logger, onUnprepared });
  const dispatchers = openDispatchers(options, { spool, store, observer, schedule, audit, remake });
  const prepare = openPrepare({ store, pool, logger, dispatchers, observer, spool }, () => retention);
  const receiver = openReceiver(configuration, { spool, store, logger, observer, prepare });
  const retention = openRetention(configuration, { store, spool, clock: schedule, logger });
  const folders = openFolders(configuration, { receiver, clock: systemClock, logger });
  const commitment = openCommitment(configuration, store, logger);
  const parts: Parts = {
    commitment,
    ...{
      logger,
      spool,
      store,
      receiver,
      pool,
      prepare,
      retention,
      history: openHistory(configuration, { store, clock: schedule, logger, auditUnsent: () => audit.unsent() }),
      dispatchers,
      folders,
      metrics,
      observer,
      tracer,
      audit,
      profile,
      key: keys.key,
    },
    observe: () => Promise.reject(new Error('not started')),
  };
  return parts;
}

function openTracer({ telemetry }: Configuration, logger: Logger): OtlpTracer | undefined {
  if (telemetry.otlp === undefined) return undefined;
  const { url, headers } = telemetry.otlp;
  const options = { url, ...(headers === undefined ? {} : { headers }) };
  return new OtlpTracer(options, { clock: systemClock, random: systemRandom, logger });
}

function openRetention(
  { retention }: Configuration,
  deps: { store: SqliteStore; spool: LocalSpool; clock: Clock; logger: Logger },
): Retention {
  const receivedMs = retention.receivedMinutes * 60_000;
  const preparedMs = retention.preparedMinutes * 60_000;
  return new Retention({ receivedMs, preparedMs, pollMs: RETENTION_POLL_MS }, deps);
}

function openHistory({ dataDir, retention, dicom }: Configuration, deps: HistoryDeps): History {
  const options = {
    dataDir,
    knownMs: retention.historyDays * DAY_MS,
    knownMsMin: dicom.commitment === 'off' ? 0 : (dicom.commitmentHours / 24) * DAY_MS,
    instancesMax: retention.historyInstances,
    linesMs: retention.ledgerDays * DAY_MS,
    pollMs: HISTORY_POLL_MS,
  };
  return new History(options, deps);
}

function openFolders(
  { folders }: Configuration,
  deps: { receiver: Receiver; clock: Clock; logger: Logger },
): FolderSource[] {
  return folders.map(({ path, customer, pollSeconds, stableSeconds }) => {
    const options = { path, customer, pollMs: pollSeconds * 1000, stableMs: stableSeconds * 1000 };
    return new FolderSource(options, deps);
  });
}

function openPrepare(
  parts: Pick<Parts, 'store' | 'pool' | 'logger' | 'dispatchers' | 'observer' | 'spool'>,
  retention: () => Retention,
): PrepareLoop {
  const { store, pool, logger, dispatchers, observer, spool } = parts;
  return new PrepareLoop({
    store,
    pool,
    clock: systemClock,
    logger,
    onPrepared: (names) => {
      for (const name of names) dispatchers.get(name)?.wake();
    },
    onOutcome: (id, outcome, ms) => observer.processed(id, outcome, ms),
    onPreparedAnew: (id, outputs) => retention().supersede(id, outputs),
    erasePrepared: (outcome) => spool.erasePrepared(outcome.output.location),
  });
}

function openReceiver(
  configuration: Configuration,
  parts: Pick<Parts, 'spool' | 'store' | 'logger' | 'observer' | 'prepare'>,
): Receiver {
  return new Receiver(
    {
      duplicates: configuration.dicom.duplicates,
      instanceBytesMax: sizeBytes(configuration.limits.maxInstanceBytes),
      onAccepted: (record, bytes) => {
        parts.observer.received(record, bytes);
        parts.prepare.wake();
      },
    },
    { spool: parts.spool, store: parts.store, logger: parts.logger, clock: systemClock, random: systemRandom },
  );
}

async function holdsData(store: SqliteStore): Promise<boolean> {
  const { received, prepared, held, discarded } = await store.counts();
  return received + prepared + held + discarded > 0;
}

async function openKeys(
  { loaded, logger }: GatewayOptions,
  store: SqliteStore,
): Promise<{ key: Uint8Array; studiesKey: Uint8Array }> {
  const { dataDir, deidentification } = loaded.configuration;
  const dataExist = await holdsData(store);
  const path = deidentification.key?.file ?? defaultKeyPath(dataDir);
  const { key } = loadOrMakeKey({ path, dataExist, random: systemRandom });
  const studies = loadOrMakeStudiesKey({ dataDir, dataExist }, { random: systemRandom, logger });
  if (studies.anew) await store.note('studies.anew', 'DEID_STUDIES_KEY_MISSING');
  return { key, studiesKey: studies.key };
}

function generationOf({ deidentification }: Configuration): number {
  return deidentification.key?.generation ?? 1;
}

/** By name; compiled here once, so that a mistake stops the start. @throws DEID_PROFILE_INVALID */
function pickedProfiles({ loaded, destinations }: GatewayOptions): Readonly<Record<string, string>> {
  const { configuration, baseDir } = loaded;
  const pickers = [...configuration.dicom.aeTitles, ...configuration.rules, ...destinations];
  const names = new Set(pickers.flatMap(({ profile }) => profile ?? []));
  const texts = Object.fromEntries([...names].map((name) => [name, profileText(name, baseDir)]));
  const { profile, crosswalk } = configuration.deidentification;
  for (const [written, text] of [[profile, profileText(profile, baseDir)] as const, ...Object.entries(texts)]) {
    const path = profilePath(written, baseDir);
    const { name, rules } = compileProfile(text, path);
    if (rules.encrypts && crosswalk === undefined) {
      const problem = 'it encrypts, and deidentification.crosswalk.publicKey is not configured';
      throw new LetheError('DEID_PROFILE_INVALID', { path, profile: name, problem });
    }
  }
  return texts;
}

/** Read and tried at start-up: a key that cannot be used must not show at the first instance. */
function publicKeyOf({ configuration, baseDir }: LoadedConfiguration): string | undefined {
  const { crosswalk } = configuration.deidentification;
  if (crosswalk === undefined) return undefined;
  const path = resolve(baseDir, crosswalk.publicKey);
  const pem = readTextFile(path, PEM_BYTES_MAX);
  try {
    if (crosswalk.form === 'records') createPublicKey(pem);
    else envelopeKey(pem);
    return pem;
  } catch (error) {
    if (error instanceof LetheError) throw error;
    throw new LetheError('CONFIG_UNREADABLE', { path, problem: 'no public key in PEM form' }, { cause: error });
  }
}

function openPool(
  { loaded, destinations }: GatewayOptions,
  given: {
    dataDir: string;
    key: Uint8Array;
    studiesKey: Uint8Array;
    profile: string;
    profiles: Readonly<Record<string, string>>;
    crosswalkPublicKey: string | undefined;
    logger: Logger;
  },
): WorkerPool<ProcessJob, ProcessOutcome> {
  const { configuration } = loaded;
  const { rendering } = configuration;
  const rules = rulesOf(configuration);
  compileRules(rules, loaded.placeOf);
  const workerData: ProcessWorkerData = {
    dataDir: given.dataDir,
    key: given.key,
    keyGeneration: generationOf(configuration),
    studiesKey: given.studiesKey,
    profile: given.profile,
    profiles: given.profiles,
    rules,
    rendering: renderingOf(rendering),
    destinations: destinations.map(takerOf),
    pixels: configuration.deidentification.pixels,
    crosswalkPublicKey: given.crosswalkPublicKey,
    crosswalkForm: configuration.deidentification.crosswalk?.form,
  };
  return new WorkerPool<ProcessJob, ProcessOutcome>({
    isSmall: ({ bytes }) => bytes <= SCRATCH_BYTES_MAX, // what is in memory as a whole, two of them at a time
    size: rendering.workers ?? Math.max(1, availableParallelism() - 1),
    script: new URL(import.meta.url.endsWith('.ts') ? './process-worker.ts' : './process-worker.js', import.meta.url),
    workerData,
    progressTimeoutMs: rendering.frameTimeoutSeconds * 1000,
    heapMegabytes: WORKER_HEAP_MEGABYTES,
    logger: given.logger,
  });
}

/** For the audit repository alone (Begin Transferring DICOM Instances): one flush serves the batch. */
function begunNoter(store: SqliteStore): NonNullable<DispatchDeps['onBegun']> {
  return async (destination, instances) => {
    await Promise.all(instances.map((id) => store.note('delivery.begun', destination, id)));
  };
}

function openDispatchers(
  options: GatewayOptions,
  parts: {
    spool: LocalSpool;
    store: SqliteStore;
    observer: FlowObserver;
    schedule: Clock;
    audit: SiteAudit;
    remake: Remake;
  },
): Map<string, Dispatcher> {
  const { configuration, baseDir } = options.loaded;
  const { batching } = configuration;
  const deps = {
    store: parts.store,
    clock: parts.schedule,
    random: systemRandom,
    logger: options.logger,
    deliverable: deliverableOf(parts.spool),
    onCorrupt: parts.remake.again.bind(parts.remake),
    ...(parts.audit.exports ? { onBegun: begunNoter(parts.store) } : {}),
    onOutcome: parts.observer.sent.bind(parts.observer),
  };
  const context = { baseDir, env: options.env, batching, callingAeTitle: configuration.dicom.aeTitle };
  return new Map(
    options.destinations.map((one) => {
      const destination = destinationOf(one, context);
      return [one.name, new Dispatcher(destination, dispatchOptionsOf(one, configuration), deps)];
    }),
  );
}

function listen(options: GatewayOptions, parts: Parts, logger: Logger): Promise<StorageScp> {
  const { configuration, baseDir } = options.loaded;
  const { limits } = configuration;
  return StorageScp.listen(scpOptions(configuration, { baseDir, env: options.env }), {
    handler: storageHandler(parts.receiver, sizeBytes(limits.maxInstanceBytes)),
    logger,
    events: listenerEvents({ ...parts, clock: systemClock }),
    ...(parts.commitment === undefined ? {} : { commitment: parts.commitment }),
  });
}

function openCommitment({ dicom }: Configuration, store: SqliteStore, logger: Logger): CommitmentReporter | undefined {
  if (!dicom.enabled || dicom.commitment === 'off') return undefined;
  return new CommitmentReporter(
    commitmentLedger(store, dicom.commitment),
    { addresses: reportAddresses(dicom.peers), decideWithinMs: dicom.commitmentHours * 3_600_000 },
    logger,
  );
}
