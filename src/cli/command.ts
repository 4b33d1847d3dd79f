/**
 * What a verb of `bin/lethe` is: its words for `--help`, its options in `node:util` parseArgs form, and what it runs.
 * Exit codes: 0 success, 1 the work failed, 2 wrong usage. With `--json` stdout holds JSON documents and nothing else;
 * progress and notes go to stderr.
 */
import { type ParseArgsOptionDescriptor, parseArgs } from 'node:util';

export interface OptionHelp extends ParseArgsOptionDescriptor {
  readonly help: string;
  /** What stands for the value in the usage line, e.g. `DIR`. */
  readonly value?: string;
}

export type OptionValues = Readonly<Record<string, string | boolean | string[] | undefined>>;

export interface Invocation {
  readonly options: OptionValues;
  readonly positionals: readonly string[];
  readonly terminal: Terminal;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Terminal {
  /** One line on stdout: results. */
  out(line: string): void;
  /** One line on stderr: progress and notes. */
  note(line: string): void;
  /** Raw text on stderr, for progress bars. */
  raw(text: string): void;
  readonly interactive: boolean;
  readonly json: boolean;
}

export interface Command {
  readonly summary: string;
  /** Positional arguments in the usage line, e.g. `IN... --out DIR`. */
  readonly usage: string;
  readonly options: Readonly<Record<string, OptionHelp>>;
  /** More paragraphs for `--help`. */
  readonly details?: string;
  run(invocation: Invocation): Promise<number>;
}

export const EXIT = { success: 0, failure: 1, usage: 2 } as const;

/** Wrong usage, noticed by a verb itself: printed with the usage line, exit 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export function textOption(options: OptionValues, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

export function requiredOption(options: OptionValues, name: string): string {
  const value = textOption(options, name);
  if (value === undefined || value === '') throw new UsageError(`--${name} is required`);
  return value;
}

/**
 * Options and positionals of a command line; throws as `parseArgs` does. An option that is called `no-...` keeps that name:
 * with `allowNegative` it would be read as the negation of another one, which nobody asks for.
 */
export function parseOptions<const Options extends Readonly<Record<string, OptionHelp>>>(
  options: Options,
  argv: readonly string[],
) {
  return parseArgs({ args: [...argv], options, allowPositionals: true, allowNegative: false });
}

export function flag(options: OptionValues, name: string): boolean {
  return options[name] === true;
}

/** A whole number in [minimum, maximum]; `fallback` when the option is absent. */
export function integerOption(
  options: OptionValues,
  name: string,
  range: { minimum: number; maximum: number; fallback: number },
): number {
  const text = textOption(options, name);
  if (text === undefined) return range.fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < range.minimum || value > range.maximum) {
    throw new UsageError(`--${name} takes a whole number from ${range.minimum} to ${range.maximum}`);
  }
  return value;
}

export const JSON_OPTION: OptionHelp = { type: 'boolean', help: 'Print JSON on stdout and nothing else there.' };
export const CONFIG_OPTION: OptionHelp = {
  type: 'string',
  value: 'FILE',
  help: 'Configuration file (default: lethe.yaml where there is one).',
};

export const GENERATION_OPTION: OptionHelp = {
  type: 'string',
  value: 'N',
  help: 'Generation of the key, as in deidentification.key.generation of a gateway (default 1).',
};

/** The generation of the pseudonym key, 1 to 65535 as in the configuration; 1 where it is not said. */
export function generationOf(options: OptionValues): number {
  return integerOption(options, 'generation', { minimum: 1, maximum: 65535, fallback: 1 });
}
