/** A file as a source of bytes; the caller closes it. Its head may be read at once, for whoever reads it bit by bit. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { ByteSource } from '../core/bytes.ts';

const EMPTY = new Uint8Array();

export interface FileSource extends ByteSource {
  /** Its descriptor. */
  readonly fd: number;
  close(): void;
}

export function fileSource(path: string, { headBytes = 0 } = {}): FileSource {
  const fd = openSync(path, 'r');
  const { size } = fstatSync(fd);
  const readFile: ByteSource['read'] = (position, length, into) => {
    const wanted = Math.max(0, Math.min(length, size - position));
    const bytes = into?.subarray(0, wanted) ?? Buffer.allocUnsafe(wanted);
    let filled = 0;
    while (filled < bytes.length) {
      const count = readSync(fd, bytes, filled, bytes.length - filled, position + filled);
      if (count === 0) break;
      filled += count;
    }
    return bytes.subarray(0, filled);
  };
  const head = headBytes === 0 ? EMPTY : readFile(0, headBytes);
  return {
    fd,
    size,
    read: (position, length, into) => {
      const end = Math.min(size, position + length);
      return end <= head.length && head.length > 0 ? head.subarray(position, end) : readFile(position, length, into);
    },
    close: () => closeSync(fd),
  };
}
