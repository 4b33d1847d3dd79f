/**
 * Loads libjxl. Its own loader can only fetch its WebAssembly, which Node does not do for files, so the module comes by
 * source phase import (in Node since 24.5). JavaScript, because TypeScript 7 does not parse that yet.
 */
export async function loadLibjxl(options) {
  const { default: libjxl } = await import('@cornerstonejs/codec-libjxl');
  const module = await import.source('@cornerstonejs/codec-libjxl/decodewasm');
  const instantiateWasm = (imports, accept) => {
    void WebAssembly.instantiate(module, imports).then((instance) => accept(instance, module));
    return {};
  };
  return libjxl({ ...options, instantiateWasm });
}
