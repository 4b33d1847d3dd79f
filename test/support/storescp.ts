/** DCMTK's storescp for as long as `work` takes, as rude as its options make it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, listening } from '../../bench/ports.ts';

/** `folder` is where it puts what it takes. */
export async function withStorescp(
  options: readonly string[],
  work: (port: number, folder: string) => Promise<void>,
): Promise<void> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'lethe-storescp-'));
  const child = spawn('storescp', [...options, '-od', folder, String(port)], {
    stdio: 'ignore',
    env: { ...process.env, TCP_NODELAY: '1' },
  });
  try {
    await listening(port);
    await work(port, folder);
  } finally {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true });
  }
}
