/**
 * Pulls studies of a list from an archive into a gateway: C-FIND says which studies there are and how many instances each
 * has, C-GET brings them through us, or C-MOVE has the archive send them to the listener. One study after the other, at
 * a pace, in time windows; what failed for a passing reason is tried again. What came is compared with what the archive
 * said there is (0020,1208): less is incomplete, and stays to be done.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../core/clock.ts';
import { type LetheError, toLetheError } from '../core/errors.ts';
import { STORAGE_SOP_CLASSES } from '../dicom/uids.ts';
import { type FoundStudy, STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE } from '../dimse/query-retrieve.ts';
import { QueryScu, type Retrieved } from '../dimse/query-scu.ts';
import type { ProposedContext, StorageScuOptions } from '../dimse/storage-scu.ts';
import type { PullItem, PullRecord } from './pull-list.ts';
import { Relay } from './relay.ts';

export type PeerOptions = Pick<StorageScuOptions, 'host' | 'port' | 'callingAeTitle' | 'calledAeTitle' | 'tls'>;

export interface PullOptions {
  readonly archive: PeerOptions;
  readonly how:
    | { readonly kind: 'get'; readonly gateway: PeerOptions }
    /** AE title under which the archive knows the gateway's listener. */
    | { readonly kind: 'move'; readonly destination: string };
  /** Studies an hour at most; undefined: as fast as it goes. */
  readonly perHour: number | undefined;
  /** Until it may be pulled; 0: now. */
  opensInMs(nowMs: number): number;
  readonly attemptsMax: number;
  readonly retryMs: number;
}

export interface PullDeps {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A study that an item led to. */
export interface PulledStudy {
  readonly studyInstanceUid: string;
  readonly expected: number | undefined;
  readonly received: number;
}

export interface PullResult {
  readonly item: PullItem;
  readonly record: PullRecord;
  readonly studies: readonly PulledStudy[];
}

const EXPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2.1';
const IMPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2';
const UNCOMPRESSED = [EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN] as const;
/** As stored is best: an archive that has to decompress may fail at it. The commonest first. */
export const COMPRESSED = [
  '4.70',
  '4.90',
  '4.91',
  '4.50',
  '4.51',
  '4.80',
  '4.81',
  '5',
  '4.57',
  '4.201',
  '4.202',
  '4.203',
].map((arc) => `1.2.840.10008.1.2.${arc}`);
/** What is proposed for each operation (PS3.4 Annex C), Study Root. */
export const QUERY_RETRIEVE = {
  find: { abstractSyntax: STUDY_ROOT_FIND, transferSyntaxes: UNCOMPRESSED },
  get: { abstractSyntax: STUDY_ROOT_GET, transferSyntaxes: UNCOMPRESSED },
  move: { abstractSyntax: STUDY_ROOT_MOVE, transferSyntaxes: UNCOMPRESSED },
} as const satisfies Record<string, ProposedContext>;
const CONTEXTS_MAX = 127; // of 128, one is for C-GET itself
/** Where the archive does not say which classes a study has, those that nobody uses any more come last. */
const USUAL =
  /^1\.2\.840\.10008\.5\.1\.4\.1\.1\.(1|2|4|20|128|130|3|6|7|11|12|13|66|67|68|77|78|79|88|9|104|481|30|601)(\.|$)/;
const HOUR_MS = 3_600_000;
const WINDOW_LOOK_MS = 60_000;

/** One result an item, in their order. Ends early when `signal` aborts. */
export async function* pull(
  items: readonly PullItem[],
  options: PullOptions,
  deps: PullDeps,
): AsyncGenerator<PullResult> {
  const intervalMs = options.perHour === undefined ? 0 : HOUR_MS / options.perHour;
  let notBeforeMs = 0;
  for (const item of items) {
    if (!(await ready(notBeforeMs, options, deps))) return;
    notBeforeMs = deps.clock.nowMs() + intervalMs;
    const result = await pullItem(item, options, deps);
    if (deps.signal.aborted && result.record.status === 'failed') return;
    yield result;
  }
}

/** Waits for pace and window; false: to be stopped. */
async function ready(notBeforeMs: number, { opensInMs }: PullOptions, { clock, signal }: PullDeps): Promise<boolean> {
  for (;;) {
    const nowMs = clock.nowMs();
    const waitMs = Math.max(notBeforeMs - nowMs, opensInMs(nowMs));
    if (waitMs <= 0 || signal.aborted) return !signal.aborted;
    await sleep(Math.min(waitMs, WINDOW_LOOK_MS), undefined, { signal }).catch(() => undefined);
  }
}

async function pullItem(item: PullItem, options: PullOptions, { signal }: PullDeps): Promise<PullResult> {
  let failure: LetheError | undefined;
  for (let attempt = 1; attempt <= options.attemptsMax && !signal.aborted; attempt++) {
    try {
      const result = await attemptItem(item, options, signal);
      // Less than there should be may be a store that is still being filled, or a gateway out of room: once more.
      if (result.record.status !== 'incomplete' || attempt === options.attemptsMax) return result;
    } catch (error) {
      failure = toLetheError(error);
      if (!isPassing(failure)) break;
    }
    await sleep(options.retryMs * attempt, undefined, { signal }).catch(() => undefined);
  }
  const code = failure?.code ?? 'DIMSE_ASSOCIATION_ABORTED';
  return { item, record: { hash: item.hash, status: 'failed', studies: 0, received: 0, code }, studies: [] };
}

/** Our peer may be busy, away or restarting: everything but a plain no. */
function isPassing({ code, row }: LetheError): boolean {
  return row.disposition === 'retry' || row.disposition === 'ambiguous' || PASSING.has(code);
}

const PASSING: ReadonlySet<string> = new Set([
  'DIMSE_ASSOCIATION_ABORTED',
  'DIMSE_ASSOCIATION_REJECTED',
  'DIMSE_TIMEOUT',
  'DIMSE_QUERY_FAILED',
]);

async function attemptItem(item: PullItem, options: PullOptions, signal: AbortSignal): Promise<PullResult> {
  const found = await withScu({ ...options.archive, contexts: [QUERY_RETRIEVE.find] }, signal, (scu) =>
    scu.find(item.key),
  );
  const studies: PulledStudy[] = [];
  let complete = true;
  for (const study of found) {
    const retrieved = await retrieve(study, options, signal);
    const received = Math.max(retrieved.stored, retrieved.completed + retrieved.warnings);
    const counted = options.how.kind === 'get' ? retrieved.stored : received;
    complete &&= retrieved.failed === 0 && counted >= (study.instances ?? 1);
    studies.push({ studyInstanceUid: study.studyInstanceUid, expected: study.instances, received: counted });
  }
  const status = found.length === 0 ? 'absent' : complete ? 'complete' : 'incomplete';
  const expected = studies.every((study) => study.expected !== undefined) && studies.length > 0;
  return {
    item,
    record: {
      hash: item.hash,
      status,
      studies: studies.length,
      ...(expected ? { expected: studies.reduce((sum, study) => sum + (study.expected ?? 0), 0) } : {}),
      received: studies.reduce((sum, study) => sum + study.received, 0),
    },
    studies,
  };
}

async function retrieve(study: FoundStudy, { archive, how }: PullOptions, signal: AbortSignal): Promise<Retrieved> {
  const { studyInstanceUid } = study;
  if (how.kind === 'move')
    return withScu({ ...archive, contexts: [QUERY_RETRIEVE.move] }, signal, (scu) =>
      scu.move(studyInstanceUid, how.destination),
    );
  const contexts = storageContexts(study.sopClasses);
  const roles = [...new Set(contexts.map(({ abstractSyntax }) => abstractSyntax))].map((sopClassUid) => ({
    sopClassUid,
    scu: false,
    scp: true,
  }));
  const storage = new Relay(how.gateway);
  try {
    const scuOptions = { ...archive, contexts: [QUERY_RETRIEVE.get, ...contexts], roles, storage };
    return await withScu(scuOptions, signal, (scu) => scu.get(studyInstanceUid));
  } finally {
    storage.end();
  }
}

/** For each class one context without compression, and as many for compressed ones as there is room for. */
export function storageContexts(sopClasses: readonly string[]): ProposedContext[] {
  const classes = [...new Set(sopClasses)].slice(0, CONTEXTS_MAX);
  if (classes.length === 0) {
    const known = [...STORAGE_SOP_CLASSES.keys()];
    const ordered = [...known.filter((uid) => USUAL.test(uid)), ...known.filter((uid) => !USUAL.test(uid))];
    const transferSyntaxes = [...UNCOMPRESSED, ...COMPRESSED];
    return ordered.slice(0, CONTEXTS_MAX).map((abstractSyntax) => ({ abstractSyntax, transferSyntaxes }));
  }
  const each = Math.floor(CONTEXTS_MAX / classes.length) - 1;
  return classes.flatMap((abstractSyntax) => [
    { abstractSyntax, transferSyntaxes: UNCOMPRESSED },
    ...COMPRESSED.slice(0, each).map((syntax) => ({ abstractSyntax, transferSyntaxes: [syntax] })),
  ]);
}

async function withScu<Result>(
  options: Parameters<typeof QueryScu.connect>[0],
  signal: AbortSignal,
  work: (scu: QueryScu) => Promise<Result>,
): Promise<Result> {
  const scu = await QueryScu.connect(options);
  const stop = () => scu.abort();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const result = await work(scu);
    await scu.release();
    return result;
  } catch (error) {
    scu.abort();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
