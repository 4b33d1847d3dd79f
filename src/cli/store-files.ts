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

/** Sends in groups of what fits into one association, `parallel` associations at once. Results come as they are. */
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
  const queue = groupsOf(prepared);
  const results: SendResult[] = [];
  const lanes = Array.from({ length: Math.min(options.parallel, Math.max(1, prepared.length)) }, () => queue);
  let wake = Promise.withResolvers<void>();
  let open = lanes.length;
  const done = lanes.map(async () => {
    for (let group = queue.shift(); group !== undefined; group = queue.shift()) {
      for await (const result of storeGroup(group, options)) {
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

/** Neighbours whose SOP classes and transfer syntaxes fit into the contexts of one association. */
function groupsOf(prepared: readonly Prepared[]): Prepared[][] {
  const groups: Prepared[][] = [];
  let keys = new Set<string>();
  for (const one of prepared) {
    const key = `${one.sopClassUid} ${one.transferSyntaxUid}`;
    if (groups.length === 0 || (!keys.has(key) && keys.size >= CONTEXTS_MAX)) {
      groups.push([]);
      keys = new Set();
    }
    keys.add(key);
    groups.at(-1)?.push(one);
  }
  return groups;
}

async function* storeGroup(
  group: readonly Prepared[],
  { patience = PATIENCE, ...options }: SendOptions,
): AsyncGenerator<SendResult> {
  const contexts = new Map<string, ProposedContext>();
  for (const { sopClassUid, transferSyntaxUid } of group)
    contexts.set(`${sopClassUid} ${transferSyntaxUid}`, {
      abstractSyntax: sopClassUid,
      transferSyntaxes: [transferSyntaxUid],
    });
  let scu: StorageScu | undefined;
  for (const one of group) {
    try {
      scu ??= await connectPatiently({ ...options, contexts: [...contexts.values()] }, patience);
      yield await storeOne(scu, one);
    } catch (error) {
      const known = toLetheError(error);
      if (known.code !== 'DIMSE_NO_CONTEXT') scu = undefined; // the association is gone: the next file tries anew
      yield {
        name: one.item.name,
        sopInstanceUid: one.sopInstanceUid,
        status: undefined,
        errorComment: undefined,
        error: known,
        bytes: 0,
      };
    }
  }
  await scu?.release();
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
