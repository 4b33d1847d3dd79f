/** `lethe backend`: the reference backend alone. */
import { resolve } from 'node:path';
import { startBackend } from '../backend/backend.ts';
import { type Command, EXIT, flag, integerOption, JSON_OPTION, textOption } from './command.ts';
import { signalled } from './serve.ts';

export const command: Command = {
  summary: 'Runs the reference backend: implements the contract, validates, stores what it accepts.',
  usage: '[--port N] [--dir DIR]',
  options: {
    port: { type: 'string', value: 'N', help: 'Port on loopback (default 9100; 0 picks a free one).' },
    host: { type: 'string', value: 'HOST', help: 'Address to listen on (default 127.0.0.1).' },
    dir: { type: 'string', value: 'DIR', help: 'Where accepted images are kept (default ./data/backend).' },
    failures: { type: 'boolean', help: 'Lets POST /v1/failures order failures: for tests only.' },
    json: JSON_OPTION,
  },
  async run({ options, cwd, terminal }) {
    const host = textOption(options, 'host') ?? '127.0.0.1';
    const dir = resolve(cwd, textOption(options, 'dir') ?? 'data/backend');
    const port = integerOption(options, 'port', { minimum: 0, maximum: 65535, fallback: 9100 });
    const backend = await startBackend({ host, port, dir, failureEndpoint: flag(options, 'failures') });
    const url = `http://${host}:${backend.port}`;
    terminal.out(
      terminal.json
        ? JSON.stringify({ url, port: backend.port, dir })
        : `reference backend on ${url}, images under ${dir}`,
    );
    await signalled();
    await backend.close();
    return EXIT.success;
  },
};
