/** The parts that we use of WebAssembly codecs which bring no types. Embind classes have to be deleted by hand. */

interface WasmFrameInfo {
  readonly width: number;
  readonly height: number;
  readonly bitsPerSample: number;
  readonly componentCount: number;
  readonly isSigned?: boolean;
  readonly isUsingColorTransform?: boolean;
}

interface WasmDecoder {
  /** Room for the codestream on the codec's heap: a view that goes stale with the next allocation. */
  getEncodedBuffer(length: number): Uint8Array;
  decode(): void;
  getFrameInfo(): WasmFrameInfo;
  /** A view on the codec's heap. */
  getDecodedBuffer(): Uint8Array;
  delete(): void;
}

interface WasmEncoder {
  getDecodedBuffer(frameInfo: WasmFrameInfo): Uint8Array;
  encode(): void;
  getEncodedBuffer(): Uint8Array;
  delete(): void;
}

interface EmscriptenOptions {
  print: (line: string) => void;
  printErr: (line: string) => void;
}

declare module '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs' {
  export interface TurboExports {
    JPEGDecoder: new () => WasmDecoder;
  }
  export default function load(options: EmscriptenOptions): Promise<TurboExports>;
}

declare module '@cornerstonejs/codec-charls/wasmjs' {
  export interface CharlsExports {
    JpegLSDecoder: new () => WasmDecoder & {
      /** 0: by planes, 1: by lines, 2: by samples; lines and samples are both decoded to samples. */
      getInterleaveMode(): number;
      getNearLossless(): number;
    };
    JpegLSEncoder: new () => WasmEncoder & {
      setNearLossless(nearLossless: number): void;
      setInterleaveMode(mode: number): void;
    };
  }
  export default function load(options: EmscriptenOptions): Promise<CharlsExports>;
}

declare module '@cornerstonejs/codec-openjpeg/wasmjs' {
  export interface OpenJpegExports {
    J2KDecoder: new () => WasmDecoder;
    J2KEncoder: new () => WasmEncoder & {
      setQuality(lossless: boolean, quality: number): void;
      setDecompositions(levels: number): void;
    };
  }
  export default function load(options: EmscriptenOptions): Promise<OpenJpegExports>;
}

declare module '@cornerstonejs/codec-openjph/wasmjs' {
  export interface OpenJphExports {
    HTJ2KDecoder: new () => WasmDecoder & {
      getIsHeaderValid(): boolean;
    };
    HTJ2KEncoder: new () => WasmEncoder & {
      setQuality(lossless: boolean, quantizationStep: number): void;
      setDecompositions(levels: number): void;
      /** 2: by resolution, position, component, layer. */
      setProgressionOrder(order: number): void;
      setTLMMarker(written: boolean): void;
    };
  }
  export default function load(options: EmscriptenOptions): Promise<OpenJphExports>;
}
