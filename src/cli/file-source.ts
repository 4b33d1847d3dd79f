/** A file as a source of bytes; the caller closes it. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { ByteSource } from '../core/bytes.ts';

export function fileSource(path: string): ByteSource & { close(): void } {
  const fd = openSync(path, 'r');
  const { size } = fstatSync(fd);
  return {
    size,
    read: (position, length, into) => {
      const wanted = Math.max(0, Math.min(length, size - position));
      const bytes = into?.subarray(0, wanted) ?? Buffer.allocUnsafe(wanted);
      let filled = 0;
      while (filled < bytes.length) {
        const count = readSync(fd, bytes, filled, bytes.length - filled, position + filled);
        if (count === 0) break;
        filled += count;
      }
      return bytes.subarray(0, filled);
    },
    close: () => closeSync(fd),
  };
}
