/**
 * Sends Part 10 files over associations of our own SCU: files are read a head first (for the contexts to propose), then
 * streamed. Used by `send` and `demo`. A file that is no DICOM, or that the peer accepts no context for, fails alone.
 */
import type { ByteSource } from '../core/bytes.ts';
import { systemRandom } from '../core/clock.ts';
import { type LetheError, toLetheError } from '../core/errors.ts';
import { readDataSet } from '../dicom/data-set-reader.ts';
import { openPart10, readFileMeta } from '../dicom/part10.ts';
import { connectPatiently, type Patience } from '../dimse/patient-connect.ts';
import type { ProposedContext, StorageScu, StorageScuOptions } from '../dimse/storage-scu.ts';
import { fileSource } from './file-source.ts';

export interface SendItem {
  readonly name: string;
  open(): ByteSource & { close(): void };
}

export interface SendResult {
  readonly name: string;
  readonly sopInstanceUid: string | undefined;
  /** DIMSE status; undefined where it was not sent. */
  readonly status: number | undefined;
  readonly errorComment: string | undefined;
  readonly error: LetheError | undefined;
  readonly bytes: number;
}

interface Prepared {
  readonly item: SendItem;
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly transferSyntaxUid: string;
}

const CHUNK_BYTES = 256 * 1024;
const CONTEXTS_MAX = 120;
/** A receiver that is full for now is asked again for about a quarter of a minute. */
const PATIENCE: Patience = { random: systemRandom, attemptsMax: 6, firstDelayMs: 500, delayMsMax: 8000 };
const SOP_CLASS_UID = 0x00080016;
const SOP_INSTANCE_UID = 0x00080018;

export interface SendOptions extends Omit<StorageScuOptions, 'contexts'> {
  /** With a receiver that is full for now; about a quarter of a minute when left out. */
  readonly patience?: Patience;
}

export function fileItem(path: string, name: string): SendItem {
  return { name, open: () => fileSource(path) };
}

/**
 * Sends in groups of what fits into one association, `parallel` associations at once, each with up to `operationsInvoked`
 * requests in progress (1 when left out) where the peer grants it. Results come as they are.
 */
export async function* storeFiles(
  items: readonly SendItem[],
  options: SendOptions & { parallel: number },
): AsyncGenerator<SendResult> {
  const prepared: Prepared[] = [];
  for (const item of items) {
    const found = prepare(item);
    if ('error' in found) yield found;
    else prepared.push(found);
  }
  const queue = groupsOf(prepared, Math.ceil(prepared.length / options.parallel));
  const results: SendResult[] = [];
  const lanes = Array.from({ length: Math.min(options.parallel, Math.max(1, prepared.length)) }, () => queue);
  let wake = Promise.withResolvers<void>();
  let open = lanes.length;
  const done = lanes.map(async () => {
    for (let group = queue.shift(); group !== undefined; group = queue.shift()) {
      for await (const result of new GroupSender(group, options).results()) {
        results.push(result);
        wake.resolve();
      }
    }
    open--;
    wake.resolve();
  });
  while (open > 0 || results.length > 0) {
    for (let result = results.shift(); result !== undefined; result = results.shift()) yield result;
    if (open === 0) break;
    await wake.promise;
    wake = Promise.withResolvers<void>();
  }
  await Promise.all(done);
  yield* results;
}

function prepare(item: SendItem): Prepared | SendResult {
  let source: (ByteSource & { close(): void }) | undefined;
  try {
    source = item.open();
    const { fileMeta, transferSyntaxUid } = readFileMeta(source);
    const open = openPart10(source);
    const dataSet = readDataSet(open.source, { ...open.encoding, offset: open.dataSetOffset, stopAtPixelData: true });
    const sopClassUid = dataSet.string(SOP_CLASS_UID) ?? fileMeta.string(0x00020002) ?? '';
    const sopInstanceUid = dataSet.string(SOP_INSTANCE_UID) ?? fileMeta.string(0x00020003) ?? '';
    return { item, sopClassUid, sopInstanceUid, transferSyntaxUid };
  } catch (error) {
    return {
      name: item.name,
      sopInstanceUid: undefined,
      status: undefined,
      errorComment: undefined,
      error: toLetheError(error),
      bytes: 0,
    };
  } finally {
    source?.close();
  }
}

/** Neighbours whose SOP classes and transfer syntaxes fit into the contexts of one association, `filesMax` at most. */
function groupsOf(prepared: readonly Prepared[], filesMax: number): Prepared[][] {
  const groups: Prepared[][] = [];
  let keys = new Set<string>();
  for (const one of prepared) {
    const key = `${one.sopClassUid} ${one.transferSyntaxUid}`;
    const length = groups.at(-1)?.length ?? filesMax;
    if (length >= filesMax || (!keys.has(key) && keys.size >= CONTEXTS_MAX)) {
      groups.push([]);
      keys = new Set();
    }
    keys.add(key);
    groups.at(-1)?.push(one);
  }
  return groups;
}

interface Sent {
  readonly one: Prepared;
  /** Never rejects. */
  readonly result: Promise<SendResult>;
}

/**
 * Sends what fits into one association, as many requests in progress as the peer grants; results come in the order of the
 * files. Where an association ends with several unanswered, nobody knows which of them it could not bear: they are sent
 * again one at a time, so that this one fails alone.
 */
class GroupSender {
  readonly #options: StorageScuOptions;
  readonly #patience: Patience;
  readonly #waiting: Prepared[];
  #sent: Sent[] = [];
  /** So many of those that wait go one at a time. */
  #alone = 0;
  #scu: StorageScu | undefined;

  constructor(group: readonly Prepared[], { patience = PATIENCE, ...options }: SendOptions) {
    this.#options = { ...options, contexts: contextsOf(group) };
    this.#patience = patience;
    this.#waiting = [...group];
  }

  async *results(): AsyncGenerator<SendResult> {
    for (;;) {
      await this.#fill();
      const first = this.#sent.shift();
      if (first === undefined) break;
      yield* await this.#settle(first);
    }
    await this.#scu?.release();
  }

  async #fill(): Promise<void> {
    const next = this.#waiting[0];
    if (next === undefined) return;
    if (this.#sent.length === 0 && this.#scu?.usable !== true) {
      this.#scu = undefined;
      try {
        this.#scu = await connectPatiently(this.#options, this.#patience);
      } catch (error) {
        this.#waiting.shift();
        this.#sent.push({ one: next, result: Promise.resolve(failed(next, error)) });
        return;
      }
    }
    const scu = this.#scu;
    if (scu === undefined) return;
    const room = (this.#alone > 0 ? 1 : scu.window) - this.#sent.length;
    for (const one of this.#waiting.splice(0, Math.max(0, room)))
      this.#sent.push({ one, result: storeOne(scu, one).catch((error: unknown) => failed(one, error)) });
  }

  async #settle({ one, result }: Sent): Promise<SendResult[]> {
    const own = await result;
    this.#alone = Math.max(0, this.#alone - 1);
    if (own.error === undefined || this.#scu?.usable !== false) return [own];
    const others = this.#sent;
    this.#sent = [];
    const results = await Promise.all(others.map((other) => other.result));
    const again = others.filter((_other, index) => results[index]?.error !== undefined);
    if (again.length === 0) return [own, ...results];
    this.#waiting.unshift(one, ...again.map((other) => other.one));
    this.#alone = again.length + 1;
    return results.filter(({ error }) => error === undefined);
  }
}

function contextsOf(group: readonly Prepared[]): ProposedContext[] {
  const contexts = new Map<string, ProposedContext>();
  for (const { sopClassUid, transferSyntaxUid } of group)
    contexts.set(`${sopClassUid} ${transferSyntaxUid}`, {
      abstractSyntax: sopClassUid,
      transferSyntaxes: [transferSyntaxUid],
    });
  return [...contexts.values()];
}

function failed({ item, sopInstanceUid }: Prepared, error: unknown): SendResult {
  return {
    name: item.name,
    sopInstanceUid,
    status: undefined,
    errorComment: undefined,
    error: toLetheError(error),
    bytes: 0,
  };
}

async function storeOne(
  scu: StorageScu,
  { item, sopClassUid, sopInstanceUid, transferSyntaxUid }: Prepared,
): Promise<SendResult> {
  const source = item.open();
  try {
    const { dataSetOffset } = readFileMeta(source);
    const dataSet = chunksOf(source, dataSetOffset);
    const { status, errorComment } = await scu.store({ sopClassUid, sopInstanceUid, transferSyntaxUid, dataSet });
    return { name: item.name, sopInstanceUid, status, errorComment, error: undefined, bytes: source.size };
  } finally {
    source.close();
  }
}

function* chunksOf(source: ByteSource, from: number): Generator<Uint8Array> {
  for (let position = from; position < source.size; position += CHUNK_BYTES)
    yield source.read(position, CHUNK_BYTES).slice();
}
