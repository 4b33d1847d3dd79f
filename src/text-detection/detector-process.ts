/**
 * Reading in a child process: what reads is native code on untrusted pictures and takes some hundred megabytes, and neither
 * a crash nor the memory must be the gateway's. The process starts with the first picture, reads one tile at a time under
 * a deadline, and ends by itself when it has grown too large, after which a new one takes over. A tile that ends two
 * processes fails.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { LetheError } from '../core/errors.ts';
import type { TextDetector, TileAnswer, TileRequest } from './detector.ts';
import { effortOf, scaleOf } from './looks.ts';
import { networksInstalled } from './networks.ts';
import type { Box, Picture } from './picture.ts';
import { cropped } from './picture.ts';
import type { TextLine } from './read-tile.ts';
import { tilesOf, withoutRepetitions } from './tiles.ts';

/** A tile takes half a second; a loaded machine some more, the first one loads the networks. */
const TILE_TIMEOUT_MS = 30_000;
const HEAP_MEGABYTES = 256;
const TRIES_MAX = 2;

export interface DetectorProcessOptions {
  /** Called before each tile, so that whoever waits knows that work goes on. */
  readonly onProgress?: () => void;
  /** The child's program; for tests of what a child may do wrong. */
  readonly script?: URL;
  readonly timeoutMs?: number;
}

/** A detector where the networks are installed; its process starts when it is first asked. */
export function openDetector(onProgress: () => void): TextDetector | undefined {
  return networksInstalled() ? new DetectorProcess({ onProgress }) : undefined;
}

export class DetectorProcess implements TextDetector {
  readonly #options: DetectorProcessOptions;
  #child: ChildProcess | undefined;
  #number = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: DetectorProcessOptions = {}) {
    this.#options = options;
  }

  async detect(picture: Picture, region?: Box): Promise<readonly TextLine[]> {
    const { width, height } = picture;
    const effort = effortOf(picture);
    const lines: TextLine[] = [];
    for (const tile of tilesOf(region ?? { x: 0, y: 0, width, height }, scaleOf(effort))) {
      this.#options.onProgress?.();
      for (const line of await this.#inTurn(cropped(picture, tile), effort)) {
        const { x, y } = line.box;
        lines.push({ ...line, box: { ...line.box, x: x + tile.x, y: y + tile.y } });
      }
    }
    return withoutRepetitions(lines);
  }

  /** Ends the child, whatever it does. */
  close(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  #inTurn(picture: Picture, effort: number): Promise<readonly TextLine[]> {
    const turn = this.#last.then(() => this.#read(picture, effort));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #read(picture: Picture, effort: number): Promise<readonly TextLine[]> {
    let last: unknown;
    for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
      try {
        return await this.#ask({ number: ++this.#number, picture, effort });
      } catch (error) {
        last = error;
        this.close();
      }
    }
    throw last;
  }

  #ask(request: TileRequest): Promise<readonly TextLine[]> {
    const child = this.#running();
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(deadline);
        child.removeAllListeners('message').removeAllListeners('exit').removeAllListeners('error');
        child.on('error', () => undefined);
        act();
      };
      const fail = (what: string) => settle(() => reject(new LetheError('TEXT_DETECTION_FAILED', { what })));
      const deadline = setTimeout(() => fail('no answer in time'), this.#options.timeoutMs ?? TILE_TIMEOUT_MS);
      child.on('message', (answer: TileAnswer) => {
        if (answer.number !== request.number) return;
        if ('failed' in answer) fail(answer.failed);
        else settle(() => resolve(answer.lines));
      });
      child.on('exit', (code, signal) => fail(`the reading process ended (${signal ?? code ?? 'unknown'})`));
      child.on('error', () => fail('the reading process cannot be started'));
      child.send(request, (error) => {
        if (error !== null) fail('the reading process does not listen');
      });
    });
  }

  #running(): ChildProcess {
    const child = this.#child;
    if (child?.connected === true && child.exitCode === null && child.signalCode === null) return child;
    const script = new URL(
      import.meta.url.endsWith('.ts') ? './detector-child.ts' : './detector-child.js',
      import.meta.url,
    );
    const started = fork(fileURLToPath(this.#options.script ?? script), [], {
      serialization: 'advanced',
      execArgv: [`--max-old-space-size=${HEAP_MEGABYTES}`, '--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    // Nobody waits for it at the end: when its parent goes, the channel closes and the child with it.
    started.unref();
    started.channel?.unref();
    this.#child = started;
    return started;
  }
}
