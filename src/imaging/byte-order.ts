/** Byte order of pixel cells (PS3.5 §7.3). Everything behind this file is little-endian, as the machines we run on. */

/** A copy with every cell of `unit` bytes reversed; bytes after the last whole cell stay as they are. */
export function swapBytes(bytes: Uint8Array, unit: 2 | 4 | 8): Uint8Array {
  const whole = bytes.length - (bytes.length % unit);
  const copy = Buffer.from(bytes);
  const cells = copy.subarray(0, whole);
  if (unit === 2) cells.swap16();
  else if (unit === 4) cells.swap32();
  else cells.swap64();
  return copy;
}

/** The bytes as 16-bit little-endian words: a view where the address allows one, else a copy. */
export function words16(bytes: Uint8Array): Uint16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : new Uint8Array(bytes);
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 1);
}

/** As `words16`, of 32 bits. */
export function words32(bytes: Uint8Array): Uint32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 2);
}

export function floats32(bytes: Uint8Array): Float32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 2);
}

export function floats64(bytes: Uint8Array): Float64Array {
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes);
  return new Float64Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 3);
}
