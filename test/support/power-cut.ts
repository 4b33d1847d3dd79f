/**
 * What a power cut leaves: the system calls of a real gateway (strace) are played back onto a copy of its data folder, but
 * only what was flushed counts. Data written and not followed by a flush of their file, names made, changed or removed and
 * not followed by a flush of their folder, may be there or not, block by block, as chance has it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const BLOCK_BYTES = 4096;
const CALLS =
  'openat,pwritev,pwrite64,writev,write,sendto,sendmsg,fdatasync,fsync,ftruncate,rename,renameat,renameat2,unlink,unlinkat,mkdir';

type Step =
  | {
      readonly kind: 'write';
      readonly file: number;
      readonly at: number;
      readonly data: Buffer;
      /** Durable when it ended (O_DSYNC): these bytes and no others. */
      readonly synchronous: boolean;
    }
  | { readonly kind: 'truncate'; readonly file: number; readonly length: number }
  | { readonly kind: 'flush'; readonly file: number }
  | { readonly kind: 'flush folder'; readonly path: string }
  | { readonly kind: 'create'; readonly path: string; readonly file: number }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string; readonly file: number }
  | { readonly kind: 'unlink'; readonly path: string }
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'sent'; readonly data: Buffer };

/** `began` and `ended` count lines of the trace: a flush covers what had ended when it began. */
export type Traced = Step & { readonly began: number; readonly ended: number };

/** Traces a running process from now on; `stop` ends that and leaves the process alone. */
export async function trace(pid: number, path: string): Promise<{ stop(): Promise<void> }> {
  const child: ChildProcess = spawn(
    'strace',
    ['-f', '-yy', '-xx', '-s', '10000000', '-e', `trace=${CALLS}`, '-o', path, '-p', String(pid)],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const [first] = await Promise.race([once(child.stderr ?? child, 'data'), once(child, 'exit')]);
  if (!String(first).includes('attached')) throw new Error(`strace: ${String(first)}`);
  return {
    stop: async () => {
      const ended = once(child, 'exit');
      child.kill('SIGINT');
      await ended;
    },
  };
}

/** The files of a data folder as they were when tracing began, and all that was done to them since. */
export class Recording {
  readonly #root: string;
  readonly #initial = new Map<string, number>();
  readonly #contents: Buffer[] = [];
  readonly #names = new Map<string, number>();
  readonly #folders: string[] = [];
  readonly #flushedAt = new Map<Traced, number>();
  /** Descriptors with their paths that were opened with O_DSYNC. */
  readonly #synchronous = new Set<string>();
  readonly steps: Traced[] = [];

  /** `root`: the folder that was traced; `copy`: how it was at the beginning. */
  constructor(root: string, copy: string, traceFile: string) {
    this.#root = root;
    for (const entry of readdirSync(copy, { recursive: true, withFileTypes: true })) {
      const name = join(entry.parentPath, entry.name).slice(copy.length + 1);
      if (entry.isDirectory()) this.#folders.push(name);
      // Shared memory of SQLite is made anew by whoever opens the database first.
      else if (!name.endsWith('-shm')) this.#initial.set(name, this.#newFile(readFileSync(join(copy, name))));
    }
    for (const [name, file] of this.#initial) this.#names.set(name, file);
    this.#read(readFileSync(traceFile, 'latin1'));
    this.#findFlushes();
  }

  #newFile(content: Buffer): number {
    this.#contents.push(content);
    return this.#contents.length - 1;
  }

  #read(text: string): void {
    const unfinished = new Map<string, { call: string; began: number }>();
    for (const [index, line] of text.split('\n').entries()) {
      const [, pid = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
      if (rest.endsWith('<unfinished ...>'))
        unfinished.set(pid, { call: rest.slice(0, -'<unfinished ...>'.length), began: index });
      else if (rest.startsWith('<... ')) {
        const open = unfinished.get(pid);
        unfinished.delete(pid);
        if (open !== undefined) this.#call(open.call.trimEnd() + rest.slice(rest.indexOf('>') + 1), open.began, index);
      } else this.#call(rest, index, index);
    }
  }

  #call(call: string, began: number, ended: number): void {
    const [, name = '', args = '', result = ''] = /^(\w+)\((.*)\)\s+= (-?\d+)/.exec(call) ?? [];
    if (name === '' || Number(result) < 0) return;
    const step = this.#step(name, args, Number(result));
    if (step !== undefined) this.steps.push({ ...step, began, ended });
  }

  #step(name: string, args: string, result: number): Step | undefined {
    const socket = /^\d+<TCP/.test(args);
    if (socket && /^(write|writev|sendto|sendmsg)$/.test(name)) return { kind: 'sent', data: bytesIn(args) };
    const onFile = this.#pathOf(/^\d+<([^>]*)>/.exec(args)?.[1]);
    const named = [...args.matchAll(/"([^"]*)"/g)].map((match) => this.#pathOf(match[1]));
    switch (name) {
      case 'pwritev':
      case 'pwrite64': {
        const file = this.#fileOf(onFile);
        const at = Number(/, (\d+)$/.exec(args)?.[1]);
        const synchronous = this.#synchronous.has(`${/^\d+/.exec(args)?.[0]} ${onFile}`);
        const data = bytesIn(args).subarray(0, result);
        return file === undefined ? undefined : { kind: 'write', file, at, data, synchronous };
      }
      case 'write':
      case 'writev':
        if (onFile !== undefined) throw new Error(`a write without a position: ${onFile}`);
        return undefined;
      case 'ftruncate': {
        const file = this.#fileOf(onFile);
        return file === undefined ? undefined : { kind: 'truncate', file, length: Number(/, (\d+)$/.exec(args)?.[1]) };
      }
      case 'fsync':
      case 'fdatasync': {
        if (onFile === undefined) return undefined;
        const file = this.#fileOf(onFile);
        return file === undefined ? { kind: 'flush folder', path: onFile } : { kind: 'flush', file };
      }
      case 'openat':
        if (args.includes('O_DSYNC')) this.#synchronous.add(`${result} ${named[0]}`);
        else this.#synchronous.delete(`${result} ${named[0]}`);
        return this.#open(named[0], args);
      case 'mkdir':
        return named[0] === undefined ? undefined : { kind: 'folder', path: named[0] };
      case 'rename':
      case 'renameat':
      case 'renameat2':
        return this.#rename(named[0], named[1]);
      case 'unlink':
      case 'unlinkat':
        if (named[0] === undefined) return undefined;
        this.#names.delete(named[0]);
        return { kind: 'unlink', path: named[0] };
      default:
        return undefined;
    }
  }

  #open(path: string | undefined, args: string): Step | undefined {
    if (path === undefined || !args.includes('O_CREAT') || path.endsWith('-shm')) return undefined;
    const known = this.#names.get(path);
    if (known !== undefined) return args.includes('O_TRUNC') ? { kind: 'truncate', file: known, length: 0 } : undefined;
    const file = this.#newFile(Buffer.alloc(0));
    this.#names.set(path, file);
    return { kind: 'create', path, file };
  }

  #rename(from: string | undefined, to: string | undefined): Step | undefined {
    const file = from === undefined ? undefined : this.#names.get(from);
    if (from === undefined || to === undefined || file === undefined) return undefined;
    this.#names.delete(from);
    this.#names.set(to, file);
    return { kind: 'rename', from, to, file };
  }

  /** Below the root, or undefined. */
  #pathOf(hex: string | undefined): string | undefined {
    if (hex === undefined || !hex.startsWith('\\x')) return undefined;
    const path = decoded(hex)
      .toString('utf8')
      .replace(/ ?\(deleted\)$/, '');
    if (path === this.#root) return '';
    return path.startsWith(`${this.#root}/`) ? path.slice(this.#root.length + 1) : undefined;
  }

  #fileOf(path: string | undefined): number | undefined {
    return path === undefined ? undefined : this.#names.get(path);
  }

  /**
   * Makes the folder that is found after a cut at `at` (a line of the trace). `survives` decides, step by step or block by
   * block, about what was not flushed.
   */
  materialize(at: number, target: string, survives: () => boolean): void {
    const names = new Map(this.#initial);
    const contents = new Map<number, Content>();
    const contentOf = (file: number): Content => {
      const content = contents.get(file) ?? new Content(this.#contents[file] ?? Buffer.alloc(0));
      contents.set(file, content);
      return content;
    };
    const folders = [...this.#folders];
    for (const step of this.steps) {
      if (step.began > at) break;
      const durable = (this.#flushedAt.get(step) ?? Number.POSITIVE_INFINITY) <= at;
      if (step.kind === 'folder') folders.push(step.path);
      else if (step.kind === 'write') contentOf(step.file).write(step, () => durable || survives());
      else if (step.kind === 'truncate' && (durable || survives())) contentOf(step.file).resize(step.length);
      else if (isNaming(step) && (durable || survives())) renameIn(names, step);
    }
    for (const folder of folders) mkdirSync(join(target, folder), { recursive: true });
    for (const [name, file] of names)
      writeFileSync(join(target, name), contents.get(file)?.bytes ?? this.#contents[file] ?? Buffer.alloc(0), {
        mode: 0o600,
      });
  }

  /** When (by the trace's lines) each step had become durable: the first flush that began after it had ended. */
  #findFlushes(): void {
    this.steps.sort((one, other) => one.began - other.began);
    const flushes = new Map<string, Traced[]>();
    for (const step of this.steps)
      if (step.kind === 'flush' || step.kind === 'flush folder') {
        const key = step.kind === 'flush' ? `file ${step.file}` : `folder ${step.path}`;
        flushes.set(key, [...(flushes.get(key) ?? []), step]);
      }
    for (const step of this.steps) {
      const key = isNaming(step) ? `folder ${folderOf(nameOf(step))}` : 'file' in step ? `file ${step.file}` : '';
      if (step.kind === 'write' && step.synchronous) this.#flushedAt.set(step, step.ended);
      const after = (flushes.get(key) ?? []).filter(({ began }) => began >= step.ended);
      const ends = [...after.map(({ ended }) => ended), this.#flushedAt.get(step) ?? Number.POSITIVE_INFINITY];
      if (after.length > 0) this.#flushedAt.set(step, Math.min(...ends));
    }
  }
}

type Naming = Traced & { readonly kind: 'create' | 'rename' | 'unlink' };

function isNaming(step: Traced): step is Naming {
  return step.kind === 'create' || step.kind === 'rename' || step.kind === 'unlink';
}

function nameOf(step: Naming): string {
  return step.kind === 'rename' ? step.to : step.path;
}

class Content {
  #buffer: Buffer;
  #length: number;

  constructor(initial: Buffer) {
    this.#buffer = Buffer.from(initial);
    this.#length = initial.length;
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  write({ at, data }: { at: number; data: Buffer }, survives: () => boolean): void {
    for (let done = 0; done < data.length; ) {
      const part = Math.min(data.length - done, BLOCK_BYTES - ((at + done) % BLOCK_BYTES));
      if (survives()) {
        if (this.#length < at + done + part) this.resize(at + done + part);
        data.copy(this.#buffer, at + done, done, done + part);
      }
      done += part;
    }
  }

  resize(length: number): void {
    if (length > this.#buffer.length) {
      const larger = Buffer.alloc(length * 2);
      this.bytes.copy(larger);
      this.#buffer = larger;
    }
    if (length < this.#length) this.#buffer.fill(0, length, this.#length);
    this.#length = length;
  }
}

function folderOf(path: string): string {
  const folder = dirname(path);
  return folder === '.' ? '' : folder;
}

function renameIn(names: Map<string, number>, step: Naming): void {
  if (step.kind === 'create') names.set(step.path, step.file);
  else if (step.kind === 'unlink') names.delete(step.path);
  else {
    names.delete(step.from);
    names.set(step.to, step.file);
  }
}

/** All strings of the arguments, one after the other. */
function bytesIn(args: string): Buffer {
  return Buffer.concat([...args.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map((match) => decoded(match[1] ?? '')));
}

function decoded(hex: string): Buffer {
  return Buffer.from(hex.replaceAll('\\x', ''), 'hex');
}
