/**
 * Destination type `folder`: `<path>/<study>/<series>/<instance>.dcm`, the rendered images beside it by their own UID.
 * Each file is written under a temporary name, flushed, and renamed into place; the folder is flushed before the
 * receipt. Idempotent: the same instance replaces itself.
 *
 * The folder is made when the destination is opened and never later: a network share that is gone must not be replaced
 * by a folder of the same name on the local disk.
 *
 * API: `folderDestination(name, { path, contents? }) -> Destination`. @throws (creation) CONFIG_UNREADABLE
 */
import { constants, mkdirSync } from 'node:fs';
import { access, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ByteSource } from '../../core/bytes.ts';
import { type ErrorCode, LetheError } from '../../core/errors.ts';
import type { DeliverableInstance, DeliveryOutcome, Destination } from '../destination.ts';
import { type Contents, filesOf } from '../files.ts';
import { type FailedOutcome, outcomeOfError } from '../http-failure.ts';
import { Pacer } from '../pacer.ts';

export interface FolderOptions {
  readonly path: string;
  /** What is written of each instance; default `all`. */
  readonly contents?: Contents;
  readonly bytesPerSecond?: number;
}

const SLICE_BYTES = 1024 * 1024;
/** What our own temporary files are called; nobody else may rely on them. */
const TEMPORARY = '.lethe-';

/** Where the other side has room or is in reach again, the same may succeed. */
const ERRNO_CODES: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'DELIVERY_BUSY',
  EDQUOT: 'DELIVERY_BUSY',
  EMFILE: 'DELIVERY_BUSY',
  ENFILE: 'DELIVERY_BUSY',
};

export function folderDestination(name: string, options: FolderOptions): Destination {
  try {
    mkdirSync(options.path, { recursive: true });
  } catch (cause) {
    throw new LetheError('CONFIG_UNREADABLE', { what: 'the path of a folder destination' }, { cause });
  }
  return new Folder(name, options);
}

class Folder implements Destination {
  readonly name: string;
  readonly type = 'folder';
  readonly idempotent = true;
  readonly #path: string;
  readonly #contents: Contents;
  readonly #pacer: Pacer | undefined;

  constructor(name: string, { path, contents, bytesPerSecond }: FolderOptions) {
    this.name = name;
    this.#path = path;
    this.#contents = contents ?? 'all';
    this.#pacer = bytesPerSecond === undefined ? undefined : new Pacer(bytesPerSecond);
  }

  async deliver(batch: readonly DeliverableInstance[], signal: AbortSignal): Promise<DeliveryOutcome[]> {
    const outcomes: DeliveryOutcome[] = [];
    for (const instance of batch) outcomes.push(await this.#deliverOne(instance, signal));
    return outcomes;
  }

  async probe(): Promise<ErrorCode | undefined> {
    try {
      await access(this.#path, constants.W_OK | constants.X_OK);
      return undefined;
    } catch (error) {
      return failureOfDisk(error).code;
    }
  }

  async close(): Promise<void> {
    // Nothing is held open between deliveries.
  }

  async #deliverOne(instance: DeliverableInstance, signal: AbortSignal): Promise<DeliveryOutcome> {
    const { manifest } = instance;
    try {
      const files = filesOf(manifest, this.#contents);
      if (files === undefined) return { kind: 'failed', code: 'DELIVERY_PAYLOAD_INVALID', detail: 'uid' };
      if (files.length === 0) return { kind: 'failed', code: 'OBJECT_HAS_NO_IMAGE' };
      // Not created: see above.
      await access(this.#path);
      const folder = join(this.#path, manifest.studyInstanceUid, manifest.seriesInstanceUid);
      await mkdir(folder, { recursive: true });
      await reap(folder, manifest.sopInstanceUid);
      for (const { file, path } of files) {
        if (signal.aborted) return STOPPED;
        const temporary = join(folder, `${TEMPORARY}${manifest.sopInstanceUid}-${basename(path)}`);
        await this.#copy(instance, file, { to: temporary, signal });
        await rename(temporary, join(this.#path, path));
      }
      for (const one of [folder, dirname(folder), this.#path]) await flushFolder(one);
      return { kind: 'delivered', receipt: `files=${files.length}` };
    } catch (error) {
      return signal.aborted ? STOPPED : failureOfDisk(error);
    }
  }

  async #copy(instance: DeliverableInstance, file: string, { to, signal }: { to: string; signal: AbortSignal }) {
    const source = instance.open(file);
    try {
      const output = await open(to, 'w', 0o640);
      try {
        const chunks = slices(source);
        for await (const chunk of this.#pacer?.through(chunks, signal) ?? chunks) await output.writeFile(chunk);
        await output.datasync();
      } finally {
        await output.close();
      }
    } finally {
      source.close();
    }
  }
}

const STOPPED: FailedOutcome = { kind: 'failed', code: 'DELIVERY_CONNECTION_LOST', detail: 'stopped' };

function* slices(source: ByteSource): Generator<Uint8Array> {
  for (let position = 0; position < source.size; position += SLICE_BYTES) yield source.read(position, SLICE_BYTES);
}

/** What an attempt that died left of this instance. */
async function reap(folder: string, sopInstanceUid: string): Promise<void> {
  const ours = `${TEMPORARY}${sopInstanceUid}-`;
  for (const name of await readdir(folder)) if (name.startsWith(ours)) await rm(join(folder, name), { force: true });
}

async function flushFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function failureOfDisk(error: unknown): FailedOutcome {
  if (error instanceof LetheError || !(error instanceof Error) || !('code' in error)) return outcomeOfError(error);
  const errno = String(error.code);
  return { kind: 'failed', code: ERRNO_CODES[errno] ?? 'DELIVERY_UNREACHABLE', detail: errno };
}
