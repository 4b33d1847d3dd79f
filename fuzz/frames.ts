/**
 * Mutational fuzzing of decoding and rendering: damaged frames, offset tables and image attributes of whole instances in
 * every transfer syntax. Deterministic: the same seed tries the same inputs.
 *
 *   node fuzz/frames.ts [--seconds 10] [--seed 1] [--runs N]
 *
 * For each input every frame renders, or fails with a typed error that names no value. Inputs run in a worker with a
 * deadline, as in the gateway: a codec that hangs is stopped and counted; only JPEG-LS may (CharLS is known for it, and the
 * gateway's deadline is there for it). A failure is saved and named; exit 1.
 */
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { bytesSource } from '../src/core/bytes.ts';
import { LetheError } from '../src/core/errors.ts';
import { readPart10 } from '../src/dicom/part10.ts';
import { renderFrames } from '../src/imaging/render.ts';
import { sharedPath } from '../test/support/shared.ts';

const SEED_BYTES_MAX = 60_000;
const DEADLINE_MS = 5000;
const INPUT_LIMITS = { frameBytesMax: 64 * 1024 * 1024, framesMax: 200 };
const TYPED = /^(DICOM|IMAGING)_/;

interface Seed {
  readonly path: string;
  readonly kind: string;
  readonly bytes: Uint8Array;
}

/** Files of the corpus that are small enough to try many times; nothing to do without a corpus. */
function corpusSeeds(): Seed[] {
  const manifest = sharedPath('corpus', 'MANIFEST.json');
  if (!existsSync(manifest)) return [];
  const { entries } = JSON.parse(readFileSync(manifest, 'utf8')) as {
    entries: { path: string; kind: string | null; size: number; rows: number | null }[];
  };
  return entries
    .filter(({ size, rows }) => size <= SEED_BYTES_MAX && rows !== null)
    .map(({ path, kind }) => ({
      path,
      kind: kind ?? '',
      bytes: new Uint8Array(readFileSync(sharedPath('corpus', path))),
    }));
}

/** xorshift32. */
function dice(seed: number): (limit: number) => number {
  let state = seed | 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

/** Bytes changed, a piece cut out, or a piece repeated; mostly in the later part, where the frames are. */
function mutated(bytes: Uint8Array, roll: (limit: number) => number): Uint8Array {
  const at = (): number =>
    roll(4) === 0 ? roll(bytes.length) : bytes.length - 1 - roll(Math.ceil(bytes.length * 0.8));
  const choice = roll(8);
  if (choice === 0) return bytes.slice(0, at());
  if (choice === 1) {
    const start = at();
    return Buffer.concat([bytes.subarray(0, start), bytes.subarray(start + 1 + roll(64))]);
  }
  const copy = bytes.slice();
  for (let changes = 1 + roll(6); changes > 0; changes--) copy[at()] = roll(3) === 0 ? 0xff : roll(256);
  return copy;
}

/** In the worker: how one input ended. */
async function outcome(bytes: Uint8Array): Promise<string> {
  try {
    const part10 = readPart10(bytesSource(bytes), { inflatedBytesMax: 16 * 1024 * 1024 });
    const formats = ['png', 'png16'] as const;
    for (const format of formats) {
      let frames = 0;
      for await (const frame of renderFrames(part10, { format, limits: INPUT_LIMITS })) {
        if (frame.bytes.length === 0) return 'an image without bytes';
        if (++frames === 3) break;
      }
    }
    return 'rendered';
  } catch (error) {
    if (error instanceof LetheError && TYPED.test(error.code)) return error.code;
    return `untyped: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  }
}

class Runner {
  #worker = Runner.#start();

  static #start(): Worker {
    return new Worker(new URL(import.meta.url));
  }

  /** The outcome, or `hang` where the deadline passed and the worker had to be stopped. */
  async run(bytes: Uint8Array): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const timer = setTimeout(() => resolve('hang'), DEADLINE_MS);
    const worker = this.#worker;
    worker.on('message', resolve).on('error', reject);
    worker.postMessage(bytes);
    try {
      const found = await promise;
      if (found === 'hang') await this.restart();
      return found;
    } catch (error) {
      await this.restart();
      return `worker died: ${error instanceof Error ? error.message : String(error)}`;
    } finally {
      clearTimeout(timer);
      worker.off('message', resolve).off('error', reject);
    }
  }

  async restart(): Promise<void> {
    await this.stop();
    this.#worker = Runner.#start();
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '10' },
      seed: { type: 'string', default: '1' },
      runs: { type: 'string', default: 'Infinity' },
    },
  });
  const seeds = corpusSeeds();
  if (seeds.length === 0) {
    console.log('no corpus beside the project (set LETHE_SHARED); nothing to fuzz');
    return 0;
  }
  const roll = dice(Number(values.seed) * 7919);
  const runner = new Runner();
  const counts = new Map<string, number>();
  const end = performance.now() + Number(values.seconds) * 1000;
  let runs = 0;
  for (; runs < Number(values.runs) && performance.now() < end; runs++) {
    const seed = seeds[roll(seeds.length)] ?? seeds[0];
    if (seed === undefined) break;
    const input = mutated(seed.bytes, roll);
    const found = await runner.run(input);
    counts.set(found, (counts.get(found) ?? 0) + 1);
    if (found === 'rendered' || TYPED.test(found) || (found === 'hang' && seed.kind.startsWith('jpegls'))) continue;
    const saved = join(mkdtempSync(join(tmpdir(), 'lethe-fuzz-')), 'input.dcm');
    writeFileSync(saved, input);
    console.log(`${seed.path}, run ${runs} of seed ${values.seed}: ${found}\nsaved as ${saved}`);
    await runner.stop();
    return 1;
  }
  await runner.stop();
  console.log(`${runs} inputs from ${seeds.length} files`);
  for (const [name, count] of [...counts].toSorted()) console.log(`  ${count} ${name}`);
  return 0;
}

if (isMainThread) process.exitCode = await main();
else parentPort?.on('message', async (bytes: Uint8Array) => parentPort?.postMessage(await outcome(bytes)));
