/**
 * The command line: finds the verb, parses its options, runs it, turns errors into words and an exit code.
 *
 *   process.exitCode = await runCommandLine(process.argv.slice(2), VERBS);
 */

import { type LetheError, toLetheError } from '../core/errors.ts';
import { nearestName } from '../core/nearest.ts';
import { VERSION } from '../core/version.ts';
import { type Command, EXIT, parseOptions, type Terminal, UsageError } from './command.ts';
import type { VerbEntry } from './verbs.ts';

export type Verbs = Readonly<Record<string, VerbEntry>>;

/** Answers the exit code; says on the terminal what went wrong. `verbs` are those that this start knows. */
export async function runCommandLine(argv: readonly string[], verbs: Verbs): Promise<number> {
  endQuietlyWithReader();
  const [verb, ...rest] = argv;
  if (verb === undefined || verb === '--help' || verb === '-h' || verb === 'help') {
    const about = verb === 'help' && rest[0] !== undefined ? verbs[rest[0]] : undefined;
    process.stdout.write(about === undefined ? overview(verbs) : commandHelp(rest[0] ?? '', await about.load()));
    return EXIT.success;
  }
  if (verb === '--version' || verb === '-v') {
    process.stdout.write(`${VERSION}\n`);
    return EXIT.success;
  }
  const entry = verbs[verb];
  if (entry === undefined) {
    const nearest = nearestName(verb, Object.keys(verbs));
    process.stderr.write(
      `lethe: there is no verb '${verb}'${nearest === undefined ? '' : `; did you mean '${nearest}'?`}\n\n${overview(verbs)}`,
    );
    return EXIT.usage;
  }
  return run(verb, await entry.load(), rest);
}

async function run(verb: string, command: Command, argv: readonly string[]): Promise<number> {
  const json = argv.includes('--json');
  try {
    const { values, positionals } = parse(command, argv);
    if (values['help'] === true) {
      process.stdout.write(commandHelp(verb, command));
      return EXIT.success;
    }
    return await command.run({
      options: values,
      positionals,
      terminal: terminalOf(json),
      cwd: process.cwd(),
      env: process.env,
    });
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(
        `lethe ${verb}: ${error.message}\nusage: lethe ${verb} ${command.usage}\nSee lethe ${verb} --help\n`,
      );
      return EXIT.usage;
    }
    return failed(verb, toLetheError(error), error);
  }
}

function parse(command: Command, argv: readonly string[]) {
  try {
    const options = { ...command.options, help: { type: 'boolean', short: 'h', help: 'Show this help.' } } as const;
    return parseOptions(options, argv);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function failed(verb: string, error: LetheError, original: unknown): number {
  process.stderr.write(`lethe ${verb}: ${error.message}\n`);
  if (error.code === 'INVARIANT' && original instanceof Error)
    process.stderr.write(`${original.stack ?? original.message}\n`);
  return error.code.startsWith('CONFIG_') ? EXIT.usage : EXIT.failure;
}

function terminalOf(json: boolean): Terminal {
  return {
    out: (line) => process.stdout.write(`${line}\n`),
    note: (line) => process.stderr.write(`${line}\n`),
    raw: (text) => process.stderr.write(text),
    interactive: process.stderr.isTTY === true,
    json,
  };
}

function overview(verbs: Verbs): string {
  const rows = Object.entries(verbs).map(([name, { summary }]) => `  ${name.padEnd(13)}${summary}`);
  return `Lethe ${VERSION}: DICOM edge gateway\n\nusage: lethe VERB ...\n\n${rows.join('\n')}\n\nEvery verb has --help. Exit codes: 0 success, 1 the work failed, 2 wrong usage.\n`;
}

function commandHelp(verb: string, command: Command): string {
  const rows = Object.entries(command.options).map(([name, option]) => {
    const left = `--${name}${option.value === undefined ? '' : ` ${option.value}`}`;
    return `  ${left.padEnd(24)}${option.help}`;
  });
  const details = command.details === undefined ? '' : `\n${command.details.trim()}\n`;
  return `usage: lethe ${verb} ${command.usage}\n\n${command.summary}\n\n${rows.join('\n')}\n${details}`;
}

/** A pipe closed by its reader (`| head`) is no failure of ours. */
function endQuietlyWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.success);
    throw error;
  });
}
