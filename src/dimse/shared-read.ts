/**
 * Reading sockets into one buffer that all of them share. A read takes place in one turn of the event loop and is used up
 * in it, so there is nothing to allocate, to fault in and to collect, and a read takes all that the kernel has instead of
 * 64 KiB.
 *
 * Node.js offers this (`onread`) to whoever makes a socket and not for those that a server accepts. What the option does
 * is therefore done here, and where its inside looks different, it is not done: the caller then listens for `data`.
 */
import type { Socket } from 'node:net';

const BUFFER_BYTES = 256 * 1024;

let shared: Uint8Array | undefined;

interface Handle {
  useUserBuffer(buffer: Uint8Array): void;
}

/**
 * `take` gets what arrived; the bytes are its own until it returns. False: not here (TLS, Windows, where the kernel fills
 * a buffer later, another Node.js), and nothing was changed.
 */
export function readShared(socket: Socket, take: (bytes: Uint8Array) => void): boolean {
  if (process.platform === 'win32' || 'encrypted' in socket) return false;
  const handle: unknown = Reflect.get(socket, '_handle');
  const [buffer, callback] = ['kBuffer', 'kBufferCb'].map((name) => symbolOf(socket, name));
  if (!isHandle(handle) || buffer === undefined || callback === undefined) return false;
  shared ??= new Uint8Array(BUFFER_BYTES);
  const bytes = shared;
  handle.useUserBuffer(bytes);
  Reflect.set(socket, buffer, bytes);
  Reflect.set(socket, callback, (count: number): boolean => {
    take(bytes.subarray(0, count));
    return true;
  });
  socket.resume();
  return true;
}

function symbolOf(socket: Socket, description: string): symbol | undefined {
  return Object.getOwnPropertySymbols(socket).find((symbol) => symbol.description === description);
}

function isHandle(handle: unknown): handle is Handle {
  return typeof handle === 'object' && handle !== null && typeof Reflect.get(handle, 'useUserBuffer') === 'function';
}
