/** What this floor uses of WebAssembly; the types of Node.js leave it to those of browsers. */
declare const WebAssembly: {
  readonly Memory: new (descriptor: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
};
