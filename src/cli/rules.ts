/** `lethe rules test FILE...`: what the configured rules would do with these files, and why. */
import { loadConfiguration } from '../config/load.ts';
import { toLetheError } from '../core/errors.ts';
import type { DataSet } from '../dicom/data-set.ts';
import { readPart10 } from '../dicom/part10.ts';
import { takerOf } from '../gateway/destinations.ts';
import { compileRules, explainInspection, type Inspection, type RuleFinding } from '../gateway/inspect.ts';
import { DEFAULT_CUSTOMER } from '../gateway/keys.ts';
import { type DestinationTaker, takersOf } from '../gateway/outputs.ts';
import { rulesOf } from '../gateway/rules.ts';
import { hasImage } from '../imaging/image-description.ts';
import { CONFIG_OPTION, type Command, EXIT, type Invocation, JSON_OPTION, textOption, UsageError } from './command.ts';
import { fileSource } from './file-source.ts';
import { inputFiles } from './input-files.ts';

export const command: Command = {
  summary: 'Says what the rules of the configuration would do with files, and why.',
  usage: 'test FILE... [--config FILE] [--customer C] [--source S] [--via WAY] [--at TIME]',
  options: {
    config: CONFIG_OPTION,
    customer: { type: 'string', value: 'C', help: 'Customer to assume (default: default).' },
    source: { type: 'string', value: 'S', help: 'Source to assume: calling AE title, folder or client.' },
    via: { type: 'string', value: 'WAY', help: 'Way to assume: dicom (default), folder, http, stow or pull.' },
    at: { type: 'string', value: 'TIME', help: 'Time of receipt to assume, e.g. 2026-03-01T22:30 (default: now).' },
    json: JSON_OPTION,
  },
  details: `Names every rule with its conditions and whether each holds; a star marks those that decide. Rules and conditions are
shown as they are written, values of the files are not.`,
  run,
};

async function run({ options, positionals, cwd, env, terminal }: Invocation): Promise<number> {
  const [verb, ...names] = positionals;
  if (verb !== 'test' || names.length === 0) throw new UsageError('rules takes test FILE...');
  const loaded = loadConfiguration({ path: textOption(options, 'config'), cwd, env });
  const rules = compileRules(rulesOf(loaded.configuration), loaded.placeOf);
  const takers = loaded.configuration.destinations?.map(takerOf);
  const facts = {
    customer: textOption(options, 'customer') ?? DEFAULT_CUSTOMER,
    sourceName: textOption(options, 'source') ?? '',
    sourceKind: textOption(options, 'via') ?? 'dicom',
    receivedAtMs: timeOf(textOption(options, 'at')),
  };
  let failed = 0;
  for (const { path, name } of inputFiles(names, cwd)) {
    try {
      const { dataSet } = headerOf(path);
      const { verdict, findings } = explainInspection(dataSet, facts, rules);
      const goesTo = takers === undefined ? undefined : destinationsOf(dataSet, verdict, takers);
      if (terminal.json) {
        terminal.out(
          JSON.stringify({ input: name, ...verdict, ...(goesTo === undefined ? {} : { goesTo }), rules: findings }),
        );
      } else {
        terminal.out(`${name}: ${words(verdict, goesTo)}`);
        for (const line of findings.flatMap(findingLines)) terminal.out(line);
      }
    } catch (error) {
      failed++;
      const { code, message } = toLetheError(error);
      terminal.out(terminal.json ? JSON.stringify({ input: name, status: 'error', code }) : `${name}: ${message}`);
    }
  }
  return failed === 0 ? EXIT.success : EXIT.failure;
}

function headerOf(path: string) {
  const source = fileSource(path);
  try {
    return readPart10(source, { endAfterPixelData: true });
  } finally {
    source.close();
  }
}

function timeOf(text: string | undefined): number {
  if (text === undefined) return Date.now();
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new UsageError('--at takes a time such as 2026-03-01T22:30');
  return time;
}

const SOP_CLASS_UID = 0x00080016;
const MODALITY = 0x00080060;

/** With rules and filters together. */
function destinationsOf(dataSet: DataSet, verdict: Inspection, takers: readonly DestinationTaker[]): string[] {
  if (verdict.kind !== 'proceed') return [];
  const modality = dataSet.string(MODALITY);
  const facts = {
    sopClassUid: dataSet.string(SOP_CLASS_UID) ?? '',
    hasImages: hasImage(dataSet),
    ...(modality === undefined ? {} : { modality }),
  };
  return takersOf(facts, takers, verdict.destinations).map(({ name }) => name);
}

function words(verdict: Inspection, goesTo: readonly string[] | undefined): string {
  if (verdict.kind !== 'proceed') return `${verdict.kind} by rule ${verdict.rule}`;
  if (goesTo?.length === 0) return 'held: no destination takes it';
  const where = goesTo?.join(', ') ?? verdict.destinations?.join(', ') ?? 'all destinations';
  const how = [verdict.profile === undefined ? [] : [`profile ${verdict.profile}`], verdict.urgent ? ['urgent'] : []];
  return ['proceed to '.concat(where), ...how.flat()].join(', ');
}

function findingLines({ rule, action, matches, counts, terms }: RuleFinding): string[] {
  const verdict = matches ? (counts ? 'matches' : 'matches, but another decides') : 'does not match';
  return [
    `  ${counts ? '*' : ' '} ${rule} (${action}): ${verdict}`,
    ...terms.map(({ asks, holds }) => `      ${holds ? 'yes' : 'no '}  ${asks}`),
  ];
}
