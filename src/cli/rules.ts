/** `lethe rules test FILE...`: what the configured rules would do with these files. */
import { loadConfiguration } from '../config/load.ts';
import { toLetheError } from '../core/errors.ts';
import { readPart10 } from '../dicom/part10.ts';
import { compileRules, type Inspection, inspect } from '../gateway/inspect.ts';
import { DEFAULT_CUSTOMER } from '../gateway/keys.ts';
import { CONFIG_OPTION, type Command, EXIT, JSON_OPTION, textOption, UsageError } from './command.ts';
import { inputFiles } from './input-files.ts';
import { fileSource } from './store-files.ts';

export const command: Command = {
  summary: 'Says what the rules of the configuration would do with files.',
  usage: 'test FILE... [--config FILE] [--customer C] [--source S]',
  options: {
    config: CONFIG_OPTION,
    customer: { type: 'string', value: 'C', help: 'Customer to assume (default: default).' },
    source: { type: 'string', value: 'S', help: 'Source to assume: calling AE title, folder or client.' },
    json: JSON_OPTION,
  },
  async run({ options, positionals, cwd, env, terminal }) {
    const [verb, ...names] = positionals;
    if (verb !== 'test' || names.length === 0) throw new UsageError('rules takes test FILE...');
    const { configuration } = loadConfiguration({ path: textOption(options, 'config'), cwd, env });
    const rules = compileRules(
      configuration.rules.map(({ name, when, action, destinations }) => ({
        name,
        when,
        action,
        ...(destinations === undefined ? {} : { destinations }),
      })),
    );
    const facts = {
      customer: textOption(options, 'customer') ?? DEFAULT_CUSTOMER,
      sourceName: textOption(options, 'source') ?? '',
    };
    let failed = 0;
    for (const { path, name } of inputFiles(names, cwd)) {
      const source = fileSource(path);
      try {
        const verdict = inspect(readPart10(source, { stopAtPixelData: true }).dataSet, facts, rules);
        terminal.out(terminal.json ? JSON.stringify({ input: name, ...verdict }) : `${name}: ${words(verdict)}`);
      } catch (error) {
        failed++;
        const { code, message } = toLetheError(error);
        terminal.out(terminal.json ? JSON.stringify({ input: name, status: 'error', code }) : `${name}: ${message}`);
      } finally {
        source.close();
      }
    }
    return failed === 0 ? EXIT.success : EXIT.failure;
  },
};

function words(verdict: Inspection): string {
  if (verdict.kind !== 'proceed') return `${verdict.kind} by rule ${verdict.rule}`;
  const where = verdict.destinations === undefined ? 'all destinations' : verdict.destinations.join(', ');
  return `proceed to ${where}${verdict.urgent ? ', urgent' : ''}`;
}
