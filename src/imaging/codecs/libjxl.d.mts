export interface JpegXlExports {
  JpegXLDecoder: new () => WasmDecoder;
}
export declare function loadLibjxl(options: EmscriptenOptions): Promise<JpegXlExports>;
