/**
 * Watched folders: a file is taken when its size and time have not changed for a while, and moved to `done/` or
 * `failed/` (with the reason beside it) once custody is decided. ZIP archives are taken entry by entry; a folder with a
 * DICOMDIR is a medium, taken when all of it is stable and complete. A restart between custody and the move takes a file
 * again, which the duplicate rule makes harmless. What cannot be taken for want of space stays and is tried again.
 *
 * With `customers: subfolders` each subfolder is a customer; files may lie deeper inside it. Hidden files and the
 * names that copying tools use for unfinished ones are left alone.
 */
import { createReadStream } from 'node:fs';
import { mkdir, open, opendir, rename, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { ERRORS, toLetheError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import {
  filesNamedBy,
  type Intake,
  isDicomDir,
  isPart10,
  missing,
  nameOnMedium,
  type Refusal,
  takeFile,
} from './folder-intake.ts';
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

/** One customer's folder. */
interface Root {
  readonly path: string;
  readonly customer: string;
}

/** A file by itself, or all files of a medium. */
type Found = { readonly file: string } | Medium;

interface Medium {
  /** Its folder. */
  readonly medium: string;
  readonly files: readonly string[];
}

const DONE = 'done';
const FAILED = 'failed';
const DEPTH_MAX = 16; // of subfolders inside a customer's folder
const FILES_PER_PASS_MAX = 10_000; // bounds memory; the rest is seen in the next pass
const FILES_PER_MEDIUM_MAX = 100_000; // a DVD of small slices holds half of it
const REASONS_MAX = 1000; // lines in a reason file
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
    for (const root of await this.#customers()) {
      let taken = 0;
      for await (const found of findIn(root.path, DEPTH_MAX)) {
        if (this.#wake.closed || this.#seen.size >= FILES_PER_PASS_MAX) break;
        const files = 'file' in found ? [found.file] : found.files;
        if (!(await this.#areStable(files, before))) continue;
        // One that cannot be read now (permissions, a share that went away) must not keep the others waiting.
        taken += await this.#take(found, root).catch((error: unknown) => {
          this.#warn(error);
          return 0;
        });
      }
      if (taken > 0) this.#deps.logger.log('info', 'folder.taken', { customer: root.customer, files: taken });
    }
  }

  async #customers(): Promise<Root[]> {
    const { path, customer } = this.#options;
    if (customer !== undefined) return [{ path, customer }];
    const found: Root[] = [];
    for await (const entry of await opendir(path)) {
      if (entry.isDirectory() && CUSTOMER.test(entry.name) && !entry.name.startsWith('.'))
        found.push({ path: join(path, entry.name), customer: entry.name });
    }
    return found;
  }

  /** Looks at each, so that all are remembered. */
  async #areStable(files: readonly string[], before: ReadonlyMap<string, Seen>): Promise<boolean> {
    let stable = files.length > 0;
    for (const file of files) stable = (await this.#isStable(file, before)) && stable;
    return stable;
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

  /** Answers how many instances came into custody. */
  #take(found: Found, root: Root): Promise<number> {
    return 'file' in found ? this.#takeFile(found.file, root) : this.#takeMedium(found, root);
  }

  async #takeFile(file: string, root: Root): Promise<number> {
    const intake = await this.#intake(file, root);
    if (!intake.later) await this.#settle(file, root, intake.refusals);
    return intake.instances;
  }

  #intake(file: string, { customer }: Root): Promise<Intake> {
    const origin = { kind: 'folder', name: basename(this.#options.path), customer } as const;
    return takeFile(file, origin, this.#deps.receiver);
  }

  /** Instances first, the DICOMDIR last: as long as it is there the medium is not finished. */
  async #takeMedium({ medium, files }: Medium, root: Root): Promise<number> {
    let instances = 0;
    const [dicomDirs, others] = [
      files.filter((file) => isRootDirectory(file, medium)),
      files.filter((file) => !isRootDirectory(file, medium)),
    ];
    for (const file of others) {
      if (this.#wake.closed) return instances;
      const intake = (await isPart10(file)) ? await this.#intake(file, root) : PASSED_OVER;
      if (intake.later) return instances;
      await this.#settle(file, root, intake.refusals);
      instances += intake.instances;
    }
    for (const file of dicomDirs) await this.#settle(file, root, await missingFrom(file, { medium, root }));
    return instances;
  }

  /** To `done/`, or with its reasons to `failed/`. */
  async #settle(file: string, root: Root, refusals: readonly Refusal[]): Promise<void> {
    this.#seen.delete(file);
    const moved = await moveTo(file, root.path, refusals.length === 0 ? DONE : FAILED);
    const [first] = refusals;
    if (first === undefined) return;
    const lines = refusals
      .slice(0, REASONS_MAX)
      .map(({ part, code, message }) => `${part === undefined ? '' : `${part}: `}${code}: ${message}`);
    await writeFile(`${moved}.reason.txt`, `${lines.join('\n')}\n`);
    this.#deps.logger.log('warn', 'folder.refused', { customer: root.customer, code: first.code });
  }
}

const PASSED_OVER: Intake = { instances: 0, refusals: [], later: false };

function isRootDirectory(file: string, medium: string): boolean {
  return dirname(file) === medium && isDicomDir(basename(file));
}

/** What the DICOMDIR names and is neither there nor taken already (a medium may take more than one pass). */
async function missingFrom(dicomDir: string, { medium, root }: { medium: string; root: Root }): Promise<Refusal[]> {
  let named: string[];
  try {
    named = await filesNamedBy(createReadStream(dicomDir));
  } catch (error) {
    const { code } = toLetheError(error);
    return [{ part: undefined, code, message: ERRORS[code].message }];
  }
  const present = new Set<string>();
  for (const place of [DONE, FAILED]) {
    const folder = join(root.path, place, relative(root.path, medium));
    for await (const file of everyFile(folder, DEPTH_MAX))
      present.add(nameOnMedium(relative(folder, file).split(sep).join('/')));
  }
  return named.filter((name) => !present.has(name)).map(missing);
}

/** What lies below a folder, not in its `done/` and `failed/`; links are not followed. */
async function* findIn(path: string, depth: number, top = true): AsyncGenerator<Found> {
  const folders: string[] = [];
  const files: string[] = [];
  let medium = false;
  for await (const entry of await opendir(path)) {
    if (UNFINISHED.test(entry.name)) continue;
    if (entry.isFile()) {
      medium ||= isDicomDir(entry.name);
      // Bounded: what is beyond is seen in a later pass.
      if (files.length < FILES_PER_MEDIUM_MAX) files.push(join(path, entry.name));
    } else if (entry.isDirectory() && depth > 0 && !(top && (entry.name === DONE || entry.name === FAILED)))
      folders.push(join(path, entry.name));
  }
  if (medium) {
    for (const folder of folders.toSorted()) {
      for await (const file of everyFile(folder, depth - 1)) if (files.length < FILES_PER_MEDIUM_MAX) files.push(file);
    }
    yield { medium: path, files };
    return;
  }
  for (const file of files) yield { file };
  for (const folder of folders.toSorted()) yield* findIn(folder, depth - 1, false);
}

/** None where there is no such folder. */
async function* everyFile(path: string, depth: number): AsyncGenerator<string> {
  const entries = await opendir(path).catch(() => undefined);
  if (entries === undefined) return;
  for await (const entry of entries) {
    if (entry.isFile()) yield join(path, entry.name);
    else if (entry.isDirectory() && depth > 0) yield* everyFile(join(path, entry.name), depth - 1);
  }
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
