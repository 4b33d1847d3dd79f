/** A free port on loopback for a program under measurement, and waiting until it listens there. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';

const START_MS_MAX = 30_000;

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export async function listening(port: number): Promise<void> {
  for (const endMs = performance.now() + START_MS_MAX; performance.now() < endMs; ) {
    const socket = connect(port, '127.0.0.1');
    const up = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (up) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the program under measurement did not start');
}
