/**
 * A WebAssembly codec built with Emscripten, loaded once and thrown away after its first failure: its heap may be
 * damaged then. It also collects what the codec prints, because some report failure in no other way.
 */
import { invalidCodestream } from '../codestream.ts';

export type EmscriptenFactory<Exports> = (options: {
  print: (line: string) => void;
  printErr: (line: string) => void;
}) => Promise<Exports>;

/** Emscripten heaps only grow. One past this is not kept for the next instance. */
const HEAP_BYTES_KEPT = 512 * 1024 * 1024;

interface Heap {
  readonly HEAPU8?: Uint8Array;
}

export class WasmModule<Exports extends object> {
  readonly #factory: EmscriptenFactory<Exports & Heap>;
  #loading: Promise<Exports & Heap> | undefined;
  readonly #harmless: RegExp | undefined;
  #complaint: string | undefined;

  /** @param harmless what it may print as a warning although the image is right */
  constructor(factory: EmscriptenFactory<Exports>, harmless?: RegExp) {
    this.#factory = factory;
    this.#harmless = harmless;
  }

  async load(): Promise<Exports> {
    this.#loading ??= this.#factory({
      print: (line) => this.#listen(line),
      printErr: (line) => this.#listen(line),
    });
    try {
      const exports = await this.#loading;
      if ((exports.HEAPU8?.length ?? 0) <= HEAP_BYTES_KEPT) return exports;
    } catch (error) {
      this.#loading = undefined;
      throw error;
    }
    this.#loading = undefined;
    return this.load();
  }

  /**
   * Runs one decode. What it prints as an error or a warning is a failure, as is anything it throws.
   * @throws IMAGING_CODESTREAM_INVALID
   */
  run<Result>(decode: () => Result): Result {
    this.#complaint = undefined;
    try {
      const result = decode();
      if (this.#complaint !== undefined) throw invalidCodestream('the decoder complains of it');
      return result;
    } catch (error) {
      this.#loading = undefined;
      // Emscripten throws numbers (addresses of C++ exceptions), which say nothing to anybody.
      throw error instanceof Error ? error : invalidCodestream('the decoder refuses it');
    }
  }

  #listen(line: string): void {
    if (/error|warn/i.test(line) && this.#harmless?.test(line) !== true) this.#complaint ??= line;
  }
}
