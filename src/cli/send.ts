/** `lethe send HOST PORT FILE...`: C-STORE SCU. */
import { type Command, EXIT, flag, integerOption, JSON_OPTION, UsageError } from './command.ts';
import { inputFiles } from './input-files.ts';
import { PEER_OPTIONS, peerAddress, statusText } from './peer.ts';
import { Progress } from './progress.ts';
import { fileItem, type SendResult, storeFiles } from './store-files.ts';

/** A receiver that makes instances durable takes the next while it does so; more than a few bring nothing further. */
const WINDOW = 8;
const WINDOW_MAX = 1024;

export const command: Command = {
  summary: 'Sends DICOM files, or all files of folders, to a storage SCP.',
  usage: 'HOST PORT FILE... [--calling AET] [--called AET] [--parallel N] [--window N] [--tls]',
  options: {
    ...PEER_OPTIONS,
    parallel: { type: 'string', value: 'N', help: 'Associations at once (default 1).' },
    window: {
      type: 'string',
      value: 'N',
      help: `Requests in progress at once on an association, where the receiver grants them (default ${WINDOW}; 1: asks for none).`,
    },
    progress: { type: 'boolean', help: 'Show a progress bar (the default on a terminal).' },
    json: JSON_OPTION,
  },
  details: 'Exits 0 when every file was answered with Success or a warning.',
  async run(invocation) {
    const address = peerAddress(invocation);
    const { positionals, options, cwd, terminal } = invocation;
    const names = positionals.slice(2);
    if (names.length === 0) throw new UsageError('name at least one file or folder');
    const items = inputFiles(names, cwd).map(({ path, name }) => fileItem(path, name));
    const parallel = integerOption(options, 'parallel', { minimum: 1, maximum: 64, fallback: 1 });
    const operationsInvoked = integerOption(options, 'window', { minimum: 1, maximum: WINDOW_MAX, fallback: WINDOW });
    const interactive = (terminal.interactive && !terminal.json) || flag(options, 'progress');
    const progress = new Progress(
      { ...terminal, interactive },
      { label: 'Sending', unit: 'files', total: items.length },
    );
    let failed = 0;
    for await (const result of storeFiles(items, { ...address, parallel, operationsInvoked })) {
      if (!isTaken(result)) failed++;
      progress.step();
      report(result, terminal);
    }
    progress.finish();
    if (!terminal.json)
      terminal.out(`${items.length - failed} of ${items.length} sent${failed > 0 ? `, ${failed} failed` : ''}`);
    return failed === 0 ? EXIT.success : EXIT.failure;
  },
};

/** Success, or a warning: stored all the same (PS3.7 §C.4). */
export function isTaken({ status }: SendResult): boolean {
  return status !== undefined && (status === 0 || (status & 0xf000) === 0xb000);
}

function report(
  result: SendResult,
  terminal: { json: boolean; out(line: string): void; note(line: string): void },
): void {
  const { name, status, errorComment, error } = result;
  if (terminal.json) {
    terminal.out(
      JSON.stringify({
        file: name,
        ...(status === undefined ? {} : { status: statusText(status) }),
        ...(errorComment === undefined ? {} : { errorComment }),
        ...(error === undefined ? {} : { error: error.code, message: error.message }),
      }),
    );
  } else if (error !== undefined) terminal.note(`${name}: ${error.message}`);
  else if (!isTaken(result)) terminal.note(`${name}: status ${statusText(status ?? 0)} ${errorComment ?? ''}`);
}
