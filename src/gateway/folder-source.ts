/**
 * Watched folders: a file is taken when its size and time have not changed for a while, and moved to `done/` or
 * `failed/` (with the reason beside it) once custody is decided. A restart between custody and the move takes the file
 * again, which the duplicate rule makes harmless. What cannot be taken for want of space stays and is tried again.
 *
 * With `customers: subfolders` each subfolder is a customer; files may lie deeper inside it. Hidden files and the
 * names that copying tools use for unfinished ones are left alone.
 */
import { createReadStream } from 'node:fs';
import { mkdir, open, opendir, rename, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { ERRORS, type ErrorCode, toLetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { ReceiveResult } from './admin.ts';
import type { Receiver } from './receive.ts';
import { Wake } from './signal.ts';

export interface FolderOptions {
  readonly path: string;
  /** The one customer, or undefined when each subfolder is one. */
  readonly customer: string | undefined;
  readonly pollMs: number;
  readonly stableMs: number;
}

interface Seen {
  readonly size: number;
  readonly modifiedMs: number;
  /** Monotonic time since when it looked like this. */
  readonly sinceMs: number;
}

const DONE = 'done';
const FAILED = 'failed';
const DEPTH_MAX = 16; // of subfolders inside a customer's folder
const FILES_PER_PASS_MAX = 10_000; // bounds memory; the rest is seen in the next pass
const READ_BYTES = 1024 * 1024;
/** Unfinished copies: hidden files, editors' and browsers' and transfer tools' temporary names. */
const UNFINISHED = /^[.~]|\.(part|partial|tmp|temp|crdownload|filepart|swp)$|~$/i;
/** What a customer may be called: it becomes part of keys, metrics and the ledger. */
const CUSTOMER = /^[a-zA-Z0-9_.-]{1,64}$/;

export class FolderSource {
  readonly #options: FolderOptions;
  readonly #deps: { readonly receiver: Receiver; readonly clock: Clock; readonly logger: Logger };
  readonly #wake = new Wake();
  #seen = new Map<string, Seen>();
  #running: Promise<void> | undefined;

  constructor(options: FolderOptions, deps: { receiver: Receiver; clock: Clock; logger: Logger }) {
    this.#options = options;
    this.#deps = deps;
  }

  async start(): Promise<void> {
    await mkdir(this.#options.path, { recursive: true });
    this.#running = this.#loop();
  }

  async stop(): Promise<void> {
    this.#wake.close();
    await this.#running;
  }

  async #loop(): Promise<void> {
    while (!this.#wake.closed) {
      await this.pass().catch((error: unknown) => this.#warn(error));
      await this.#wake.wait(this.#options.pollMs);
    }
  }

  #warn(error: unknown): void {
    this.#deps.logger.log('warn', 'gateway.warning', { what: 'folder', code: toLetheError(error).code });
  }

  /** One look at the folder: takes what is stable, remembers what is not. */
  async pass(): Promise<void> {
    const before = this.#seen;
    this.#seen = new Map();
    for (const { path, customer } of await this.#customers()) {
      let taken = 0;
      for await (const file of filesUnder(path, DEPTH_MAX)) {
        if (this.#wake.closed || this.#seen.size >= FILES_PER_PASS_MAX) break;
        if (await this.#isStable(file, before)) taken += (await this.#take(file, path, customer)) ? 1 : 0;
      }
      if (taken > 0) this.#deps.logger.log('info', 'folder.taken', { customer, files: taken });
    }
  }

  async #customers(): Promise<{ path: string; customer: string }[]> {
    const { path, customer } = this.#options;
    if (customer !== undefined) return [{ path, customer }];
    const found: { path: string; customer: string }[] = [];
    for await (const entry of await opendir(path)) {
      if (entry.isDirectory() && CUSTOMER.test(entry.name) && !entry.name.startsWith('.'))
        found.push({ path: join(path, entry.name), customer: entry.name });
    }
    return found;
  }

  async #isStable(file: string, before: ReadonlyMap<string, Seen>): Promise<boolean> {
    const facts = await stat(file).catch(() => undefined);
    if (facts === undefined) return false; // gone since it was listed
    const nowMs = this.#deps.clock.monotonicMs();
    const earlier = before.get(file);
    const same = earlier !== undefined && earlier.size === facts.size && earlier.modifiedMs === facts.mtimeMs;
    const seen = { size: facts.size, modifiedMs: facts.mtimeMs, sinceMs: same ? earlier.sinceMs : nowMs };
    this.#seen.set(file, seen);
    return nowMs - seen.sinceMs >= this.#options.stableMs;
  }

  async #take(file: string, root: string, customer: string): Promise<boolean> {
    const origin = { kind: 'folder', name: basename(this.#options.path), customer } as const;
    const result = await this.#deps.receiver.receive(createReadStream(file, { highWaterMark: READ_BYTES }), origin);
    if (result.status !== 'refused') {
      await moveTo(file, root, DONE);
      this.#seen.delete(file);
      return true;
    }
    await this.#refused(file, root, result);
    this.#deps.logger.log('warn', 'folder.refused', { customer, code: result.code as ErrorCode });
    return false;
  }

  /** What may succeed later stays where it is; the rest moves aside with its reason. */
  async #refused(file: string, root: string, result: ReceiveResult & { status: 'refused' }): Promise<void> {
    if (ERRORS[result.code as ErrorCode].disposition === 'retry') return;
    const moved = await moveTo(file, root, FAILED);
    await writeFile(`${moved}.reason.txt`, `${result.code}: ${result.message}\n`);
    this.#seen.delete(file);
  }
}

/** Files below a folder, not in its `done/` and `failed/`; links are not followed. */
async function* filesUnder(path: string, depth: number, top = true): AsyncGenerator<string> {
  const folders: string[] = [];
  for await (const entry of await opendir(path)) {
    if (UNFINISHED.test(entry.name)) continue;
    if (entry.isFile()) yield join(path, entry.name);
    else if (entry.isDirectory() && depth > 0 && !(top && (entry.name === DONE || entry.name === FAILED)))
      folders.push(join(path, entry.name));
  }
  for (const folder of folders.toSorted()) yield* filesUnder(folder, depth - 1, false);
}

/** Keeps the path below the customer's folder; a name that is taken gets a number. The move is durable. */
async function moveTo(file: string, root: string, where: string): Promise<string> {
  const target = join(root, where, relative(root, file));
  await mkdir(dirname(target), { recursive: true });
  const free = await freeName(target);
  await rename(file, free);
  const folder = await open(dirname(free), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
  return free;
}

async function freeName(target: string): Promise<string> {
  for (let number = 0; number < 10_000; number++) {
    const name = number === 0 ? target : `${target}.${number}`;
    const taken = await stat(name).then(
      () => true,
      () => false,
    );
    if (!taken) return name;
  }
  return `${target}.${crypto.randomUUID()}`;
}
